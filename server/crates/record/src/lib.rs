//! Captures as files: what a tracer leaves behind, packed and unpacked, and the events of full records.
//!
//! ```text
//! running   x.heaphint          tables, and the log: what has happened last, in rows (`heaphint_format`)
//!           x.heaphint.events   blocks: what the launcher has taken from the log (`packed_file.rs`, `block.rs`)
//! finished  x.heaphint          tables and blocks, compressed (`compact.rs`)
//! ```
//!
//! A capture is read in each of these states, also when the process, the launcher or both died at any moment. Files may
//! hold anything: what is readable is read, and what is wrong is said in one sentence. Memory never depends on how
//! many events there are.

mod block;
mod collector;
mod compact;
mod event;
mod image;
mod log_reader;
mod packed_file;
mod recording;
mod replay;
mod resolver;
#[cfg(test)]
mod tests;
mod varint;

use std::path::{Path, PathBuf};

pub use collector::Collector;
pub use compact::compact;
pub use event::Event;
pub use image::read as read_image;
pub use recording::{Ending, Recording};
pub use replay::{read_history, recount, replay, requested};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system says no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is no capture, or one that this version does not understand.
    #[error(transparent)]
    Capture(#[from] heaphint_format::ReadError),
    /// It has sums and no events.
    #[error("it has sums and no events: run the program with `--record`")]
    NoEvents,
}

/// Reads a capture, whatever state it is in, without its events.
///
/// # Errors
/// When the file cannot be read, or is no capture.
pub fn read_capture(path: &Path) -> Result<heaphint_format::Capture, Error> {
    image::read_capture(path)
}

/// Where the launcher puts what it takes from a capture's log.
#[must_use]
pub fn events_path(capture: &Path) -> PathBuf {
    let mut name = capture.as_os_str().to_owned();
    name.push(".events");
    name.into()
}
