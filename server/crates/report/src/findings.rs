//! Limits that were exceeded.

use std::io::{self, Write};

use heaphint_analysis::Frame;
use heaphint_analysis::limits::Finding;
use serde::Serialize;

use crate::json::{Exactness, JsonStack, SCHEMA, write};
use crate::text::{Look, Role, printable};

/// Stacks with less than this part of what was measured are left out of what people read.
const SMALL_SHARE: u64 = 20;
/// Frames of a deep stack that people read: so many from its outer end,
const OUTER_FRAMES: usize = 4;
/// and so many from its inner one.
const INNER_FRAMES: usize = 8;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    findings: Vec<JsonFinding<'a>>,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    kind: &'static str,
    file: Option<&'a str>,
    line: Option<u32>,
    function: Option<&'a str>,
    measured_bytes: u64,
    #[serde(flatten)]
    exactness: Exactness,
    limit_bytes: u64,
    limit_source: LimitSource<'a>,
    /// The figure that the stacks are measured by.
    stacks_by: &'static str,
    stacks: Vec<JsonStack<'a>>,
}

#[derive(Serialize)]
struct LimitSource<'a> {
    file: &'a str,
    line: u32,
}

/// Writes all findings as one object.
///
/// # Errors
/// When `out` cannot be written.
pub fn findings_json(out: &mut dyn Write, findings: &[Finding<'_>]) -> io::Result<()> {
    let findings = findings
        .iter()
        .map(|finding| JsonFinding {
            kind: finding.kind.name(),
            file: finding.file,
            line: finding.line,
            function: finding.function,
            measured_bytes: finding.measured_bytes,
            exactness: finding.inexact.into(),
            limit_bytes: finding.limit_bytes,
            limit_source: LimitSource { file: &finding.limit_source.file, line: finding.limit_source.line },
            stacks_by: finding.stacks.by.name(),
            stacks: finding.stacks.stacks.iter().map(JsonStack::from).collect(),
        })
        .collect();
    write(out, &Document { schema: SCHEMA, findings })
}

/// Writes each finding with its stacks for a person.
///
/// # Errors
/// When `out` cannot be written.
pub fn findings_text(out: &mut dyn Write, findings: &[Finding<'_>], look: &Look) -> io::Result<()> {
    for finding in findings {
        let place = match (finding.file, finding.line, finding.function) {
            (Some(file), Some(line), Some(function)) => format!("{file}:{line}: {function}: "),
            _ => "the process: ".to_owned(),
        };
        let bound = if finding.inexact.is_some() { "at least " } else { "" };
        writeln!(
            out,
            "{}{} exceeds the limit of {} ({}:{})",
            printable(&place),
            look.paint(Role::Large, format!("{bound}{}", look.size(finding.measured_bytes))),
            look.size(finding.limit_bytes),
            printable(&finding.limit_source.file),
            finding.limit_source.line,
        )?;
        for (index, stack) in finding.stacks.stacks.iter().enumerate() {
            if index > 0 && stack.bytes < finding.measured_bytes / SMALL_SHARE {
                break;
            }
            writeln!(out, "  {} ({})", look.size(stack.bytes), finding.stacks.by.name())?;
            write_frames(out, &stack.frames, look)?;
        }
    }
    Ok(())
}

/// The frames that tell something: the import system's are left out, and the middle of a deep stack.
fn write_frames(out: &mut dyn Write, frames: &[Frame<'_>], look: &Look) -> io::Result<()> {
    let telling: Vec<_> =
        frames.iter().filter(|frame| !frame.file.starts_with("<frozen importlib")).collect();
    if telling.is_empty() {
        return writeln!(out, "    {}", look.paint(Role::Dim, "outside Python code"));
    }
    let left_out = telling.len().saturating_sub(OUTER_FRAMES + INNER_FRAMES);
    for (index, frame) in telling.iter().enumerate() {
        if left_out > 1 && (OUTER_FRAMES..OUTER_FRAMES + left_out).contains(&index) {
            if index == OUTER_FRAMES {
                writeln!(out, "    {}", look.paint(Role::Dim, format!("… {left_out} frames")))?;
            }
            continue;
        }
        let frame = format!("{}:{} {}", frame.file, frame.line, frame.function);
        writeln!(out, "    {}", look.paint(Role::Dim, printable(&frame)))?;
    }
    Ok(())
}
