//! `heaphint demo`: a small program that comes with heaphint, profiled and shown.

use std::fs;

use anyhow::Context;
use clap::Args;

use super::input::read_profile;
use super::{foreground, lines};
use crate::launch::{Launch, Modes, Output, Spec, Target, exit_code};

static EXAMPLE: &str = include_str!("../demo/example.py");

/// Profile a small example and show its annotated source
#[derive(Debug, Args)]
pub struct Arguments {
    /// The interpreter [default: the active virtual environment's, else python3]
    #[arg(long, value_name = "PYTHON")]
    python: Option<std::path::PathBuf>,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let folder = tempfile::Builder::new()
        .prefix("heaphint-demo-")
        .tempdir()
        .context("the temporary folder cannot be written")?;
    let directory = folder.path().canonicalize().context("the temporary folder cannot be used")?;
    let script = directory.join("example.py");
    fs::write(&script, EXAMPLE).with_context(|| format!("cannot write {}", script.display()))?;

    let launch = Launch::prepare(Spec {
        target: Target::Script(script),
        arguments: Vec::new(),
        python: arguments.python.clone(),
        tracer_library: None,
        directory,
        output: Output::Default,
        modes: Modes::default(),
    })?;
    anstream::eprintln!("$ heaphint run --lines example.py");
    let (pid, status) = foreground::run(launch.command(), launch.observation())
        .with_context(|| format!("{} cannot be started", launch.program().display()))?;
    let captures = launch.finish(pid, status)?;
    lines::show_usual(&read_profile(&captures)?)?;
    Ok(exit_code(status) as u8)
}
