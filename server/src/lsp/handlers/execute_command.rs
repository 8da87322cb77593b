//! `workspace/executeCommand`.

use std::sync::Arc;

use lsp_types::ExecuteCommandParams;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};

use crate::lsp::ext::{
    CANCEL_COMMAND, CLEAR_COMMAND, CancelParams, PROFILE_COMMAND, ProfileParams, ProfileResponse,
};
use crate::lsp::server::Server;

/// Set by tests: commands that show how the server bears its own mistakes.
const TEST_COMMANDS: &str = "HEAPHINT_TEST_COMMANDS";

/// Handles the request. Commands answer at once; a run goes on in its own task.
pub async fn execute_command(server: &Arc<Server>, params: ExecuteCommandParams) -> Result<Option<Value>> {
    match params.command.as_str() {
        PROFILE_COMMAND => {
            let token = params.work_done_progress_params.work_done_token;
            let argument = params.arguments.into_iter().next().unwrap_or_default();
            let profile: ProfileParams = understood(PROFILE_COMMAND, argument)?;
            let run = server.runs.start(server, profile, token).to_string();
            Ok(serde_json::to_value(ProfileResponse { run }).ok())
        }
        CLEAR_COMMAND => {
            server.clear();
            Ok(None)
        }
        CANCEL_COMMAND => {
            let params = match params.arguments.into_iter().next() {
                None | Some(Value::Null) => CancelParams { run: None },
                Some(argument) => understood(CANCEL_COMMAND, argument)?,
            };
            server.runs.cancel_named(params.run.as_deref());
            Ok(None)
        }
        "heaphint.testPanic" if std::env::var_os(TEST_COMMANDS).is_some() => panic!("a test asked for it"),
        "heaphint.testWait" if std::env::var_os(TEST_COMMANDS).is_some() => {
            // Ends when the request is cancelled.
            std::future::pending().await
        }
        other => Err(Error::invalid_params(format!("heaphint has no command {other}"))),
    }
}

/// The argument of a command.
fn understood<T: DeserializeOwned>(command: &str, argument: Value) -> Result<T> {
    serde_json::from_value(argument)
        .map_err(|error| Error::invalid_params(format!("the argument of {command}: {error}")))
}
