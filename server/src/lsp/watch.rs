//! Watches what decides about diagnostics without being open in the editor: each project's `pyproject.toml` and
//! the folder of its captures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lsp_types::MessageType;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::captures;
use super::server::Server;
use super::sessions;

pub use crate::launch::CAPTURES_FOLDER;
use crate::limits::BASELINE_NAME;

/// Events are handled when none has come for this long,
const QUIET: Duration = Duration::from_millis(50);
/// and after this time in any case.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The watcher, made when the first project is known.
#[derive(Debug, Default)]
pub struct Watch {
    watcher: Mutex<Option<RecommendedWatcher>>,
}

impl Watch {
    /// Watches a project. To watch it twice is no harm: a folder may have been deleted and made again.
    pub fn project(&self, server: &Arc<Server>, root: &Path) {
        self.folder(server, root);
        let captures = root.join(CAPTURES_FOLDER);
        if captures.is_dir() {
            self.folder(server, &captures);
        }
    }

    /// Watches the files directly in a folder: editors replace a file instead of writing into it.
    pub fn folder(&self, server: &Arc<Server>, folder: &Path) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = match watcher.as_mut() {
            Some(watcher) => watcher.watch(folder, RecursiveMode::NonRecursive),
            None => {
                start(server).and_then(|new| watcher.insert(new).watch(folder, RecursiveMode::NonRecursive))
            }
        };
        if let Err(error) = watched {
            let message = format!("Changes in {} are not seen: {error}.", folder.display());
            server.outbox.log(MessageType::WARNING, message);
        }
    }
}

/// A watcher whose events are handled in a task of their own, when no more have come for a moment: an editor or a
/// compiler writes a file in several steps.
fn start(server: &Arc<Server>) -> notify::Result<RecommendedWatcher> {
    let (sender, mut events) = mpsc::unbounded_channel();
    let server = server.clone();
    tokio::spawn(async move {
        while let Some(first) = events.recv().await {
            let mut paths = written_paths(first);
            let end = Instant::now() + LONGEST_WAIT;
            while let Ok(Some(event)) = timeout_at(end.min(Instant::now() + QUIET), events.recv()).await {
                paths.extend(written_paths(event));
            }
            paths.iter().for_each(|path| changed(&server, path));
        }
    });
    notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if let Ok(event) = event {
            // Nobody listens any more when the server ends.
            let _ = sender.send(event);
        }
    })
}

/// The files that an event says have been written.
fn written_paths(event: notify::Event) -> BTreeSet<PathBuf> {
    // Reading a file is an event too, and the answer to an event is to read.
    let only_read =
        matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    if only_read { BTreeSet::new() } else { event.paths.into_iter().collect() }
}

/// A file was written: what it means depends on its name.
pub fn changed(server: &Arc<Server>, path: &Path) {
    if path.file_name().is_some_and(|name| {
        ["pyproject.toml", "heaphint.toml", BASELINE_NAME].iter().any(|watched| name == *watched)
    }) {
        server.check.ask();
    } else if path.ends_with(CAPTURES_FOLDER) && path.is_dir() {
        server.watch.folder(server, path);
    } else if path.extension().is_some_and(|extension| extension == captures::EXTENSION) {
        sessions::appeared(server, path);
    }
}
