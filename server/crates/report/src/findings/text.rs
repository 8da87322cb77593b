//! Findings for people in a terminal.

use std::io::{self, Write};

use heaphint_analysis::limits::{Amount, Finding};
use heaphint_analysis::{Frame, StackFigures};

use super::sentence::amount_text;
use super::{FindingsReport, finding_sentence};
use crate::text::{Look, Role, printable, short_path};

/// Stacks with less than this part of what was measured are left out of what people read.
const SMALL_SHARE: u64 = 20;
/// Stacks that people read.
const MOST_STACKS: usize = 3;
/// Frames of a deep stack that people read: so many from its outer end,
const OUTER_FRAMES: usize = 4;
/// and so many from its inner one.
const INNER_FRAMES: usize = 8;

/// Writes each finding with its stacks, what is wrong with limits, and how many there are.
///
/// # Errors
/// When `out` cannot be written.
pub fn findings_text(out: &mut dyn Write, report: &FindingsReport<'_>, look: &Look) -> io::Result<()> {
    for problem in report.problems {
        let source = &problem.source;
        let place = format!("{}:{}:{}", report.path(&source.file), source.line, source.column);
        let code = look.paint(Role::Dim, format!("[{}]", problem.kind.code()));
        writeln!(out, "{}: {} {code}", printable(&place), printable(&problem.message))?;
    }
    for finding in report.findings {
        let place = report.place(finding);
        let place = format!("{}:{}", place.file, place.line);
        let sentence = finding_sentence(finding, report.units);
        writeln!(
            out,
            "{}: {} {}",
            look.paint(Role::Heading, printable(&place)),
            look.paint(Role::Large, printable(&sentence)),
            look.paint(Role::Dim, format!("[{}]", finding.kind.code())),
        )?;
        let limit = report.limit_place(finding);
        writeln!(out, "  limit: {}", printable(&format!("{}:{}", limit.file, limit.line)))?;
        for stack in telling_stacks(finding) {
            writeln!(out, "  {}", stack_heading(report, finding, stack))?;
            for line in frame_lines(report, &stack.frames) {
                writeln!(out, "    {}", look.paint(Role::Dim, printable(&line)))?;
            }
        }
    }
    match (report.findings.len(), report.held.len()) {
        (0, 0) => {
            writeln!(out, "There are no limits for this run: write one into pyproject.toml or a comment.")
        }
        (0, 1) => writeln!(out, "The limit holds."),
        (0, held) => writeln!(out, "All {held} limits hold."),
        (found, held) => {
            let found = if found == 1 {
                "1 limit was exceeded".to_owned()
            } else {
                format!("Limits were exceeded {found} times")
            };
            let held = match held {
                0 => String::new(),
                1 => ", 1 holds".to_owned(),
                held => format!(", {held} hold"),
            };
            writeln!(out, "{found}{held}.")
        }
    }
}

/// The stacks of a finding that a person wants to see.
pub fn telling_stacks<'f, 'a>(finding: &'f Finding<'a>) -> impl Iterator<Item = &'f StackFigures<'a>> {
    let (Amount::Bytes(measured) | Amount::Allocations(measured)) = finding.measured;
    let stacks = finding.stacks.stacks.iter().enumerate().take(MOST_STACKS);
    stacks
        .take_while(move |(index, stack)| {
            let amount = if finding.stacks.counts { stack.count } else { stack.bytes };
            *index == 0 || amount >= measured / SMALL_SHARE
        })
        .map(|(_, stack)| stack)
}

/// How much a stack has of what: `40.0 MiB (peak)`, `1,234 allocations`.
pub fn stack_heading(report: &FindingsReport<'_>, finding: &Finding<'_>, stack: &StackFigures<'_>) -> String {
    if finding.stacks.counts {
        return amount_text(Amount::Allocations(stack.count), report.units);
    }
    format!("{} ({})", amount_text(Amount::Bytes(stack.bytes), report.units), finding.stacks.by.name())
}

/// The frames that tell something: from the outermost one of the project inwards, without those of the import system
/// and the middle of a deep stack.
pub fn frame_lines(report: &FindingsReport<'_>, frames: &[Frame<'_>]) -> Vec<String> {
    let first = frames.iter().position(|frame| report.is_in_project(frame.file)).unwrap_or(0);
    let telling: Vec<_> =
        frames[first..].iter().filter(|frame| !frame.file.starts_with("<frozen importlib")).collect();
    if telling.is_empty() {
        return vec!["outside Python code".to_owned()];
    }
    let left_out = telling.len().saturating_sub(OUTER_FRAMES + INNER_FRAMES);
    let mut lines = Vec::new();
    for (index, frame) in telling.iter().enumerate() {
        if left_out > 1 && (OUTER_FRAMES..OUTER_FRAMES + left_out).contains(&index) {
            if index == OUTER_FRAMES {
                lines.push(format!("… {left_out} frames"));
            }
            continue;
        }
        let file = short_path(report.path(frame.file), report.folder);
        lines.push(format!("{file}:{} {}", frame.line, frame.function));
    }
    lines
}
