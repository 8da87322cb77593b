//! `textDocument/diagnostic` and `workspace/diagnostic`, for editors to which diagnostics cannot be sent. Both wait for
//! the comparison of what the editor has said by then.

use lsp_types::{
    Diagnostic, DocumentDiagnosticParams, DocumentDiagnosticReport, DocumentDiagnosticReportResult,
    FullDocumentDiagnosticReport, RelatedFullDocumentDiagnosticReport,
    RelatedUnchangedDocumentDiagnosticReport, UnchangedDocumentDiagnosticReport, Url,
    WorkspaceDiagnosticParams, WorkspaceDiagnosticReport, WorkspaceDiagnosticReportResult,
    WorkspaceDocumentDiagnosticReport, WorkspaceFullDocumentDiagnosticReport,
    WorkspaceUnchangedDocumentDiagnosticReport,
};

use crate::lsp::server::Server;

/// The diagnostics of one document.
pub async fn diagnostic(server: &Server, params: DocumentDiagnosticParams) -> DocumentDiagnosticReportResult {
    server.check.finished().await;
    let known = params.previous_result_id.as_deref();
    let report = match now(server, &params.text_document.uri, known) {
        Now::Same(same) => DocumentDiagnosticReport::Unchanged(RelatedUnchangedDocumentDiagnosticReport {
            related_documents: None,
            unchanged_document_diagnostic_report: same,
        }),
        Now::Other(other) => DocumentDiagnosticReport::Full(RelatedFullDocumentDiagnosticReport {
            related_documents: None,
            full_document_diagnostic_report: other,
        }),
    };
    DocumentDiagnosticReportResult::Report(report)
}

/// Those of every document that has or, as the editor knows, had some.
pub async fn workspace_diagnostic(
    server: &Server,
    params: WorkspaceDiagnosticParams,
) -> WorkspaceDiagnosticReportResult {
    server.check.finished().await;
    let known = params.previous_result_ids;
    let mut documents = server.published.documents();
    documents.extend(known.iter().map(|known| known.uri.clone()));
    documents.sort();
    documents.dedup();
    let report = |uri: Url| {
        let version = server.state().documents.get(&uri).map(|document| i64::from(document.version));
        let before = known.iter().find(|known| known.uri == uri).map(|known| known.value.as_str());
        match now(server, &uri, before) {
            Now::Same(same) => {
                WorkspaceDocumentDiagnosticReport::Unchanged(WorkspaceUnchangedDocumentDiagnosticReport {
                    uri,
                    version,
                    unchanged_document_diagnostic_report: same,
                })
            }
            Now::Other(other) => {
                WorkspaceDocumentDiagnosticReport::Full(WorkspaceFullDocumentDiagnosticReport {
                    uri,
                    version,
                    full_document_diagnostic_report: other,
                })
            }
        }
    };
    let items = documents.into_iter().map(report).collect();
    WorkspaceDiagnosticReportResult::Report(WorkspaceDiagnosticReport { items })
}

enum Now {
    Same(UnchangedDocumentDiagnosticReport),
    Other(FullDocumentDiagnosticReport),
}

/// A document's diagnostics now, for an editor that knows those with the name `known`.
fn now(server: &Server, uri: &Url, known: Option<&str>) -> Now {
    let (name, items): (String, Vec<Diagnostic>) = server.published.of(uri);
    if known == Some(name.as_str()) {
        Now::Same(UnchangedDocumentDiagnosticReport { result_id: name })
    } else {
        Now::Other(FullDocumentDiagnosticReport { result_id: Some(name), items })
    }
}
