//! `heaphint stats`: the run in numbers.

use clap::Args;
use heaphint_analysis::Profile;
use heaphint_report::{StatsOptions, stats_json, stats_text};

use super::input::TEMPORARY_WINDOW;
use super::output::{self, UnitsArgument};
use super::runs::SessionArguments;

/// Show sizes, allocators, and who allocated most
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    /// Print JSON, with the keys of `memray stats --json`
    #[arg(long)]
    json: bool,
    /// Locations and modules in each list
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5)]
    num_largest: usize,
    /// How sizes are shown
    #[arg(long, value_enum, default_value_t)]
    units: UnitsArgument,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let profile = Profile::consuming(arguments.session.read(TEMPORARY_WINDOW, None)?);
    let options =
        StatsOptions { largest: arguments.num_largest, version: env!("CARGO_PKG_VERSION").to_owned() };
    if arguments.json {
        output::write(|out| stats_json(out, &profile, &options))?;
    } else {
        output::write(|out| stats_text(out, &profile, &options, &output::look(arguments.units)))?;
    }
    Ok(0)
}
