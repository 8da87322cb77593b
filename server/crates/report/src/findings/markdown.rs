//! Findings as Markdown: for the summary of a workflow or a comment on a pull request.

use std::io::{self, Write};

use super::text::{frame_lines, stack_heading, telling_stacks};
use super::{FindingsReport, finding_sentence};
use crate::text::printable;

/// Writes a table of the findings, with their stacks folded away below it.
///
/// # Errors
/// When `out` cannot be written.
pub fn findings_markdown(out: &mut dyn Write, report: &FindingsReport<'_>) -> io::Result<()> {
    let held = report.held.len();
    match report.findings.len() {
        0 => writeln!(out, "### heaphint: no limit was exceeded ({held} hold)")?,
        1 => writeln!(out, "### heaphint: 1 limit was exceeded")?,
        many => writeln!(out, "### heaphint: limits were exceeded {many} times")?,
    }
    if !report.findings.is_empty() || !report.problems.is_empty() {
        writeln!(out, "\n| where | what | limit |\n| --- | --- | --- |")?;
    }
    for finding in report.findings {
        let (place, limit) = (report.place(finding), report.limit_place(finding));
        let sentence = finding_sentence(finding, report.units);
        writeln!(
            out,
            "| {}:{} | {} `{}` | {}:{} |",
            escaped(place.file),
            place.line,
            prose(&sentence),
            finding.kind.code(),
            escaped(limit.file),
            limit.line
        )?;
    }
    for problem in report.problems {
        let source = &problem.source;
        let file = escaped(report.path(&source.file));
        let message = prose(&problem.message);
        writeln!(out, "| {file}:{} | {message} `{}` | |", source.line, problem.kind.code())?;
    }
    for finding in report.findings {
        let place = report.place(finding);
        writeln!(out, "\n<details><summary>Stacks of {}:{}</summary>\n", escaped(place.file), place.line)?;
        for stack in telling_stacks(finding) {
            writeln!(out, "    {}", stack_heading(report, finding, stack))?;
            for line in frame_lines(report, &stack.frames) {
                writeln!(out, "      {}", printable(&line))?;
            }
        }
        writeln!(out, "\n</details>")?;
    }
    Ok(())
}

/// A sentence of ours: its names stand in backticks already.
fn prose(sentence: &str) -> String {
    let mut safe = String::new();
    for (index, part) in sentence.split('`').enumerate() {
        if index > 0 {
            safe.push('`');
        }
        // A bar ends a table's cell even within backticks.
        safe += &if index % 2 == 1 { printable(part).replace('|', "\\|") } else { escaped(part) };
    }
    safe
}

/// A text that Markdown shows as it is.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}
