//! `heaphint supervise`: what the language server starts programs with. Not for people.

use std::ffi::OsString;
use std::os::fd::RawFd;

use crate::supervise;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The descriptor of the socket to the server
    socket: RawFd,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

/// Runs the sub-command.
pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    supervise::main(arguments.socket, &arguments.program)
}
