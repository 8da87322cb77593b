//! Notebooks: which cells there are, and files for a run of all of them, in their order and in one module, as a kernel
//! that was just started would run them.
//!
//! Each cell becomes a file of its own, so that a cell's figures are those of a file like any other.

mod messages;
mod source;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lsp_types::Url;
use sha2::{Digest, Sha256};

use super::documents::file_path;
use super::runs::root_of;
use super::server::Server;
use super::sessions::folder_of;

pub use messages::{Cell, DidChange, DidClose, DidOpen, DidSave};

/// The end of a notebook's name.
const EXTENSION: &str = "ipynb";

/// The notebooks that the editor has open.
#[derive(Debug, Default)]
pub struct Notebooks(HashMap<Url, Vec<Cell>>);

impl Notebooks {
    /// A notebook was opened.
    pub fn open(&mut self, uri: Url, cells: Vec<Cell>) {
        self.0.insert(uri, cells);
    }

    /// Cells were put in place of others.
    pub fn splice(&mut self, uri: &Url, start: usize, deleted: usize, new: Vec<Cell>) {
        let Some(cells) = self.0.get_mut(uri) else { return };
        let start = start.min(cells.len());
        let end = start.saturating_add(deleted).min(cells.len());
        cells.splice(start..end, new);
    }

    /// A notebook was closed.
    pub fn close(&mut self, uri: &Url) {
        self.0.remove(uri);
    }

    /// The notebook with this URI, or with this cell.
    fn of(&self, uri: &Url) -> Option<(&Url, &[Cell])> {
        let found = self.0.get_key_value(uri);
        let found =
            found.or_else(|| self.0.iter().find(|(_, cells)| cells.iter().any(|cell| cell.document == *uri)));
        found.map(|(uri, cells)| (uri, cells.as_slice()))
    }
}

/// Writes the cells of a notebook to files, and puts the URI of a file that stands for the notebook in place of its own
/// or of one of its cells. Other URIs stay as they are.
///
/// # Errors
/// When a file cannot be written.
pub fn give_files(server: &Server, uri: &mut Url) -> io::Result<()> {
    let found = {
        let state = server.state();
        state.notebooks.of(uri).map(|(notebook, cells)| {
            let code = cells.iter().filter(|cell| cell.is_code());
            let documents = code.filter_map(|cell| {
                let document = state.documents.get(&cell.document).filter(|document| document.is_python)?;
                Some((cell.document.clone(), document.text.as_str().to_owned()))
            });
            (notebook.clone(), documents.collect::<Vec<_>>())
        })
    };
    let Some((notebook, cells)) = found else { return Ok(()) };
    let file = match file_path(&notebook) {
        Some(path) => path,
        None => server.untitled.folder(&notebook)?.join(format!("untitled.{EXTENSION}")),
    };
    if !file.exists() {
        // One that was never saved, like its cells.
        fs::write(&file, "")?;
    }
    let folder = cells_folder(&file);
    // Cells that are no more.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for (index, (cell, text)) in cells.into_iter().enumerate() {
        let path = cell_file(&folder, index);
        fs::write(&path, source::plain_python(&text))?;
        server.state().documents.give_path(&cell, path);
    }
    *uri = Url::from_file_path(&file).map_err(|()| io::Error::other("its name is no URI"))?;
    Ok(())
}

/// Whether a file is a notebook.
pub fn is_notebook(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == EXTENSION)
}

/// The files of a notebook's cells, in their order, as they were given last.
pub fn cell_files(notebook: &Path) -> Vec<PathBuf> {
    let folder = cells_folder(notebook);
    (0..).map(|index| cell_file(&folder, index)).take_while(|path| path.exists()).collect()
}

/// A program that runs the files that are its arguments, one after the other, as one module that is the program.
pub const DRIVER: &str = r#"import sys, types
def run(names):
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    for name in names:
        with open(name, "rb") as file:
            text = file.read()
        exec(compile(text, name, "exec"), main.__dict__)
names = sys.argv[1:]
del sys.argv[1:]
run(names)
"#;

/// In the folder of the project's captures, which belongs to the project and which git ignores.
fn cells_folder(notebook: &Path) -> PathBuf {
    let hash = Sha256::digest(notebook.as_os_str().as_encoded_bytes());
    let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let stem = notebook.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    folder_of(&root_of(notebook)).join("cells").join(format!("{stem}-{hash}"))
}

fn cell_file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("cell-{}.py", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_replaced_where_they_stand() {
        let url = |name: &str| Url::parse(&format!("cell:{name}")).expect("a URI");
        let cell = |name: &str| Cell { kind: 2, document: url(name) };
        let mut notebooks = Notebooks::default();
        let notebook = url("notebook");
        notebooks.open(notebook.clone(), ["a", "b", "c"].map(cell).into());
        notebooks.splice(&notebook, 1, 1, vec![cell("x"), cell("y")]);
        let now = |notebooks: &Notebooks| -> Vec<String> {
            let cells = notebooks.of(&url("c")).expect("a notebook").1;
            cells.iter().map(|cell| cell.document.path().to_owned()).collect()
        };
        assert_eq!(now(&notebooks), ["a", "x", "y", "c"]);
        // What makes no sense does no harm.
        notebooks.splice(&notebook, 99, usize::MAX, Vec::new());
        notebooks.splice(&url("other"), 0, 1, Vec::new());
        assert_eq!(now(&notebooks), ["a", "x", "y", "c"]);
        notebooks.close(&notebook);
        assert!(notebooks.of(&url("c")).is_none());
    }
}
