//! Runs that somebody asked for: a program under the tracer, from the command to the annotations.

mod plan;
mod process;
mod progress;
mod run;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lsp_types::ProgressToken;
use tokio::sync::watch;

use super::ext::ProfileParams;
use super::server::Server;
use process::Group;

/// Runs that are going on.
#[derive(Debug, Default)]
pub struct Runs {
    last: AtomicU64,
    active: Mutex<HashMap<RunId, Active>>,
}

/// Names a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunId(u64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug)]
struct Active {
    token: ProgressToken,
    cancel: watch::Sender<bool>,
    group: Option<Group>,
}

impl Runs {
    /// Starts a run and returns at once. Progress goes to `token`, or to one that the editor is asked for.
    pub fn start(&self, server: &Arc<Server>, params: ProfileParams, token: Option<ProgressToken>) -> RunId {
        let id = RunId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        let (cancel, is_cancelled) = watch::channel(false);
        let own_token = ProgressToken::String(format!("heaphint/run-{id}"));
        let active = Active { token: token.clone().unwrap_or(own_token.clone()), cancel, group: None };
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

    /// Cancels the run that this progress tells about. Others are no error: the run may just have ended.
    pub fn cancel(&self, token: &ProgressToken) {
        for active in self.active().values().filter(|active| active.token == *token) {
            active.cancel.send_replace(true);
        }
    }

    /// Ends every run at once.
    pub fn kill_all(&self) {
        for active in self.active().values() {
            active.cancel.send_replace(true);
            if let Some(group) = active.group {
                group.signal(libc::SIGKILL);
            }
        }
    }

    fn set_group(&self, id: RunId, group: Option<Group>) {
        if let Some(active) = self.active().get_mut(&id) {
            active.group = group;
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
