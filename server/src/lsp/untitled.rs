//! Documents that were never saved: they are run from a file of their own, and figures go to the document.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use lsp_types::Url;
use tempfile::TempDir;

use super::server::Server;

/// The files of documents that were never saved, deleted with the server.
#[derive(Debug, Default)]
pub struct Untitled(Mutex<HashMap<Url, TempDir>>);

impl Untitled {
    /// The folder of a document, as the kernel names it. Made when nobody asked before.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, uri: &Url) -> io::Result<PathBuf> {
        let mut folders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = match folders.get(uri) {
            Some(folder) => folder,
            None => {
                let folder = tempfile::Builder::new().prefix("heaphint-untitled-").tempdir()?;
                // The folder is a project of its own, whatever is above it.
                std::fs::write(folder.path().join("heaphint.toml"), "")?;
                folders.entry(uri.clone()).or_insert(folder)
            }
        };
        folder.path().canonicalize()
    }

    /// Deletes the files: the server ends.
    pub fn delete(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Whether a URI is that of a document that was never saved.
pub fn is_untitled(uri: &Url) -> bool {
    uri.scheme() == "untitled"
}

/// Writes a document that was never saved to a file, and puts the file's URI in place of the document's. Others stay as
/// they are.
///
/// # Errors
/// When the file cannot be written.
pub fn give_file(server: &Server, uri: &mut Url) -> io::Result<()> {
    let document = server.state().documents.get(uri).filter(|document| document.is_python);
    let Some(document) = document.filter(|_| is_untitled(uri)) else { return Ok(()) };
    let path = server.untitled.folder(uri)?.join("untitled.py");
    std::fs::write(&path, document.text.as_str())?;
    let file = Url::from_file_path(&path).map_err(|()| io::Error::other("its name is no URI"))?;
    server.state().documents.give_path(uri, path);
    *uri = file;
    Ok(())
}
