//! Captures as files: those of the server's own runs, and those that somebody else puts into a project's folder of
//! captures.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use heaphint_analysis::{Capture, Profile};
use heaphint_format::Status;
use lsp_types::MessageType;

use super::results::Results;
use super::server::Server;
use super::sources::Sources;
use crate::launch::header;

/// The end of a capture's name.
pub const EXTENSION: &str = "heaphint";
/// The beginning of the names of the server's own captures.
const OWN_PREFIX: &str = "editor-";
/// Own captures that are kept in a project.
const KEPT: usize = 20;
/// How often a capture that somebody else records is looked at. Its end changes a mapping, which is no event.
const POLL: Duration = Duration::from_millis(500);

/// The captures of one more run of what is called `name`, as a pattern: each process puts its id in place of `%p`. Makes the
/// folder, and deletes old captures of the server there.
///
/// # Errors
/// When the folder cannot be made.
pub fn prepare(folder: &Path, name: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        fs::write(ignore, "*\n")?;
    }
    delete_old(folder);
    // A `%p` in the name would be taken for ours.
    let name = name.replace(['%', '/'], "_");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(folder.join(format!("{OWN_PREFIX}{name}-{}.%p.{EXTENSION}", now.as_millis())))
}

/// Live bytes of all processes of a run at this moment.
pub fn live_bytes(captures: &[PathBuf]) -> u64 {
    let headers = captures.iter().filter_map(|path| header(path));
    headers.filter(|header| header.status != Status::Finished as u32).map(|header| header.current_bytes).sum()
}

/// Reads captures and merges them. Those that cannot be read are left out, unless there is no other.
///
/// # Errors
/// When none can be read.
pub fn read(paths: &[PathBuf]) -> anyhow::Result<Profile> {
    let mut captures = Vec::new();
    let mut problem = None;
    for path in paths {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        match bytes.and_then(|bytes| Ok(Capture::read(&bytes)?)) {
            Ok(capture) => captures.push(capture),
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    match problem {
        Some(error) if captures.is_empty() => Err(error),
        _ if captures.is_empty() => anyhow::bail!("nothing was recorded: the program did not start Python"),
        _ => Ok(Profile::from_captures(&captures)),
    }
}

fn delete_old(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut own: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_own(path)).collect();
    own.sort_by_cached_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok());
    for path in own.iter().rev().skip(KEPT - 1).filter(|path| !is_being_recorded(path)) {
        // A file that stays costs space and nothing else.
        let _ = fs::remove_file(path);
    }
}

/// Whether a capture is one of the server's own runs, by its name.
fn is_own(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == EXTENSION)
        && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(OWN_PREFIX))
}

/// Captures of others that are being followed.
#[derive(Debug, Default)]
pub struct Followed(Mutex<HashSet<PathBuf>>);

/// A capture was written into a project's folder: when its process has ended, it is the last run.
pub fn appeared(server: &Arc<Server>, path: &Path) {
    let mut followed = server.followed.0.lock().unwrap_or_else(PoisonError::into_inner);
    if is_own(path) || !followed.insert(path.to_owned()) {
        return;
    }
    drop(followed);
    let (server, path) = (server.clone(), path.to_owned());
    tokio::spawn(async move {
        wait_for_end(&path).await;
        server.followed.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&path);
        show(&server, path).await;
    });
}

/// Waits until a capture is finished, its process is gone, or it is deleted.
async fn wait_for_end(path: &Path) {
    let mut last_length = None;
    loop {
        let Ok(length) = fs::metadata(path).map(|metadata| metadata.len()) else { return };
        // A file that is no capture, or not yet, may become one as long as it grows.
        if !is_being_recorded(path) && (header(path).is_some() || Some(length) == last_length) {
            return;
        }
        last_length = Some(length);
        tokio::time::sleep(POLL).await;
    }
}

fn is_being_recorded(path: &Path) -> bool {
    let is_alive = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
    header(path).is_some_and(|header| header.status != Status::Finished as u32 && is_alive(header.pid))
}

async fn show(server: &Arc<Server>, path: PathBuf) {
    let Some(root) = path.parent().and_then(Path::parent).map(Path::to_owned) else { return };
    let name = path.display().to_string();
    let loaded = tokio::task::spawn_blocking(move || {
        let profile = read(&[path])?;
        let started = UNIX_EPOCH + Duration::from_millis(profile.session().started_unix_ms);
        Ok::<_, anyhow::Error>(Results::new(profile, root, None, &Sources::new(started, HashMap::new())))
    });
    match loaded.await {
        Ok(Ok(results)) => {
            server.show(results);
            server.outbox.log(MessageType::INFO, format!("Showing {name}."));
        }
        Ok(Err(error)) => {
            server.outbox.log(MessageType::WARNING, format!("{name} cannot be shown: {error:#}."))
        }
        Err(error) => server.outbox.log(MessageType::ERROR, format!("{name} cannot be shown: {error}.")),
    }
}
