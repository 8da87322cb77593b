//! What commands do with sessions. Everything here reads and writes files: call it where it may block.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use lsp_types::Url;

use super::{delete, find, folder_of, list, load, name, open_captures};
use crate::lsp::documents::file_path;
use crate::lsp::ext::{SessionItem, SessionList, SessionParams};
use crate::lsp::runs::root_of;
use crate::lsp::server::Server;
use crate::lsp::wording;

/// The project that is meant: that of the file or folder, else of the run that was shown last, else the first folder
/// that the editor has open.
///
/// # Errors
/// When nothing says which.
pub fn root(server: &Server, uri: Option<&Url>) -> anyhow::Result<PathBuf> {
    if let Some(uri) = uri {
        let Some(path) = file_path(uri) else { bail!("{uri} is no file on this machine") };
        return Ok(root_of(&path));
    }
    let state = server.state();
    let shown = state.shown.last().map(|results| results.root.clone());
    shown.or_else(|| state.folders.first().cloned()).context("say which project: name a file or folder of it")
}

/// The session that is meant, with its project's root.
///
/// # Errors
/// When there is none.
pub fn session(server: &Server, params: &SessionParams) -> anyhow::Result<(PathBuf, super::Stored)> {
    let root = root(server, params.uri.as_ref())?;
    let id = params.session.as_deref().context("say which session")?;
    let found = find(&folder_of(&root), id)?;
    Ok((root, found))
}

/// The sessions of a project.
pub fn all(server: &Server, params: &SessionParams) -> anyhow::Result<SessionList> {
    let root = root(server, params.uri.as_ref())?;
    let (shown, baseline, units) = {
        let state = server.state();
        let shown = state.shown.of_root(&root).and_then(|results| results.session.clone());
        let baseline = state.baselines.of_root(&root).and_then(|results| results.session.clone());
        (shown, baseline, state.settings.units)
    };
    let item = |session: super::Stored| SessionItem {
        name: session.note.name.clone(),
        title: if session.note.title.is_empty() {
            session.id.as_str().to_owned()
        } else {
            session.note.title.clone()
        },
        started_ms: session.started_ms(),
        peak: wording::size(session.peak_bytes, units),
        exit_code: session.exit_code(),
        running: session.running,
        processes: session.captures.len() as u32,
        shown: shown.as_ref() == Some(&session.id),
        baseline: baseline.as_ref() == Some(&session.id),
        session: session.id.as_str().to_owned(),
    };
    let sessions = list(&folder_of(&root)).into_iter().map(item).collect();
    Ok(SessionList { root: root.to_string_lossy().into_owned(), sessions })
}

/// Shows a session, or captures from elsewhere.
pub fn open(server: &Arc<Server>, params: &SessionParams) -> anyhow::Result<()> {
    if let Some(captures) = &params.captures {
        let paths: Option<Vec<PathBuf>> = captures.iter().map(file_path).collect();
        let paths = paths
            .filter(|paths| !paths.is_empty())
            .context("name captures that are files on this machine")?;
        let root = root(server, params.uri.as_ref()).or_else(|error| {
            // Captures in a project's own folder say themselves where they belong.
            let folder = paths.first().and_then(|path| path.parent());
            folder.map(root_of).ok_or(error)
        })?;
        return open_captures(server, paths, root);
    }
    let (root, session) = session(server, params)?;
    let settings = server.state().settings.clone();
    server.show(load(&session.captures, &root, &settings.path_mappings)?);
    Ok(())
}

/// Compares with a session from now on, or with none.
pub fn compare(server: &Server, params: &SessionParams) -> anyhow::Result<()> {
    let root = root(server, params.uri.as_ref())?;
    if params.session.is_none() {
        server.state().baselines.remove(&root);
    } else {
        let (_, session) = session(server, params)?;
        let settings = server.state().settings.clone();
        let base = load(&session.captures, &root, &settings.path_mappings)?;
        server.state().baselines.show(Arc::new(base));
    }
    server.show_again();
    Ok(())
}

/// Gives a session a name, or takes it away.
pub fn rename(server: &Server, params: &SessionParams) -> anyhow::Result<()> {
    let (root, session) = session(server, params)?;
    name(&folder_of(&root), &session, params.name.clone()).context("the session's name cannot be written")
}

/// Deletes a session.
pub fn remove(server: &Server, params: &SessionParams) -> anyhow::Result<()> {
    let (root, session) = session(server, params)?;
    if session.running {
        bail!("the session `{}` is being recorded: cancel its run first", session.id.as_str())
    }
    delete(&folder_of(&root), &session.id)
}
