//! Findings for programs.

use std::io::{self, Write};

use heaphint_analysis::limits::{Finding, LimitSource, Problem};
use serde::Serialize;

use super::sentence::interval;
use super::{FindingsReport, finding_sentence};
use crate::json::{Exactness, JsonStack, SCHEMA, write};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    findings: Vec<JsonFinding<'a>>,
    problems: Vec<JsonProblem<'a>>,
    /// Limits that were not exceeded.
    held: usize,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    kind: &'static str,
    code: &'static str,
    message: String,
    file: Option<&'a str>,
    line: Option<u32>,
    function: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a str>,
    /// Null when allocations were counted.
    measured_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured_count: Option<u64>,
    #[serde(flatten)]
    exactness: Exactness,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured_interval: Option<[u64; 2]>,
    limit_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_count: Option<u64>,
    /// What the accepted run had.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_bytes: Option<u64>,
    limit_source: JsonSource<'a>,
    /// The figure that the stacks are measured by; `allocations` where their number counts.
    stacks_by: &'static str,
    stacks: Vec<JsonStack<'a>>,
}

#[derive(Serialize)]
struct JsonSource<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct JsonProblem<'a> {
    code: &'static str,
    message: &'a str,
    file: &'a str,
    line: u32,
    column: u32,
}

impl<'a> From<&'a LimitSource> for JsonSource<'a> {
    fn from(source: &'a LimitSource) -> Self {
        Self { file: &source.file, line: source.line, column: source.column }
    }
}

impl<'a> From<&'a Problem> for JsonProblem<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            code: problem.kind.code(),
            message: &problem.message,
            file: &problem.source.file,
            line: problem.source.line,
            column: problem.source.column,
        }
    }
}

/// Writes all findings as one object. Paths are absolute.
///
/// # Errors
/// When `out` cannot be written.
pub fn findings_json(out: &mut dyn Write, report: &FindingsReport<'_>) -> io::Result<()> {
    let finding = |finding: &'_ Finding<'_>| finding_sentence(finding, report.units);
    let findings = report
        .findings
        .iter()
        .map(|found| JsonFinding {
            kind: found.kind.name(),
            code: found.kind.code(),
            message: finding(found),
            file: found.file,
            line: found.line,
            function: found.function,
            module: found.module.as_deref(),
            measured_bytes: found.measured.bytes(),
            measured_count: found.measured.allocations(),
            exactness: found.inexact.into(),
            measured_interval: interval(found).map(|interval| [interval.low, interval.high]),
            limit_bytes: found.limit.bytes(),
            limit_count: found.limit.allocations(),
            accepted_bytes: found.growth.map(|(accepted, _)| accepted),
            limit_source: JsonSource::from(&found.limit_source),
            stacks_by: if found.stacks.counts { "allocations" } else { found.stacks.by.name() },
            stacks: found.stacks.stacks.iter().map(JsonStack::from).collect(),
        })
        .collect();
    let problems = report.problems.iter().map(JsonProblem::from).collect();
    write(out, &Document { schema: SCHEMA, findings, problems, held: report.held.len() })
}
