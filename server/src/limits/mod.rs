//! The one place that finds the limits of a project: in `pyproject.toml` and `heaphint.toml`, in comments, and in
//! pytest's marks. The command line and the language server both ask here, so they know the same limits.
//!
//! It reads files of the project and runs nothing.

mod baseline;
mod configured;
mod disk;
mod existing;
mod written;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use heaphint_analysis::Profile;
use heaphint_analysis::limits::{
    Baseline, Bound, ConfigFile, Context, LimitSource, Problem, ProblemKind, Rules, Verdict, command_of,
    evaluate, parse_config,
};

use crate::python::Outline;

pub use baseline::{BASELINE_NAME, BaselineFile};
pub use disk::Disk;
pub use existing::Existing;

/// What a project's files say, as somebody sees them.
pub trait Sources {
    /// The text of any file; `None` when it cannot be read.
    fn text(&self, path: &Path) -> Option<String>;

    /// Python files whose comments and marks are asked for.
    fn files(&self) -> Vec<PathBuf>;

    /// What a Python file holds; `None` also for one whose text says nothing about limits ([`Outline::may_limit`]).
    fn outline(&self, path: &Path) -> Option<Arc<Outline>>;

    /// The 1-based line of the run for one of the text; `None` for lines that are newer than the run.
    fn line_then(&self, path: &Path, line: u32) -> Option<u32>;

    /// The 1-based first line, in the run, of the function whose `def` was on this line of the run.
    fn first_line_then(&self, path: &Path, def_line: u32) -> Option<u32>;
}

/// Everything that a project says about limits.
#[derive(Debug, Default)]
pub struct Written {
    /// The limits, and what is ignored.
    pub rules: Rules,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
    /// The file of accepted runs.
    pub baseline: PathBuf,
    /// The names of run configurations.
    runs: Vec<String>,
    /// The limits of files that are no Python come first: so many.
    configured: usize,
}

impl Written {
    /// What the configuration files of the folder `root` say.
    pub fn configuration(root: &Path, sources: &impl Sources) -> Self {
        let mut written = Self { baseline: root.join(BASELINE_NAME), ..Self::default() };
        for kind in ConfigFile::ALL {
            let path = root.join(kind.name());
            let Some(text) = sources.text(&path) else { continue };
            let config = parse_config(kind, &text, &path.to_string_lossy(), &root.to_string_lossy());
            written.rules.limits.extend(config.limits);
            written.problems.extend(config.problems);
            written.runs.extend(config.runs);
            if let Some(baseline) = config.baseline {
                written.baseline = root.join(baseline);
            }
        }
        written.configured = written.rules.limits.len();
        written
    }

    /// Adds what comments and marks in Python files say.
    pub fn add_sources(&mut self, sources: &impl Sources) {
        for path in sources.files() {
            if let Some(outline) = sources.outline(&path) {
                written::Reader::new(sources, &path, &outline, self).read();
            }
        }
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.rules.limits.is_empty()
    }

    /// The accepted runs, once their file was read. That it cannot be is told at the first limit that asks for it.
    pub fn accepted(&mut self, read: anyhow::Result<Option<Baseline>>) -> Option<Baseline> {
        read.unwrap_or_else(|error| {
            let growth = self.rules.limits.iter().find(|limit| matches!(limit.bound, Bound::Growth(_)));
            if let Some(limit) = growth {
                let message = format!("The accepted runs are not known: {error:#}.");
                self.problems.push(Problem {
                    kind: ProblemKind::Wrong,
                    source: limit.source.clone(),
                    message,
                });
            }
            None
        })
    }

    /// Compares a run with the limits. What becomes known only by that is added to the problems.
    ///
    /// `run` is the configuration that the program was started by, where somebody says so; else it is the one with the
    /// same command.
    pub fn compare<'p>(
        &mut self,
        profile: &'p Profile,
        baseline: Option<&Baseline>,
        run: Option<&str>,
        existing: &mut Existing,
    ) -> Verdict<'p> {
        let names_runs = self.rules.limits.iter().any(|limit| limit.conditions.run().is_some());
        let found = (run.is_none() && names_runs).then(|| configured::run_of(profile.session())).flatten();
        let run = run.or(found.as_deref());
        let mut verdict = evaluate(profile, &self.rules, Context { baseline, run });
        for index in &verdict.incomparable {
            let source = &self.rules.limits[*index].source;
            let command = command_of(profile.session());
            let message = format!(
                "There is no accepted run of `{command}` to compare with: accept one with `heaphint baseline save`."
            );
            self.problems.push(Problem { kind: ProblemKind::Unaccepted, source: source.clone(), message });
        }
        let idle = verdict.idle.iter().copied().filter(|index| *index < self.configured);
        let unused = self.find_unused(idle.collect(), true, existing);
        verdict.held.retain(|index| !unused.contains(index));
        verdict
    }

    /// Adds problems for configured limits that nothing can exceed, without a run.
    pub fn find_unused_without_run(&mut self, existing: &mut Existing) {
        self.find_unused((0..self.configured).collect(), false, existing);
    }

    /// Adds problems for those of the idle limits that are about nothing, and returns these.
    fn find_unused(&mut self, idle: Vec<usize>, after_run: bool, existing: &mut Existing) -> Vec<usize> {
        let mut found = Vec::new();
        for index in idle {
            let limit = &self.rules.limits[index];
            if let Some(message) = existing.missing(&limit.scope, after_run) {
                self.problems.push(unused(&limit.source, message));
                found.push(index);
            }
        }
        for limit in &self.rules.limits[..self.configured] {
            let Some(run) = limit.conditions.run().filter(|run| !self.runs.iter().any(|name| name == run))
            else {
                continue;
            };
            let message = format!(
                "There is no run configuration `{run}`: write `[tool.heaphint.run.{run}]`, or leave `run` out."
            );
            self.problems.push(unused(&limit.source, message));
        }
        found
    }

    /// Whether a limit cannot be understood.
    pub fn is_wrong(&self) -> bool {
        self.problems.iter().any(|problem| problem.kind == ProblemKind::Wrong)
    }

    /// Whether a limit asks how much more a run held than the accepted one.
    pub fn asks_for_growth(&self) -> bool {
        self.rules.limits.iter().any(|limit| matches!(limit.bound, Bound::Growth(_)))
    }
}

fn unused(source: &LimitSource, message: String) -> Problem {
    Problem { kind: ProblemKind::Unused, source: source.clone(), message }
}
