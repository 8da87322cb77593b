//! `workspace/didChangeWorkspaceFolders`.

use std::sync::Arc;

use lsp_types::DidChangeWorkspaceFoldersParams;

use crate::lsp::documents::file_path;
use crate::lsp::server::Server;

/// Handles the notification. Figures of a folder that was closed stay: its files may still be open.
pub fn did_change_workspace_folders(server: &Arc<Server>, params: &DidChangeWorkspaceFoldersParams) {
    let paths = |folders: &[lsp_types::WorkspaceFolder]| -> Vec<_> {
        folders.iter().filter_map(|folder| file_path(&folder.uri)).collect()
    };
    let (added, removed) = (paths(&params.event.added), paths(&params.event.removed));
    for folder in &added {
        server.watch.project(server, folder);
    }
    let mut state = server.state();
    state.folders.retain(|folder| !removed.contains(folder) && !added.contains(folder));
    state.folders.extend(added);
    drop(state);
    server.check.ask();
}
