//! Limits in Python files: comments and marks.

use std::path::Path;

use heaphint_analysis::limits::{
    Bound, Conditions, Ignored, Limit, LimitSource, Problem, ProblemKind, Remark, Scope, parse_comment,
};
use heaphint_analysis::parse_size;

use super::{Sources, Written};
use crate::python::{LimitComment, LimitMark, LimitTarget, MarkKind, Outline};

/// Reads one file.
pub(super) struct Reader<'a, S> {
    sources: &'a S,
    path: &'a Path,
    outline: &'a Outline,
    text: String,
    written: &'a mut Written,
}

impl<'a, S: Sources> Reader<'a, S> {
    pub(super) fn new(
        sources: &'a S,
        path: &'a Path,
        outline: &'a Outline,
        written: &'a mut Written,
    ) -> Self {
        let has_any = !outline.comments.is_empty() || !outline.marks.is_empty();
        let text = if has_any { sources.text(path).unwrap_or_default() } else { String::new() };
        Self { sources, path, outline, text, written }
    }

    pub(super) fn read(mut self) {
        self.outline.comments.iter().for_each(|comment| self.comment(comment));
        self.outline.marks.iter().for_each(|mark| self.mark(mark));
    }

    fn comment(&mut self, comment: &LimitComment) {
        let remark = match parse_comment(&comment.text) {
            // Only comments for heaphint come here.
            None => return,
            Some(Err(error)) => {
                return self.problem(ProblemKind::Wrong, comment.range.clone(), format!("{error}."));
            }
            Some(Ok(remark)) => remark,
        };
        let scope = match comment.target {
            LimitTarget::Line => self.line_scope(comment.line),
            LimitTarget::Function(index) => self.function_scope(index),
            LimitTarget::Nothing => {
                let message = "This comment is about nothing: write it at the end of a line of code or of a `def` line.";
                return self.problem(ProblemKind::Unused, comment.range.clone(), message.to_owned());
            }
        };
        // A line that is newer than the run has no figures.
        let Some(scope) = scope else { return };
        match remark {
            Remark::Limit(bound, span) => {
                let span = comment.range.start + span.start..comment.range.start + span.end;
                self.limit(scope, bound, span);
            }
            Remark::Ignore => self.written.rules.ignored.extend(match scope {
                Scope::LineAt { file, line } => Some(Ignored { file, lines: line..=line }),
                Scope::FunctionAt { file, lines } => Some(Ignored { file, lines }),
                _ => None,
            }),
        }
    }

    fn mark(&mut self, mark: &LimitMark) {
        let name = mark.kind.name();
        let Some(size) = &mark.size else {
            let message = format!(
                "The size of this `{name}` is known only to the program: write it out, for example `{name}(\"24 MB\")`, to have it checked here, too."
            );
            return self.problem(ProblemKind::Unread, mark.range.clone(), message);
        };
        let bytes = match parse_size(size) {
            Ok(bytes) => bytes,
            Err(error) => return self.problem(ProblemKind::Wrong, mark.range.clone(), format!("{error}.")),
        };
        let bound = match mark.kind {
            MarkKind::Memory => Bound::Held(bytes),
            MarkKind::Leaks => Bound::Leaked(bytes),
        };
        if mark.functions.is_empty() {
            let message = format!("This `{name}` is about nothing: there is no test here.");
            return self.problem(ProblemKind::Unused, mark.range.clone(), message);
        }
        for index in &mark.functions {
            if let Some(scope) = self.function_scope(*index) {
                self.limit(scope, bound, mark.range.clone());
            }
        }
    }

    fn line_scope(&self, line: u32) -> Option<Scope> {
        Some(Scope::LineAt { file: self.file(), line: self.sources.line_then(self.path, line)? })
    }

    fn function_scope(&self, index: usize) -> Option<Scope> {
        let def_line = self.sources.line_then(self.path, self.outline.functions.get(index)?.def_line)?;
        let first_line = self.sources.first_line_then(self.path, def_line)?;
        Some(Scope::FunctionAt { file: self.file(), lines: first_line..=def_line })
    }

    fn file(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    fn limit(&mut self, scope: Scope, bound: Bound, span: std::ops::Range<usize>) {
        let source = LimitSource::new(&self.file(), &self.text, span);
        self.written.rules.limits.push(Limit { scope, bound, conditions: Conditions::default(), source });
    }

    fn problem(&mut self, kind: ProblemKind, span: std::ops::Range<usize>, message: String) {
        let source = LimitSource::new(&self.file(), &self.text, span);
        self.written.problems.push(Problem { kind, source, message });
    }
}
