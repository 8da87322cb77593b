//! What the editor can do.

use lsp_types::{ClientCapabilities, MarkupKind};

use super::documents::Encoding;

/// The capabilities that change what is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Features {
    /// The unit of positions.
    pub encoding: Encoding,
    /// Settings can be asked for.
    pub configuration: bool,
    /// Changed settings must be asked for by a registration.
    pub configuration_registration: bool,
    /// The server may create progress.
    pub progress: bool,
    /// Hints can be asked to be fetched again.
    pub inlay_hint_refresh: bool,
    /// Code lenses can be asked to be fetched again.
    pub code_lens_refresh: bool,
    /// Hovers may hold Markdown.
    pub markdown: bool,
    /// What programs write may come in messages of our own.
    pub program_output: bool,
    /// Tooltips of hints are asked for one by one.
    pub hint_tooltip_resolve: bool,
    /// Files that change can be registered for.
    pub watched_files_registration: bool,
    /// Diagnostics are asked for, and cannot be sent.
    pub pulls_diagnostics: bool,
    /// Diagnostics may point to other places.
    pub related_information: bool,
    /// Documents can be opened for the person.
    pub show_document: bool,
}

impl Features {
    /// The format of hovers.
    pub fn markup(&self) -> MarkupKind {
        if self.markdown { MarkupKind::Markdown } else { MarkupKind::PlainText }
    }

    /// Reads the capabilities that the editor announced.
    pub fn new(capabilities: &ClientCapabilities) -> Self {
        let workspace = capabilities.workspace.as_ref();
        let window = capabilities.window.as_ref();
        let document = capabilities.text_document.as_ref();
        let encodings = capabilities.general.as_ref().and_then(|g| g.position_encodings.as_deref());
        let hover_formats = document.and_then(|d| d.hover.as_ref()).and_then(|h| h.content_format.as_deref());
        Self {
            encoding: Encoding::negotiate(encodings.unwrap_or_default()),
            configuration: workspace.and_then(|w| w.configuration).unwrap_or_default(),
            configuration_registration: workspace
                .and_then(|w| w.did_change_configuration)
                .and_then(|c| c.dynamic_registration)
                .unwrap_or_default(),
            progress: window.and_then(|w| w.work_done_progress).unwrap_or_default(),
            inlay_hint_refresh: workspace
                .and_then(|w| w.inlay_hint.as_ref())
                .and_then(|h| h.refresh_support)
                .unwrap_or_default(),
            code_lens_refresh: workspace
                .and_then(|w| w.code_lens.as_ref())
                .and_then(|c| c.refresh_support)
                .unwrap_or_default(),
            // The first format is the one the editor prefers; without a list it is plain text.
            markdown: hover_formats.and_then(|formats| formats.first()) == Some(&MarkupKind::Markdown),
            program_output: capabilities
                .experimental
                .as_ref()
                .is_some_and(|experimental| experimental["heaphintOutput"] == true),
            hint_tooltip_resolve: document
                .and_then(|d| d.inlay_hint.as_ref())
                .and_then(|h| h.resolve_support.as_ref())
                .is_some_and(|support| support.properties.iter().any(|property| property == "tooltip")),
            watched_files_registration: workspace
                .and_then(|w| w.did_change_watched_files)
                .and_then(|w| w.dynamic_registration)
                .unwrap_or_default(),
            pulls_diagnostics: document
                .is_some_and(|d| d.diagnostic.is_some() && d.publish_diagnostics.is_none()),
            related_information: document
                .and_then(|d| d.publish_diagnostics.as_ref())
                .and_then(|p| p.related_information)
                .unwrap_or_default(),
            show_document: window.and_then(|w| w.show_document.as_ref()).is_some_and(|show| show.support),
        }
    }
}
