//! One run, from its plan to its results.

use std::collections::HashMap;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt;
use heaphint_analysis::Profile;
use lsp_types::{MessageType, ProgressToken, WorkDoneProgressCreateParams};
use tokio::sync::{oneshot, watch};

use super::RunId;
use super::live::Reading;
use super::plan::{Plan, subject};
use super::process::{self, Ended};
use super::progress::Progress;
use super::relay::Relay;
use crate::launch::{Launch, exit_code};
use crate::lsp::captures;
use crate::lsp::ext::{ProfileParams, RunFinished, RunFinishedNotification, RunOutcome, Units};
use crate::lsp::notebooks;
use crate::lsp::server::Server;
use crate::lsp::sources::Sources;
use crate::lsp::untitled;
use crate::lsp::wording;
use crate::python::read_source;
use crate::supervise::Supervised;

/// How often progress is reported.
const REPORT: Duration = Duration::from_millis(500);
/// A cancelled program has this long to end after each signal, before the next and harder one.
const PATIENCE: Duration = Duration::from_secs(3);
/// The signals of a cancellation. The first raises `KeyboardInterrupt`.
const SIGNALS: [u8; 3] = [libc::SIGINT as u8, libc::SIGTERM as u8, libc::SIGKILL as u8];

/// The token of a run's progress.
#[derive(Debug)]
pub enum Token {
    /// The editor's own.
    Given(ProgressToken),
    /// One that the editor must agree to.
    Own(ProgressToken),
}

/// How a run went.
struct Report {
    outcome: RunOutcome,
    message: String,
    peak_bytes: Option<u64>,
    exit_code: Option<i32>,
    session: Option<String>,
}

impl Report {
    fn failed(message: String) -> Self {
        Self { outcome: RunOutcome::Failed, message, peak_bytes: None, exit_code: None, session: None }
    }
}

/// Runs a program and shows what it cost. Progress ends and [`RunFinished`] is sent however that goes.
pub async fn follow(
    server: &Arc<Server>,
    id: RunId,
    mut params: ProfileParams,
    token: Token,
    cancelled: watch::Receiver<bool>,
) {
    // An editor without progress is told at the beginning and at the end.
    let has_progress = matches!(token, Token::Given(_)) || server.state().features.progress;
    let progress = begin_progress(server, &params, token);
    let written = untitled::give_file(server, &mut params.uri)
        .and_then(|()| notebooks::give_files(server, &mut params.uri));
    if let Err(error) = written {
        let message = format!("{} cannot be written to a file to be run: {error}.", params.uri);
        server.outbox.log(MessageType::WARNING, message);
    }
    let run = AssertUnwindSafe(run(server, id, params, &progress, cancelled)).catch_unwind();
    let report = run.await.unwrap_or_else(|_| {
        Report::failed("The heaphint server has a defect: its log says more.".to_owned())
    });
    if let Some(progress) = progress.get() {
        progress.set_end(report.message.clone());
    }
    drop(progress);
    let level = if report.outcome == RunOutcome::Failed { MessageType::WARNING } else { MessageType::INFO };
    server.outbox.log(level, report.message.clone());
    if !has_progress {
        server.outbox.show(level, report.message.clone());
    }
    server.outbox.notify::<RunFinishedNotification>(RunFinished {
        run: id.to_string(),
        outcome: report.outcome,
        message: report.message,
        peak_bytes: report.peak_bytes,
        exit_code: report.exit_code,
        session: report.session,
    });
}

/// Begins progress, at once on the editor's own token, else as soon as the editor agrees: the run does not wait.
fn begin_progress(server: &Arc<Server>, params: &ProfileParams, token: Token) -> Arc<OnceLock<Progress>> {
    let progress = Arc::new(OnceLock::new());
    let title = format!("Profiling memory of {}", subject(params));
    let outbox = server.outbox.clone();
    match token {
        Token::Given(token) => {
            progress.get_or_init(|| Progress::begin(outbox, token, title));
        }
        Token::Own(token) if server.state().features.progress => {
            let progress = progress.clone();
            tokio::spawn(async move {
                let params = WorkDoneProgressCreateParams { token: token.clone() };
                if outbox.request::<lsp_types::request::WorkDoneProgressCreate>(params).await.is_some() {
                    progress.get_or_init(|| Progress::begin(outbox, token, title));
                }
            });
        }
        Token::Own(_) => outbox.show(MessageType::INFO, format!("{title}.")),
    }
    progress
}

async fn run(
    server: &Arc<Server>,
    id: RunId,
    params: ProfileParams,
    progress: &OnceLock<Progress>,
    cancelled: watch::Receiver<bool>,
) -> Report {
    let settings = server.state().settings.clone();
    let documents: Vec<_> = {
        let state = server.state();
        state.documents.all().map(|(_, document)| document.clone()).collect()
    };
    let name = subject(&params);
    let wanted = settings.clone();
    let planned = tokio::task::spawn_blocking(move || {
        let plan = Plan::new(&params, &wanted)?;
        let mut texts = HashMap::new();
        let mut unsaved = Vec::new();
        for document in &documents {
            let Some(path) = document.path.as_ref().filter(|_| document.is_python) else { continue };
            let Ok(text) = read_source(path) else { continue };
            // Cells were just written.
            let is_unsaved = document.notebook.is_none() && text != document.text.as_str();
            if is_unsaved && path.starts_with(&plan.root) {
                unsaved.push(path.clone());
            }
            texts.insert(path.clone(), text);
        }
        if let Some(file) = &plan.file
            && let Ok(text) = read_source(file)
        {
            texts.insert(file.clone(), text);
        }
        Ok::<_, anyhow::Error>((plan, texts, unsaved))
    });
    let (mut plan, texts, unsaved) = match planned.await {
        Ok(Ok(planned)) => planned,
        Ok(Err(error)) => return Report::failed(format!("{error:#}.")),
        Err(error) => return Report::failed(format!("The run could not be prepared: {error}.")),
    };
    if !unsaved.is_empty() {
        server.outbox.show(MessageType::INFO, unsaved_message(&unsaved));
    }
    server.watch.project(server, &plan.root);
    if *cancelled.borrow() {
        return Report {
            outcome: RunOutcome::Cancelled,
            ..Report::failed("The run was cancelled.".to_owned())
        };
    }
    let sources = Arc::new(Sources::new(SystemTime::now(), texts));
    let relay = Relay::new(server.outbox.clone(), id.to_string(), server.state().features.program_output);
    let (command, stdin) = (plan.command(), plan.stdin());
    let (program, end) = match process::start(command, stdin, plan.launch.observation(), relay).await {
        Ok(started) => started,
        Err(error) => return Report::failed(format!("The program could not be started: {error}.")),
    };
    server.runs.set_program(id, Some(program.clone()));
    let session = plan.session.as_str().to_owned();
    let reading = Reading { id, plan: Arc::new(plan), pid: program.pid(), subject: name.clone(), sources };
    let follower =
        Follower { program: &program, launch: &reading.plan.launch, progress, units: settings.units };
    let (ended, was_cancelled) = tokio::select! {
        ended = follower.until_end(end, cancelled) => ended,
        never = reading.keep_showing(server) => match never {},
    };
    let Ended { status, last_error_line } = match ended {
        Ok(ended) => ended,
        Err(error) => {
            server.runs.set_program(id, None);
            return Report::failed(format!("The program was lost: {error}."));
        }
    };
    if was_cancelled {
        // What the program started is cancelled with it.
        program.end();
    }
    server.runs.leave(id, program);
    let ending = server.clone();
    let read = tokio::task::spawn_blocking(move || reading.end(&ending, status)).await;
    let profile = read.unwrap_or_else(|error| Err(error.into()));
    let mut report = report(
        &name,
        (status, last_error_line),
        was_cancelled,
        profile.as_ref().map(Arc::as_ref),
        settings.units,
    );
    report.session = profile.is_ok().then_some(session);
    report
}

/// Watches a program until it ends.
struct Follower<'a> {
    program: &'a Supervised,
    launch: &'a Launch,
    progress: &'a OnceLock<Progress>,
    units: Units,
}

/// Returns when the run is cancelled, and never when it no longer can be.
async fn is_cancelled(cancelled: &mut watch::Receiver<bool>) {
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending().await
    }
}

impl Follower<'_> {
    /// The program's end, and whether it was cancelled.
    async fn until_end(
        &self,
        mut end: oneshot::Receiver<io::Result<Ended>>,
        mut cancelled: watch::Receiver<bool>,
    ) -> (io::Result<Ended>, bool) {
        let begin = Instant::now();
        let mut report = tokio::time::interval(REPORT);
        let mut signals = SIGNALS.into_iter();
        let mut next_signal: Option<tokio::time::Instant> = None;
        loop {
            let impatient = async {
                match next_signal {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = &mut end => {
                    let ended = ended.unwrap_or_else(|_| Err(io::Error::other("the run's thread ended")));
                    return (ended, next_signal.is_some());
                }
                () = is_cancelled(&mut cancelled), if next_signal.is_none() => {
                    next_signal = Some(tokio::time::Instant::now());
                }
                () = impatient => {
                    if let Some(signal) = signals.next() {
                        self.program.signal(signal);
                    }
                    next_signal = Some(tokio::time::Instant::now() + PATIENCE);
                }
                _ = report.tick() => self.report(begin.elapsed(), next_signal.is_some()),
            }
        }
    }

    fn report(&self, elapsed: Duration, cancelled: bool) {
        let Some(progress) = self.progress.get() else { return };
        let heap = wording::size(captures::live_bytes(&self.launch.captures(self.program.pid())), self.units);
        let cancelled = if cancelled { " · cancelling" } else { "" };
        progress.report(format!("{} s · {heap} live{cancelled}", elapsed.as_secs()));
    }
}

fn report(
    name: &str,
    (status, last_error_line): (ExitStatus, Option<String>),
    was_cancelled: bool,
    profile: Result<&Profile, &anyhow::Error>,
    units: Units,
) -> Report {
    let peak_bytes = profile.ok().map(|profile| profile.session().peak_bytes);
    let mut sentences = Vec::new();
    let code = exit_code(status);
    let outcome = if was_cancelled {
        sentences.push(format!("The run of {name} was cancelled."));
        RunOutcome::Cancelled
    } else if code != 0 || profile.is_err() {
        if code != 0 {
            let why = last_error_line.as_ref().map(|line| format!(": {}", line.trim()));
            let why = why.unwrap_or_default();
            let end = if why.ends_with(['.', '!', '?']) { "" } else { "." };
            sentences.push(format!("{name} ended with exit code {code}{why}{end}"));
        }
        RunOutcome::Failed
    } else {
        RunOutcome::Finished
    };
    match (profile, peak_bytes) {
        (Err(error), _) => sentences.push(format!("No memory was measured: {error:#}.")),
        (Ok(profile), Some(peak)) => {
            sentences.push(format!("The memory of {name} peaked at {}.", wording::size(peak, units)));
            sentences.extend(profile.session().notes.iter().map(|note| format!("Note: {note}.")));
        }
        (Ok(_), None) => {}
    }
    Report {
        outcome,
        message: sentences.join(" "),
        peak_bytes,
        exit_code: (!was_cancelled).then_some(code),
        session: None,
    }
}

fn unsaved_message(paths: &[PathBuf]) -> String {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<_> = paths.iter().map(name).collect();
    let are = if paths.len() == 1 { "has" } else { "have" };
    format!("{} {are} unsaved changes: what is on disk is profiled.", names.join(", "))
}
