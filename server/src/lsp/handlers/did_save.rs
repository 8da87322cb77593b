//! `textDocument/didSave`: what the settings want to be profiled then.

use std::sync::Arc;

use lsp_types::DidSaveTextDocumentParams;

use crate::lsp::ext::{OnSave, ProfileParams};
use crate::lsp::server::Server;

/// Handles the notification. A run of the same thing that goes on is cancelled: its program is no more what is on the
/// disk.
pub fn did_save(server: &Arc<Server>, params: &DidSaveTextDocumentParams) {
    let uri = &params.text_document.uri;
    let Some(view) = server.view(uri) else { return };
    if !view.document.is_python || view.document.path.is_none() {
        return;
    }
    if let Some((_, file)) = view.file() {
        file.saved(view.document.text.as_str());
    }
    let wanted = match view.settings.profile_on_save {
        OnSave::Never => None,
        OnSave::File => Some(ProfileParams::new(uri.clone(), None)),
        OnSave::Again => server.runs.last_of(uri),
    };
    if let Some(wanted) = wanted {
        server.runs.cancel_same(&wanted);
        server.runs.start(server, wanted, None);
    }
}
