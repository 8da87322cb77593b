//! `textDocument/diagnostic`, for editors to which diagnostics cannot be sent.

use lsp_types::{
    DocumentDiagnosticParams, DocumentDiagnosticReport, DocumentDiagnosticReportResult,
    FullDocumentDiagnosticReport, RelatedFullDocumentDiagnosticReport,
};

use crate::lsp::server::Server;

/// Handles the request: what the last comparison found. The editor is told when there is a new one.
pub fn diagnostic(server: &Server, params: &DocumentDiagnosticParams) -> DocumentDiagnosticReportResult {
    let items = server.published.of(&params.text_document.uri);
    let report = RelatedFullDocumentDiagnosticReport {
        related_documents: None,
        full_document_diagnostic_report: FullDocumentDiagnosticReport { result_id: None, items },
    };
    DocumentDiagnosticReportResult::Report(DocumentDiagnosticReport::Full(report))
}
