//! `textDocument/codeAction`: starts runs in editors that show no code lenses.

use std::sync::Arc;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse, Command, Url,
};
use tower_lsp::jsonrpc::Result;

use super::blocking;
use crate::lsp::ext::{PROFILE_COMMAND, ProfileParams};
use crate::lsp::server::Server;

/// The kind of the actions: a source action, so that no editor shows a light bulb on every line.
pub const KIND: CodeActionKind = CodeActionKind::new("source.heaphint");

/// Handles the request.
pub async fn code_action(
    server: &Arc<Server>,
    params: &CodeActionParams,
) -> Result<Option<CodeActionResponse>> {
    let asked = |kind: &CodeActionKind| {
        // A kind includes those that begin with it and a dot.
        KIND.as_str().strip_prefix(kind.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if params.context.only.as_ref().is_some_and(|only| !only.iter().any(asked)) {
        return Ok(None);
    }
    let uri = params.text_document.uri.clone();
    let Some(view) = server.view(&uri) else { return Ok(None) };
    if view.document.path.is_none() || !view.document.is_python {
        return Ok(None);
    }
    let line = params.range.start.line + 1;
    blocking(move || {
        let outline = view.document.outline();
        let function = outline.functions.iter().rfind(|f| (f.first_line..=f.last_line).contains(&line));
        let test = function.and_then(|f| outline.tests.iter().find(|test| test.line == f.def_line));
        let test = test.map(|test| action(&uri, Some(test.name.clone())));
        Some(test.into_iter().chain([action(&uri, None)]).collect())
    })
    .await
}

fn action(uri: &Url, test: Option<String>) -> CodeActionOrCommand {
    let what = test.clone().unwrap_or_else(|| "this file".into());
    let title = format!("Profile memory of {what}");
    let params = ProfileParams { uri: uri.clone(), args: None, test };
    let arguments = serde_json::to_value(params).ok().map(|params| vec![params]);
    CodeActionOrCommand::CodeAction(CodeAction {
        title: title.clone(),
        kind: Some(KIND),
        command: Some(Command { title, command: PROFILE_COMMAND.into(), arguments }),
        ..CodeAction::default()
    })
}
