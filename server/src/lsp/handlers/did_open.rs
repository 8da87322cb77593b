//! `textDocument/didOpen`.

use std::sync::Arc;

use lsp_types::DidOpenTextDocumentParams;

use crate::lsp::changes;
use crate::lsp::documents::Document;
use crate::lsp::server::Server;

/// Handles the notification.
pub fn did_open(server: &Arc<Server>, params: DidOpenTextDocumentParams) {
    let item = params.text_document;
    let document = Document::new(&item.uri, &item.language_id, item.version, item.text);
    let shown = server.state().shown.clone();
    if let Some(path) = &document.path {
        match shown.of_file(path) {
            // A library's file is read here, while the state is not locked.
            Some((_, file)) => drop(file.baseline()),
            // An editor that does not tell of renaming opens the file under its new name.
            None => {
                let own = shown.all().iter().filter(|results| path.starts_with(&results.root));
                let lost =
                    own.filter(|_| document.is_python).find_map(|r| r.lost_file(document.text.as_str()));
                if let Some(old) = lost {
                    server.rename(&old, path);
                }
            }
        }
    }
    let path = document.path.clone();
    server.state().open(item.uri, document);
    server.check.ask();
    if let Some(path) = path.filter(|path| shown.of_file(path).is_some()) {
        let server = server.clone();
        tokio::task::spawn_blocking(move || changes::tell(&server, &path));
    }
}
