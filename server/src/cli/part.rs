//! The part of a session that a report is about, as options.

use std::path::PathBuf;

use clap::Args;
use heaphint_analysis::{Profile, Selection};

use super::runs::{SessionArguments, check_choice};

/// Which part of a session a report is about.
#[derive(Debug, Args)]
pub struct PartArguments {
    #[command(flatten)]
    session: SessionArguments,
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
        self.session.named()
    }

    /// Reads the captures, with what was freed before its thread made `window` further allocations as temporary.
    /// The profile has the chosen processes; the selection, what of them is chosen.
    ///
    /// # Errors
    /// When a capture cannot be read, or something is chosen that is not there.
    pub fn read(&self, window: usize) -> anyhow::Result<(Profile, Selection)> {
        let profile = Profile::from_captures(&self.session.read(window)?);

        let threads = profile.threads();
        let mut names: Vec<String> = threads.iter().map(|thread| thread.name.clone()).collect();
        names.dedup();
        let numbers = threads.iter().map(|thread| thread.tid.to_string());
        let known_threads: Vec<String> = names.into_iter().chain(numbers).collect();
        check_choice("thread", &self.threads, &known_threads)?;
        let modules = profile.modules(false, usize::MAX).into_iter().map(|module| module.module);
        check_choice("module", &self.modules, &modules.collect::<Vec<_>>())?;
        let (threads, modules) = (self.threads.clone(), self.modules.clone());
        Ok((profile, Selection { threads, modules, ..Selection::default() }))
    }
}
