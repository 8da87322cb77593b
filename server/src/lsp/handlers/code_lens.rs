//! `textDocument/codeLens` and `codeLens/resolve`: where a run can be started, and what functions cost.

use std::sync::Arc;

use heaphint_analysis::Figure;
use lsp_types::{CodeLens, CodeLensParams, Command, Url};
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;

use super::blocking;
use crate::lsp::ext::PROFILE_COMMAND;
use crate::lsp::offers::{self, Offer};
use crate::lsp::server::Server;
use crate::lsp::state::View;
use crate::lsp::wording;
use crate::python::Function;

/// Handles the request.
pub async fn code_lens(server: &Arc<Server>, params: &CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
    let uri = params.text_document.uri.clone();
    let Some(view) = server.view(&uri) else { return Ok(None) };
    blocking(move || Some(lenses(&view, &uri))).await
}

fn lenses(view: &View, uri: &Url) -> Vec<CodeLens> {
    let mut lenses: Vec<_> =
        offers::of_document(uri, &view.document).into_iter().map(|offer| profile_lens(view, offer)).collect();
    if view.file().is_some() {
        let outline = view.document.outline();
        let worth = outline.functions.iter().filter(|function| is_worth_a_lens(view, function));
        // Their figures are compared with the text that ran, which is done for those that are seen.
        lenses.extend(worth.map(|function| lens(view, function.def_line, None, Some(json!(uri)))));
    }
    lenses
}

/// `codeLens/resolve`: the figures of a function.
pub async fn code_lens_resolve(server: &Arc<Server>, mut lens: CodeLens) -> Result<CodeLens> {
    let uri = lens.data.clone().and_then(|uri| serde_json::from_value::<Url>(uri).ok());
    let view = uri.and_then(|uri| server.view(&uri));
    let def_line = lens.range.start.line + 1;
    let title = blocking(move || {
        let view = view?;
        let outline = view.document.outline();
        figures(&view, outline.function_at(def_line)?)
    });
    // A lens without a command is shown, but cannot be pressed. What a lens was about may be gone by now.
    let title = title.await?.unwrap_or_default();
    lens.command = Some(Command { title, command: String::new(), arguments: None });
    Ok(lens)
}

const SHOWN: [Figure; 3] = [Figure::Peak, Figure::Max, Figure::Allocated];

fn is_worth_a_lens(view: &View, function: &Function) -> bool {
    let minimum = view.settings.inlay_hints.minimum_bytes.max(1);
    view.function_figures(function).is_some_and(|(figures, _)| {
        SHOWN.iter().any(|figure| figures.total_figures.bytes(*figure) >= minimum)
    })
}

fn profile_lens(view: &View, offer: Offer) -> CodeLens {
    let arguments = serde_json::to_value(offer.params).ok().map(|params| vec![params]);
    let command = Command { title: offer.title.into_owned(), command: PROFILE_COMMAND.into(), arguments };
    lens(view, offer.line, Some(command), None)
}

fn figures(view: &View, function: &Function) -> Option<String> {
    let (figures, old) = view.function_figures(function)?;
    let figures = &figures.total_figures;
    let then = view.function_then(function);
    let units = view.settings.units;
    let [peak, max, allocated] = SHOWN.map(|figure| {
        let then = then.map(|then| then.map(|then| then.total_figures.bytes(figure)));
        let change =
            then.map_or_else(String::new, |then| wording::change(figures.bytes(figure), then, units));
        format!("{}{change}", wording::figure(figures, figure, units))
    });
    let old = if old { " (old)" } else { "" };
    Some(format!("Peak {peak} · max {max} · allocated {allocated}{old}"))
}

fn lens(view: &View, line: u32, command: Option<Command>, data: Option<Value>) -> CodeLens {
    let range = view.document.text.row_range(line as usize - 1, view.features.encoding);
    CodeLens { range, command, data }
}
