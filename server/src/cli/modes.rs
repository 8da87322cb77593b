//! The options that say what a run records.

use std::num::NonZeroU64;

use clap::Args;

use crate::launch::Modes;
use crate::launch::modes::parse_sample;

/// What is recorded.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is recorded")]
pub struct ModeOptions {
    /// Keep every allocation and free in its order, so that any moment can be looked at
    #[arg(long)]
    record: bool,
    /// Keep the addresses too
    #[arg(long, requires = "record")]
    addresses: bool,
    /// Tell allocations of CPython's own allocators apart
    #[arg(long)]
    trace_python_allocators: bool,
    /// Record the C, C++, Rust and Fortran functions between the Python functions, too
    #[arg(long)]
    native: bool,
    /// Record one allocation for each SIZE bytes, by chance; all figures are estimates then
    #[arg(long, value_name = "SIZE", value_parser = parse_sample)]
    sample: Option<NonZeroU64>,
    /// Record processes that the program forks, and Python programs that it starts, too; this is the default
    #[arg(long, overrides_with = "no_follow")]
    follow: bool,
    /// Record the program alone
    #[arg(long, overrides_with = "follow")]
    no_follow: bool,
}

impl ModeOptions {
    /// The modes that were chosen.
    pub fn modes(&self) -> Modes {
        let chosen = |flag: bool| flag.then_some(true);
        Modes {
            record: chosen(self.record),
            addresses: chosen(self.addresses),
            trace_python_allocators: chosen(self.trace_python_allocators),
            native: chosen(self.native),
            sample: self.sample,
            follow: if self.no_follow { Some(false) } else { chosen(self.follow) },
        }
    }
}
