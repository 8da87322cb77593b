//! `initialize`.

use std::sync::Arc;

use lsp_types::{
    CallHierarchyServerCapability, CodeActionOptions, CodeActionProviderCapability, CodeLensOptions,
    DiagnosticOptions, DiagnosticServerCapabilities, DocumentLinkOptions, ExecuteCommandOptions,
    FileOperationFilter, FileOperationPattern, FileOperationRegistrationOptions, HoverProviderCapability,
    InitializeParams, InitializeResult, InlayHintOptions, InlayHintServerCapabilities, OneOf,
    ServerCapabilities, ServerInfo, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions, WorkDoneProgressOptions,
    WorkspaceFileOperationsServerCapabilities, WorkspaceFoldersServerCapabilities,
    WorkspaceServerCapabilities,
};

use super::code_action::KINDS;
use super::did_change_configuration::section;
use super::execute_command::COMMANDS;
use crate::lsp::features::Features;
use crate::lsp::server::Server;
use crate::lsp::settings;

/// Handles the request. Messages about wrong settings wait until the editor listens.
pub fn initialize(server: &Server, params: &InitializeParams) -> InitializeResult {
    let features = Features::new(&params.capabilities);
    let options = params.initialization_options.as_ref().and_then(section);
    let mut state = server.state();
    if let Some(options) = options {
        let (settings, problems) = settings::read(options);
        state.settings = Arc::new(settings);
        state.setting_problems = problems;
    }
    state.features = features;
    state.folders = Server::folders(params);
    InitializeResult {
        capabilities: ServerCapabilities {
            position_encoding: Some(features.encoding.kind()),
            text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::INCREMENTAL),
                save: Some(TextDocumentSyncSaveOptions::Supported(true)),
                ..TextDocumentSyncOptions::default()
            })),
            hover_provider: Some(HoverProviderCapability::Simple(true)),
            inlay_hint_provider: Some(OneOf::Right(InlayHintServerCapabilities::Options(InlayHintOptions {
                resolve_provider: Some(true),
                ..InlayHintOptions::default()
            }))),
            // An editor that takes what is sent would show everything twice.
            diagnostic_provider: features.pulls_diagnostics.then(|| {
                DiagnosticServerCapabilities::Options(DiagnosticOptions {
                    identifier: Some("heaphint".into()),
                    inter_file_dependencies: true,
                    workspace_diagnostics: true,
                    ..DiagnosticOptions::default()
                })
            }),
            call_hierarchy_provider: Some(CallHierarchyServerCapability::Simple(true)),
            document_link_provider: Some(DocumentLinkOptions {
                resolve_provider: Some(false),
                work_done_progress_options: WorkDoneProgressOptions::default(),
            }),
            workspace: Some(WorkspaceServerCapabilities {
                workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                    supported: Some(true),
                    change_notifications: Some(OneOf::Left(true)),
                }),
                file_operations: Some(WorkspaceFileOperationsServerCapabilities {
                    did_rename: Some(FileOperationRegistrationOptions { filters: vec![renamed()] }),
                    ..WorkspaceFileOperationsServerCapabilities::default()
                }),
            }),
            code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
                code_action_kinds: Some(KINDS.into()),
                ..CodeActionOptions::default()
            })),
            code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(true) }),
            execute_command_provider: Some(ExecuteCommandOptions {
                commands: COMMANDS.map(String::from).into(),
                work_done_progress_options: WorkDoneProgressOptions { work_done_progress: Some(true) },
            }),
            ..ServerCapabilities::default()
        },
        server_info: Some(ServerInfo {
            name: "heaphint".into(),
            version: Some(env!("CARGO_PKG_VERSION").into()),
        }),
    }
}

/// What has figures that go with it: files and folders.
fn renamed() -> FileOperationFilter {
    let pattern = FileOperationPattern { glob: "**/*".into(), matches: None, options: None };
    FileOperationFilter { scheme: Some("file".into()), pattern }
}
