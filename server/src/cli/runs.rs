//! The captures of one run, by whatever somebody names: files, a folder, or nothing at all for the newest run.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use heaphint_analysis::records::Interval;
use heaphint_analysis::{Capture, absolute};

use super::Usage;
use super::input::read_captures;
use crate::launch::{CAPTURES_FOLDER, First, first_page, project_root};

/// Which session a report is about, and which of its processes.
#[derive(Debug, Args)]
pub struct SessionArguments {
    /// Captures of one session, the process that was started first; or a folder [default: the newest run]
    #[arg(value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// All processes of the session that CAPTURE belongs to
    #[arg(id = "whole-session", long = "session")]
    whole: bool,
    /// Only this process of the session; may be given several times
    #[arg(id = "process", long, value_name = "PID")]
    processes: Vec<u32>,
}

impl SessionArguments {
    /// The captures that are named.
    pub fn named(&self) -> &[PathBuf] {
        &self.captures
    }

    /// Whether every process of what is named is meant.
    pub fn is_whole(&self) -> bool {
        self.processes.is_empty()
    }

    /// The captures that are meant; of all processes, also when only some are chosen.
    ///
    /// # Errors
    /// When there is none.
    pub fn captures(&self) -> anyhow::Result<Vec<PathBuf>> {
        let captures = captures(&self.captures)?;
        let [capture] = &captures[..] else { return Ok(captures) };
        Ok(if self.whole || !self.processes.is_empty() { session_of(capture) } else { captures })
    }

    /// Reads the captures of the processes that are chosen, with what was freed before its thread made `window` further
    /// allocations as temporary; of a part of the recording, when there is an interval. Only these, so that their peaks and maxima are not mixed with others'.
    ///
    /// # Errors
    /// When a capture cannot be read, or a process is chosen that is not there.
    pub fn read(&self, window: usize, interval: Option<Interval>) -> anyhow::Result<Vec<Capture>> {
        let mut captures = read_captures(&self.captures()?, window, interval)?;
        let mut pids: Vec<String> = captures.iter().map(|capture| capture.header.pid.to_string()).collect();
        pids.dedup();
        let wanted: Vec<String> = self.processes.iter().map(u32::to_string).collect();
        check_choice("process", &wanted, &pids)?;
        if !wanted.is_empty() {
            captures.retain(|capture| self.processes.contains(&capture.header.pid));
        }
        Ok(captures)
    }
}

/// Names that a message lists.
const MOST_NAMES: usize = 12;

/// Says so when something was chosen that is not there.
///
/// # Errors
/// When it is not.
pub fn check_choice(kind: &str, wanted: &[String], known: &[String]) -> Result<(), Usage> {
    let Some(missing) = wanted.iter().find(|name| !known.contains(name)) else { return Ok(()) };
    let mut list = known.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if known.len() > MOST_NAMES {
        list.push_str(", …");
    }
    Err(Usage(format!("there is no {kind} `{missing}` in this session: choose one of {list}")))
}

/// A capture, as far as its first page tells.
struct Found {
    path: PathBuf,
    /// Its name without numbers between dots: the processes of a run share it.
    name: String,
    first: First,
}

/// The captures that are meant, that of the process that was started first. A folder stands for the newest run in it;
/// nothing for the newest one in the project's folder of captures, in the project's root or here.
///
/// # Errors
/// When there is none; the sentence says where to look.
pub fn captures(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    match named {
        [] => {
            let here = std::env::current_dir().unwrap_or_default();
            let root = project_root(None, &here);
            let mut found = in_folder(&root.join(CAPTURES_FOLDER));
            found.extend(in_folder(&root));
            if here != root {
                found.extend(in_folder(&here));
            }
            let missing = || {
                format!(
                    "no run was recorded below {} yet: record one with `heaphint run`, or name a capture",
                    root.display()
                )
            };
            newest(found).ok_or_else(|| Usage(missing()).into())
        }
        [folder] if folder.is_dir() => {
            let missing = || format!("there is no capture in {}", folder.display());
            newest(in_folder(folder)).ok_or_else(|| Usage(missing()).into())
        }
        captures => Ok(captures.to_vec()),
    }
}

/// Captures in a folder and in the folders directly in it.
fn in_folder(folder: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_hidden {
            let inner = fs::read_dir(&path).into_iter().flatten().flatten();
            found.extend(inner.filter_map(|entry| Found::at(entry.path())));
        } else {
            found.extend(Found::at(path));
        }
    }
    found
}

impl Found {
    fn at(path: PathBuf) -> Option<Self> {
        let extension = path.extension()?;
        (extension == "heaphint").then_some(())?;
        Self::of(path)
    }

    fn of(path: PathBuf) -> Option<Self> {
        let first = first_page(&path)?;
        let absolute = absolute(&path.to_string_lossy(), "");
        let parts = absolute.split('.').filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()));
        Some(Self { name: parts.collect::<Vec<_>>().join("."), path, first })
    }

    fn started_ms(&self) -> u64 {
        self.first.header.started_unix_ms
    }

    /// Whether two processes belong to one run. Where the captures do not say so: one started the other, or somebody
    /// started both under one name.
    fn is_of_run(&self, other: &Self) -> bool {
        let sessions = (self.first.process.session, other.first.process.session);
        if sessions != (0, 0) {
            return sessions.0 == sessions.1;
        }
        let (a, b) = (&self.first.header, &other.first.header);
        a.parent_pid == b.pid
            || b.parent_pid == a.pid
            || (a.parent_pid == b.parent_pid && self.name == other.name)
    }
}

/// The captures of the run to which the newest one belongs, in the order of their start.
fn newest(mut found: Vec<Found>) -> Option<Vec<PathBuf>> {
    found.sort_by(|a, b| (a.started_ms(), &a.path).cmp(&(b.started_ms(), &b.path)));
    let last = found.pop()?;
    Some(run_of(last, found))
}

/// The captures of the session to which one belongs, as far as they are beside it; that of the process that was started
/// first.
fn session_of(capture: &Path) -> Vec<PathBuf> {
    let Some(one) = Found::of(capture.to_owned()) else { return vec![capture.to_owned()] };
    let folder = match capture.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let file_name = capture.file_name().unwrap_or_default();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let others = entries.filter(|entry| entry.file_name() != file_name).map(|entry| entry.path());
    run_of(one, others.filter_map(Found::of).collect())
}

/// One capture and those of `others` that belong to the same run, in the order of their start.
fn run_of(one: Found, mut others: Vec<Found>) -> Vec<PathBuf> {
    let mut run = vec![one];
    loop {
        // A copy of a capture would count twice.
        let is_copy = |other: &Found| run.iter().any(|it| it.first.is_of_same_program(&other.first));
        let belongs = |other: &Found| run.iter().any(|it| it.is_of_run(other)) && !is_copy(other);
        let Some(at) = others.iter().position(belongs) else { break };
        run.push(others.remove(at));
    }
    run.sort_by_key(Found::started_ms);
    run.into_iter().map(|member| member.path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use heaphint_format::Header;

    fn found(name: &str, pid: u32, parent_pid: u32, started_unix_ms: u64) -> Found {
        let header = Header { pid, parent_pid, started_unix_ms, ..Header::default() };
        Found { path: name.into(), name: "x".to_owned(), first: First { header, ..First::default() } }
    }

    #[test]
    fn a_session_has_a_number() {
        let of = |name, pid, session| {
            let mut found = found(name, pid, 2, 250);
            found.first.process.session = session;
            found
        };
        let others = vec![of("other", 21, 8), of("same", 22, 7), of("old", 23, 0), of("copy", 20, 7)];
        assert_eq!(run_of(of("one", 20, 7), others), ["one", "same"].map(PathBuf::from));
    }

    #[test]
    fn a_run_is_a_process_and_what_it_started() {
        let all = vec![
            found("old", 10, 1, 100),
            found("child", 22, 20, 260),
            found("grandchild", 23, 22, 270),
            found("new", 20, 2, 250),
            found("beside", 21, 2, 255),
        ];
        let run = newest(all).unwrap();
        assert_eq!(run, ["new", "beside", "child", "grandchild"].map(PathBuf::from));
        assert_eq!(newest(Vec::new()), None);
    }
}
