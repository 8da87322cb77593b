//! `textDocument/didOpen`.

use lsp_types::DidOpenTextDocumentParams;

use crate::lsp::documents::Document;
use crate::lsp::server::Server;

/// Handles the notification.
pub fn did_open(server: &Server, params: DidOpenTextDocumentParams) {
    let item = params.text_document;
    let document = Document::new(&item.uri, &item.language_id, item.version, item.text);
    let results = server.state().results.clone();
    if let (Some(results), Some(path)) = (results, &document.path)
        && let Some(file) = results.file(path)
    {
        // A library's file is read here, while the state is not locked.
        file.baseline();
    }
    server.state().open(item.uri, document);
    server.check.notify_one();
}
