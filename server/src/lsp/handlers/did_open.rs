//! `textDocument/didOpen`.

use lsp_types::DidOpenTextDocumentParams;

use crate::lsp::documents::Document;
use crate::lsp::server::Server;

/// Handles the notification.
pub fn did_open(server: &Server, params: DidOpenTextDocumentParams) {
    let item = params.text_document;
    let document = Document::new(&item.uri, &item.language_id, item.version, item.text);
    let shown = server.state().shown.clone();
    if let Some(path) = &document.path
        && let Some((_, file)) = shown.of_file(path)
    {
        // A library's file is read here, while the state is not locked.
        file.baseline();
    }
    server.state().open(item.uri, document);
    server.check.notify_one();
}
