//! The language server: the only place that knows the protocol and its types.
//!
//! Standard output carries messages and nothing else: one stray line would cost the editor answers. User code runs
//! only when a command asks for it.
#![deny(clippy::print_stdout)]

mod captures;
mod changes;
mod choice;
mod comparison;
mod diagnostics;
mod documents;
mod ext;
mod features;
mod framing;
mod handlers;
mod notebooks;
mod offers;
mod outbox;
mod output;
mod recorded;
mod results;
mod runs;
mod server;
mod service;
mod sessions;
mod settings;
mod sources;
mod state;
mod untitled;
mod watch;
mod wording;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use tokio::io::BufReader;

use tower_lsp::{LspService, Server as Transport};

use crate::memory;
use output::Output;
use server::Server;
use service::{Ending, Guarded};

/// Requests that are handled at a time. The library's default of four stops everything as soon as four handlers
/// wait.
const CONCURRENCY: usize = 64;
/// Answers that are still on their way when the editor ends the server are waited for so long.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Bytes between the reader of standard input and the protocol library.
const PIPE_BYTES: usize = 64 << 10;

/// Serves one editor on standard input and output, until it says `exit` or closes the input. Returns the exit code:
/// 0 after an orderly `shutdown`, else 1.
///
/// # Errors
/// When the runtime cannot be started.
pub fn serve() -> anyhow::Result<u8> {
    memory::prepare_for_long();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the server's threads")?;
    let ending = runtime.block_on(serve_stdio());
    // A read from standard input may go on for ever: an editor may keep its end open.
    runtime.shutdown_background();
    Ok(u8::from(!ending.shutdown))
}

async fn serve_stdio() -> Ending {
    let (ending, mut is_ending) = tokio::sync::watch::channel(Ending::default());
    let mut server = None;
    let (service, socket) = LspService::build(|client| {
        let new = Arc::new(Server::new(client));
        server = Some(new.clone());
        server::Backend(new)
    })
    .custom_method("window/workDoneProgress/cancel", server::Backend::cancel_progress)
    .custom_method("notebookDocument/didOpen", server::Backend::did_open_notebook)
    .custom_method("notebookDocument/didChange", server::Backend::did_change_notebook)
    .custom_method("notebookDocument/didSave", server::Backend::did_save_notebook)
    .custom_method("notebookDocument/didClose", server::Backend::did_close_notebook)
    .finish();
    let (to_library, input) = tokio::io::duplex(PIPE_BYTES);
    let mut reader = tokio::spawn(framing::forward(BufReader::new(tokio::io::stdin()), to_library));
    let (output, from_library) = tokio::io::duplex(PIPE_BYTES);
    let stdout = Output::new(tokio::io::stdout());
    let writer = tokio::spawn(stdout.clone().forward(from_library));
    let service = Guarded::new(service, Arc::new(ending), server.clone(), stdout);
    let transport = Transport::new(input, output, socket).concurrency_level(CONCURRENCY).serve(service);
    // The library panics when its output is closed before its input.
    let mut transport = std::pin::pin!(AssertUnwindSafe(transport).catch_unwind());
    tokio::select! {
        _ = &mut transport => {}
        () = async {
            tokio::select! {
                _ = is_ending.wait_for(|ending| ending.exit) => {}
                _ = &mut reader => {}
            }
        } => {
            // Closes the pipe to the library, which then sends what it has and ends.
            reader.abort();
            let _ = tokio::time::timeout(LAST_ANSWERS, transport).await;
        }
    }
    let _ = tokio::time::timeout(LAST_ANSWERS, writer).await;
    if let Some(server) = server {
        server.end_runs();
        server.untitled.delete();
    }
    *is_ending.borrow()
}
