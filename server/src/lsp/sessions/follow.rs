//! Captures that others write: shown as soon as they appear, as they grow, and again when they are replaced.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lsp_types::MessageType;

use super::store::{is_own, list, load};
use crate::launch::header;
use crate::lsp::captures::is_being_recorded;
use crate::lsp::server::Server;
use crate::lsp::watch::CAPTURES_FOLDER;

/// How often a capture that somebody else records is read. What is written into it is no event: it goes through a
/// mapping.
const POLL: Duration = Duration::from_secs(1);

/// Captures of others that are being followed, and those that were opened outside of the projects' folders.
#[derive(Debug, Default)]
pub struct Followed {
    following: Mutex<HashSet<PathBuf>>,
    opened: Mutex<Vec<(Vec<PathBuf>, PathBuf)>>,
}

impl Followed {
    fn following(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> MutexGuard<'_, Vec<(Vec<PathBuf>, PathBuf)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows captures from anywhere, as a run of the project at `root`, and again whenever one of them is replaced.
///
/// # Errors
/// When none can be read.
pub fn open_captures(server: &Arc<Server>, captures: Vec<PathBuf>, root: PathBuf) -> anyhow::Result<()> {
    show(server, &captures, &root, false)?;
    for folder in captures.iter().filter_map(|path| path.parent()) {
        server.watch.folder(server, folder);
    }
    let mut opened = server.followed.opened();
    opened.retain(|(others, _)| *others != captures);
    opened.push((captures, root));
    Ok(())
}

/// A file was written or replaced that may be a capture: when it is one that is to be shown, it is followed to its end.
pub fn appeared(server: &Arc<Server>, path: &Path) {
    let opened =
        server.followed.opened().iter().find(|(captures, _)| captures.iter().any(|c| c == path)).cloned();
    let in_project = path.parent().filter(|folder| folder.ends_with(CAPTURES_FOLDER)).and_then(Path::parent);
    let (captures, root) = match (opened, in_project) {
        (Some((captures, root)), _) => (Some(captures), root),
        (None, Some(root)) if !is_own(path) => (None, root.to_owned()),
        _ => return,
    };
    if !server.followed.following().insert(path.to_owned()) {
        return;
    }
    let (server, path) = (server.clone(), path.to_owned());
    tokio::task::spawn_blocking(move || {
        let written = || path.metadata().and_then(|metadata| metadata.modified()).ok();
        loop {
            let before = written();
            follow(&server, &path, captures.as_deref(), &root);
            // What was written while it was read was told by an event that nobody followed.
            if written() == before {
                break;
            }
        }
        server.followed.following().remove(&path);
    });
}

/// Shows a capture until it is finished, its process is gone, or it is deleted. Runs where it may block.
fn follow(server: &Arc<Server>, path: &Path, captures: Option<&[PathBuf]>, root: &Path) {
    let mut last_length = None;
    loop {
        let Ok(length) = path.metadata().map(|metadata| metadata.len()) else { return };
        let recording = is_being_recorded(path);
        // A file that is no capture, or not yet, may become one as long as it grows.
        if !recording && (header(path).is_some() || Some(length) == last_length) {
            break;
        }
        last_length = Some(length);
        if recording {
            // What cannot be read now may be readable a second later, and is said at the end.
            let _ = show_session(server, path, captures, root, true);
        }
        std::thread::sleep(POLL);
    }
    let name = path.display();
    match show_session(server, path, captures, root, false) {
        Ok(()) => server.outbox.log(MessageType::INFO, format!("Showing {name}.")),
        Err(error) => server.outbox.log(MessageType::WARNING, format!("{name} cannot be shown: {error:#}.")),
    }
}

/// Shows the session that a capture belongs to.
fn show_session(
    server: &Arc<Server>,
    path: &Path,
    captures: Option<&[PathBuf]>,
    root: &Path,
    live: bool,
) -> anyhow::Result<()> {
    let of_session = || {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let session = list(folder).into_iter().find(|session| session.captures.iter().any(|c| c == path));
        session.map_or_else(|| vec![path.to_owned()], |session| session.captures)
    };
    let captures = captures.map_or_else(of_session, <[PathBuf]>::to_vec);
    show(server, &captures, root, live)
}

fn show(server: &Arc<Server>, captures: &[PathBuf], root: &Path, live: bool) -> anyhow::Result<()> {
    let settings = server.state().settings.clone();
    let mut results = load(captures, root, &settings.path_mappings)?;
    results.live = live;
    server.show(results);
    Ok(())
}
