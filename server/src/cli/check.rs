//! `heaphint check`: whether a run kept within the limits that its project has written down.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use heaphint_analysis::limits::{Limit, LimitScope, LimitSource, evaluate, parse_comment, parse_pyproject};
use heaphint_analysis::{FileFigures, Profile};
use heaphint_report::{findings_json, findings_text};

use super::input::{read_profile, read_source};
use super::output::{self, UnitsArgument};
use crate::python::{LimitTarget, Outline};

/// A limit was exceeded.
const EXCEEDED: u8 = 1;

/// Compare a capture with the limits in pyproject.toml and in comments
///
/// Limits are written in `[tool.heaphint]` of the project's pyproject.toml and in comments such as
/// `# heaphint: limit 50 MiB`. Ends with 1 when one of them was exceeded.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Captures of one session; the process that was started comes first
    #[arg(value_name = "CAPTURE", required = true)]
    captures: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// How sizes are shown
    #[arg(long, value_enum, default_value_t)]
    units: UnitsArgument,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let profile = read_profile(&arguments.captures)?;
    let mut written = Written::default();
    written.read_pyproject(Path::new(&profile.session().project))?;
    for file in profile.files().iter().filter(|file| file.in_project) {
        written.read_comments(&profile, file);
    }
    if !written.problems.is_empty() {
        anyhow::bail!("limits that cannot be understood:\n{}", written.problems.join("\n"));
    }
    let findings = evaluate(&profile, &written.limits);
    match arguments.format {
        Format::Json => output::write(|out| findings_json(out, &findings))?,
        Format::Text if findings.is_empty() => {
            let text = match written.limits.len() {
                0 => "There are no limits: write one into pyproject.toml or a comment.".to_owned(),
                1 => "The limit holds.".to_owned(),
                count => format!("All {count} limits hold."),
            };
            output::write(|out| writeln!(out, "{text}"))?;
        }
        Format::Text => {
            output::write(|out| findings_text(out, &findings, &output::look(arguments.units)))?;
        }
    }
    Ok(if findings.is_empty() { 0 } else { EXCEEDED })
}

/// The limits of a project.
#[derive(Default)]
struct Written {
    limits: Vec<Limit>,
    /// What cannot be understood, with its place.
    problems: Vec<String>,
}

impl Written {
    fn read_pyproject(&mut self, project: &Path) -> anyhow::Result<()> {
        let path = project.join("pyproject.toml");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let (limits, errors) = parse_pyproject(&text, &path.to_string_lossy(), &project.to_string_lossy());
        self.limits.extend(limits);
        self.problems
            .extend(errors.iter().map(|error| format!("{}:{}: {error}", path.display(), error.line)));
        Ok(())
    }

    fn read_comments(&mut self, profile: &Profile, file: &FileFigures) {
        let Some(source) = read_source(&file.path, profile.session()) else { return };
        if source.changed_since {
            anstream::eprintln!("heaphint: {} was changed after the run: limits there may be off", file.path);
        }
        let outline = Outline::parse(&source.text, Path::new(&file.path));
        for comment in &outline.comments {
            let place = format!("{}:{}", file.path, comment.line);
            let bytes = match parse_comment(&comment.text) {
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => {
                    self.problems.push(format!("{place}: {error}"));
                    continue;
                }
                None => {
                    self.problems.push(format!("{place}: write `# heaphint: limit 50 MiB`"));
                    continue;
                }
            };
            let file = file.path.clone();
            let scope = match comment.target {
                LimitTarget::Line => LimitScope::LineAt { file: file.clone(), line: comment.line },
                LimitTarget::Function(index) => {
                    let Some(function) = outline.functions.get(index) else { continue };
                    LimitScope::FunctionAt {
                        file: file.clone(),
                        lines: function.first_line..=function.def_line,
                    }
                }
                LimitTarget::Nothing => {
                    self.problems.push(format!(
                        "{place}: this limit is about nothing: write it at the end of a line of code or of a `def` line"
                    ));
                    continue;
                }
            };
            self.limits.push(Limit { scope, bytes, source: LimitSource { file, line: comment.line } });
        }
    }
}
