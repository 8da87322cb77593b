//! Sessions as files.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use heaphint_analysis::Profile;
use heaphint_format::{EXIT_UNKNOWN, Header};
use serde::{Deserialize, Serialize};

use super::SessionId;
use crate::launch::{First, first_page, header};
use crate::lsp::captures::{self, EXTENSION, is_being_recorded};
use crate::lsp::ext::PathMapping;
use crate::lsp::results::Results;
use crate::lsp::sources::Sources;

/// The beginning of the names of the server's own sessions.
const OWN_PREFIX: &str = "editor-";
/// The ends of the names of what stands beside captures.
const NOTE: &str = "json";
const SOURCES: &str = "sources.json";
const PAGE: &str = "html";
/// Bytes of source texts that are kept with a session.
const MOST_SOURCE_BYTES: usize = 32 << 20;

/// What is known of a session beside its captures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Note {
    /// What ran, for people.
    #[serde(default)]
    pub title: String,
    /// What somebody named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The file that was profiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<PathBuf>,
}

/// A session in its folder.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its name there.
    pub id: SessionId,
    /// Its captures, that of the first process first.
    pub captures: Vec<PathBuf>,
    /// What is known of it.
    pub note: Note,
    first: Header,
    /// The sum of the processes' peaks, bytes.
    pub peak_bytes: u64,
    /// Whether one of its processes is recorded at this moment.
    pub running: bool,
}

impl Stored {
    /// When it began, milliseconds since 1970-01-01 UTC.
    pub fn started_ms(&self) -> u64 {
        self.first.started_unix_ms
    }

    /// The program's exit code, 128 + N for signal N.
    pub fn exit_code(&self) -> Option<i32> {
        match self.first.exit_status {
            EXIT_UNKNOWN => None,
            signal if signal < 0 => Some(128i32.saturating_sub(signal)),
            code => Some(code),
        }
    }
}

/// Whether a file belongs to a session of the server's own.
pub fn is_own(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes()))
}

/// The captures of one more session of what is called `name`, as a pattern: each process puts its id in place of `%p`.
/// Makes the folder, and deletes the oldest own sessions there, so that `keep` are left with this one; those with a
/// name stay.
///
/// # Errors
/// When the folder cannot be made.
pub fn prepare(folder: &Path, name: &str, keep: usize) -> io::Result<(SessionId, PathBuf)> {
    fs::create_dir_all(folder)?;
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        fs::write(ignore, "*\n")?;
    }
    let own = list(folder)
        .into_iter()
        .filter(|session| session.note.name.is_none() && session.captures.iter().all(|path| is_own(path)));
    for session in own.skip(keep.saturating_sub(1)).filter(|session| !session.running) {
        // A file that stays costs space and nothing else.
        let _ = delete(folder, &session.id);
    }
    // A `%p` in the name would be taken for ours, and a dot ends a session's name.
    let name = name.replace(['%', '/', '.'], "_");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut id = format!("{OWN_PREFIX}{name}-{}", now.as_millis());
    while note_path(folder, &SessionId(id.clone())).exists() {
        // Two runs of the same thing in the same millisecond.
        id.push('x');
    }
    let id = SessionId(id);
    let pattern = folder.join(format!("{}.%p.{EXTENSION}", id.as_str()));
    Ok((id, pattern))
}

/// Writes what is known of a session, and the texts that ran.
///
/// # Errors
/// When a file cannot be written.
pub fn write_note(folder: &Path, id: &SessionId, note: &Note, results: Option<&Results>) -> io::Result<()> {
    write_json(&note_path(folder, id), note)?;
    let Some(results) = results else { return Ok(()) };
    let mut left = MOST_SOURCE_BYTES;
    let mut texts = BTreeMap::new();
    for file in results.project_files() {
        let baseline = file.baseline();
        let text = baseline.text.as_str();
        // A text that may not be what ran is worth no more than what is on the disk later.
        if baseline.certain && text.len() <= left {
            left -= text.len();
            texts.insert(file.path().to_owned(), text.to_owned());
        }
    }
    write_json(&folder.join(format!("{}.{SOURCES}", id.as_str())), &texts)
}

/// Gives a session a name, or takes it away.
///
/// # Errors
/// When the note cannot be written.
pub fn name(folder: &Path, session: &Stored, name: Option<String>) -> io::Result<()> {
    let note = Note { name: name.filter(|name| !name.trim().is_empty()), ..session.note.clone() };
    write_json(&note_path(folder, &session.id), &note)
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    // Whoever reads meanwhile finds the old file or the new one.
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, value)?;
    file.persist(path)?;
    Ok(())
}

fn note_path(folder: &Path, id: &SessionId) -> PathBuf {
    folder.join(format!("{}.{NOTE}", id.as_str()))
}

/// The sessions of a folder, the newest first. Reads the first page of each capture.
pub fn list(folder: &Path) -> Vec<Stored> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let captures = entries.filter(|path| path.extension().is_some_and(|end| end == EXTENSION));
    let mut captures: Vec<(First, PathBuf)> =
        captures.filter_map(|path| Some((first_page(&path)?, path))).collect();
    // Parents before their children.
    captures.sort_by_key(|(first, path)| (first.header.started_unix_ms, first.header.pid, path.clone()));
    let mut sessions: Vec<Stored> = Vec::new();
    let mut of_pid: HashMap<(String, u32), usize> = HashMap::new();
    let mut of_number: HashMap<u64, usize> = HashMap::new();
    let mut before = None;
    for (first, path) in captures {
        // What somebody has copied is a session of its own, or it would count twice.
        let is_copy = before.replace(first).is_some_and(|before: First| before.is_of_same_program(&first));
        let First { header, process } = first;
        let (begin, id) = names(&path, &header);
        // Captures without a number are of older programs.
        let same = if is_copy {
            None
        } else if process.session == 0 {
            sessions.iter().position(|session| session.id == id)
        } else {
            of_number.get(&process.session).copied()
        };
        let parent = of_pid.get(&(begin.clone(), header.parent_pid)).copied();
        let parent = parent.filter(|_| process.session == 0 && !is_copy);
        let index = same.or(parent).unwrap_or_else(|| {
            sessions.push(Stored {
                note: read_json(&note_path(folder, &id)).unwrap_or_default(),
                id,
                captures: Vec::new(),
                first: header,
                peak_bytes: 0,
                running: false,
            });
            sessions.len() - 1
        });
        if !is_copy {
            of_pid.insert((begin, header.pid), index);
            of_number.insert(process.session, index);
        }
        let session = &mut sessions[index];
        session.running |= is_being_recorded(&path);
        session.peak_bytes = session.peak_bytes.saturating_add(header.peak_bytes.max(header.current_bytes));
        session.captures.push(path);
    }
    sessions.sort_by_key(|session| std::cmp::Reverse((session.started_ms(), session.id.clone())));
    sessions
}

/// The beginning of a capture's name, before the process, and the session that it is if it is no child's.
fn names(path: &Path, header: &Header) -> (String, SessionId) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // A further program of the process has its number behind the process's.
    let first = stem.rsplit_once('-').filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
    let pid = format!(".{}", header.pid);
    let begin = [Some(&*stem), first.map(|(first, _)| first)].into_iter().flatten();
    let begin = begin.filter_map(|name| name.strip_suffix(&pid)).next().unwrap_or(&stem).to_owned();
    let id = if begin.starts_with(OWN_PREFIX) { begin.clone() } else { stem };
    (begin, SessionId(id))
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The session with this name.
///
/// # Errors
/// When there is none.
pub fn find(folder: &Path, id: &str) -> anyhow::Result<Stored> {
    let found = list(folder).into_iter().find(|session| session.id.as_str() == id);
    found.with_context(|| format!("there is no session `{id}` in {}", folder.display()))
}

/// Deletes a session with everything that belongs to it. One that is recorded at this moment goes on without files.
///
/// # Errors
/// When there is no such session, or a file cannot be deleted.
pub fn delete(folder: &Path, id: &SessionId) -> anyhow::Result<()> {
    let session = find(folder, id.as_str())?;
    for path in &session.captures {
        fs::remove_file(path).with_context(|| format!("cannot delete {}", path.display()))?;
    }
    for end in [NOTE, SOURCES, PAGE] {
        // Captures of others have none.
        let _ = fs::remove_file(folder.join(format!("{}.{end}", id.as_str())));
    }
    Ok(())
}

/// Reads captures as a run of the project at `root`, where its files are now. Call it where it may block.
///
/// # Errors
/// When no capture can be read.
pub fn load(captures: &[PathBuf], root: &Path, mappings: &[PathMapping]) -> anyhow::Result<Results> {
    let (again, root_again, mappings) = (captures.to_owned(), root.to_owned(), mappings.to_owned());
    let mapped = move |mut profile: Profile| {
        map_files(&mut profile, &root_again, &mappings);
        profile
    };
    let profile = mapped(captures::read_figures(captures)?);
    let read = move || Ok(mapped(captures::read(&again)?));
    let started = UNIX_EPOCH + Duration::from_millis(profile.session().started_unix_ms);
    let (id, folder) = match captures.first() {
        Some(first) => (header(first).map(|header| names(first, &header).1), first.parent()),
        None => (None, None),
    };
    let beside = |end: &str| Some(folder?.join(format!("{}.{end}", id.as_ref()?.as_str())));
    let texts = beside(SOURCES).and_then(|path| read_json(&path)).unwrap_or_default();
    let note: Note = beside(NOTE).and_then(|path| read_json(&path)).unwrap_or_default();
    let sources = Arc::new(Sources::new(started, texts));
    let mut results = Results::new(profile, root.to_owned(), note.target, &sources).stored(read);
    results.session = id;
    Ok(results)
}

/// Finds files of another machine, or of another place on this one: by the mappings, else in the project.
fn map_files(profile: &mut Profile, root: &Path, mappings: &[PathMapping]) {
    let project = profile.session().project.clone();
    profile.rename_files(|name| {
        for PathMapping { from, to } in mappings {
            if let Ok(rest) = Path::new(name).strip_prefix(from) {
                return Some(Path::new(to).join(rest).to_string_lossy().into_owned());
            }
        }
        if project.is_empty() || Path::new(&project) == root || Path::new(name).exists() {
            return None;
        }
        let here = root.join(Path::new(name).strip_prefix(&project).ok()?);
        here.exists().then(|| here.to_string_lossy().into_owned())
    });
}
