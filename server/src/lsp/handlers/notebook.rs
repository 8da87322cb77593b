//! `notebookDocument/didOpen`, `didChange`, `didSave` and `didClose`. A cell is a document like any other; beside it, the
//! notebook knows which there are.

use std::sync::Arc;

use super::{did_change, did_open};
use crate::lsp::ext::{OnSave, ProfileParams, ProfileWhat};
use crate::lsp::notebooks::{DidChange, DidClose, DidOpen, DidSave};
use crate::lsp::server::Server;
use lsp_types::{
    DidChangeTextDocumentParams, DidOpenTextDocumentParams, TextDocumentIdentifier, TextDocumentItem, Url,
};

/// Handles the notification.
pub fn did_open_notebook(server: &Arc<Server>, params: DidOpen) {
    let notebook = params.notebook_document;
    open_cells(server, &notebook.uri, params.cell_text_documents);
    server.state().notebooks.open(notebook.uri, notebook.cells);
}

/// Handles the notification.
pub fn did_change_notebook(server: &Arc<Server>, params: DidChange) {
    let notebook = params.notebook_document.uri;
    let Some(change) = params.change.cells else { return };
    if let Some(structure) = change.structure {
        open_cells(server, &notebook, structure.did_open);
        close_cells(server, &structure.did_close);
        let array = structure.array;
        server.state().notebooks.splice(&notebook, array.start, array.delete_count, array.cells);
    }
    for text in change.text_content {
        let params =
            DidChangeTextDocumentParams { text_document: text.document, content_changes: text.changes };
        did_change(server, params);
    }
    server.check.ask();
}

/// Handles the notification.
pub fn did_save_notebook(server: &Arc<Server>, params: DidSave) {
    let notebook = params.notebook_document.uri;
    let wanted = match server.state().settings.profile_on_save {
        OnSave::Never => None,
        OnSave::File => Some(ProfileParams::new(notebook, Some(ProfileWhat::Notebook))),
        OnSave::Again => server.runs.last_of(&notebook),
    };
    if let Some(wanted) = wanted {
        server.runs.cancel_same(&wanted);
        server.runs.start(server, wanted, None);
    }
}

/// Handles the notification.
pub fn did_close_notebook(server: &Arc<Server>, params: &DidClose) {
    close_cells(server, &params.cell_text_documents);
    server.state().notebooks.close(&params.notebook_document.uri);
    server.check.ask();
}

fn open_cells(server: &Arc<Server>, notebook: &Url, cells: Vec<TextDocumentItem>) {
    for text_document in cells {
        let uri = text_document.uri.clone();
        did_open(server, DidOpenTextDocumentParams { text_document });
        server.state().documents.give_notebook(&uri, notebook.clone());
    }
}

fn close_cells(server: &Server, cells: &[TextDocumentIdentifier]) {
    let mut state = server.state();
    cells.iter().for_each(|cell| state.documents.close(&cell.uri));
}
