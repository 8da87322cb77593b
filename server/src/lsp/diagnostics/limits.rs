//! The limits that are written down, as the editor sees their files, and what is wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use heaphint_analysis::limits::{Problem, ProblemKind};
use lsp_types::{Diagnostic, DiagnosticSeverity, DiagnosticTag, NumberOrString, Range, Url};

use super::data::DiagnosticData;
use super::explained::code_description;
use super::{Diagnostics, Input};
use crate::limits::Sources;
use crate::lsp::documents::Text;
use crate::lsp::results::Results;
use crate::python::Outline;

/// A project's files: those that are open as the editor has them, others as they ran.
pub(super) struct Seen<'a> {
    pub(super) input: &'a Input,
    /// The project; `None` for documents of no project.
    pub(super) root: Option<&'a Path>,
    /// Its run.
    pub(super) results: Option<&'a Results>,
}

impl Seen<'_> {
    /// The text that limits are read from.
    pub(super) fn source(&self, path: &Path) -> Option<Text> {
        let ran = || Some(self.results?.file(path)?.baseline().text.clone());
        match self.input.document(path) {
            Some(document) => Some(document.text.clone()),
            None => ran().or_else(|| self.input.text(path)),
        }
    }

    /// Adds what is wrong with limits.
    pub(super) fn show(&self, problems: &[Problem], diagnostics: &mut Diagnostics) {
        for problem in problems {
            let path = Path::new(&problem.source.file);
            let (Some(uri), Some(text)) = (self.input.uri(path), self.source(path)) else { continue };
            let position = |offset: usize| text.position(offset, self.input.features.encoding);
            let span = &problem.source.span;
            let range = Range::new(position(span.start), position(span.end));
            let mut diagnostic = wrong_limit(problem, range);
            if problem.kind == ProblemKind::Unaccepted {
                let root = self.root.and_then(|root| Url::from_directory_path(root).ok());
                diagnostic.data = DiagnosticData { accept: root, ..DiagnosticData::default() }.value();
            }
            let list = diagnostics.entry(uri).or_default();
            if !list.contains(&diagnostic) {
                list.push(diagnostic);
            }
        }
    }
}

impl Sources for Seen<'_> {
    fn text(&self, path: &Path) -> Option<String> {
        self.source(path).map(|text| text.as_str().to_owned())
    }

    fn files(&self) -> Vec<PathBuf> {
        let open = self.input.documents.iter().filter(|(_, document)| document.is_python);
        let open = open.filter_map(|(uri, document)| {
            let path = document.path.clone().unwrap_or_else(|| PathBuf::from(uri.as_str()));
            (self.input.owner(&path) == self.root).then_some(path)
        });
        let mut files: Vec<PathBuf> = open.collect();
        let ran = self.results.map(Results::project_files).unwrap_or_default();
        let ran = ran.iter().map(|file| file.path()).filter(|path| self.input.document(path).is_none());
        files.extend(ran.map(Path::to_owned));
        files
    }

    fn outline(&self, path: &Path) -> Option<Arc<Outline>> {
        match self.input.document(path) {
            Some(document) => Outline::may_limit(document.text.as_str()).then(|| document.outline()),
            None => {
                let file = self.results?.file(path)?;
                Outline::may_limit(file.baseline().text.as_str()).then(|| file.outline())
            }
        }
    }

    fn line_then(&self, path: &Path, line: u32) -> Option<u32> {
        self.results?.file(path)?;
        match self.input.document(path) {
            Some(document) => Some(document.match_of((line as usize).checked_sub(1)?)?.line),
            None => Some(line),
        }
    }

    fn first_line_then(&self, path: &Path, def_line: u32) -> Option<u32> {
        Some(self.results?.file(path)?.outline().function_at(def_line)?.first_line)
    }
}

fn wrong_limit(problem: &Problem, range: Range) -> Diagnostic {
    let code = problem.kind.code();
    Diagnostic {
        range,
        severity: Some(match problem.kind {
            ProblemKind::Wrong | ProblemKind::Unused => DiagnosticSeverity::WARNING,
            ProblemKind::Unaccepted | ProblemKind::Unread => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(code.into())),
        code_description: code_description(code),
        source: Some("heaphint".into()),
        message: problem.message.clone(),
        tags: (problem.kind == ProblemKind::Unused).then(|| vec![DiagnosticTag::UNNECESSARY]),
        ..Diagnostic::default()
    }
}
