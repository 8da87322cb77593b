//! Runs that somebody asked for: a program under the tracer, from the command to the annotations.

mod live;
mod plan;
mod process;
mod program;
mod progress;
mod relay;
mod run;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lsp_types::{ProgressToken, Url};
use tokio::sync::watch;

use super::documents::file_path;
use super::ext::{ProfileParams, ProfileWhat};
use super::server::Server;
use crate::supervise::Supervised;

pub use plan::root_of;
pub use program::own_module;

/// Runs that are going on.
#[derive(Debug, Default)]
pub struct Runs {
    last_id: AtomicU64,
    active: Mutex<HashMap<RunId, Active>>,
    /// Of each project the last run, the newest at the end.
    last: Mutex<Vec<(Option<PathBuf>, ProfileParams)>>,
    /// Programs that left processes behind which outlived their run.
    left_behind: Mutex<Vec<Arc<Supervised>>>,
}

/// Names a run.
/// Later runs are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(u64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug)]
struct Active {
    token: ProgressToken,
    params: ProfileParams,
    cancel: watch::Sender<bool>,
    program: Option<Arc<Supervised>>,
}

impl Runs {
    /// Starts a run and returns at once. Progress goes to `token`, or to one that the editor is asked for.
    pub fn start(&self, server: &Arc<Server>, params: ProfileParams, token: Option<ProgressToken>) -> RunId {
        let id = RunId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        let params = self.resolved(params);
        if params.what == Some(ProfileWhat::Notebook) {
            // The files of its cells are about to be written anew.
            self.cancel_same(&params);
        }
        let (cancel, is_cancelled) = watch::channel(false);
        let own_token = ProgressToken::String(format!("heaphint/run-{id}"));
        let active = Active {
            token: token.clone().unwrap_or(own_token.clone()),
            params: params.clone(),
            cancel,
            program: None,
        };
        self.active().insert(id, active);
        let token = match token {
            Some(token) => run::Token::Given(token),
            None => run::Token::Own(own_token),
        };
        let server = server.clone();
        tokio::spawn(async move {
            // Dropped when the run panics, too.
            let _registered = Registered { runs: &server.runs, id };
            run::follow(&server, id, params, token, is_cancelled).await;
        });
        id
    }

    /// What is meant by "again": the last run of the file's project, else the last one of all.
    fn resolved(&self, params: ProfileParams) -> ProfileParams {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let root = file_path(&params.uri).map(|path| plan::root_of(&path));
        if params.what == Some(ProfileWhat::Again) {
            let same_root = last.iter().rev().find(|(of, _)| *of == root);
            return same_root.or(last.last()).map_or(params, |(_, params)| params.clone());
        }
        last.retain(|(of, _)| *of != root);
        last.push((root, params.clone()));
        params
    }

    /// The last run of a file's project, to be run again.
    pub fn last_of(&self, uri: &Url) -> Option<ProfileParams> {
        let root = file_path(uri).map(|path| plan::root_of(&path));
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().find(|(of, _)| *of == root).map(|(_, params)| params.clone())
    }

    /// Whether a run goes on.
    pub fn is_active(&self, id: RunId) -> bool {
        self.active().contains_key(&id)
    }

    /// Cancels the run that this progress tells about. Others are no error: the run may just have ended.
    pub fn cancel(&self, token: &ProgressToken) {
        for active in self.active().values().filter(|active| active.token == *token) {
            active.cancel.send_replace(true);
        }
    }

    /// Cancels the run with this name, or every run.
    pub fn cancel_named(&self, name: Option<&str>) {
        for (id, active) in self.active().iter() {
            if name.is_none_or(|name| id.to_string() == name) {
                active.cancel.send_replace(true);
            }
        }
    }

    /// Cancels runs of the same thing: they would tell of a program that is no more.
    pub fn cancel_same(&self, params: &ProfileParams) {
        for active in self.active().values().filter(|active| active.params == *params) {
            active.cancel.send_replace(true);
        }
    }

    /// Ends every run at once, and what ended runs left behind. Waits for the end of all those processes: call it where
    /// it may block.
    pub fn kill_all(&self) {
        let mut programs = std::mem::take(&mut *self.left_behind());
        for active in self.active().values_mut() {
            active.cancel.send_replace(true);
            programs.extend(active.program.clone());
        }
        programs.iter().for_each(|program| program.end());
        programs.iter().for_each(|program| program.wait());
    }

    /// A run's program has ended; processes that it left behind must not outlive the server.
    fn leave(&self, id: RunId, program: Arc<Supervised>) {
        self.set_program(id, None);
        let mut left_behind = self.left_behind();
        left_behind.retain(|program| !program.is_over());
        left_behind.push(program);
    }

    fn left_behind(&self) -> MutexGuard<'_, Vec<Arc<Supervised>>> {
        self.left_behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_program(&self, id: RunId, program: Option<Arc<Supervised>>) {
        if let Some(active) = self.active().get_mut(&id) {
            active.program = program;
        }
    }

    fn active(&self) -> MutexGuard<'_, HashMap<RunId, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Registered<'a> {
    runs: &'a Runs,
    id: RunId,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.runs.active().remove(&self.id);
    }
}
