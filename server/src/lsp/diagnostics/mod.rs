//! Limits compared with the figures of the last run, as diagnostics. Nothing is run again for it.

mod checks;
pub mod commands;
pub mod data;
mod explained;
mod findings;
pub mod fixes;
mod limits;
mod published;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use heaphint_analysis::Profile;
use heaphint_analysis::limits::Verdict;
use lsp_types::{Diagnostic, DiagnosticSeverity, MessageType, Url};

use self::limits::Seen;
use super::documents::{Document, Text};
use super::ext::Units;
use super::features::Features;
use super::results::{Results, Shown};
use super::server::Server;
use crate::limits::{BaselineFile, Existing, Written};
use crate::python::read_source;
pub use checks::Checks;
pub use published::Published;

/// A comparison is followed by a rest of the same length, up to this one.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Diagnostics by file.
pub type Diagnostics = BTreeMap<Url, Vec<Diagnostic>>;

/// What diagnostics are made from, at one moment.
struct Input {
    features: Features,
    units: Units,
    severity: DiagnosticSeverity,
    roots: BTreeSet<PathBuf>,
    documents: Vec<(Url, Arc<Document>)>,
    shown: Shown,
}

/// What is known to exist in projects, from one comparison to the next.
#[derive(Default)]
struct Known(HashMap<PathBuf, (Moment, Existing)>);

/// Files are looked at again when another run is shown.
type Moment = Option<(u32, u64)>;

impl Known {
    fn of(&mut self, root: &Path, results: Option<&Results>) -> &mut Existing {
        let moment = results.map(|results| {
            let session = results.recorded.figures().session();
            (session.pid, session.started_unix_ms)
        });
        let known = self.0.entry(root.to_owned()).or_insert_with(|| (moment, Existing::new(root)));
        if known.0 != moment {
            *known = (moment, Existing::new(root));
        }
        &mut known.1
    }
}

/// Compares whenever somebody asks for it on [`Server::check`], one comparison at a time.
pub fn keep_checking(server: Arc<Server>) {
    tokio::spawn(async move {
        let known = Arc::new(Mutex::new(Known::default()));
        loop {
            let asked = server.check.asked().await;
            let began = Instant::now();
            let (input, known) = (Input::now(&server), known.clone());
            let compare = move || {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                input.diagnostics(&mut known)
            };
            match tokio::task::spawn_blocking(compare).await {
                Ok(diagnostics) => published::publish(&server, diagnostics),
                Err(error) => {
                    server.outbox.log(MessageType::ERROR, format!("Limits could not be compared: {error}."));
                }
            }
            server.check.finish(asked);
            // Edits come faster than a large run can be compared: this takes half of a processor at most.
            tokio::time::sleep(began.elapsed().min(LONGEST_REST)).await;
        }
    });
}

impl Input {
    fn now(server: &Server) -> Self {
        let state = server.state();
        let roots = state.shown.all().iter().map(|results| &results.root).chain(&state.folders);
        Self {
            features: state.features,
            units: state.settings.units,
            severity: state.settings.limits.severity.into(),
            roots: roots.cloned().collect(),
            documents: state.documents.all().map(|(uri, document)| (uri.clone(), document.clone())).collect(),
            shown: state.shown.clone(),
        }
    }

    fn diagnostics(&self, known: &mut Known) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        for root in &self.roots {
            self.project(root, known, &mut diagnostics);
        }
        let seen = Seen { input: self, root: None, results: None };
        let mut written = Written::default();
        written.add_sources(&seen);
        seen.show(&written.problems, &mut diagnostics);
        diagnostics.retain(|_, list| !list.is_empty());
        diagnostics
    }

    /// What is wrong with the limits of a project, and where its run exceeded them.
    fn project(&self, root: &Path, known: &mut Known, diagnostics: &mut Diagnostics) {
        let results = self.finished(root);
        let written = match results {
            Some(results) => {
                let mut written = self.written(root, Some(results));
                let figures = || Ok(results.recorded.figures().clone());
                let whole = if written.is_empty() { figures() } else { results.recorded.whole() };
                // Without the captures nothing can be said about them.
                if let Ok(whole) = whole {
                    let verdict = self.compared(&mut written, results, &whole, known);
                    self.findings(results, &verdict.findings, diagnostics);
                }
                written
            }
            None => {
                let mut written = self.written(root, None);
                written.find_unused_without_run(known.of(root, None));
                written
            }
        };
        Seen { input: self, root: Some(root), results }.show(&written.problems, diagnostics);
    }

    /// The run of a project. What a program holds while it runs is neither its peak nor a leak.
    fn finished(&self, root: &Path) -> Option<&Results> {
        self.shown.of_root(root).filter(|results| !results.live).map(Arc::as_ref)
    }

    /// The limits of a project, for a run of it.
    fn written(&self, root: &Path, results: Option<&Results>) -> Written {
        let seen = Seen { input: self, root: Some(root), results };
        let mut written = Written::configuration(root, &seen);
        written.add_sources(&seen);
        written
    }

    /// The limits of a project, compared with a run of it, which is `whole` with its stacks.
    fn compared<'r>(
        &self,
        written: &mut Written,
        results: &Results,
        whole: &'r Profile,
        known: &mut Known,
    ) -> Verdict<'r> {
        let read = written.asks_for_growth().then(|| BaselineFile(written.baseline.clone()).read());
        let accepted = read.and_then(|read| written.accepted(read));
        let existing = known.of(&results.root, Some(results));
        written.compare(whole, accepted.as_ref(), None, existing)
    }

    /// The project that a file's limits belong to: the innermost one around it, or the one whose run knows it.
    fn owner(&self, path: &Path) -> Option<&Path> {
        let around = self.roots.iter().filter(|root| path.starts_with(root));
        let around = around.max_by_key(|root| root.as_os_str().len()).map(PathBuf::as_path);
        around.or_else(|| self.shown.of_file(path).map(|(results, _)| results.root.as_path()))
    }

    fn open(&self, path: &Path) -> Option<&(Url, Arc<Document>)> {
        self.documents.iter().find(|(uri, document)| match &document.path {
            Some(held) => held == path,
            // What is no file has its URI instead.
            None => Path::new(uri.as_str()) == path,
        })
    }

    fn document(&self, path: &Path) -> Option<&Arc<Document>> {
        self.open(path).map(|(_, document)| document)
    }

    /// A file's name in the editor, which may have opened it through a link.
    fn uri(&self, path: &Path) -> Option<Url> {
        match self.open(path) {
            Some((uri, _)) => Some(uri.clone()),
            None => Url::from_file_path(path).ok(),
        }
    }

    /// The text that a person sees for a file: the editor's, else the file's.
    fn text(&self, path: &Path) -> Option<Text> {
        match self.document(path) {
            Some(document) => Some(document.text.clone()),
            None => Some(Text::new(read_source(path).ok()?)),
        }
    }

    /// The row on which a person sees a 1-based line of the run: `None` when it was deleted.
    fn row(&self, path: &Path, line: u32) -> Option<usize> {
        match self.document(path).and_then(|document| document.tracking.as_ref()) {
            Some(tracking) => tracking.row_of(line),
            None => (line as usize).checked_sub(1),
        }
    }
}
