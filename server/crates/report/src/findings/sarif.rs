//! Findings as SARIF 2.1.0, the format of code scanners.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".

use std::io::{self, Write};

use heaphint_analysis::StackFigures;
use heaphint_analysis::limits::{Finding, Problem, ProblemKind};
use serde_json::{Value, json};

use super::sentence::interval;
use super::text::stack_heading;
use super::{CODES, FindingsReport, explanation, finding_sentence};
use crate::json::write;

/// The base of relative paths: the top of the sources.
const BASE: &str = "%SRCROOT%";

/// Writes one run with all findings.
///
/// # Errors
/// When `out` cannot be written.
pub fn findings_sarif(out: &mut dyn Write, report: &FindingsReport<'_>) -> io::Result<()> {
    let rules: Vec<Value> = CODES
        .iter()
        .map(|code| {
            json!({
                "id": code,
                "shortDescription": {"text": explanation(code)},
                "defaultConfiguration": {"level": default_level(code)},
            })
        })
        .collect();
    let problems = report.problems.iter().map(|problem| problem_result(report, problem));
    let findings = report.findings.iter().map(|finding| finding_result(report, finding));
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "heaphint", "version": report.version, "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": problems.chain(findings).collect::<Vec<_>>(),
        }],
    });
    write(out, &document)
}

/// The level of what has this code, if nobody configures another.
fn default_level(code: &str) -> &'static str {
    let problem = ProblemKind::ALL.into_iter().find(|kind| kind.code() == code);
    problem.map_or("error", problem_level)
}

/// Only a limit that cannot be understood is an error: the others do no harm.
fn problem_level(kind: ProblemKind) -> &'static str {
    if kind == ProblemKind::Wrong { "error" } else { "warning" }
}

fn finding_result(report: &FindingsReport<'_>, finding: &Finding<'_>) -> Value {
    let (place, limit) = (report.place(finding), report.limit_place(finding));
    let mut location =
        json!({"physicalLocation": physical(place.file, json!({"startLine": place.line.max(1)}))});
    if let Some(function) = finding.function {
        location["logicalLocations"] = json!([{"name": function, "kind": "function"}]);
    }
    let source = &finding.limit_source;
    let region = json!({"startLine": source.line.max(1), "startColumn": source.column.max(1)});
    let stacks: Vec<Value> =
        finding.stacks.stacks.iter().map(|stack| stack_value(report, finding, stack)).collect();
    let mut properties = json!({"kind": finding.kind.name()});
    for (name, value) in [
        ("measuredBytes", finding.measured.bytes()),
        ("measuredCount", finding.measured.allocations()),
        ("limitBytes", finding.limit.bytes()),
        ("limitCount", finding.limit.allocations()),
    ] {
        if let Some(value) = value {
            properties[name] = json!(value);
        }
    }
    if let Some(why) = finding.inexact {
        properties["exact"] = json!(false);
        properties["why"] = json!(why.why());
    }
    if let Some(interval) = interval(finding) {
        properties["measuredInterval"] = json!([interval.low, interval.high]);
    }
    let mut result = json!({
        "ruleId": finding.kind.code(),
        "ruleIndex": rule_index(finding.kind.code()),
        "level": "error",
        "message": {"text": finding_sentence(finding, report.units)},
        "locations": [location],
        "relatedLocations": [{
            "id": 1,
            "message": {"text": "The limit is written here."},
            "physicalLocation": physical(limit.file, region),
        }],
        "properties": properties,
    });
    if !stacks.is_empty() {
        result["stacks"] = json!(stacks);
    }
    result
}

fn stack_value(report: &FindingsReport<'_>, finding: &Finding<'_>, stack: &StackFigures<'_>) -> Value {
    // The format wants the innermost frame first.
    let frames: Vec<Value> = stack
        .frames
        .iter()
        .rev()
        .map(|frame| {
            let mut location = json!({"logicalLocations": [{"name": frame.function, "kind": "function"}]});
            if !frame.file.starts_with('<') {
                let region = json!({"startLine": frame.line.max(1)});
                location["physicalLocation"] = physical(report.path(frame.file), region);
            }
            json!({"location": location})
        })
        .collect();
    json!({"message": {"text": stack_heading(report, finding, stack)}, "frames": frames})
}

fn problem_result(report: &FindingsReport<'_>, problem: &Problem) -> Value {
    let source = &problem.source;
    let region = json!({"startLine": source.line.max(1), "startColumn": source.column.max(1)});
    json!({
        "ruleId": problem.kind.code(),
        "ruleIndex": rule_index(problem.kind.code()),
        "level": problem_level(problem.kind),
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": physical(report.path(&source.file), region)}],
    })
}

fn rule_index(code: &str) -> usize {
    CODES.iter().position(|other| *other == code).unwrap_or_default()
}

fn physical(file: &str, region: Value) -> Value {
    let artifact = if file.starts_with('/') {
        json!({"uri": format!("file://{}", encoded(file))})
    } else {
        json!({"uri": encoded(file), "uriBaseId": BASE})
    };
    json!({"artifactLocation": artifact, "region": region})
}

/// A path as a part of a URI.
fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            other => uri += &format!("%{other:02X}"),
        }
    }
    uri
}
