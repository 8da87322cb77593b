//! Which figures are shown: chosen by commands, and asked for where an editor has no way to name one.

use std::sync::Arc;

use lsp_types::{MessageActionItem, MessageType, ShowMessageRequestParams, Url};

use super::documents::file_path;
use super::ext::{Choices, Figure, ProcessChoice, ShowParams};
use super::results::Results;
use super::server::Server;
use super::sessions::commands;
use super::state::State;
use super::wording;
use crate::launch::configuration;

/// What the person is asked.
const QUESTION: &str = "Which figures shall heaphint show?";
/// The answers, and what each means.
const ANSWERS: [(&str, Figure); 5] = [
    ("Peak", Figure::Peak),
    ("Max", Figure::Max),
    ("Allocated", Figure::Allocated),
    ("Leaked", Figure::Leaked),
    ("Temporary", Figure::Temporary),
];
const SELF: &str = "Self";
const TOTAL: &str = "Total";

/// Shows other figures. Call it where it may block.
pub fn show(server: &Server, choice: ShowParams) {
    let parts = |choice: &ShowParams| (choice.process, choice.thread.clone());
    let before = std::mem::replace(&mut server.state().choice, Arc::new(choice.clone()));
    if parts(&before) == parts(&choice) {
        server.refresh();
    } else {
        server.show_again();
    }
}

/// Asks the person, who then sees other figures.
pub async fn ask(server: &Arc<Server>) {
    let other = if server.state().self_only() { TOTAL } else { SELF };
    let titles = ANSWERS.iter().map(|(title, _)| *title).chain([other]);
    let actions =
        titles.map(|title| MessageActionItem { title: title.into(), properties: Default::default() });
    let params = ShowMessageRequestParams {
        typ: MessageType::INFO,
        message: QUESTION.into(),
        actions: Some(actions.collect()),
    };
    let answer = server.outbox.request_of_person::<lsp_types::request::ShowMessageRequest>(params).await;
    let Some(Some(answer)) = answer else { return };
    let mut choice = ShowParams::clone(&server.state().choice);
    match ANSWERS.iter().find(|(title, _)| *title == answer.title) {
        Some((_, figure)) => choice.figure = Some(*figure),
        None => choice.self_only = Some(answer.title == SELF),
    }
    let server = server.clone();
    // It fails when the server ends, and then nobody looks any more.
    let _ = tokio::task::spawn_blocking(move || show(&server, choice)).await;
}

/// What can be chosen, of the run that knows `uri` or was shown last. Reads the project's files: call it where it may
/// block.
pub fn choices(server: &Server, uri: Option<&Url>) -> Choices {
    let root = commands::root(server, uri).ok();
    let configurations = root.map(|root| configuration::of_project(&root).0).unwrap_or_default();
    let results = server.state().run_of(uri);
    let threads = results.as_ref().and_then(|results| results.recorded.whole().ok());
    let state = server.state();
    let choice = &state.choice;
    let profile = results.as_ref().map(|results| results.recorded.figures());
    let units = state.settings.units;
    let processes = profile.into_iter().flat_map(|profile| profile.processes());
    Choices {
        figure: choice.figure.unwrap_or(state.settings.inlay_hints.figure),
        self_only: state.self_only(),
        process: choice.process,
        thread: choice.thread.clone(),
        baseline: results.as_ref().and_then(|results| baseline(results)),
        processes: processes
            .map(|process| ProcessChoice { pid: process.pid, peak: wording::size(process.peak_bytes, units) })
            .collect(),
        threads: threads.map(|whole| names(whole.threads())).unwrap_or_default(),
        configurations: configurations.into_iter().map(|configuration| configuration.name).collect(),
    }
}

fn baseline(results: &Results) -> Option<String> {
    let session = results.comparison.as_ref()?.base.session.as_ref()?;
    Some(session.as_str().to_owned())
}

fn names(threads: Vec<heaphint_analysis::ThreadFigures>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for thread in threads {
        if !names.contains(&thread.name) {
            names.push(thread.name);
        }
    }
    names
}

impl State {
    /// The run that knows a file, or was shown last.
    pub fn run_of(&self, uri: Option<&Url>) -> Option<Arc<Results>> {
        let path = uri.and_then(file_path);
        let of_file = path.as_deref().and_then(|path| self.shown.of_file(path)).map(|(results, _)| results);
        of_file.or(self.shown.last()).cloned()
    }
}
