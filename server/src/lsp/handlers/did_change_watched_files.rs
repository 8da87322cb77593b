//! `workspace/didChangeWatchedFiles`: what changed on the disk outside of the editor.

use std::sync::Arc;
use std::time::Duration;

use lsp_types::{DidChangeWatchedFilesParams, FileChangeType};

use crate::lsp::documents::file_path;
use crate::lsp::server::Server;
use crate::lsp::{changes, watch};

/// An editor tells of its own saving at about the same time.
const PATIENCE: Duration = Duration::from_millis(300);

/// Handles the notification.
pub fn did_change_watched_files(server: &Arc<Server>, params: &DidChangeWatchedFilesParams) {
    let changed = params.changes.iter().filter(|change| change.typ != FileChangeType::DELETED);
    let paths: Vec<_> = changed.filter_map(|change| file_path(&change.uri)).collect();
    paths.iter().for_each(|path| watch::changed(server, path));
    let server = server.clone();
    tokio::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        // It fails when the server ends, and then nobody looks any more.
        let _ = tokio::task::spawn_blocking(move || {
            paths.iter().for_each(|path| changes::tell(&server, path));
        })
        .await;
    });
}
