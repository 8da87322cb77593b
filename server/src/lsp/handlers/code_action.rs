//! `textDocument/codeAction`: quick fixes for exceeded limits, and runs for editors that show no code lenses.

use std::sync::Arc;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse, Command, Url,
};
use tower_lsp::jsonrpc::Result;

use super::blocking;
use crate::lsp::diagnostics::fixes::{self, ADD_KIND};
use crate::lsp::ext::PROFILE_COMMAND;
use crate::lsp::offers::{self, Offer};
use crate::lsp::server::Server;
use crate::lsp::state::View;

/// The kind of runs: a source action, so that no editor shows a light bulb on every line.
pub const KIND: CodeActionKind = CodeActionKind::new("source.heaphint");

/// Every kind that is offered.
pub const KINDS: [CodeActionKind; 3] = [CodeActionKind::QUICKFIX, ADD_KIND, KIND];

/// Handles the request: what can be done about exceeded limits comes first, then limits that can be added, then runs.
pub async fn code_action(
    server: &Arc<Server>,
    params: &CodeActionParams,
) -> Result<Option<CodeActionResponse>> {
    let only = params.context.only.clone();
    let wanted = move |offered: &CodeActionKind| {
        // A kind includes those that begin with it and a dot.
        let asked = |kind: &CodeActionKind| {
            offered
                .as_str()
                .strip_prefix(kind.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        only.as_ref().is_none_or(|only| only.iter().any(asked))
    };
    let (uri, range) = (params.text_document.uri.clone(), params.range);
    let (server, line) = (server.clone(), range.start.line + 1);
    blocking(move || {
        let mut offered = Vec::new();
        if wanted(&CodeActionKind::QUICKFIX) {
            offered.extend(fixes::of_diagnostics(&server, &uri, range));
        }
        if let Some(view) = server.view(&uri) {
            if wanted(&ADD_KIND) {
                offered.extend(fixes::add_limit(&view, &uri, line));
            }
            if wanted(&KIND) {
                offered.extend(actions(&view, &uri, line));
            }
        }
        (!offered.is_empty()).then_some(offered)
    })
    .await
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
