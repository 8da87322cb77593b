//! The part of a session that a report is about, as options.

use std::path::PathBuf;

use clap::Args;
use heaphint_analysis::{Capture, Profile, Selection};

use super::input::read_captures;
use super::{Usage, runs};

/// Names that a message lists.
const MOST_NAMES: usize = 12;

/// Which part of a session a report is about.
#[derive(Debug, Args)]
pub struct PartArguments {
    /// Captures of one session, the process that was started first; or a folder [default: the newest run]
    #[arg(value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// Only this process of several; may be given several times
    #[arg(id = "process", long, value_name = "PID")]
    processes: Vec<u32>,
    /// Only this thread, by its name or number; may be given several times
    #[arg(id = "thread", long, value_name = "THREAD")]
    threads: Vec<String>,
    /// Only what this package allocated, with the standard library on its behalf; may be given several times
    #[arg(id = "module", long, value_name = "NAME")]
    modules: Vec<String>,
}

impl PartArguments {
    /// The captures that are named.
    pub fn captures(&self) -> &[PathBuf] {
        &self.captures
    }

    /// Reads the captures, with what was freed before its thread made `window` further allocations as temporary.
    /// The profile has the chosen processes; the selection, what of them is chosen.
    ///
    /// # Errors
    /// When a capture cannot be read, or something is chosen that is not there.
    pub fn read(&self, window: usize) -> anyhow::Result<(Profile, Selection)> {
        self.read_as(window, Profile::from_captures)
    }

    /// The same, with the profile that `profile` makes of captures.
    ///
    /// # Errors
    /// As there.
    pub fn read_as(
        &self,
        window: usize,
        profile: impl FnOnce(&[Capture]) -> Profile,
    ) -> anyhow::Result<(Profile, Selection)> {
        let mut captures = read_captures(&runs::captures(&self.captures)?, window)?;
        let pids: Vec<String> = captures.iter().map(|capture| capture.header.pid.to_string()).collect();
        let wanted: Vec<String> = self.processes.iter().map(u32::to_string).collect();
        check("process", &wanted, &pids)?;
        if !wanted.is_empty() {
            captures.retain(|capture| self.processes.contains(&capture.header.pid));
        }
        let profile = profile(&captures);

        let threads = profile.threads();
        let mut names: Vec<String> = threads.iter().map(|thread| thread.name.clone()).collect();
        names.dedup();
        let numbers = threads.iter().map(|thread| thread.tid.to_string());
        let known_threads: Vec<String> = names.into_iter().chain(numbers).collect();
        check("thread", &self.threads, &known_threads)?;
        let modules = profile.modules(false, usize::MAX).into_iter().map(|module| module.module);
        check("module", &self.modules, &modules.collect::<Vec<_>>())?;
        // Only the chosen processes were read, so that their peaks and maxima are not mixed with others'.
        let (threads, modules) = (self.threads.clone(), self.modules.clone());
        Ok((profile, Selection { threads, modules, ..Selection::default() }))
    }
}

/// Says so when something was chosen that is not there.
fn check(kind: &str, wanted: &[String], known: &[String]) -> Result<(), Usage> {
    let Some(missing) = wanted.iter().find(|name| !known.contains(name)) else { return Ok(()) };
    let mut list = known.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if known.len() > MOST_NAMES {
        list.push_str(", …");
    }
    Err(Usage(format!("there is no {kind} `{missing}` in this session: choose one of {list}")))
}
