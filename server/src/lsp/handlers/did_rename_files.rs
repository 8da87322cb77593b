//! `workspace/didRenameFiles`: figures go with their files.

use std::path::PathBuf;
use std::sync::Arc;

use lsp_types::{RenameFilesParams, Url};

use crate::lsp::documents::file_path;
use crate::lsp::server::Server;

/// Handles the notification.
pub async fn did_rename_files(server: &Arc<Server>, params: RenameFilesParams) {
    let path = |uri: &str| file_path(&Url::parse(uri).ok()?);
    let renamed: Vec<(PathBuf, PathBuf)> =
        params.files.iter().filter_map(|file| Some((path(&file.old_uri)?, path(&file.new_uri)?))).collect();
    let server = server.clone();
    // It fails when the server ends, and then nobody looks any more.
    let _ = tokio::task::spawn_blocking(move || {
        for (old, new) in renamed {
            server.rename(&old, &new);
        }
        server.refresh();
    })
    .await;
}
