//! What the editor shows, or is told when it asks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lsp_types::notification::PublishDiagnostics;
use lsp_types::{Diagnostic, PublishDiagnosticsParams, Range, Url};

use super::Diagnostics;
use crate::lsp::server::Server;

/// The diagnostics of the last comparison.
#[derive(Debug, Default)]
pub struct Published(Mutex<Diagnostics>);

impl Published {
    /// The diagnostics of a document, with the name of this answer: it is the same as long as they are.
    pub fn of(&self, uri: &Url) -> (String, Vec<Diagnostic>) {
        let list = self.lock().get(uri).cloned().unwrap_or_default();
        (name(&list), list)
    }

    /// Documents that have diagnostics.
    pub fn documents(&self) -> Vec<Url> {
        self.lock().keys().cloned().collect()
    }

    /// The diagnostics that touch a range.
    pub fn at(&self, uri: &Url, range: Range) -> Vec<Diagnostic> {
        let published = self.lock();
        let here = published.get(uri).into_iter().flatten();
        here.filter(|shown| shown.range.start <= range.end && range.start <= shown.range.end)
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Diagnostics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(diagnostics: &[Diagnostic]) -> String {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(diagnostics).unwrap_or_default().hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

/// Shows the diagnostics of a comparison: sends what has changed, or asks the editor to ask again.
pub fn publish(server: &Server, diagnostics: Diagnostics) {
    let pulls = server.state().features.pulls_diagnostics;
    let mut published = server.published.lock();
    if pulls {
        if *published != diagnostics {
            *published = diagnostics;
            // One that does not know this request refuses it, and asks when its documents change.
            server.outbox.request_in_background::<lsp_types::request::WorkspaceDiagnosticRefresh>(());
        }
        return;
    }
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
    *published = diagnostics;
}
