//! The limits that are written down: in `pyproject.toml` and in comments, with what is wrong with them.

use std::path::Path;
use std::sync::Arc;

use heaphint_analysis::limits::{Limit, LimitScope, LimitSource, parse_comment, parse_pyproject};
use lsp_types::{Diagnostic, DiagnosticSeverity, NumberOrString, Range, Url};

use super::{Diagnostics, Input};
use crate::lsp::documents::{Document, Text};
use crate::lsp::results::{FileResults, Results};
use crate::lsp::sources::read_source;
use crate::python::{LimitComment, LimitTarget, Outline};

impl Input {
    /// All limits that hold for the last run; what cannot be understood becomes a diagnostic.
    pub(super) fn limits(&self, diagnostics: &mut Diagnostics) -> Vec<Limit> {
        let mut limits = Vec::new();
        for root in &self.roots {
            let written = self.written_limits(root, diagnostics);
            if self.results.as_ref().is_some_and(|results| results.root == *root) {
                limits.extend(written);
            }
        }
        for (uri, document) in &self.documents {
            if document.is_python {
                self.document_comments(uri, document, &mut limits, diagnostics);
            }
        }
        let Some(results) = &self.results else { return limits };
        for file in results.project_files() {
            if self.document(file.path()).is_none() {
                self.file_comments(file, &mut limits, diagnostics);
            }
        }
        limits
    }

    /// Limits of a folder's `pyproject.toml`.
    fn written_limits(&self, root: &Path, diagnostics: &mut Diagnostics) -> Vec<Limit> {
        let path = root.join("pyproject.toml");
        let (Ok(text), Some(uri)) = (read_source(&path), self.uri(&path)) else { return Vec::new() };
        let (limits, errors) = parse_pyproject(&text, &path.to_string_lossy(), &root.to_string_lossy());
        let text = Text::new(text);
        for error in errors {
            let range = text.row_range(error.line as usize - 1, self.features.encoding);
            let message = format!("heaphint: {}.", error.message);
            diagnostics.entry(uri.clone()).or_default().push(wrong_limit(range, message));
        }
        limits
    }

    /// Comments of an open document, on the lines that its figures belong to.
    fn document_comments(
        &self,
        uri: &Url,
        document: &Arc<Document>,
        limits: &mut Vec<Limit>,
        diagnostics: &mut Diagnostics,
    ) {
        let outline = document.outline();
        let file = self.results.as_ref().and_then(|results| results.file(document.path.as_deref()?));
        let then = |line: u32| Some(document.match_of((line as usize).checked_sub(1)?)?.line);
        let problems = diagnostics.entry(uri.clone()).or_default();
        for comment in &outline.comments {
            let Some(bytes) = self.comment_bytes(comment, &document.text, problems) else { continue };
            let Some(file) = file else { continue };
            limits
                .extend(scope(file, comment, &outline, then).map(|scope| limit(file, comment, scope, bytes)));
        }
    }

    /// Comments of a file of the last run that is not open.
    fn file_comments(&self, file: &FileResults, limits: &mut Vec<Limit>, diagnostics: &mut Diagnostics) {
        let Some(uri) = self.uri(file.path()) else { return };
        let outline = file.outline();
        let problems = diagnostics.entry(uri).or_default();
        for comment in &outline.comments {
            let Some(bytes) = self.comment_bytes(comment, &file.baseline().text, problems) else { continue };
            limits
                .extend(scope(file, comment, &outline, Some).map(|scope| limit(file, comment, scope, bytes)));
        }
    }

    /// The size that a comment names; what is wrong with it becomes a diagnostic.
    fn comment_bytes(
        &self,
        comment: &LimitComment,
        text: &Text,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<u64> {
        let message = match parse_comment(&comment.text) {
            Some(Ok(_)) if comment.target == LimitTarget::Nothing => {
                "This limit is about nothing: write it at the end of a line of code or of a `def` line."
                    .to_owned()
            }
            Some(Ok(bytes)) => return Some(bytes),
            Some(Err(error)) => format!("heaphint: {error}."),
            None => "heaphint does not know this comment: write `# heaphint: limit 50 MiB`.".to_owned(),
        };
        let position = |offset| text.position(offset, self.features.encoding);
        let range = Range::new(position(comment.range.start), position(comment.range.end));
        problems.push(wrong_limit(range, message));
        None
    }
}

/// What a comment limits, in the lines of the run. `then` gives a line of the run for one of the text's.
fn scope(
    file: &FileResults,
    comment: &LimitComment,
    outline: &Outline,
    then: impl Fn(u32) -> Option<u32>,
) -> Option<LimitScope> {
    match comment.target {
        LimitTarget::Nothing => None,
        LimitTarget::Line => Some(LimitScope::LineAt { file: file.name.clone(), line: then(comment.line)? }),
        LimitTarget::Function(index) => {
            let def_line = then(outline.functions.get(index)?.def_line)?;
            let ran = file.outline();
            let function = ran.function_at(def_line)?;
            Some(LimitScope::FunctionAt { file: file.name.clone(), lines: function.first_line..=def_line })
        }
    }
}

fn limit(file: &FileResults, comment: &LimitComment, scope: LimitScope, bytes: u64) -> Limit {
    let source = LimitSource { file: file.name.clone(), line: comment.line };
    Limit { scope, bytes, source }
}

fn wrong_limit(range: Range, message: String) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(DiagnosticSeverity::WARNING),
        code: Some(NumberOrString::String("wrong-limit".into())),
        source: Some("heaphint".into()),
        message,
        ..Diagnostic::default()
    }
}

impl Results {
    /// The `def` line of a function by its first line, which is that of its first decorator.
    pub(super) fn def_line(&self, path: &Path, first_line: u32) -> u32 {
        let outline = self.file(path).map(FileResults::outline);
        let function = outline.and_then(|o| o.functions.iter().find(|f| f.first_line == first_line).cloned());
        function.map_or(first_line, |function| function.def_line)
    }
}
