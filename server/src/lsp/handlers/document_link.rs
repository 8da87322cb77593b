//! `textDocument/documentLink`: the files that run configurations name.

use lsp_types::{DocumentLink, DocumentLinkParams, Range, Url};

use crate::launch::configuration;
use crate::lsp::server::Server;

/// Handles the request.
pub fn document_link(server: &Server, params: &DocumentLinkParams) -> Option<Vec<DocumentLink>> {
    let view = server.view(&params.text_document.uri)?;
    let (text, encoding) = (&view.document.text, view.features.encoding);
    let path = view.document.path.as_deref()?;
    let folder = path.parent()?;
    let links = configuration::named_files(text.as_str(), path).into_iter().filter_map(|(span, file)| {
        let file = folder.join(file);
        let target = Url::from_file_path(&file).ok().filter(|_| file.is_file())?;
        let range = Range::new(text.position(span.start, encoding), text.position(span.end, encoding));
        Some(DocumentLink { range, target: Some(target), tooltip: None, data: None })
    });
    Some(links.collect())
}
