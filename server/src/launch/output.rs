//! Where captures go, and which of the files there belong to a run.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use heaphint_format::{
    COMPACT, COMPACT_PROCESS_OFFSET, Header, MAGIC, PAGE, PROCESS_OFFSET, Process, Record,
};

use super::{LaunchError, Target, shown};

/// The end of a capture's name.
const EXTENSION: &str = "heaphint";
/// What stands for the process id in a pattern.
const PID: &str = "%p";

/// Where captures go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// `<name>.<pid>.heaphint`: beside a script, in the working directory for everything else.
    Default,
    /// This file, or one per process when the name has `%p` in it; or a folder for all of a session, which is made when the
    /// path ends in a slash.
    File {
        /// Absolute, or relative to the working directory.
        path: PathBuf,
        /// Whether an existing file may be overwritten.
        overwrite: bool,
    },
}

/// The captures of one run.
#[derive(Debug, Clone)]
pub struct Captures {
    pattern: PathBuf,
    session: u64,
}

/// Bits of a session's number behind the time at which it began, milliseconds since 1970-01-01 UTC.
const SESSION_BITS: u32 = 22;
/// The tracer begins no further captures in a session that has so many.
pub const MOST_CAPTURES: usize = 1000;

/// A number for one more session: this process begins no two in one millisecond.
fn new_session() -> u64 {
    static LAST_MS: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let next = |last: u64| Some(now_ms.max(last + 1));
    let last_ms = LAST_MS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or_default();
    now_ms.max(last_ms + 1) << SESSION_BITS | u64::from(std::process::id() & ((1 << SESSION_BITS) - 1))
}

impl Captures {
    /// Names them, and makes sure that they can be written.
    pub fn prepare(output: &Output, target: &Target, directory: &Path) -> Result<Self, LaunchError> {
        let pattern = match output {
            Output::Default => default_pattern(target, directory),
            Output::File { path, .. } => match session_folder(&directory.join(path))? {
                Some(folder) => {
                    folder.join(default_pattern(target, directory).file_name().unwrap_or_default())
                }
                None => directory.join(path),
            },
        };
        // The tracer takes the last `%p`, so one in a folder's name would be taken for ours.
        let folder = pattern.parent().unwrap_or(Path::new("/")).to_owned();
        if folder.as_os_str().as_bytes().windows(PID.len()).any(|part| part == PID.as_bytes()) {
            return Err(LaunchError::Usage(format!(
                "the folder {} has `{PID}` in its name: choose another place with `-o`",
                shown(&folder)
            )));
        }
        check_folder(&folder)?;
        if let Output::File { overwrite, .. } = output {
            make_room(&pattern, *overwrite)?;
        }
        Ok(Self { pattern, session: new_session() })
    }

    /// What the tracer is told.
    pub fn pattern(&self) -> &Path {
        &self.pattern
    }

    /// What all of them have in common.
    pub fn session(&self) -> u64 {
        self.session
    }

    /// The folder they are in.
    pub fn folder(&self) -> &Path {
        self.pattern.parent().unwrap_or(Path::new("/"))
    }

    /// Those that exist by now: those of the process `pid` first, then the others, each in the order of their start.
    pub fn find(&self, pid: u32) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.folder()) else { return Vec::new() };
        let mut found: Vec<(bool, u64, PathBuf)> = entries
            .flatten()
            .filter(|entry| is_named_by(&self.pattern, &entry.file_name()))
            .filter_map(|entry| {
                let First { header, process } = first_page(&entry.path())?;
                // Process ids come again: an old file may have a name of this run.
                (process.session == self.session)
                    .then(|| (header.pid != pid, header.started_unix_ms, entry.path()))
            })
            .collect();
        found.sort();
        found.into_iter().map(|(_, _, path)| path).collect()
    }
}

/// What the first page of a capture tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct First {
    /// Who, when, and figures of the whole.
    pub header: Header,
    /// What it has to do with other captures.
    pub process: Process,
}

impl First {
    /// Whether two captures are of the same recorded program: one is a copy of the other.
    pub fn is_of_same_program(&self, other: &Self) -> bool {
        let program = |first: &Self| (first.header.pid, first.header.started_unix_ms, first.process);
        self.process.session != 0 && program(self) == program(other)
    }
}

/// The first page's facts; `None` when the file is no capture.
pub fn first_page(path: &Path) -> Option<First> {
    let mut bytes = Vec::with_capacity(PAGE);
    File::open(path).ok()?.take(PAGE as u64).read_to_end(&mut bytes).ok()?;
    let header = Header::decode(&bytes).filter(|header| header.magic == MAGIC)?;
    let is_compact = header.version & COMPACT != 0;
    let process = if is_compact { COMPACT_PROCESS_OFFSET } else { PROCESS_OFFSET };
    Some(First { header, process: bytes.get(process..).and_then(Process::decode).unwrap_or_default() })
}

/// The first page's header; `None` when the file is no capture.
pub fn header(path: &Path) -> Option<Header> {
    first_page(path).map(|first| first.header)
}

/// The folder that is meant by a path, made if it is not there; `None` when the path means a file.
fn session_folder(path: &Path) -> Result<Option<PathBuf>, LaunchError> {
    if path.as_os_str().as_bytes().ends_with(b"/") {
        fs::create_dir_all(path).map_err(|error| {
            LaunchError::Io(format!("cannot make the folder {}: {}", shown(path), error.kind()))
        })?;
    }
    Ok(path.is_dir().then(|| path.to_owned()))
}

fn default_pattern(target: &Target, directory: &Path) -> PathBuf {
    let (folder, name) = match target {
        Target::Script(path) => {
            let path = directory.join(path);
            let name = path.file_name().map_or_else(|| OsString::from("script"), OsStr::to_owned);
            (path.parent().unwrap_or(directory).to_owned(), name)
        }
        Target::Module(name) => (directory.to_owned(), OsString::from(name)),
        Target::Text(_) => (directory.to_owned(), OsString::from("string")),
        Target::Command(command) => {
            let name = Path::new(command).file_name().map_or_else(|| command.clone(), OsStr::to_owned);
            (directory.to_owned(), name)
        }
    };
    let mut file = name;
    file.push(format!(".{PID}.{EXTENSION}"));
    folder.join(file)
}

/// A folder that is not there or cannot be written is said before the program runs for an hour.
fn check_folder(folder: &Path) -> Result<(), LaunchError> {
    if !folder.is_dir() {
        return Err(LaunchError::Io(format!("the folder {} does not exist: create it first", shown(folder))));
    }
    tempfile::Builder::new().prefix(".heaphint-").tempfile_in(folder).map(drop).map_err(|error| {
        LaunchError::Io(format!(
            "cannot write to {}: {}; choose another place for the capture with `-o`",
            shown(folder),
            error.kind()
        ))
    })
}

/// An output that exists is refused, or removed when it may be overwritten.
fn make_room(path: &Path, overwrite: bool) -> Result<(), LaunchError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    // Removing a device, a pipe or a link would break something that is not ours.
    if !metadata.is_file() {
        return Err(LaunchError::Usage(format!(
            "{} is not an ordinary file: `-o` takes the name of a new one",
            shown(path)
        )));
    }
    if !overwrite {
        return Err(LaunchError::Usage(format!(
            "{} exists already: choose another name, or overwrite it with `-f`",
            shown(path)
        )));
    }
    // What a run that was cut short has left beside it.
    let _ = fs::remove_file(heaphint_record::events_path(path));
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LaunchError::Io(format!("cannot overwrite {}: {}", shown(path), error.kind())))
        }
        _ => Ok(()),
    }
}

/// Whether a process of the run may have given its capture this name: the pattern's with a number for `%p`, or the
/// pattern itself, or that with a number before its extension.
fn is_named_by(pattern: &Path, name: &OsStr) -> bool {
    let Some(pattern) = pattern.file_name() else { return false };
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let number_between = |before: &[u8], after: &[u8]| {
        let rest = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or_default();
        // A further program of the same process has its number behind the process's.
        let mut numbers = rest.splitn(2, |byte| *byte == b'-');
        numbers.all(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
    };
    if let Some(at) = pattern.windows(PID.len()).rposition(|part| part == PID.as_bytes()) {
        return number_between(&pattern[..at], &pattern[at + PID.len()..]);
    }
    let dot = pattern.iter().rposition(|byte| *byte == b'.').unwrap_or(pattern.len());
    let before = [&pattern[..dot], b"."].concat();
    name == pattern || number_between(&before, &pattern[dot..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_ran() {
        let directory = Path::new("/home/me");
        for (target, expected) in [
            (Target::Script("sub/app.py".into()), "/home/me/sub/app.py.%p.heaphint"),
            (Target::Script("/abs/app.py".into()), "/abs/app.py.%p.heaphint"),
            (Target::Module("pkg.mod".into()), "/home/me/pkg.mod.%p.heaphint"),
            (Target::Text("print(1)".into()), "/home/me/string.%p.heaphint"),
            (Target::Command("/usr/bin/make".into()), "/home/me/make.%p.heaphint"),
        ] {
            assert_eq!(default_pattern(&target, directory), Path::new(expected));
        }
    }

    #[test]
    fn every_process_of_a_run_is_found_by_name() {
        let named = |pattern: &str, name: &str| is_named_by(Path::new(pattern), OsStr::new(name));
        assert!(named("/t/app.%p.heaphint", "app.12.heaphint"));
        assert!(!named("/t/app.%p.heaphint", "app.x.heaphint"));
        assert!(named("/t/app.%p.heaphint", "app.12-2.heaphint"));
        assert!(!named("/t/app.%p.heaphint", "app..heaphint"));
        assert!(!named("/t/app.%p.heaphint", "app.12-.heaphint"));
        assert!(named("/t/out.bin", "out.bin"));
        assert!(named("/t/out.bin", "out.12.bin"));
        assert!(!named("/t/out.bin", "out.12.heaphint"));
        assert!(named("/t/out", "out.12"));
    }

    #[test]
    fn no_two_sessions_have_one_number() {
        let numbers: Vec<_> = (0..100).map(|_| new_session()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    #[test]
    fn a_folder_is_for_all_captures_of_a_session() {
        let folder = tempfile::tempdir().unwrap();
        let prepare = |path: &str| {
            let output = Output::File { path: folder.path().join(path), overwrite: false };
            Captures::prepare(&output, &Target::Script("sub/app.py".into()), folder.path()).unwrap()
        };
        assert_eq!(prepare("new/deep/").pattern(), folder.path().join("new/deep/app.py.%p.heaphint"));
        assert_eq!(prepare("new").pattern(), folder.path().join("new/app.py.%p.heaphint"));
        assert_eq!(prepare("file").pattern(), folder.path().join("file"));
    }

    #[test]
    fn an_existing_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.heaphint");
        fs::write(&path, "").unwrap();
        let prepare = |overwrite| {
            let output = Output::File { path: path.clone(), overwrite };
            Captures::prepare(&output, &Target::Module("m".into()), folder.path())
        };
        assert!(prepare(false).unwrap_err().to_string().contains("exists already"));
        assert!(path.exists());
        prepare(true).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_missing_folder_is_said() {
        let output = Output::File { path: "/nowhere/x".into(), overwrite: false };
        let error = Captures::prepare(&output, &Target::Module("m".into()), Path::new("/")).unwrap_err();
        assert!(error.to_string().contains("/nowhere does not exist"), "{error}");
    }
}
