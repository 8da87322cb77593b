//! `textDocument/inlayHint` and `inlayHint/resolve`: what each line that matters costs, at its end.

use std::sync::Arc;

use heaphint_analysis::Figure;
use lsp_types::{InlayHint, InlayHintLabel, InlayHintParams, InlayHintTooltip, MarkupContent};
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;

use super::blocking;
use super::hover::Page;
use crate::lsp::server::Server;
use crate::lsp::state::{LineView, View};
use crate::lsp::wording;

/// Editors cut longer labels.
const MAX_LABEL: usize = 43;

/// Handles the request.
pub fn inlay_hint(server: &Server, params: &InlayHintParams) -> Option<Vec<InlayHint>> {
    let uri = &params.text_document.uri;
    let view = server.view(uri)?;
    if !view.settings.inlay_hints.enabled {
        return Some(Vec::new());
    }
    let end = (params.range.end.line as usize).saturating_add(1).min(view.document.text.row_count());
    let lines = view.lines(params.range.start.line as usize..end);
    Some(lines.filter_map(|(row, line)| hint(&view, row, line)).collect())
}

fn hint(view: &View, row: usize, line: LineView<'_>) -> Option<InlayHint> {
    let figure = view.figure;
    let now = line.now.map(|line| *view.chosen(line)).unwrap_or_default();
    let then = line.then.map(|then| then.map(|line| view.chosen(line).bytes(figure)));
    let minimum = view.settings.inlay_hints.minimum_bytes.max(1);
    let changed = then.map_or(0, |then| then.unwrap_or_default().abs_diff(now.bytes(figure)));
    if now.bytes(figure) < minimum && changed < minimum {
        return None;
    }
    let units = view.settings.units;
    let size = wording::figure(&now, figure, units);
    let change = then.map_or_else(String::new, |then| wording::change(now.bytes(figure), then, units));
    let label = label(&size, &change, figure, view.self_only, line.found.old);
    let tooltip =
        (!view.features.hint_tooltip_resolve).then(|| InlayHintTooltip::String(tooltip(view, &line)));
    Some(InlayHint {
        position: view.document.text.row_end(row, view.features.encoding),
        label: InlayHintLabel::String(label),
        kind: None,
        text_edits: None,
        tooltip,
        padding_left: Some(true),
        padding_right: None,
        data: view.features.hint_tooltip_resolve.then(|| json!(view.document.id)),
    })
}

/// `inlayHint/resolve`: what the figure means and which stacks are behind it, when somebody points at the hint.
pub async fn inlay_hint_resolve(server: &Arc<Server>, mut hint: InlayHint) -> Result<InlayHint> {
    let view = {
        let state = server.state();
        let id = hint.data.as_ref().and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        id.and_then(|id| state.view(state.documents.uri_of(id)?))
    };
    let Some(view) = view else { return Ok(hint) };
    let row = hint.position.line as usize;
    let tooltip = blocking(move || {
        let line = view.line(row)?;
        let meaning = tooltip(&view, &line);
        Some(match Page::new(&view).write(row) {
            Some(page) => InlayHintTooltip::MarkupContent(MarkupContent {
                kind: view.features.markup(),
                value: format!("{meaning}\n\n{page}"),
            }),
            None => InlayHintTooltip::String(meaning),
        })
    });
    hint.tooltip = tooltip.await?;
    Ok(hint)
}

fn tooltip(view: &View, line: &LineView<'_>) -> String {
    let mut tooltip = wording::meaning(view.figure, view.self_only).to_owned();
    if line.then.is_some() {
        tooltip += " Compared with the session that was chosen.";
    }
    if line.found.old {
        tooltip += " The line has been edited since.";
    }
    tooltip
}

fn label(size: &str, change: &str, figure: Figure, self_only: bool, old: bool) -> String {
    let own = if self_only { " self" } else { "" };
    let old = if old { " (old)" } else { "" };
    let label = format!("{size}{change} {}{own}{old}", figure.name());
    debug_assert!(label.chars().count() <= MAX_LABEL, "{label}");
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::ext;

    #[test]
    fn the_longest_label_is_not_cut() {
        let figures = heaphint_analysis::Figures {
            temporary_bytes: 123 << 30,
            inexact: Some(heaphint_analysis::Inexact::Damaged),
            ..Default::default()
        };
        let size = wording::figure(&figures, Figure::Temporary, ext::Units::Iec);
        let change = wording::change(123 << 30, Some((123 << 30) - (111 << 20)), ext::Units::Iec);
        let label = label(&size, &change, Figure::Temporary, true, true);
        assert!(label.chars().count() <= MAX_LABEL, "{label}");
    }
}
