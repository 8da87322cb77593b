//! The captures of one run, by whatever somebody names: files, a folder, or nothing at all for the newest run.

use std::fs;
use std::path::{Path, PathBuf};

use heaphint_analysis::absolute;
use heaphint_format::Header;

use super::Usage;
use crate::launch::{CAPTURES_FOLDER, header, project_root};

/// A capture, as far as its first page tells.
struct Found {
    path: PathBuf,
    /// Its name without numbers between dots: the processes of a run share it.
    name: String,
    header: Header,
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
        let header = (extension == "heaphint").then(|| header(&path)).flatten()?;
        let absolute = absolute(&path.to_string_lossy(), "");
        let parts = absolute.split('.').filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()));
        Some(Self { name: parts.collect::<Vec<_>>().join("."), path, header })
    }

    /// Whether two processes belong to one run: one started the other, or somebody started both under one name.
    fn is_of_run(&self, other: &Self) -> bool {
        let (a, b) = (&self.header, &other.header);
        a.parent_pid == b.pid
            || b.parent_pid == a.pid
            || (a.parent_pid == b.parent_pid && self.name == other.name)
    }
}

/// The captures of the run to which the newest one belongs, in the order of their start.
fn newest(mut found: Vec<Found>) -> Option<Vec<PathBuf>> {
    found.sort_by(|a, b| (a.header.started_unix_ms, &a.path).cmp(&(b.header.started_unix_ms, &b.path)));
    let mut run = vec![found.pop()?];
    loop {
        let belongs = |other: &Found| run.iter().any(|member| member.is_of_run(other));
        let Some(at) = found.iter().position(belongs) else { break };
        run.push(found.remove(at));
    }
    run.sort_by_key(|member| member.header.started_unix_ms);
    Some(run.into_iter().map(|member| member.path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, pid: u32, parent_pid: u32, started_unix_ms: u64) -> Found {
        let header = Header { pid, parent_pid, started_unix_ms, ..Header::default() };
        Found { path: name.into(), name: "x".to_owned(), header }
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
