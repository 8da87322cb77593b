//! Captures and source files as files.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use heaphint_analysis::{Capture, Profile, Session};
use heaphint_report::Source;

/// Larger files are no source that a person reads.
const LARGEST_SOURCE: u64 = 32 << 20;

/// Reads the captures of a session.
///
/// # Errors
/// When one of them cannot be read.
pub fn read_profile(captures: &[PathBuf]) -> anyhow::Result<Profile> {
    let captures: Vec<Capture> =
        captures.iter().map(|path| read_capture(path)).collect::<anyhow::Result<_>>()?;
    Ok(Profile::from_captures(&captures))
}

fn read_capture(path: &Path) -> anyhow::Result<Capture> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Capture::read(&bytes).with_context(|| format!("cannot read {}", path.display()))
}

/// The text of a file that a capture names, and whether it was changed after the run.
pub fn read_source(path: &str, session: &Session) -> Option<Source> {
    let metadata = fs::metadata(path).ok()?;
    // A capture may name anything, a pipe without an end for instance.
    if !path.starts_with('/') || !metadata.is_file() || metadata.len() > LARGEST_SOURCE {
        return None;
    }
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
    let end = UNIX_EPOCH
        + Duration::from_millis(session.started_unix_ms.saturating_add(session.duration_ms).min(1 << 50));
    let changed_since = metadata.modified().is_ok_and(|modified| modified > end);
    Some(Source { text, changed_since })
}
