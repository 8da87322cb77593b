//! The file beside a running capture, with the blocks that the launcher has made.
//!
//! ```text
//! 32 bytes   magic, process id, start of recording (ms since 1970), zero; 8 bytes each
//! then       blocks
//! ```
//!
//! A block that is cut at the end has not happened: its segments are still in the log.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use heaphint_format::Header as CaptureHeader;

use crate::block;

const MAGIC: [u8; 8] = *b"HEAPHEVT";
const START_BYTES: usize = 32;

/// Bytes that say which capture the blocks are of.
fn start(capture: &CaptureHeader) -> [u8; START_BYTES] {
    let mut bytes = [0; START_BYTES];
    let words = [MAGIC, u64::from(capture.pid).to_le_bytes(), capture.started_unix_ms.to_le_bytes()];
    for (word, bytes) in words.iter().zip(bytes.chunks_exact_mut(8)) {
        bytes.copy_from_slice(word);
    }
    bytes
}

/// Writes blocks.
pub struct PackedFile {
    file: File,
    bytes: u64,
}

impl PackedFile {
    /// A file without blocks; one that was there is replaced.
    pub fn create(path: &Path, capture: &CaptureHeader) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all(&start(capture))?;
        Ok(Self { file, bytes: START_BYTES as u64 })
    }

    /// Appends a block. After an error the file is as it was before, as far as the system can.
    pub fn append(&mut self, block: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(block) {
            let _ = self.file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += block.len() as u64;
        Ok(())
    }
}

/// The blocks of a capture; `None` when there are none.
pub fn open(path: &Path, capture: &CaptureHeader) -> Option<BufReader<File>> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path).ok()?);
    let mut bytes = [0; START_BYTES];
    reader.read_exact(&mut bytes).ok()?;
    (bytes == start(capture)).then_some(reader)
}

/// The next block's header and body. `None` at the end, and when it is cut or no block; `is_whole` tells which.
pub fn next_block(reader: &mut impl Read, body: &mut Vec<u8>, is_whole: &mut bool) -> Option<block::Header> {
    let mut bytes = Vec::new();
    reader.take(block::Header::BYTES as u64).read_to_end(&mut bytes).ok()?;
    if bytes.is_empty() {
        return None;
    }
    *is_whole = false;
    let header = block::Header::decode(&bytes)?;
    body.clear();
    reader.take(header.body_bytes() as u64).read_to_end(body).ok()?;
    *is_whole = body.len() == header.body_bytes();
    is_whole.then_some(header)
}
