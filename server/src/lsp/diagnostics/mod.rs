//! Limits compared with the figures of the last run, as diagnostics. Nothing is run again for it.

mod findings;
mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsp_types::notification::PublishDiagnostics;
use lsp_types::{Diagnostic, MessageType, PublishDiagnosticsParams, Url};

use super::documents::{Document, Text};
use super::ext::Units;
use super::features::Features;
use super::results::Results;
use super::server::Server;
use super::sources::read_source;

/// Diagnostics by file.
type Diagnostics = BTreeMap<Url, Vec<Diagnostic>>;

/// What diagnostics are made from, at one moment.
struct Input {
    features: Features,
    units: Units,
    roots: BTreeSet<PathBuf>,
    documents: Vec<(Url, Arc<Document>)>,
    results: Option<Arc<Results>>,
}

/// Compares whenever somebody asks for it on [`Server::check`], one comparison at a time.
pub fn keep_checking(server: Arc<Server>) {
    tokio::spawn(async move {
        let mut published = Diagnostics::new();
        loop {
            server.check.notified().await;
            let input = Input::now(&server);
            match tokio::task::spawn_blocking(move || input.diagnostics()).await {
                Ok(diagnostics) => {
                    publish(&server, &published, &diagnostics);
                    published = diagnostics;
                }
                Err(error) => {
                    server.outbox.log(MessageType::ERROR, format!("Limits could not be compared: {error}."));
                }
            }
        }
    });
}

fn publish(server: &Server, published: &Diagnostics, diagnostics: &Diagnostics) {
    let gone = published.keys().filter(|uri| !diagnostics.contains_key(uri));
    let gone = gone.map(|uri| (uri, Vec::new()));
    let changed = diagnostics.iter().filter(|(uri, now)| published.get(uri) != Some(now));
    for (uri, diagnostics) in gone.chain(changed.map(|(uri, now)| (uri, now.clone()))) {
        server.outbox.notify::<PublishDiagnostics>(PublishDiagnosticsParams {
            uri: uri.clone(),
            diagnostics,
            version: None,
        });
    }
}

impl Input {
    fn now(server: &Server) -> Self {
        let state = server.state();
        let results = state.shown.last().cloned();
        let roots = results.iter().map(|results| &results.root).chain(&state.folders);
        let roots: BTreeSet<_> = roots.cloned().collect();
        Self {
            features: state.features,
            units: state.settings.units,
            roots,
            documents: state.documents.all().map(|(uri, document)| (uri.clone(), document.clone())).collect(),
            results,
        }
    }

    fn diagnostics(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let limits = self.limits(&mut diagnostics);
        if let Some(results) = &self.results {
            self.findings(results, &limits, &mut diagnostics);
        }
        diagnostics.retain(|_, list| !list.is_empty());
        diagnostics
    }

    fn open(&self, path: &Path) -> Option<&(Url, Arc<Document>)> {
        self.documents.iter().find(|(_, document)| document.path.as_deref() == Some(path))
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
