//! Captures and source files as files.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use heaphint_analysis::{Capture, Profile, Session};
use heaphint_report::Source;

use super::Usage;
use super::progress::Progress;
use crate::python;

/// Usually, temporary is what is freed before its thread's next allocation.
pub const TEMPORARY_WINDOW: usize = 1;

/// Reads the captures of a session.
///
/// # Errors
/// When one of them cannot be read.
pub fn read_profile(captures: &[PathBuf]) -> anyhow::Result<Profile> {
    Ok(Profile::from_captures(&read_captures(captures, TEMPORARY_WINDOW)?))
}

/// Reads captures, each by itself. What is freed before its thread makes `window` further allocations is temporary.
///
/// # Errors
/// When one of them cannot be read, or does not know that of this window.
pub fn read_captures(captures: &[PathBuf], window: usize) -> anyhow::Result<Vec<Capture>> {
    captures.iter().map(|path| read_capture(path, window)).collect()
}

/// Reads one capture and counts what it tells.
fn read_capture(path: &Path, window: usize) -> anyhow::Result<Capture> {
    match open(path)? {
        Input::Memray(mut reader) => Ok(heaphint_memray::read_capture(&mut reader, window)),
        Input::Heaphint(_) if window != TEMPORARY_WINDOW => Err(Usage(format!(
            "{} knows which allocations were freed before their thread's next one, and nothing about {window} \
             further ones: use `--temporary` without a number",
            path.display()
        ))
        .into()),
        Input::Heaphint(capture) => Ok(*capture),
    }
}

/// A capture, of heaphint or of Memray.
pub enum Input {
    /// One of heaphint, as a whole.
    Heaphint(Box<Capture>),
    /// One of Memray, up to its header.
    Memray(Box<heaphint_memray::Reader<'static>>),
}

/// Opens a capture; its first bytes say which kind it is.
///
/// # Errors
/// When it cannot be read.
pub fn open(path: &Path) -> anyhow::Result<Input> {
    let context = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(context)?;
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start).with_context(context)?;
    file.rewind().with_context(context)?;
    if heaphint_memray::is_memray(&start) {
        let watched = Progress::reading(path, file);
        let reader = heaphint_memray::Reader::open(watched).with_context(context)?;
        return Ok(Input::Memray(Box::new(reader)));
    }
    Ok(Input::Heaphint(Box::new(heaphint_record::read_capture(path).with_context(context)?)))
}

/// The text of a file that a capture names, and whether it was changed after the run.
pub fn read_source(path: &str, session: &Session) -> Option<Source> {
    let path = Path::new(path);
    let text = python::read_source(path).ok().filter(|_| path.is_absolute())?;
    Some(Source { text, changed_since: is_changed_since(path, session) })
}

/// Whether a file was changed after the run.
pub fn is_changed_since(path: &Path, session: &Session) -> bool {
    let end = UNIX_EPOCH
        + Duration::from_millis(session.started_unix_ms.saturating_add(session.duration_ms).min(1 << 50));
    fs::metadata(path).and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified > end)
}
