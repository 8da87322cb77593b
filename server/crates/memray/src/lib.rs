//! Captures of Memray, format version 13: read as a stream of records, counted into a [`heaphint_analysis::Capture`],
//! and written.
//!
//! Bytes come from a `Read` and go to a `Write`; this crate opens nothing and prints nothing. A file may hold anything:
//! what is readable is read, and what is wrong with the rest is said in one sentence. The layout is described at the
//! fields and records here; integers are little-endian and as wide as on 64-bit Linux, where such files come from.

mod capture;
mod header;
mod input;
mod line_table;
mod reader;
mod record;
#[cfg(test)]
mod tests;
mod writer;

pub use capture::{read_capture, read_history, replay};
pub use header::{FileFormat, Header};
pub use reader::{End, ReadError, Reader};
pub use record::{Aggregated, Code, Record};
pub use writer::{Position, Writer};

/// The format version that this crate reads and writes, that of Memray 1.20.
pub const VERSION: i32 = 13;
/// First bytes of a capture that is not compressed.
pub const MAGIC: &[u8; 7] = b"memray\0";
/// First bytes of a compressed one: an LZ4 frame.
pub const LZ4_MAGIC: &[u8; 4] = &[0x04, 0x22, 0x4d, 0x18];

/// Whether the first bytes of a file are those of a Memray capture.
#[must_use]
pub fn is_memray(start: &[u8]) -> bool {
    start.starts_with(MAGIC) || start.starts_with(LZ4_MAGIC)
}
