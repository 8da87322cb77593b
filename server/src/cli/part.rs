//! The part of a session that a report is about, as options.

use std::path::PathBuf;

use clap::Args;
use heaphint_analysis::records::Interval;
use heaphint_analysis::{Capture, Profile, Selection};

use super::Usage;
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
    /// Only what happened from this moment on, such as `1.5s` or `200ms` after the start; of full records
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<u32>,
    /// Only what happened until then; what was allocated and not freed by then counts as leaked
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<u32>,
}

/// Reads a moment of a recording, in milliseconds.
fn parse_time(text: &str) -> Result<u32, String> {
    let (number, factor) = match text.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => (text.strip_suffix('s').unwrap_or_default(), 1000.0),
    };
    let milliseconds =
        number.trim().parse::<f64>().ok().filter(|number| *number >= 0.0).map(|it| it * factor);
    match milliseconds {
        Some(milliseconds) if milliseconds <= f64::from(u32::MAX) => Ok(milliseconds.round() as u32),
        _ => Err("a moment is a number with its unit, such as `1.5s` or `200ms`".to_owned()),
    }
}

impl PartArguments {
    /// The captures that are named.
    pub fn captures(&self) -> &[PathBuf] {
        self.session.named()
    }

    /// Whether nothing is left out.
    pub fn is_whole(&self) -> bool {
        self.session.is_whole()
            && self.threads.is_empty()
            && self.modules.is_empty()
            && self.from.is_none()
            && self.to.is_none()
    }

    /// The part of the time that is chosen.
    fn interval(&self) -> Result<Option<Interval>, Usage> {
        let (from_ms, to_ms) = (self.from.unwrap_or(0), self.to.unwrap_or(u32::MAX));
        if from_ms > to_ms {
            return Err(Usage("`--from` is later than `--to`: exchange them".to_owned()));
        }
        Ok((self.from.is_some() || self.to.is_some()).then_some(Interval { from_ms, to_ms }))
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
        let profile = profile(&self.session.read(window, self.interval()?)?);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_a_unit() {
        assert_eq!(parse_time("1.5s"), Ok(1500));
        assert_eq!(parse_time("200ms"), Ok(200));
        assert_eq!(parse_time("0 s"), Ok(0));
        for wrong in ["", "s", "5", "-1s", "1h", "1e30s", "nans"] {
            assert!(parse_time(wrong).unwrap_err().contains("its unit"), "{wrong}");
        }
    }
}
