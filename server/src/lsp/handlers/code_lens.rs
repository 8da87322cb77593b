//! `textDocument/codeLens`: where a run can be started, and what functions cost.

use std::sync::Arc;

use heaphint_analysis::Figure;
use lsp_types::{CodeLens, CodeLensParams, Command, Url};
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
        lenses.extend(outline.functions.iter().filter_map(|function| figures_lens(view, function)));
    }
    lenses
}

fn profile_lens(view: &View, offer: Offer) -> CodeLens {
    let arguments = serde_json::to_value(offer.params).ok().map(|params| vec![params]);
    let command = Command { title: offer.title.into(), command: PROFILE_COMMAND.into(), arguments };
    lens(view, offer.line, command)
}

fn figures_lens(view: &View, function: &Function) -> Option<CodeLens> {
    let (figures, old) = view.function_figures(function)?;
    let figures = &figures.total_figures;
    let then = view.function_then(function);
    let shown = [Figure::Peak, Figure::Max, Figure::Allocated];
    let minimum = view.settings.inlay_hints.minimum_bytes.max(1);
    if shown.iter().all(|figure| figures.bytes(*figure) < minimum) {
        return None;
    }
    let units = view.settings.units;
    let [peak, max, allocated] = shown.map(|figure| {
        let then = then.map(|then| then.map(|then| then.total_figures.bytes(figure)));
        let change =
            then.map_or_else(String::new, |then| wording::change(figures.bytes(figure), then, units));
        format!("{}{change}", wording::figure(figures, figure, units))
    });
    let old = if old { " (old)" } else { "" };
    Some(lens(
        view,
        function.def_line,
        Command {
            title: format!("Peak {peak} · max {max} · allocated {allocated}{old}"),
            // A lens without a command is shown, but cannot be pressed.
            command: String::new(),
            arguments: None,
        },
    ))
}

fn lens(view: &View, line: u32, command: Command) -> CodeLens {
    let range = view.document.text.row_range(line as usize - 1, view.features.encoding);
    CodeLens { range, command: Some(command), data: None }
}
