//! Sessions: runs that are kept in a project's folder of captures, those of the server with what ran beside them.
//!
//! A session of the server's own is `editor-NAME-TIME.PID.heaphint` for each process, `editor-NAME-TIME.json` with what
//! is known of it, and `editor-NAME-TIME.sources.json` with the texts that ran. Captures that others put there are
//! sessions too: each with those of its forked children.

pub mod commands;
mod follow;
mod place;
pub mod report;
mod store;

pub use follow::{Followed, appeared, open_captures};
pub use place::{folder_of, private_folder_of};
pub use store::{Note, Stored, delete, find, list, load, name, prepare, write_note};

/// Names a session within its project: the beginning of its files' names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    /// It, as people and commands write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
