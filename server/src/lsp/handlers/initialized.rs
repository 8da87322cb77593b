//! `initialized`: the editor listens now.

use std::sync::Arc;

use lsp_types::notification::{DidChangeConfiguration, Notification};
use lsp_types::{MessageType, Registration, RegistrationParams};

use super::did_change_configuration::fetch;
use crate::lsp::diagnostics;
use crate::lsp::server::Server;

/// Handles the notification.
pub fn initialized(server: &Arc<Server>) {
    let (features, folders, problems) = {
        let mut state = server.state();
        (state.features, state.folders.clone(), std::mem::take(&mut state.setting_problems))
    };
    for problem in problems {
        server.outbox.show(MessageType::WARNING, problem);
    }
    if features.configuration_registration {
        server.outbox.request_in_background::<lsp_types::request::RegisterCapability>(RegistrationParams {
            registrations: vec![Registration {
                id: "heaphint-configuration".into(),
                method: DidChangeConfiguration::METHOD.into(),
                register_options: Some(serde_json::json!({"section": "heaphint"})),
            }],
        });
    }
    if features.configuration {
        let server = server.clone();
        tokio::spawn(async move { fetch(&server).await });
    }
    for folder in folders {
        server.watch.project(server, &folder);
    }
    diagnostics::keep_checking(server.clone());
    server.check.notify_one();
}
