//! Comparing a profile with limits.

use super::{FindingKind, Limit, LimitScope, LimitSource};
use crate::{Figure, FileFigures, FunctionFigures, Inexact, LineFigures, Profile, StackList, Through};

/// Stacks that a finding names.
const STACKS: usize = 5;

/// One limit exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// What exceeded it.
    pub kind: FindingKind,
    /// Absolute path; `None` for the process.
    pub file: Option<&'a str>,
    /// The line, or the function's first line, 1-based; `None` for the process.
    pub line: Option<u32>,
    /// The function, or the line's function; `None` for the process.
    pub function: Option<&'a str>,
    /// The figure, bytes.
    pub measured_bytes: u64,
    /// The limit, bytes.
    pub limit_bytes: u64,
    /// Where the limit is written.
    pub limit_source: LimitSource,
    /// Set when the figure is not exact: the program exceeded the limit all the same.
    pub inexact: Option<Inexact>,
    /// The stacks that contributed most.
    pub stacks: StackList<'a>,
}

/// All findings, in the order of the limits and then of files and lines.
#[must_use]
pub fn evaluate<'a>(profile: &'a Profile, limits: &[Limit]) -> Vec<Finding<'a>> {
    let mut findings = Vec::new();
    for limit in limits {
        match &limit.scope {
            LimitScope::Peak => findings.extend(peak(profile, limit)),
            LimitScope::Functions { files, name } => {
                for file in profile.files().iter().filter(|file| files.matches(&file.path)) {
                    let named = file.functions.iter().filter(|f| f.name == *name || f.qualname == *name);
                    findings.extend(named.filter_map(|found| function(profile, limit, file, found)));
                }
            }
            LimitScope::Lines { files } => {
                for file in profile.files().iter().filter(|file| files.matches(&file.path)) {
                    findings.extend(file.lines.iter().filter_map(|found| line(profile, limit, file, found)));
                }
            }
            LimitScope::FunctionAt { file, lines } => {
                if let Some(file) = profile.file(file) {
                    let here = file.functions.iter().filter(|f| lines.contains(&f.first_line));
                    // A lambda or comprehension on the `def` line is not the function that is meant.
                    let here = here.filter(|f| !f.name.starts_with('<'));
                    findings.extend(here.filter_map(|found| function(profile, limit, file, found)));
                }
            }
            LimitScope::LineAt { file, line: number } => {
                if let Some(file) = profile.file(file) {
                    findings.extend(file.line(*number).and_then(|found| line(profile, limit, file, found)));
                }
            }
        }
    }
    findings
}

fn peak<'a>(profile: &'a Profile, limit: &Limit) -> Option<Finding<'a>> {
    let measured = profile.session().peak_bytes;
    (measured > limit.bytes).then(|| Finding {
        kind: FindingKind::Peak,
        file: None,
        line: None,
        function: None,
        measured_bytes: measured,
        limit_bytes: limit.bytes,
        limit_source: limit.source.clone(),
        inexact: profile.session().inexact,
        stacks: profile.stacks_through(Through::Anything, Figure::Peak, STACKS),
    })
}

fn function<'a>(
    profile: &'a Profile,
    limit: &Limit,
    file: &'a FileFigures,
    function: &'a FunctionFigures,
) -> Option<Finding<'a>> {
    let figures = &function.total_figures;
    let through =
        Through::Function { file: &file.path, qualname: &function.qualname, first_line: function.first_line };
    (figures.max_bytes > limit.bytes).then(|| Finding {
        kind: FindingKind::Function,
        file: Some(&file.path),
        line: Some(function.first_line),
        function: Some(&function.name),
        measured_bytes: figures.max_bytes,
        limit_bytes: limit.bytes,
        limit_source: limit.source.clone(),
        inexact: figures.inexact,
        stacks: profile.stacks_through(through, Figure::Max, STACKS),
    })
}

fn line<'a>(
    profile: &'a Profile,
    limit: &Limit,
    file: &'a FileFigures,
    line: &'a LineFigures,
) -> Option<Finding<'a>> {
    let figures = &line.total_figures;
    (figures.max_bytes > limit.bytes).then(|| Finding {
        kind: FindingKind::Line,
        file: Some(&file.path),
        line: Some(line.line),
        function: Some(&line.function),
        measured_bytes: figures.max_bytes,
        limit_bytes: limit.bytes,
        limit_source: limit.source.clone(),
        inexact: figures.inexact,
        stacks: profile.stacks_through(
            Through::Line { file: &file.path, line: line.line },
            Figure::Max,
            STACKS,
        ),
    })
}
