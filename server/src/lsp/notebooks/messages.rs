//! The notifications about notebooks, which the protocol library does not have: only what is read of them.

use lsp_types::{
    TextDocumentContentChangeEvent, TextDocumentIdentifier, TextDocumentItem, Url,
    VersionedTextDocumentIdentifier,
};
use serde::Deserialize;

/// `notebookDocument/didOpen`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidOpen {
    /// The notebook.
    pub notebook_document: Notebook,
    /// The texts of its cells.
    pub cell_text_documents: Vec<TextDocumentItem>,
}

/// A notebook.
#[derive(Debug, Deserialize)]
pub struct Notebook {
    /// Its name.
    pub uri: Url,
    /// Its cells in their order.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Cell {
    /// 1 for text, 2 for code.
    pub kind: u32,
    /// The document with its text.
    pub document: Url,
}

impl Cell {
    /// Whether it can be run.
    pub fn is_code(&self) -> bool {
        self.kind == 2
    }
}

/// `notebookDocument/didChange`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidChange {
    /// The notebook.
    pub notebook_document: TextDocumentIdentifier,
    /// What is other now.
    pub change: Change,
}

/// What has changed in a notebook.
#[derive(Debug, Deserialize)]
pub struct Change {
    /// In its cells.
    #[serde(default)]
    pub cells: Option<CellsChange>,
}

/// What has changed in cells.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CellsChange {
    /// Which there are.
    pub structure: Option<Structure>,
    /// Their texts.
    pub text_content: Vec<TextContent>,
}

/// Cells that came and went.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Structure {
    /// Where.
    pub array: ArrayChange,
    /// The texts of those that came.
    #[serde(default)]
    pub did_open: Vec<TextDocumentItem>,
    /// Those that went.
    #[serde(default)]
    pub did_close: Vec<TextDocumentIdentifier>,
}

/// Cells in place of others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArrayChange {
    /// The index of the first one.
    pub start: usize,
    /// How many go.
    pub delete_count: usize,
    /// Those that come.
    #[serde(default)]
    pub cells: Vec<Cell>,
}

/// Changes of a cell's text.
#[derive(Debug, Deserialize)]
pub struct TextContent {
    /// The cell.
    pub document: VersionedTextDocumentIdentifier,
    /// As those of any other document.
    pub changes: Vec<TextDocumentContentChangeEvent>,
}

/// `notebookDocument/didSave`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidSave {
    /// The notebook.
    pub notebook_document: TextDocumentIdentifier,
}

/// `notebookDocument/didClose`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidClose {
    /// The notebook.
    pub notebook_document: TextDocumentIdentifier,
    /// Its cells.
    #[serde(default)]
    pub cell_text_documents: Vec<TextDocumentIdentifier>,
}
