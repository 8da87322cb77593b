//! Progress of a run, as the editor shows it. It always ends, however the run does.

use std::sync::{Mutex, PoisonError};

use lsp_types::notification::Progress as ProgressNotification;
use lsp_types::{
    ProgressParams, ProgressParamsValue, ProgressToken, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressEnd, WorkDoneProgressReport,
};

use crate::lsp::outbox::Outbox;

/// Progress on a token, from its creation to its drop.
#[derive(Debug)]
pub struct Progress {
    outbox: Outbox,
    token: ProgressToken,
    end: Mutex<Option<String>>,
}

impl Progress {
    /// Begins. The token is the editor's, or one that it agreed to.
    pub fn begin(outbox: Outbox, token: ProgressToken, title: String) -> Self {
        let progress = Self { outbox, token, end: Mutex::default() };
        progress.send(WorkDoneProgress::Begin(WorkDoneProgressBegin {
            title,
            cancellable: Some(true),
            message: None,
            percentage: None,
        }));
        progress
    }

    /// Says how it goes.
    pub fn report(&self, message: String) {
        self.send(WorkDoneProgress::Report(WorkDoneProgressReport {
            cancellable: Some(true),
            message: Some(message),
            percentage: None,
        }));
    }

    /// The sentence it ends with, when it does.
    pub fn set_end(&self, message: String) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }

    fn send(&self, value: WorkDoneProgress) {
        let value = ProgressParamsValue::WorkDone(value);
        self.outbox.notify::<ProgressNotification>(ProgressParams { token: self.token.clone(), value });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let message = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.send(WorkDoneProgress::End(WorkDoneProgressEnd { message }));
    }
}
