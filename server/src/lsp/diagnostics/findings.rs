//! Exceeded limits as warnings where the memory is held, with where the limit is written and who allocated.

use std::path::Path;

use heaphint_analysis::limits::{Finding, FindingKind, Limit, evaluate};
use heaphint_analysis::{Frame, Inexact, StackFigures, StackList};
use lsp_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Position, Range,
};

use super::{Diagnostics, Input};
use crate::lsp::results::Results;
use crate::lsp::wording;

/// Stacks that a warning names.
const MAX_STACKS: usize = 3;
/// Frames of a stack in one sentence.
const MAX_FRAMES: usize = 6;

impl Input {
    /// One warning for each exceeded limit; two for the process's.
    pub(super) fn findings(&self, results: &Results, limits: &[Limit], diagnostics: &mut Diagnostics) {
        for finding in evaluate(&results.profile, limits) {
            for (location, old) in self.places(results, &finding) {
                let warning = self.warning(results, &finding, &location, old);
                let list = diagnostics.entry(location.uri).or_default();
                if !list.contains(&warning) {
                    list.push(warning);
                }
            }
        }
    }

    /// Where a finding is shown, and whether the text there has been edited since.
    fn places(&self, results: &Results, finding: &Finding<'_>) -> Vec<(Location, bool)> {
        match (finding.kind, finding.file, finding.line) {
            (FindingKind::Function, Some(file), Some(first_line)) => {
                let def_line = results.def_line(Path::new(file), first_line);
                self.place(Path::new(file), def_line).into_iter().collect()
            }
            (_, Some(file), Some(line)) => self.place(Path::new(file), line).into_iter().collect(),
            _ => {
                let source = &finding.limit_source;
                let written = self.location(Path::new(&source.file), source.line as usize - 1);
                let first_line = results.target.as_deref().and_then(|target| self.location(target, 0));
                written.into_iter().chain(first_line).map(|location| (location, false)).collect()
            }
        }
    }

    /// A 1-based line of the run.
    fn place(&self, path: &Path, line: u32) -> Option<(Location, bool)> {
        let row = self.row(path, line)?;
        let old =
            self.document(path).and_then(|document| document.match_of(row)).is_some_and(|found| found.old);
        Some((self.location(path, row)?, old))
    }

    /// A 0-based row as people see it now.
    fn location(&self, path: &Path, row: usize) -> Option<Location> {
        let uri = self.uri(path)?;
        let range = match self.text(path) {
            Some(text) => text.row_range(row, self.features.encoding),
            None => Range::new(Position::new(row as u32, 0), Position::new(row as u32, 0)),
        };
        Some(Location { uri, range })
    }

    fn warning(&self, results: &Results, finding: &Finding<'_>, at: &Location, old: bool) -> Diagnostic {
        let measured = wording::size(finding.measured_bytes, self.units);
        let limit = wording::size(finding.limit_bytes, self.units);
        let about = match finding.inexact {
            None => "",
            Some(Inexact::MaxIsLowerBound | Inexact::SumsOnly) => "at least ",
            Some(Inexact::SeveralProcesses | Inexact::Damaged) => "about ",
        };
        let what = match (finding.kind, finding.function) {
            (FindingKind::Peak, _) => format!("The program's memory peaked at {about}{measured}"),
            (FindingKind::Function, Some(name)) => format!("`{name}` held up to {about}{measured}"),
            _ => format!("This line held up to {about}{measured}"),
        };
        let mut message = format!("{what}, more than the limit of {limit}.");
        if old {
            message += " It has been edited since.";
        }
        let source = &finding.limit_source;
        let mut related = Vec::new();
        if let Some(location) = self.location(Path::new(&source.file), source.line as usize - 1) {
            // The limit of a process is shown where it is written, too.
            if location != *at {
                related.push(DiagnosticRelatedInformation {
                    location,
                    message: format!("The limit of {limit}."),
                });
            }
        }
        related.extend(self.stacks(results, &finding.stacks));
        if !self.features.related_information {
            for information in related.drain(..) {
                message += &format!("\n{}", information.message);
            }
        }
        Diagnostic {
            range: at.range,
            severity: Some(DiagnosticSeverity::WARNING),
            code: Some(NumberOrString::String("limit-exceeded".into())),
            source: Some("heaphint".into()),
            message,
            related_information: (!related.is_empty()).then_some(related),
            ..Diagnostic::default()
        }
    }

    fn stacks(&self, results: &Results, list: &StackList<'_>) -> Vec<DiagnosticRelatedInformation> {
        let stacks = list.stacks.iter().take(MAX_STACKS);
        stacks.filter_map(|stack| self.stack(results, stack, list)).collect()
    }

    /// A stack at its innermost frame of the project.
    fn stack(
        &self,
        results: &Results,
        stack: &StackFigures<'_>,
        list: &StackList<'_>,
    ) -> Option<DiagnosticRelatedInformation> {
        let frames = results.user_frames(&stack.frames);
        let ours = |(frame, _): &&(Frame<'_>, usize)| results.is_in_project(frame.file);
        let (at, _) = frames.iter().rev().find(ours).or(frames.last())?;
        let row = self.row(Path::new(at.file), at.line)?;
        let location = self.location(Path::new(at.file), row)?;
        let size = wording::size(stack.bytes, self.units);
        let left_out = frames.len().saturating_sub(MAX_FRAMES);
        let mut names: Vec<String> = frames
            .iter()
            .skip(left_out)
            .map(|(frame, times)| {
                let times = if *times > 1 { format!(" ×{times}") } else { String::new() };
                format!("{} ({}:{}){times}", frame.qualname, file_name(frame.file), frame.line)
            })
            .collect();
        if left_out > 0 {
            names.insert(0, "…".to_owned());
        }
        let message = format!("{size} {}: {}", list.by.name(), names.join(" → "));
        Some(DiagnosticRelatedInformation { location, message })
    }
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
