//! The server's parts and the table from requests to handlers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lsp_types::{
    CallHierarchyIncomingCall, CallHierarchyIncomingCallsParams, CallHierarchyItem,
    CallHierarchyOutgoingCall, CallHierarchyOutgoingCallsParams, CallHierarchyPrepareParams,
    CodeActionParams, CodeActionResponse, CodeLens, CodeLensParams, DidChangeConfigurationParams,
    DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams,
    DocumentDiagnosticParams, DocumentDiagnosticReportResult, DocumentLink, DocumentLinkParams,
    ExecuteCommandParams, Hover, HoverParams, InitializeParams, InitializeResult, InitializedParams,
    InlayHint, InlayHintParams, RenameFilesParams, Url, WorkDoneProgressCancelParams,
    WorkspaceDiagnosticParams, WorkspaceDiagnosticReportResult,
};
use serde_json::Value;
use tower_lsp::jsonrpc::Result;
use tower_lsp::{Client, LanguageServer};

use super::diagnostics::{Checks, Published};
use super::documents::file_path;
use super::handlers;
use super::notebooks;
use super::outbox::Outbox;
use super::results::{Results, Shown};
use super::runs::Runs;
use super::sessions::Followed;
use super::state::{State, View};
use super::untitled::Untitled;
use super::watch::Watch;
use crate::memory;

/// Everything that handlers and tasks work with.
#[derive(Debug)]
pub struct Server {
    /// The way to the editor.
    pub outbox: Outbox,
    /// Runs that are going on.
    pub runs: Runs,
    /// Watches files of the projects.
    pub watch: Watch,
    /// Captures of others that are being recorded.
    pub followed: Followed,
    /// Documents without files that were run.
    pub untitled: Untitled,
    /// Told when limits have to be compared with figures again.
    pub check: Checks,
    /// The diagnostics that the editor shows.
    pub published: Published,
    state: Mutex<State>,
}

impl Server {
    /// A server for one editor.
    pub fn new(client: Client) -> Self {
        Self {
            outbox: Outbox::new(client),
            runs: Runs::default(),
            watch: Watch::default(),
            followed: Followed::default(),
            untitled: Untitled::default(),
            check: Checks::default(),
            published: Published::default(),
            state: Mutex::default(),
        }
    }

    /// The state, locked. Never hold it over an await, nor while parsing or reading files.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A handler that panicked has told the editor; the state is only ever replaced as a whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A document and what belongs to it, as they are now.
    pub fn view(&self, uri: &Url) -> Option<View> {
        self.state().view(uri)
    }

    /// Asks the editor to fetch hints and lenses again.
    pub fn refresh(&self) {
        let features = self.state().features;
        if features.inlay_hint_refresh {
            self.outbox.request_in_background::<lsp_types::request::InlayHintRefreshRequest>(());
        }
        if features.code_lens_refresh {
            self.outbox.request_in_background::<lsp_types::request::CodeLensRefresh>(());
        }
    }

    /// Shows the figures of a run instead of its project's last one's. Those of a run that was started later stay.
    /// Captures that others made wait for a run that goes on. Call it where it may block.
    pub fn show(&self, results: Results) {
        let live = results.live;
        let mut prepared = results;
        loop {
            let (choice, base, before) = {
                let state = self.state();
                let base = state.baselines.of_root(&prepared.root).cloned();
                (state.choice.clone(), base, state.shown.of_root(&prepared.root).cloned())
            };
            let selection = self.state().selection();
            let comparison = before.as_ref().and_then(|before| before.comparison.as_deref());
            prepared = prepared.with_part(&selection).compared_with(base.as_ref(), comparison);
            let mut state = self.state();
            let base_now = state.baselines.of_root(&prepared.root);
            if !Arc::ptr_eq(&choice, &state.choice)
                || base_now.map(Arc::as_ptr) != base.as_ref().map(Arc::as_ptr)
            {
                continue;
            }
            if let Some(shown) = state.shown.of_root(&prepared.root) {
                let newer = shown.run > prepared.run;
                let is_active = shown.run.is_some_and(|run| self.runs.is_active(run));
                let over = shown.run == prepared.run && shown.run.is_some() && !shown.live;
                let own = prepared.run.is_some();
                let is_late = if own { newer || live && over } else { newer && is_active };
                if is_late {
                    return;
                }
            }
            state.change_shown(|shown| shown.show(Arc::new(prepared)));
            break;
        }
        self.refresh();
        // What a program holds while it runs is neither its peak nor a leak.
        if !live {
            self.check.ask();
            memory::give_back();
        }
    }

    /// Shows what is shown in another way: after a choice, or with another run to compare with. Call it where it may
    /// block.
    pub fn show_again(&self) {
        let all = self.state().shown.clone();
        for results in all.all() {
            self.show(Results::clone(results));
        }
    }

    /// A file or folder has another name now.
    pub fn rename(&self, old: &Path, new: &Path) {
        self.state().change_shown(|shown| {
            for results in shown.clone().all() {
                shown.show(Arc::new(Results::clone(results).with_renamed(old, new)));
            }
        });
    }

    /// Takes all figures away.
    pub fn clear(&self) {
        self.state().change_shown(Shown::clear);
        self.refresh();
        self.check.ask();
    }

    /// Ends every traced program and whatever it started. Call it where it may block.
    pub fn end_runs(&self) {
        self.runs.kill_all();
    }

    /// The folders that the editor has open.
    pub fn folders(params: &InitializeParams) -> Vec<PathBuf> {
        let folders = params.workspace_folders.iter().flatten().map(|folder| &folder.uri);
        // Editors that know no workspace folders send only this.
        let root = params.root_uri.iter();
        let paths = folders.chain(root).filter_map(|uri| file_path(uri).filter(|path| path.is_dir()));
        let mut paths: Vec<_> = paths.collect();
        paths.dedup();
        paths
    }
}

/// The table from requests to handlers.
#[derive(Debug)]
pub struct Backend(pub Arc<Server>);

#[tower_lsp::async_trait]
impl LanguageServer for Backend {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        Ok(handlers::initialize(&self.0, &params))
    }

    async fn initialized(&self, _: InitializedParams) {
        handlers::initialized(&self.0);
    }

    async fn shutdown(&self) -> Result<()> {
        let server = self.0.clone();
        handlers::blocking(move || server.end_runs()).await
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        handlers::did_open(&self.0, params);
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        handlers::did_change(&self.0, params);
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        handlers::did_save(&self.0, &params);
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        handlers::did_close(&self.0, &params);
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        handlers::did_change_configuration(&self.0, &params);
    }

    async fn inlay_hint(&self, params: InlayHintParams) -> Result<Option<Vec<InlayHint>>> {
        Ok(handlers::inlay_hint(&self.0, &params))
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        handlers::code_lens(&self.0, &params).await
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        handlers::code_action(&self.0, &params).await
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        handlers::hover(&self.0, &params).await
    }

    async fn inlay_hint_resolve(&self, hint: InlayHint) -> Result<InlayHint> {
        handlers::inlay_hint_resolve(&self.0, hint).await
    }

    async fn code_lens_resolve(&self, lens: CodeLens) -> Result<CodeLens> {
        handlers::code_lens_resolve(&self.0, lens).await
    }

    async fn document_link(&self, params: DocumentLinkParams) -> Result<Option<Vec<DocumentLink>>> {
        Ok(handlers::document_link(&self.0, &params))
    }

    async fn prepare_call_hierarchy(
        &self,
        params: CallHierarchyPrepareParams,
    ) -> Result<Option<Vec<CallHierarchyItem>>> {
        handlers::prepare_call_hierarchy(&self.0, &params).await
    }

    async fn incoming_calls(
        &self,
        params: CallHierarchyIncomingCallsParams,
    ) -> Result<Option<Vec<CallHierarchyIncomingCall>>> {
        handlers::incoming_calls(&self.0, params).await
    }

    async fn outgoing_calls(
        &self,
        params: CallHierarchyOutgoingCallsParams,
    ) -> Result<Option<Vec<CallHierarchyOutgoingCall>>> {
        handlers::outgoing_calls(&self.0, params).await
    }

    async fn diagnostic(&self, params: DocumentDiagnosticParams) -> Result<DocumentDiagnosticReportResult> {
        Ok(handlers::diagnostic(&self.0, params).await)
    }

    async fn workspace_diagnostic(
        &self,
        params: WorkspaceDiagnosticParams,
    ) -> Result<WorkspaceDiagnosticReportResult> {
        Ok(handlers::workspace_diagnostic(&self.0, params).await)
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        handlers::did_change_workspace_folders(&self.0, &params);
    }

    async fn did_change_watched_files(&self, params: DidChangeWatchedFilesParams) {
        handlers::did_change_watched_files(&self.0, &params);
    }

    async fn did_rename_files(&self, params: RenameFilesParams) {
        handlers::did_rename_files(&self.0, params).await;
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        handlers::execute_command(&self.0, params).await
    }
}

impl Backend {
    // The library's trait does not have these.

    /// `window/workDoneProgress/cancel`.
    pub async fn cancel_progress(&self, params: WorkDoneProgressCancelParams) {
        handlers::cancel_progress(&self.0, &params);
    }

    /// `notebookDocument/didOpen`.
    pub async fn did_open_notebook(&self, params: notebooks::DidOpen) {
        handlers::did_open_notebook(&self.0, params);
    }

    /// `notebookDocument/didChange`.
    pub async fn did_change_notebook(&self, params: notebooks::DidChange) {
        handlers::did_change_notebook(&self.0, params);
    }

    /// `notebookDocument/didSave`.
    pub async fn did_save_notebook(&self, params: notebooks::DidSave) {
        handlers::did_save_notebook(&self.0, params);
    }

    /// `notebookDocument/didClose`.
    pub async fn did_close_notebook(&self, params: notebooks::DidClose) {
        handlers::did_close_notebook(&self.0, &params);
    }
}
