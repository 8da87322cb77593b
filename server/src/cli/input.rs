//! Captures and source files as files.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use heaphint_analysis::records::{History, Interval};
use heaphint_analysis::{Capture, Profile, Session};
use heaphint_format::Mode;
use heaphint_record::Recording;
use heaphint_report::{HISTORY_ENTRIES, Source};

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
    Ok(Profile::consuming(read_captures(captures, TEMPORARY_WINDOW, None)?))
}

/// Reads captures, each by itself. What is freed before its thread makes `window` further allocations is temporary. With an
/// interval, figures are those of that part of the recording.
///
/// # Errors
/// When one of them cannot be read, or does not know that of this window or interval.
pub fn read_captures(
    captures: &[PathBuf],
    window: usize,
    interval: Option<Interval>,
) -> anyhow::Result<Vec<Capture>> {
    captures.iter().map(|path| read_capture(path, window, interval)).collect()
}

/// Reads one capture and counts what it tells.
fn read_capture(path: &Path, window: usize, interval: Option<Interval>) -> anyhow::Result<Capture> {
    match open(path)? {
        Input::Memray(_) if interval.is_some() => Err(Usage(format!(
            "{} is of Memray, and parts are those of full records of heaphint: leave out `--from` and `--to`",
            path.display()
        ))
        .into()),
        Input::Memray(mut reader) => Ok(heaphint_memray::read_capture(&mut reader, window)),
        Input::Heaphint(capture) if window == TEMPORARY_WINDOW && interval.is_none() => Ok(*capture),
        Input::Heaphint(_) => {
            let mut capture = heaphint_record::recount(recording(path)?, window, interval)?;
            if let Some(Interval { from_ms, to_ms }) = interval {
                let from = f64::from(from_ms) / 1000.0;
                let to = f64::from(to_ms.min(capture.header.elapsed_ms)) / 1000.0;
                capture.remarks.push(format!(
                    "these are the figures of a part of the run, from {from} s to {to} s: its peak, what was allocated in \
                     it, and what of that was not freed by its end"
                ));
            }
            Ok(capture)
        }
    }
}

/// Reads a capture and, if it has events, how it came to its figures.
///
/// # Errors
/// When it cannot be read.
pub fn read_history(path: &Path, window: usize) -> anyhow::Result<(Capture, Option<History>)> {
    Ok(match open(path)? {
        Input::Memray(mut reader) => {
            let (capture, history) = heaphint_memray::read_history(&mut reader, window, HISTORY_ENTRIES);
            (capture, Some(history).filter(|history| !history.ticks.is_empty()))
        }
        // Moments of a sampled record would be estimates of their own.
        Input::Heaphint(capture) if !capture.header.has(Mode::Record) || capture.header.sample_bytes != 0 => {
            drop(capture);
            (read_capture(path, window, None)?, None)
        }
        Input::Heaphint(_) => {
            let (capture, history) =
                heaphint_record::read_history(recording(path)?, window, HISTORY_ENTRIES)?;
            (capture, Some(history))
        }
    })
}

/// Opens a full record.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn recording(path: &Path) -> anyhow::Result<Recording> {
    let recording = Recording::open(path).map_err(|error| match error {
        heaphint_record::Error::NoEvents => {
            anyhow::Error::from(Usage(format!("{}: {error}", path.display())))
        }
        error => anyhow::Error::from(error).context(format!("cannot read {}", path.display())),
    })?;
    let name = path.to_owned();
    Ok(recording.watched(move |file| Box::new(Progress::reading(&name, file))))
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
