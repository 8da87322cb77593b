//! The figures of a run, read from its captures: again and again while its program runs, and once at its end.

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heaphint_analysis::{Inexact, Profile};
use lsp_types::MessageType;

use super::RunId;
use super::plan::Plan;
use crate::lsp::captures;
use crate::lsp::results::Results;
use crate::lsp::server::Server;
use crate::lsp::sessions::{Note, folder_of, write_note};
use crate::lsp::sources::Sources;

/// How often figures are read while the program runs.
const PERIOD: Duration = Duration::from_secs(1);
/// A reading may take this share of the time at most: large captures are read less often.
const SHARE: u32 = 5;
/// Processes that are looked at while the program runs: one that forks without end must not stop the server.
const MOST_PROCESSES: usize = 64;
/// How often a capture is read again that was torn: it was written while it was read.
const RETRIES: usize = 3;

/// What the captures of a run are read with.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The run.
    pub id: RunId,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// The program's process.
    pub pid: u32,
    /// What runs, for people.
    pub subject: String,
    /// Its source files.
    pub sources: Arc<Sources>,
}

impl Reading {
    /// Shows the figures as they grow, for as long as somebody waits for it.
    pub async fn keep_showing(&self, server: &Arc<Server>) -> Infallible {
        let mut pause = PERIOD;
        let mut last = None;
        loop {
            tokio::time::sleep(pause).await;
            let begin = Instant::now();
            let (reading, server) = (self.clone(), server.clone());
            // What cannot be read now may be readable a second later, and is said at the end.
            let shown = tokio::task::spawn_blocking(move || {
                let results = reading.now()?;
                let session = results.recorded.figures().session();
                let now = (session.allocated_count, session.leaked_bytes, session.peak_bytes);
                if last != Some(now) {
                    server.show(results);
                }
                Some(now)
            });
            last = shown.await.ok().flatten().or(last);
            pause = PERIOD.max(begin.elapsed() * SHARE);
        }
    }

    /// The figures at this moment; `None` when there are none that fit together.
    fn now(&self) -> Option<Results> {
        let mut paths = self.plan.launch.captures(self.pid);
        paths.truncate(MOST_PROCESSES);
        for _ in 0..RETRIES {
            let profile = captures::read_figures(&paths).ok()?;
            if profile.session().inexact != Some(Inexact::Damaged) {
                let mut results = self.results(profile, &paths);
                results.live = true;
                return Some(results);
            }
        }
        None
    }

    /// Shows the figures of the whole run, whose program ended with this status, and keeps what belongs to the session.
    ///
    /// # Errors
    /// One sentence when there are none.
    pub fn end(&self, server: &Server, status: ExitStatus) -> anyhow::Result<Arc<Profile>> {
        let captures = self.plan.launch.finish(self.pid, status)?;
        let results = self.results(captures::read_figures(&captures)?, &captures);
        let note = Note { title: self.subject.clone(), name: None, target: results.target.clone() };
        let folder = folder_of(&self.plan.root);
        if let Err(error) = write_note(&folder, &self.plan.session, &note, Some(&results)) {
            let message = format!("What belongs to the session cannot be kept: {error}.");
            server.outbox.log(MessageType::WARNING, message);
        }
        let profile = results.recorded.figures().clone();
        server.show(results);
        Ok(profile)
    }

    fn results(&self, profile: Profile, captures: &[PathBuf]) -> Results {
        let Plan { root, file, .. } = &*self.plan;
        let captures = captures.to_owned();
        let mut results = Results::new(profile, root.clone(), file.clone(), &self.sources)
            .stored(move || captures::read(&captures));
        results.run = Some(self.id);
        results.session = Some(self.plan.session.clone());
        results
    }
}
