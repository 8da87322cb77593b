//! The files that are open in the editor, as it sees them now, with the lines of the last run matched to them.

mod matching;
mod text;
mod tracking;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use lsp_types::{TextDocumentContentChangeEvent, Url};

use crate::python::Outline;

pub use matching::{Edited, match_lines};
pub use text::{Encoding, Text};
pub use tracking::{Baseline, Match, Tracking};

/// An open file. Handlers hold it as an `Arc`, so what they see never changes under them.
#[derive(Debug, Clone)]
pub struct Document {
    /// A number that no other document has or had; 0 until it is open.
    pub id: u32,
    /// The file as the kernel names it, as profiles do; `None` for documents that are no files.
    pub path: Option<PathBuf>,
    /// The notebook that it is a cell of.
    pub notebook: Option<Url>,
    /// False for documents that the editor calls something else, such as a `pyproject.toml`.
    pub is_python: bool,
    /// The editor's version number.
    pub version: i32,
    /// Its text.
    pub text: Text,
    /// The last run's lines, matched to this text.
    pub tracking: Option<Tracking>,
    outline: OnceLock<Arc<Outline>>,
}

impl Document {
    /// A document that was just opened.
    pub fn new(uri: &Url, language: &str, version: i32, text: String) -> Self {
        Self {
            id: 0,
            path: file_path(uri),
            notebook: None,
            is_python: language == "python" || uri.path().ends_with(".py"),
            version,
            text: Text::new(text),
            tracking: None,
            outline: OnceLock::new(),
        }
    }

    /// Functions, tests and comments of this text. Parses when nobody asked before: call it in a task that may
    /// block.
    pub fn outline(&self) -> Arc<Outline> {
        self.outline
            .get_or_init(|| {
                let path = self.path.clone().unwrap_or_default();
                Arc::new(Outline::parse(self.text.as_str(), &path))
            })
            .clone()
    }

    /// Where the 0-based `row` was when the last run started.
    pub fn match_of(&self, row: usize) -> Option<Match> {
        self.tracking.as_ref()?.match_of(row, &self.text)
    }

    /// Matches its lines to the text that ran, or to nothing.
    pub fn track(&mut self, baseline: Option<Arc<Baseline>>) {
        self.tracking = baseline.map(|baseline| Tracking::new(baseline, &self.text));
    }

    fn apply(&mut self, change: TextDocumentContentChangeEvent, encoding: Encoding) {
        let Some(range) = change.range else {
            // Another branch, a formatter, an undo of all: what matters is what ran.
            self.text = Text::new(change.text);
            self.outline = OnceLock::new();
            let baseline = self.tracking.as_ref().map(|tracking| tracking.baseline().clone());
            return self.track(baseline);
        };
        let rows = self.text.row_count();
        let start = self.text.offset(range.start, encoding);
        let end = self.text.offset(range.end, encoding).max(start);
        let (first_row, last_row) = (self.text.row_of(start), self.text.row_of(end));
        // A change can also join or divide the line ends (`\r` before `\n`) next to it.
        let first_row = first_row.saturating_sub(1);
        let last_row = (last_row + 1).min(rows - 1);
        let before: Vec<String> = (first_row..=last_row).map(|row| self.text.row(row).to_owned()).collect();
        self.text.replace(start..end, &change.text);
        self.outline = OnceLock::new();
        if let Some(tracking) = &mut self.tracking {
            tracking.replace(first_row, &before, rows - 1 - last_row, &self.text);
        }
    }
}

/// The file that a URI means, as the kernel names it. Cells of notebooks, old versions and the like name a file too, and
/// are none.
pub fn file_path(uri: &Url) -> Option<PathBuf> {
    let path = (uri.scheme() == "file").then(|| uri.to_file_path().ok()).flatten()?;
    Some(path.canonicalize().unwrap_or(path))
}

/// All open documents. Owned by the state's lock; changes are applied while it is held, in the order in which
/// they arrive.
#[derive(Debug, Default)]
pub struct Documents {
    open: HashMap<Url, Arc<Document>>,
    last_id: u32,
}

impl Documents {
    /// A document was opened, or opened again.
    pub fn open(&mut self, uri: Url, mut document: Document) {
        self.last_id += 1;
        document.id = self.last_id;
        self.open.insert(uri, Arc::new(document));
    }

    /// Applies changes; false when the document is not open or already as new as `version`.
    pub fn change(
        &mut self,
        uri: &Url,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
        encoding: Encoding,
    ) -> bool {
        let Some(document) = self.open.get_mut(uri) else { return false };
        if version <= document.version {
            return false;
        }
        let document = Arc::make_mut(document);
        for change in changes {
            document.apply(change, encoding);
        }
        document.version = version;
        true
    }

    /// Lets a document without a file stand for one.
    pub fn give_path(&mut self, uri: &Url, path: PathBuf) {
        if let Some(document) = self.open.get_mut(uri) {
            Arc::make_mut(document).path = Some(path);
        }
    }

    /// Says of which notebook a document is a cell.
    pub fn give_notebook(&mut self, uri: &Url, notebook: Url) {
        if let Some(document) = self.open.get_mut(uri) {
            Arc::make_mut(document).notebook = Some(notebook);
        }
    }

    /// A document was closed.
    pub fn close(&mut self, uri: &Url) {
        self.open.remove(uri);
    }

    /// The document as it is now.
    pub fn get(&self, uri: &Url) -> Option<Arc<Document>> {
        self.open.get(uri).cloned()
    }

    /// The name of the document with this number.
    pub fn uri_of(&self, id: u32) -> Option<&Url> {
        self.open.iter().find(|(_, document)| document.id == id).map(|(uri, _)| uri)
    }

    /// Every open document.
    pub fn all(&self) -> impl Iterator<Item = (&Url, &Arc<Document>)> {
        self.open.iter()
    }

    /// Matches every open document anew: `baseline` gives the text that ran for a file, if it has figures.
    pub fn track(&mut self, baseline: impl Fn(&std::path::Path) -> Option<Arc<Baseline>>) {
        for document in self.open.values_mut() {
            let baseline = document.path.as_deref().and_then(&baseline);
            // Figures that grow belong to the same text all the time.
            let tracked = document.tracking.as_ref().map(Tracking::baseline);
            if tracked.map(Arc::as_ptr) != baseline.as_ref().map(Arc::as_ptr) {
                Arc::make_mut(document).track(baseline);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use lsp_types::{Position, Range};

    /// A document over a file of four lines that ran as it is.
    fn ran() -> (Documents, Url) {
        let uri = Url::parse("file:///app.py").expect("a URI");
        let text = "import os\ndata = make(80)\nmore = make(20)\nprint(data)\n";
        let mut documents = Documents::default();
        documents.open(uri.clone(), Document::new(&uri, "python", 1, text.to_owned()));
        let baseline = Arc::new(Baseline { text: Text::new(text.to_owned()), certain: true });
        documents.track(|_| Some(baseline.clone()));
        (documents, uri)
    }

    /// Applies a change as (line, character) to (line, character), and tells each row's (line, old).
    fn after(
        documents: &mut Documents,
        uri: &Url,
        range: Option<[u32; 4]>,
        text: &str,
    ) -> Vec<Option<(u32, bool)>> {
        let range = range.map(|[a, b, c, d]| Range::new(Position::new(a, b), Position::new(c, d)));
        let change = TextDocumentContentChangeEvent { range, range_length: None, text: text.to_owned() };
        let version = documents.get(uri).expect("open").version + 1;
        assert!(documents.change(uri, version, vec![change], Encoding::Utf16));
        let document = documents.get(uri).expect("open");
        (0..document.text.row_count()).map(|row| document.match_of(row).map(|m| (m.line, m.old))).collect()
    }

    #[test]
    fn lines_above_move_annotations() {
        let (mut documents, uri) = ran();
        let rows = after(&mut documents, &uri, Some([0, 0, 0, 0]), "# new\n# lines\n");
        assert_eq!(rows[2..5], [Some((1, false)), Some((2, false)), Some((3, false))]);
        assert_eq!(rows[..2], [None, None]);
        let rows = after(&mut documents, &uri, Some([0, 0, 1, 0]), "");
        assert_eq!(rows[1..3], [Some((1, false)), Some((2, false))]);
    }

    #[test]
    fn an_edited_line_is_old_until_it_is_restored() {
        let (mut documents, uri) = ran();
        let rows = after(&mut documents, &uri, Some([1, 12, 1, 14]), "9");
        assert_eq!(rows[..3], [Some((1, false)), Some((2, true)), Some((3, false))]);
        let rows = after(&mut documents, &uri, Some([1, 12, 1, 13]), "80");
        assert_eq!(rows[1], Some((2, false)));
    }

    #[test]
    fn a_deleted_line_loses_its_annotation_until_the_deletion_is_undone() {
        let (mut documents, uri) = ran();
        let rows = after(&mut documents, &uri, Some([1, 0, 2, 0]), "");
        assert_eq!(rows[..3], [Some((1, false)), Some((3, false)), Some((4, false))]);
        let rows = after(&mut documents, &uri, Some([1, 0, 1, 0]), "data = make(80)\n");
        assert_eq!(rows[..3], [Some((1, false)), Some((2, false)), Some((3, false))]);
    }

    #[test]
    fn a_line_divided_in_two_keeps_its_annotation_once() {
        let (mut documents, uri) = ran();
        let rows = after(&mut documents, &uri, Some([1, 15, 1, 15]), "\n");
        assert_eq!(rows[..4], [Some((1, false)), Some((2, false)), None, Some((3, false))]);
        let rows = after(&mut documents, &uri, Some([1, 6, 1, 7]), "\n");
        assert_eq!(rows.iter().filter(|row| row.is_some_and(|(line, _)| line == 2)).count(), 1, "{rows:?}");
    }

    #[test]
    fn a_replaced_document_is_matched_by_content() {
        let (mut documents, uri) = ran();
        let text = "import os\nimport sys\n\ndata = make(800)\nmore = make(20)\n\nprint(data)\n";
        let rows = after(&mut documents, &uri, None, text);
        assert_eq!(
            rows[..7],
            [Some((1, false)), None, None, Some((2, true)), Some((3, false)), None, Some((4, false))]
        );
    }

    #[test]
    fn line_ends_that_melt_together_are_followed() {
        let (mut documents, uri) = ran();
        after(&mut documents, &uri, Some([0, 9, 0, 9]), "\r");
        let document = documents.get(&uri).expect("open");
        assert_eq!(document.text.row_count(), 5);
        assert_eq!(document.match_of(1).map(|m| (m.line, m.old)), Some((2, false)));
    }

    #[test]
    fn a_formatter_leaves_figures_on_their_lines() {
        let (mut documents, uri) = ran();
        let text = "import os\n\ndata=make( 80 )\nif data:\n    more = make(20)\nprint(data)\n";
        let rows = after(&mut documents, &uri, None, text);
        assert_eq!(
            rows[..6],
            [Some((1, false)), None, Some((2, false)), None, Some((3, false)), Some((4, false))]
        );
        // Another branch, and back.
        let rows = after(&mut documents, &uri, None, "nothing = 1\n");
        assert_eq!(rows[..2], [None, None]);
        let rows = after(&mut documents, &uri, None, text);
        assert_eq!(rows[2], Some((2, false)));
    }

    #[test]
    fn only_files_have_paths() {
        let path = |uri: &str| file_path(&Url::parse(uri).expect("a URI"));
        assert_eq!(path("file:///no/such/app.py"), Some("/no/such/app.py".into()));
        for other in ["vscode-notebook-cell:/no/nb.ipynb#1", "git:/no/app.py", "untitled:Untitled-1"] {
            assert_eq!(path(other), None);
        }
    }

    #[test]
    fn older_versions_are_dropped() {
        let (mut documents, uri) = ran();
        assert!(!documents.change(&uri, 1, Vec::new(), Encoding::Utf16));
        assert!(documents.change(&uri, 7, Vec::new(), Encoding::Utf16));
        assert!(!documents.change(&uri, 6, Vec::new(), Encoding::Utf16));
    }
}
