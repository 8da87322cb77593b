//! `initialized`: the editor listens now.

use std::sync::Arc;

use lsp_types::notification::{DidChangeConfiguration, DidChangeWatchedFiles, Notification};
use lsp_types::{MessageType, Registration, RegistrationParams};
use serde_json::json;

use super::did_change_configuration::fetch;
use crate::lsp::diagnostics;
use crate::lsp::server::Server;

/// Files whose changes matter: what ran, what is limited, and what was recorded by others.
const WATCHED: [&str; 4] = ["**/*.py", "**/pyproject.toml", "**/heaphint.toml", "**/.heaphint/*.heaphint"];

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
                register_options: Some(json!({"section": "heaphint"})),
            }],
        });
    }
    if features.watched_files_registration {
        let watchers = WATCHED.map(|pattern| json!({"globPattern": pattern}));
        server.outbox.request_in_background::<lsp_types::request::RegisterCapability>(RegistrationParams {
            registrations: vec![Registration {
                id: "heaphint-watched-files".into(),
                method: DidChangeWatchedFiles::METHOD.into(),
                register_options: Some(json!({"watchers": watchers})),
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
    server.check.ask();
}
