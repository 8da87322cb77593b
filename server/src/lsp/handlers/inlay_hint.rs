//! `textDocument/inlayHint`: what each line that matters costs, at its end.

use heaphint_analysis::Figure;
use lsp_types::{InlayHint, InlayHintLabel, InlayHintParams, InlayHintTooltip};

use crate::lsp::server::Server;
use crate::lsp::state::View;
use crate::lsp::wording;

/// Editors cut longer labels.
const MAX_LABEL: usize = 43;

/// Handles the request.
pub fn inlay_hint(server: &Server, params: &InlayHintParams) -> Option<Vec<InlayHint>> {
    let view = server.view(&params.text_document.uri)?;
    if !view.settings.inlay_hints.enabled {
        return Some(Vec::new());
    }
    let last = (params.range.end.line as usize).min(view.document.text.row_count() - 1);
    Some((params.range.start.line as usize..=last).filter_map(|row| hint(&view, row)).collect())
}

fn hint(view: &View, row: usize) -> Option<InlayHint> {
    let (figures, found) = view.figures(row)?;
    let figures = figures.total_figures;
    let figure: Figure = view.settings.inlay_hints.figure.into();
    if figures.bytes(figure) < view.settings.inlay_hints.minimum_bytes.max(1) {
        return None;
    }
    let size = wording::figure(&figures, figure, view.settings.units);
    let old = if found.old { " (old)" } else { "" };
    let mut tooltip = wording::meaning(figure).to_owned();
    if found.old {
        tooltip += " The line has been edited since.";
    }
    let label = format!("{size} {}{old}", figure.name());
    debug_assert!(label.chars().count() <= MAX_LABEL, "{label}");
    Some(InlayHint {
        position: view.document.text.row_end(row, view.features.encoding),
        label: InlayHintLabel::String(label),
        kind: None,
        text_edits: None,
        tooltip: Some(InlayHintTooltip::String(tooltip)),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    })
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
        assert!(format!("{size} temporary (old)").chars().count() <= MAX_LABEL);
    }
}
