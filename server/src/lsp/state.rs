//! What the server knows. It is changed under one lock that is held for moments only; handlers work on a [`View`]
//! that never changes under them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use heaphint_analysis::{Figure, Figures, FunctionFigures, LineFigures, Selection};
use lsp_types::Url;

use super::documents::{Document, Documents, Match, Text};
use super::ext::{Settings, ShowParams};
use super::features::Features;
use super::notebooks::Notebooks;
use super::results::{FileResults, Results, Shown};
use crate::python::Function;

/// What the server knows.
#[derive(Debug, Default)]
pub struct State {
    /// What the editor can do.
    pub features: Features,
    /// Its settings.
    pub settings: Arc<Settings>,
    /// What was wrong with the settings that came with `initialize`, until the editor listens.
    pub setting_problems: Vec<String>,
    /// The folders it has open.
    pub folders: Vec<PathBuf>,
    /// Open documents.
    pub documents: Documents,
    /// Open notebooks, whose cells are documents.
    pub notebooks: Notebooks,
    /// The runs whose figures are shown.
    pub shown: Shown,
    /// The runs that they are compared with.
    pub baselines: Shown,
    /// What somebody chose to be shown of them.
    pub choice: Arc<ShowParams>,
}

/// A document and what belongs to it at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// What the editor can do.
    pub features: Features,
    /// Its settings.
    pub settings: Arc<Settings>,
    /// The document.
    pub document: Arc<Document>,
    /// The run that knows the document's file.
    pub results: Option<Arc<Results>>,
    /// The figure that is shown.
    pub figure: Figure,
    /// Whether a line counts only where it is the one that allocates.
    pub self_only: bool,
}

/// The figures of a line, and what they were in the run that is compared with.
#[derive(Debug, Clone, Copy)]
pub struct LineView<'a> {
    /// Now; `None` when the line allocates no more.
    pub now: Option<&'a LineFigures>,
    /// Then; `None` when nothing is compared, `Some(None)` when the line did not allocate.
    pub then: Option<Option<&'a LineFigures>>,
    /// The line that ran.
    pub found: Match,
}

impl State {
    /// A document and what belongs to it.
    pub fn view(&self, uri: &Url) -> Option<View> {
        let document = self.documents.get(uri)?;
        let shown = document.path.as_deref().and_then(|path| self.shown.of_file(path));
        Some(View {
            features: self.features,
            settings: self.settings.clone(),
            results: shown.map(|(results, _)| results.clone()),
            figure: self.figure(),
            self_only: self.self_only(),
            document,
        })
    }

    /// The figure that is shown.
    pub fn figure(&self) -> Figure {
        self.choice.figure.unwrap_or(self.settings.inlay_hints.figure).into()
    }

    /// Whether a line counts only where it is the one that allocates.
    pub fn self_only(&self) -> bool {
        self.choice.self_only.unwrap_or(self.settings.inlay_hints.self_only)
    }

    /// The part of runs that is shown.
    pub fn selection(&self) -> Selection {
        Selection {
            processes: self.choice.process.into_iter().collect(),
            threads: self.choice.thread.iter().cloned().collect(),
            ..Selection::default()
        }
    }

    /// A document that was just opened, matched to the run that knows it.
    pub fn open(&mut self, uri: Url, mut document: Document) {
        let shown = document.path.as_deref().and_then(|path| self.shown.of_file(path));
        document.track(shown.map(|(_, file)| file.baseline()));
        self.documents.open(uri, document);
    }

    /// Shows other runs from now on.
    pub fn change_shown(&mut self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown);
        let shown = &self.shown;
        self.documents.track(|path| Some(shown.of_file(path)?.1.baseline()));
    }
}

impl View {
    /// The run that knows this document's file, and the file in it.
    pub fn file(&self) -> Option<(&Results, &FileResults)> {
        let results = self.results.as_deref()?;
        Some((results, results.file(self.document.path.as_deref()?)?))
    }

    /// The figures of a 0-based row.
    pub fn line(&self, row: usize) -> Option<LineView<'_>> {
        self.lines(row..row + 1).next().map(|(_, line)| line)
    }

    /// The figures of some 0-based rows: those that have any.
    pub fn lines(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, LineView<'_>)> {
        let file = self.file();
        let figures = file.and_then(|(results, file)| results.figures(file));
        let comparison = file.and_then(|(results, file)| Some((results.comparison.as_ref()?, file.path())));
        let line = move |row: usize| {
            let found = self.document.match_of(row)?;
            let now = figures.and_then(|figures| figures.line(found.line));
            let then = comparison.map(|(comparison, path)| comparison.line(path, found.line));
            (now.is_some() || then.flatten().is_some()).then_some((row, LineView { now, then, found }))
        };
        rows.filter_map(line)
    }

    /// Of a line's figures those that are shown.
    pub fn chosen<'a>(&self, line: &'a LineFigures) -> &'a Figures {
        if self.self_only { &line.self_figures } else { &line.total_figures }
    }

    /// What a function of this document was in the run that is compared with: `None` when nothing is compared.
    pub fn function_then(&self, function: &Function) -> Option<Option<&FunctionFigures>> {
        let found = self.document.match_of(function.def_line as usize - 1)?;
        let (results, file) = self.file()?;
        Some(results.comparison.as_ref()?.function(file.path(), found.line))
    }

    /// The figures of a function of this document, and whether its text has changed since.
    pub fn function_figures(&self, function: &Function) -> Option<(&FunctionFigures, bool)> {
        let found = self.document.match_of(function.def_line as usize - 1)?;
        let (results, file) = self.file()?;
        let (figures, then) = results.function(file, found.line)?;
        let baseline = file.baseline();
        let rows = |text: &Text, function: &Function| -> Vec<String> {
            (function.first_line..=function.last_line)
                .map(|line| text.row(line as usize - 1).trim_end().to_owned())
                .collect()
        };
        let same = rows(&baseline.text, &then) == rows(&self.document.text, function);
        Some((figures, !same || !baseline.certain))
    }
}
