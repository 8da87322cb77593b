//! `textDocument/didClose`.

use lsp_types::DidCloseTextDocumentParams;

use crate::lsp::server::Server;

/// Handles the notification.
pub fn did_close(server: &Server, params: &DidCloseTextDocumentParams) {
    server.state().documents.close(&params.text_document.uri);
    // Comments of a closed file are those on disk.
    server.check.ask();
}
