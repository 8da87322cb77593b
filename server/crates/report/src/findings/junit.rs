//! Findings as a JUnit report: each limit that holds is a test that passed, each finding one that failed.

use std::io::{self, Write};

use heaphint_analysis::limits::ProblemKind;

use super::text::{frame_lines, stack_heading, telling_stacks};
use super::{FindingsReport, finding_sentence};
use crate::text::printable;

/// Writes the whole report.
///
/// # Errors
/// When `out` cannot be written.
pub fn findings_junit(out: &mut dyn Write, report: &FindingsReport<'_>) -> io::Result<()> {
    let wrong = report.problems.iter().filter(|problem| problem.kind == ProblemKind::Wrong).count();
    let skipped = report.problems.len() - wrong;
    let failures = report.findings.len();
    let tests = failures + report.held.len() + report.problems.len();
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{wrong}\"");
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites {counts}>")?;
    writeln!(out, "  <testsuite name=\"heaphint\" {counts} skipped=\"{skipped}\" time=\"0\">")?;
    for problem in report.problems {
        let source = &problem.source;
        let name = format!("limit in line {}", source.line);
        open(out, report.path(&source.file), &name, source.line)?;
        let code = problem.kind.code();
        match problem.kind {
            ProblemKind::Wrong => {
                writeln!(out, "      <error type=\"{code}\" message=\"{}\"/>", escaped(&problem.message))?;
            }
            _ => writeln!(out, "      <skipped type=\"{code}\" message=\"{}\"/>", escaped(&problem.message))?,
        }
        writeln!(out, "    </testcase>")?;
    }
    for finding in report.findings {
        let place = report.place(finding);
        let limit = report.limit_place(finding);
        let name = match finding.function {
            Some(function) if finding.file.is_some() => {
                format!("{function}, limit in {}:{}", limit.file, limit.line)
            }
            _ => format!("limit in {}:{}", limit.file, limit.line),
        };
        open(out, place.file, &name, place.line)?;
        let sentence = escaped(&finding_sentence(finding, report.units));
        write!(
            out,
            "      <failure type=\"{}\" message=\"{sentence}\">{}:{}",
            finding.kind.code(),
            escaped(place.file),
            place.line
        )?;
        for stack in telling_stacks(finding) {
            write!(out, "\n{}", escaped(&stack_heading(report, finding, stack)))?;
            for line in frame_lines(report, &stack.frames) {
                write!(out, "\n  {}", escaped(&line))?;
            }
        }
        writeln!(out, "</failure>\n    </testcase>")?;
    }
    for limit in report.held {
        let source = &limit.source;
        open(out, report.path(&source.file), &format!("limit in line {}", source.line), source.line)?;
        writeln!(out, "    </testcase>")?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

fn open(out: &mut dyn Write, file: &str, name: &str, line: u32) -> io::Result<()> {
    let (file, name) = (escaped(file), escaped(name));
    writeln!(
        out,
        "    <testcase classname=\"{file}\" name=\"{name}\" file=\"{file}\" line=\"{line}\" time=\"0\">"
    )
}

/// A text without what XML would take for its own, or does not allow at all.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
