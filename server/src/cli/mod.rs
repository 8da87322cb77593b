//! The command line: one file per sub-command.
//!
//! A sub-command returns its exit code or an error; nothing here ends the process.

mod baseline;
mod check;
mod demo;
mod diff;
mod figure;
mod flamegraph;
mod foreground;
mod imports;
mod input;
mod lines;
mod modes;
mod native;
mod output;
mod page;
mod parse;
mod part;
mod progress;
mod run;
mod runs;
mod server;
mod stats;
mod summary;
mod supervise;
mod symbolize;
mod table;
mod transform;
mod tree;

use std::io;

use clap::{Parser, Subcommand};

use crate::launch::LaunchError;

/// Wrong usage.
const USAGE: u8 = 2;
/// An input could not be read, or an output not written.
const IO: u8 = 3;

#[derive(Debug, Parser)]
#[command(
    name = "heaphint",
    version,
    about = "See what each line of a Python program costs in memory",
    after_help = "Begin with:  heaphint run --lines app.py",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Lines(lines::Arguments),
    Tree(tree::Arguments),
    Transform(transform::Arguments),
    Parse(parse::Arguments),
    Summary(summary::Arguments),
    Symbolize(symbolize::Arguments),
    Table(table::Arguments),
    Diff(diff::Arguments),
    Imports(imports::Arguments),
    Stats(stats::Arguments),
    Flamegraph(flamegraph::Arguments),
    Check(check::Arguments),
    Baseline(baseline::Arguments),
    Demo(demo::Arguments),
    Server(server::Arguments),
    #[command(name = crate::supervise::COMMAND, hide = true)]
    Supervise(supervise::Arguments),
}

/// Something that was asked for does not make sense; the text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Does what the arguments of this process say. Returns the exit code.
///
/// # Errors
/// With one sentence for a person; [`exit_code`] knows the code.
pub fn main() -> anyhow::Result<u8> {
    match Cli::parse().command {
        Command::Run(arguments) => run::main(arguments),
        Command::Lines(arguments) => lines::main(&arguments),
        Command::Transform(arguments) => transform::main(&arguments),
        Command::Parse(arguments) => parse::main(&arguments),
        Command::Tree(arguments) => tree::main(&arguments),
        Command::Summary(arguments) => summary::main(&arguments),
        Command::Symbolize(arguments) => symbolize::main(&arguments),
        Command::Table(arguments) => table::main(&arguments),
        Command::Imports(arguments) => imports::main(&arguments),
        Command::Diff(arguments) => diff::main(&arguments),
        Command::Stats(arguments) => stats::main(&arguments),
        Command::Flamegraph(arguments) => flamegraph::main(&arguments),
        Command::Check(arguments) => check::main(&arguments),
        Command::Baseline(arguments) => baseline::main(&arguments),
        Command::Demo(arguments) => demo::main(&arguments),
        Command::Server(arguments) => server::main(&arguments),
        Command::Supervise(arguments) => supervise::main(&arguments),
    }
}

/// The exit code of an error; 0 when it is none, because nobody reads the output any more.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let is_broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_broken_pipe) {
        0
    } else if error.is::<Usage>() || matches!(error.downcast_ref(), Some(LaunchError::Usage(_))) {
        USAGE
    } else {
        IO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_declared_consistently() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn errors_have_the_codes_of_their_kind() {
        let code = |error: anyhow::Error| exit_code(&error);
        assert_eq!(code(Usage("x".into()).into()), 2);
        assert_eq!(code(LaunchError::Usage("x".into()).into()), 2);
        assert_eq!(code(LaunchError::Io("x".into()).into()), 3);
        assert_eq!(code(anyhow::anyhow!("x")), 3);
        let pipe = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(code(pipe.context("cannot write")), 0);
    }
}
