//! `workspace/didChangeConfiguration`.

use std::sync::Arc;

use lsp_types::{DidChangeConfigurationParams, MessageType};
use serde_json::Value;

use crate::lsp::ext::Settings;
use crate::lsp::server::Server;
use crate::lsp::settings;

/// Handles the notification: editors send the settings with it, or want to be asked for them.
pub fn did_change_configuration(server: &Arc<Server>, params: &DidChangeConfigurationParams) {
    if server.state().features.configuration {
        let server = server.clone();
        tokio::spawn(async move { fetch(&server).await });
    } else if let Some(section) = section(&params.settings) {
        apply(server, section);
    }
}

/// Asks the editor for its settings.
pub async fn fetch(server: &Server) {
    let item = lsp_types::ConfigurationItem { scope_uri: None, section: Some("heaphint".into()) };
    let params = lsp_types::ConfigurationParams { items: vec![item] };
    let answer = server.outbox.request::<lsp_types::request::WorkspaceConfiguration>(params).await;
    match answer.as_deref() {
        // Null means that the person has set nothing: what came with `initialize` stays.
        Some([value]) if !value.is_null() => apply(server, value),
        _ => {}
    }
}

/// The section `heaphint`, which editors send with or without its name around it.
pub fn section(settings: &Value) -> Option<&Value> {
    let object = settings.as_object()?;
    let own = serde_json::to_value(Settings::default()).unwrap_or_default();
    let is_section = || object.keys().any(|key| own.get(key).is_some());
    object.get("heaphint").or_else(|| is_section().then_some(settings))
}

/// Uses new settings from now on.
pub fn apply(server: &Server, section: &Value) {
    let (settings, problems) = settings::read(section);
    for problem in problems {
        server.outbox.show(MessageType::WARNING, problem);
    }
    let changed = {
        let mut state = server.state();
        let changed = *state.settings != settings;
        state.settings = Arc::new(settings);
        changed
    };
    if changed {
        server.refresh();
        server.check.ask();
    }
}
