//! Source files as texts.

use std::fs;
use std::io;
use std::path::Path;

/// Larger files are no source that a person reads.
const LARGEST: u64 = 32 << 20;

/// A source file as editors show it: without a byte order mark, and with replacement characters where it is not
/// UTF-8.
///
/// # Errors
/// When it cannot be read, is no ordinary file, or is too large to be a source.
pub fn read_source(path: &Path) -> io::Result<String> {
    // A capture may name anything, a pipe without an end for instance.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(io::Error::other("this is no source file"));
    }
    let bytes = fs::read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
