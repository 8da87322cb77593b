//! The `heaphint` program: a command line and a language server.

mod cli;
mod launch;
mod limits;
mod lsp;
mod memory;
mod python;
mod supervise;
mod tui;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(code) => ExitCode::from(code),
        Err(error) => match cli::exit_code(&error) {
            // Whoever reads the output has seen enough.
            0 => ExitCode::SUCCESS,
            code => {
                anstream::eprintln!("heaphint: {error:#}");
                ExitCode::from(code)
            }
        },
    }
}
