//! One file per request. A handler looks at a [`View`](super::state::View) and answers; what takes longer than a
//! moment it gives to a task that may block.

mod call_hierarchy;
mod cancel_progress;
mod code_action;
mod code_lens;
mod diagnostic;
mod did_change;
mod did_change_configuration;
mod did_change_watched_files;
mod did_change_workspace_folders;
mod did_close;
mod did_open;
mod did_rename_files;
mod did_save;
mod document_link;
mod execute_command;
mod hover;
mod initialize;
mod initialized;
mod inlay_hint;
mod notebook;

pub use call_hierarchy::{incoming_calls, outgoing_calls, prepare_call_hierarchy};
pub use cancel_progress::cancel_progress;
pub use code_action::code_action;
pub use code_lens::{code_lens, code_lens_resolve};
pub use diagnostic::{diagnostic, workspace_diagnostic};
pub use did_change::did_change;
pub use did_change_configuration::did_change_configuration;
pub use did_change_watched_files::did_change_watched_files;
pub use did_change_workspace_folders::did_change_workspace_folders;
pub use did_close::did_close;
pub use did_open::did_open;
pub use did_rename_files::did_rename_files;
pub use did_save::did_save;
pub use document_link::document_link;
pub use execute_command::execute_command;
pub use hover::hover;
pub use initialize::initialize;
pub use initialized::initialized;
pub use inlay_hint::{inlay_hint, inlay_hint_resolve};
pub use notebook::{did_change_notebook, did_close_notebook, did_open_notebook, did_save_notebook};

use tower_lsp::jsonrpc::{Error, Result};

/// Runs `work` where it may block, and waits for it without holding up other handlers.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        let mut answer = Error::internal_error();
        answer.message = format!("the heaphint server has a defect: {error}").into();
        answer
    })
}
