//! `workspace/executeCommand`.

use std::sync::Arc;

use lsp_types::ExecuteCommandParams;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, ErrorCode, Result};

use super::blocking;
use crate::lsp::choice;
use crate::lsp::diagnostics::commands as findings;
use crate::lsp::ext::{
    ACCEPT_COMMAND, CANCEL_COMMAND, CHOICES_COMMAND, CLEAR_COMMAND, COMPARE_COMMAND, CancelParams,
    DELETE_SESSION_COMMAND, NAME_SESSION_COMMAND, OPEN_SESSION_COMMAND, PROFILE_COMMAND, ProfileParams,
    ProfileResponse, REPORT_COMMAND, SESSIONS_COMMAND, SHOW_COMMAND, STACKS_COMMAND, SessionParams,
    ShowParams,
};
use crate::lsp::server::Server;
use crate::lsp::sessions::{commands, report};

/// The protocol's code for a request that was understood and could not be fulfilled.
const REQUEST_FAILED: i64 = -32803;
/// Set by tests: commands that show how the server bears its own mistakes.
const TEST_COMMANDS: &str = "HEAPHINT_TEST_COMMANDS";

/// Handles the request. Commands answer at once; a run goes on in its own task.
pub async fn execute_command(server: &Arc<Server>, params: ExecuteCommandParams) -> Result<Option<Value>> {
    match params.command.as_str() {
        PROFILE_COMMAND => {
            let token = params.work_done_progress_params.work_done_token;
            let argument = params.arguments.into_iter().next().unwrap_or_default();
            let profile = match argument {
                // From an editor that has no way to say what.
                Value::Null => ProfileParams::again(),
                argument => understood(PROFILE_COMMAND, argument)?,
            };
            let run = server.runs.start(server, profile, token).to_string();
            Ok(serde_json::to_value(ProfileResponse { run }).ok())
        }
        CLEAR_COMMAND => {
            server.clear();
            Ok(None)
        }
        CANCEL_COMMAND => {
            let params: CancelParams = or_default(CANCEL_COMMAND, params)?;
            server.runs.cancel_named(params.run.as_deref());
            Ok(None)
        }
        SHOW_COMMAND if params.arguments.iter().all(Value::is_null) => {
            let server = server.clone();
            tokio::spawn(async move { choice::ask(&server).await });
            Ok(None)
        }
        SHOW_COMMAND => {
            let params: ShowParams = or_default(SHOW_COMMAND, params)?;
            let server = server.clone();
            blocking(move || choice::show(&server, params)).await?;
            Ok(None)
        }
        CHOICES_COMMAND => {
            let params: SessionParams = or_default(CHOICES_COMMAND, params)?;
            let server = server.clone();
            let choices = blocking(move || choice::choices(&server, params.uri.as_ref())).await?;
            Ok(serde_json::to_value(choices).ok())
        }
        SESSIONS_COMMAND => answer(server, params, |server, params| commands::all(server, params)).await,
        OPEN_SESSION_COMMAND => answer(server, params, commands::open).await,
        COMPARE_COMMAND => answer(server, params, |server, params| commands::compare(server, params)).await,
        REPORT_COMMAND => answer(server, params, report::write).await,
        NAME_SESSION_COMMAND => {
            answer(server, params, |server, params| commands::rename(server, params)).await
        }
        DELETE_SESSION_COMMAND => {
            answer(server, params, |server, params| commands::remove(server, params)).await
        }
        ACCEPT_COMMAND => {
            let argument = params.arguments.into_iter().next().unwrap_or_default();
            let params = understood(ACCEPT_COMMAND, argument)?;
            failing(server, move |server| findings::accept(server, &params)).await
        }
        STACKS_COMMAND => {
            let argument = params.arguments.into_iter().next().unwrap_or_default();
            let key = understood(STACKS_COMMAND, argument)?;
            failing(server, move |server| findings::open_stacks(server, &key)).await
        }
        "heaphint.testPanic" if std::env::var_os(TEST_COMMANDS).is_some() => panic!("a test asked for it"),
        "heaphint.testWait" if std::env::var_os(TEST_COMMANDS).is_some() => {
            // Ends when the request is cancelled.
            std::future::pending().await
        }
        other => Err(Error::invalid_params(format!("heaphint has no command {other}"))),
    }
}

/// Does something with sessions where it may block. What went wrong is one sentence.
async fn answer<T: Serialize + Send + 'static>(
    server: &Arc<Server>,
    params: ExecuteCommandParams,
    command: impl FnOnce(&Arc<Server>, &SessionParams) -> anyhow::Result<T> + Send + 'static,
) -> Result<Option<Value>> {
    let name = params.command.clone();
    let params: SessionParams = or_default(&name, params)?;
    failing(server, move |server| command(server, &params)).await
}

/// Does something that may fail where it may block. What went wrong is one sentence.
async fn failing<T: Serialize + Send + 'static>(
    server: &Arc<Server>,
    command: impl FnOnce(&Arc<Server>) -> anyhow::Result<T> + Send + 'static,
) -> Result<Option<Value>> {
    let server = server.clone();
    let answer = blocking(move || command(&server)).await?;
    let answer = answer.map_err(|error| Error {
        code: ErrorCode::ServerError(REQUEST_FAILED),
        message: format!("{error:#}.").into(),
        data: None,
    })?;
    Ok(serde_json::to_value(answer).ok())
}

/// The argument of a command that needs none.
fn or_default<T: DeserializeOwned + Default>(command: &str, params: ExecuteCommandParams) -> Result<T> {
    match params.arguments.into_iter().next() {
        None | Some(Value::Null) => Ok(T::default()),
        Some(argument) => understood(command, argument),
    }
}

/// The argument of a command.
fn understood<T: DeserializeOwned>(command: &str, argument: Value) -> Result<T> {
    serde_json::from_value(argument)
        .map_err(|error| Error::invalid_params(format!("the argument of {command}: {error}")))
}

/// Every command that [`execute_command`] knows.
pub const COMMANDS: [&str; 13] = [
    PROFILE_COMMAND,
    CANCEL_COMMAND,
    CLEAR_COMMAND,
    SHOW_COMMAND,
    CHOICES_COMMAND,
    SESSIONS_COMMAND,
    OPEN_SESSION_COMMAND,
    COMPARE_COMMAND,
    NAME_SESSION_COMMAND,
    DELETE_SESSION_COMMAND,
    ACCEPT_COMMAND,
    STACKS_COMMAND,
    REPORT_COMMAND,
];
