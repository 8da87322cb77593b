//! `heaphint server`: the language server, for editors.

use clap::Args;

/// Serve an editor over standard input and output (language server protocol)
#[derive(Debug, Args)]
pub struct Arguments {
    /// Accepted because editors give it; there is no other way to connect
    #[arg(long)]
    stdio: bool,
}

/// Serves until the editor ends it.
pub fn main(_: &Arguments) -> anyhow::Result<u8> {
    crate::lsp::serve()
}
