//! Findings as workflow commands, which GitHub shows beside the changed lines.

use std::io::{self, Write};

use heaphint_analysis::limits::ProblemKind;

use super::{FindingsReport, finding_sentence};
use crate::text::printable;

/// Writes one command for each finding and each problem.
///
/// # Errors
/// When `out` cannot be written.
pub fn findings_github(out: &mut dyn Write, report: &FindingsReport<'_>) -> io::Result<()> {
    for problem in report.problems {
        let level = if problem.kind == ProblemKind::Wrong { "error" } else { "warning" };
        let source = &problem.source;
        let at = format!("line={},col={}", source.line, source.column);
        command(out, level, report.path(&source.file), &at, problem.kind.code(), &problem.message)?;
    }
    for finding in report.findings {
        let place = report.place(finding);
        let at = format!("line={}", place.line);
        let sentence = finding_sentence(finding, report.units);
        command(out, "error", place.file, &at, finding.kind.code(), &sentence)?;
    }
    Ok(())
}

fn command(
    out: &mut dyn Write,
    level: &str,
    file: &str,
    at: &str,
    code: &str,
    message: &str,
) -> io::Result<()> {
    writeln!(out, "::{level} file={},{at},title=heaphint {code}::{}", property(file), data(message))
}

/// A text that cannot end its command.
fn data(text: &str) -> String {
    printable(text).replace('%', "%25")
}

/// The same within a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
