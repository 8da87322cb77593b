//! `window/workDoneProgress/cancel`: ends the run that the progress tells about.

use lsp_types::WorkDoneProgressCancelParams;

use crate::lsp::server::Server;

/// Handles the notification.
pub fn cancel_progress(server: &Server, params: &WorkDoneProgressCancelParams) {
    server.runs.cancel(&params.token);
}
