//! Exceeded limits as warnings where the memory is held, with where the limit is written and who allocated.

use std::path::Path;

use heaphint_analysis::limits::{Amount, Finding, FindingKind};
use heaphint_analysis::{Frame, StackFigures, StackList, written_size};
use heaphint_report::{finding_sentence, limit_sentence};
use lsp_types::{Diagnostic, DiagnosticRelatedInformation, Location, NumberOrString, Position, Range, Url};

use super::data::{DiagnosticData, FindingKey, Ignore, Raise};
use super::explained::code_description;
use super::limits::Seen;
use super::{Diagnostics, Input};
use crate::lsp::results::{FileResults, Results};
use crate::lsp::wording;

/// Stacks that a warning names.
const MAX_STACKS: usize = 3;
/// Frames of a stack in one sentence.
const MAX_FRAMES: usize = 6;

impl Input {
    /// One diagnostic for each exceeded limit; two for the process's.
    pub(super) fn findings(
        &self,
        results: &Results,
        findings: &[Finding<'_>],
        diagnostics: &mut Diagnostics,
    ) {
        for finding in findings {
            for (location, old) in self.places(results, finding) {
                let diagnostic = self.finding(results, finding, &location, old);
                let list = diagnostics.entry(location.uri).or_default();
                if !list.contains(&diagnostic) {
                    list.push(diagnostic);
                }
            }
        }
    }

    /// Where a finding is shown, and whether the text there has been edited since.
    fn places(&self, results: &Results, finding: &Finding<'_>) -> Vec<(Location, bool)> {
        // A leak of a function is shown at the line that left it.
        let is_function = finding.is_function && finding.kind != FindingKind::Leak;
        match (is_function, finding.file, finding.line) {
            (true, Some(file), Some(first_line)) => {
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

    fn finding(&self, results: &Results, finding: &Finding<'_>, at: &Location, old: bool) -> Diagnostic {
        let mut message = finding_sentence(finding, self.units.into());
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
                    message: limit_sentence(finding, self.units.into()),
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
            severity: Some(self.severity),
            code: Some(NumberOrString::String(finding.kind.code().into())),
            code_description: code_description(finding.kind.code()),
            source: Some("heaphint".into()),
            message,
            related_information: (!related.is_empty()).then_some(related),
            data: self.data(results, finding, at).value(),
            ..Diagnostic::default()
        }
    }

    /// What can be done about a finding.
    fn data(&self, results: &Results, finding: &Finding<'_>, at: &Location) -> DiagnosticData {
        let root = Url::from_directory_path(&results.root).ok();
        let source = &finding.limit_source;
        // Where the limit itself stands it can be changed.
        let is_limit = self.uri(Path::new(&source.file)).as_ref() == Some(&at.uri)
            && source.line == at.range.start.line + 1;
        DiagnosticData {
            raise: self.raise(results, finding),
            ignore: (finding.file.is_some() && !is_limit).then(|| Ignore {
                uri: at.uri.clone(),
                row: at.range.start.line,
                function: finding
                    .function
                    .filter(|_| finding.is_function && finding.kind != FindingKind::Leak)
                    .map(str::to_owned),
            }),
            accept: root.clone().filter(|_| finding.kind == FindingKind::Growth),
            stacks: root.filter(|_| !finding.stacks.stacks.is_empty()).map(|root| FindingKey {
                root,
                message: finding_sentence(finding, self.units.into()),
                file: finding.file.map(str::to_owned),
                line: finding.line,
            }),
        }
    }

    /// The limit at what was measured, written as it was. What may grow is better accepted.
    fn raise(&self, results: &Results, finding: &Finding<'_>) -> Option<Raise> {
        let source = &finding.limit_source;
        let path = Path::new(&source.file);
        let seen = Seen { input: self, root: Some(&results.root), results: Some(results) };
        let text = seen.source(path)?;
        let old = text.as_str().get(source.span.clone())?.to_owned();
        let amount = match finding.measured {
            _ if finding.growth.is_some() => return None,
            Amount::Bytes(bytes) => written_size(bytes),
            Amount::Allocations(count) => count.to_string(),
        };
        let quote =
            old.chars().next().filter(|c| matches!(c, '"' | '\'')).map(String::from).unwrap_or_default();
        let position = |offset| text.position(offset, self.features.encoding);
        Some(Raise {
            uri: self.uri(path)?,
            range: Range::new(position(source.span.start), position(source.span.end)),
            old,
            new: format!("{quote}{amount}{quote}"),
        })
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
        let amount = if list.counts {
            wording::allocations(stack.count)
        } else {
            format!("{} {}", wording::size(stack.bytes, self.units), list.by.name())
        };
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
        let message = format!("{amount}: {}", names.join(" → "));
        Some(DiagnosticRelatedInformation { location, message })
    }
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Results {
    /// The `def` line of a function by its first line, which is that of its first decorator.
    fn def_line(&self, path: &Path, first_line: u32) -> u32 {
        let outline = self.file(path).map(FileResults::outline);
        let function = outline.and_then(|o| o.functions.iter().find(|f| f.first_line == first_line).cloned());
        function.map_or(first_line, |function| function.def_line)
    }
}
