//! `heaphint check`: whether a run kept within the limits that its project has written down.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use heaphint_analysis::Profile;
use heaphint_analysis::limits::{Limit, ProblemKind};
use heaphint_report::{
    FindingsReport, findings_github, findings_json, findings_junit, findings_markdown, findings_sarif,
    findings_text,
};

use super::input::{is_changed_since, read_profile};
use super::output::{self, UnitsArgument};
use super::runs::captures;
use crate::launch::project_root;
use crate::limits::{BaselineFile, Disk, Existing, Written};

/// A limit was exceeded.
const EXCEEDED: u8 = 1;

/// Compare a run with the limits that its project has written down
///
/// Limits are written in `[tool.heaphint]` of pyproject.toml, in heaphint.toml, in comments such as
/// `# heaphint: limit 50 MiB`, and in pytest's marks `limit_memory` and `limit_leaks`. Ends with 1 when one of them was
/// exceeded.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Captures of one run, the process that was started first; or a folder with captures, of which the newest run
    /// is meant [default: the newest run of this project]
    #[arg(value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    options: Options,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a run is compared.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// The accepted runs that growth is measured from [default: heaphint-baseline.json of the project]
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The run configuration that the run was started by, for limits that name one [default: the one with its command]
    #[arg(long = "run", value_name = "NAME")]
    run: Option<String>,
    /// How sizes are shown
    #[arg(long, value_enum, default_value_t)]
    units: UnitsArgument,
}

/// What is printed about findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// Annotations of GitHub workflows
    Github,
    /// For code scanners: SARIF 2.1.0
    Sarif,
    /// For CI servers: each limit is a test
    Junit,
    /// For a comment or a summary
    Markdown,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let profile = read_profile(&captures(&arguments.captures)?)?;
    check(&profile, &arguments.options, arguments.format)
}

/// Compares a run with its limits, prints the findings and returns the exit code.
///
/// # Errors
/// When a limit cannot be understood, the accepted runs cannot be read, or nothing can be written.
pub fn check(profile: &Profile, options: &Options, format: Format) -> anyhow::Result<u8> {
    let folder = std::env::current_dir().unwrap_or_default();
    let root = match profile.session().project.as_str() {
        // Captures of other profilers do not know their project: it is the one around here.
        "" => project_root(None, &folder),
        project => PathBuf::from(project),
    };
    let disk = Disk::new(profile);
    let mut written = Written::configuration(&root, &disk);
    written.add_sources(&disk);
    warn_of_changes(profile, &written);
    let file = BaselineFile(options.baseline.clone().unwrap_or_else(|| written.baseline.clone()));
    let baseline = if written.asks_for_growth() || options.baseline.is_some() { file.read()? } else { None };
    if let (None, Some(named)) = (&baseline, &options.baseline) {
        anyhow::bail!("there is no file {}: write it with `heaphint baseline save`", named.display());
    }
    let verdict =
        written.compare(profile, baseline.as_ref(), options.run.as_deref(), &mut Existing::new(&root));
    let held: Vec<&Limit> = verdict.held.iter().map(|index| &written.rules.limits[*index]).collect();
    let report = FindingsReport {
        findings: &verdict.findings,
        held: &held,
        problems: &written.problems,
        folder: &folder.to_string_lossy(),
        project: &root.to_string_lossy(),
        units: options.units.into(),
        version: env!("CARGO_PKG_VERSION"),
    };
    if format == Format::Text && written.is_wrong() {
        let wrong = written.problems.iter().filter(|problem| problem.kind == ProblemKind::Wrong);
        let lines: Vec<String> = wrong
            .map(|problem| {
                let source = &problem.source;
                format!(
                    "{}:{}:{}: {}",
                    report.path(&source.file),
                    source.line,
                    source.column,
                    problem.message
                )
            })
            .collect();
        anyhow::bail!("limits that cannot be understood:\n{}", lines.join("\n"));
    }
    output::write(|out| match format {
        Format::Text => findings_text(out, &report, &output::look(options.units)),
        Format::Json => findings_json(out, &report),
        Format::Github => findings_github(out, &report),
        Format::Sarif => findings_sarif(out, &report),
        Format::Junit => findings_junit(out, &report),
        Format::Markdown => findings_markdown(out, &report),
    })?;
    Ok(match (written.is_wrong(), verdict.findings.is_empty()) {
        (true, _) => super::IO,
        (false, true) => 0,
        (false, false) => EXCEEDED,
    })
}

/// Limits in files that were changed after the run may be about other lines by now.
fn warn_of_changes(profile: &Profile, written: &Written) {
    let files: BTreeSet<&str> = written.rules.limits.iter().map(|limit| limit.source.file.as_str()).collect();
    for file in files.into_iter().filter(|file| file.ends_with(".py")) {
        if is_changed_since(Path::new(file), profile.session()) {
            anstream::eprintln!(
                "heaphint: {file} was changed after the run: limits there may be about other lines"
            );
        }
    }
}
