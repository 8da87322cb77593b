//! `textDocument/didChange`. The change is applied before anything is awaited: only so do changes keep their order.

use lsp_types::DidChangeTextDocumentParams;

use crate::lsp::server::Server;

/// Handles the notification.
pub fn did_change(server: &Server, params: DidChangeTextDocumentParams) {
    let identifier = params.text_document;
    let changed = {
        let mut state = server.state();
        let encoding = state.features.encoding;
        state.documents.change(&identifier.uri, identifier.version, params.content_changes, encoding)
    };
    if changed {
        server.check.ask();
    }
}
