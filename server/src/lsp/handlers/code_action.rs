//! `textDocument/codeAction`: starts runs in editors that show no code lenses.

use std::sync::Arc;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse, Command, Url,
};
use tower_lsp::jsonrpc::Result;

use super::blocking;
use crate::lsp::ext::PROFILE_COMMAND;
use crate::lsp::offers::{self, Offer};
use crate::lsp::server::Server;
use crate::lsp::state::View;

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
    let line = params.range.start.line + 1;
    blocking(move || Some(actions(&view, &uri, line))).await
}

/// The runs that somebody at this 1-based line may want: that of the test there first, then those of the file.
fn actions(view: &View, uri: &Url, line: u32) -> CodeActionResponse {
    let outline = view.document.outline();
    let function = outline.functions.iter().rfind(|f| (f.first_line..=f.last_line).contains(&line));
    let mut offers = offers::of_document(uri, &view.document);
    // What is offered in several places is one action.
    let mut seen = Vec::new();
    offers.retain(|offer| {
        let is_here = function.is_some_and(|function| function.def_line == offer.line) || offer.line == line;
        let is_wanted =
            if offer.params.test.is_some() { is_here } else { view.document.is_python || is_here };
        is_wanted && !seen.contains(&offer.params) && {
            seen.push(offer.params.clone());
            true
        }
    });
    offers.sort_by_key(|offer| offer.params.test.is_none());
    offers.into_iter().map(action).collect()
}

fn action(offer: Offer) -> CodeActionOrCommand {
    let title = offer.long_title;
    let arguments = serde_json::to_value(offer.params).ok().map(|params| vec![params]);
    CodeActionOrCommand::CodeAction(CodeAction {
        title: title.clone(),
        kind: Some(KIND),
        command: Some(Command { title, command: PROFILE_COMMAND.into(), arguments }),
        ..CodeAction::default()
    })
}
