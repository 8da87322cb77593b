//! What quick fixes need to know of a diagnostic. Editors send it back as it is, and some lose it.

use lsp_types::{Range, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What can be done about a diagnostic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticData {
    /// The limit can be raised to what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise: Option<Raise>,
    /// Findings of this 0-based row can be ignored from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Ignore>,
    /// The run of the project in this folder can be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<Url>,
    /// The stacks of the finding can be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<FindingKey>,
}

/// How a limit is raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    /// Where it is written.
    pub uri: Url,
    /// The number there.
    pub range: Range,
    /// The number as it is written.
    pub old: String,
    /// The number as it then would be.
    pub new: String,
}

/// What would be ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignore {
    /// The file.
    pub uri: Url,
    /// The row, 0-based.
    pub row: u32,
    /// The function that begins there, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// Tells one finding of a run from the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingKey {
    /// The folder of its project.
    pub root: Url,
    /// Its sentence.
    pub message: String,
    /// The file, by its name in the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The 1-based line of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl DiagnosticData {
    /// As it is put into a diagnostic.
    pub fn value(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }

    /// As it comes out of one.
    pub fn of(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }
}
