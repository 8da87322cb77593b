//! A layer around the protocol library's service for what it does not do itself: parameters that are null, handlers
//! that panic, messages nobody can read, notebooks, answers that are too
//! large for it, and the end of the process.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use lsp_types::InlayHintParams;
use lsp_types::request::{InlayHintRequest, Request as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::Service;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};

use super::framing::UNREADABLE;
use super::handlers::inlay_hint;
use super::output::Output;
use super::server::Server;

/// How far the editor has gone in ending the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ending {
    /// A `shutdown` request came.
    pub shutdown: bool,
    /// An `exit` notification came.
    pub exit: bool,
}

/// The layer.
#[derive(Debug)]
pub struct Guarded<S> {
    inner: S,
    ending: Arc<watch::Sender<Ending>>,
    server: Option<Arc<Server>>,
    output: Output,
    initialized: bool,
}

impl<S> Guarded<S> {
    /// Surrounds `inner`, which answers for `server`, and tells `ending` about `shutdown` and `exit`. Large answers go to
    /// `output`.
    pub fn new(
        inner: S,
        ending: Arc<watch::Sender<Ending>>,
        server: Option<Arc<Server>>,
        output: Output,
    ) -> Self {
        Self { inner, ending, server, output, initialized: false }
    }

    /// Answers a request for hints without the library; `None` for anything else, and for what the library refuses.
    fn hints(&self, request: &Request) -> Option<BoxFuture<'static, ()>> {
        if !self.initialized || self.ending.borrow().shutdown || request.method() != InlayHintRequest::METHOD
        {
            return None;
        }
        let (server, output) = (self.server.clone()?, self.output.clone());
        let id = request.id()?.clone();
        let params = InlayHintParams::deserialize(request.params()?).ok()?;
        // Looked for when the future runs, as in handlers: earlier changes have been applied by then.
        let answer = async move {
            let hints = inlay_hint(&server, &params);
            // An editor that does not read any more needs no answer.
            let _ = output.answer(id, &hints).await;
        };
        Some(answer.boxed())
    }
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Option<Response>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Option<Response>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(answer) = self.hints(&request) {
            let (method, id) = (request.method().to_owned(), request.id().cloned());
            return guarded(method, id, answer.map(|()| Ok(None)));
        }
        self.initialized |= request.method() == "initialize";
        let request = match request.method() {
            "shutdown" => {
                self.ending.send_modify(|ending| ending.shutdown = true);
                without_params(request)
            }
            "exit" => {
                self.ending.send_modify(|ending| ending.exit = true);
                return async { Ok(None) }.boxed();
            }
            UNREADABLE => {
                let problem = request.params().map(|params| params[0].clone());
                let mut error = Error::parse_error();
                if let Some(Value::String(problem)) = problem {
                    error.message = format!("cannot read this message: {problem}").into();
                }
                return async { Ok(Some(Response::from_error(Id::Null, error))) }.boxed();
            }
            _ if request.params() == Some(&Value::Null) => without_params(request),
            _ => request,
        };
        let add: fn(&mut Value) = if request.method() == "initialize" { add_notebooks } else { |_| {} };
        let (method, id) = (request.method().to_owned(), request.id().cloned());
        let answer = self.inner.call(request);
        guarded(method, id, answer.map(move |answer| Ok(answer?.map(|answer| with_result(answer, add)))))
    }
}

/// The answer to a request: an error when it panics.
fn guarded<E>(
    method: String,
    id: Option<Id>,
    answer: impl Future<Output = Result<Option<Response>, E>> + Send + 'static,
) -> BoxFuture<'static, Result<Option<Response>, E>> {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    async move {
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Ok(id.map(|id| {
                let mut error = Error::new(ErrorCode::InternalError);
                error.message = format!("the heaphint server has a defect in {method}").into();
                Response::from_error(id, error)
            })),
        }
    }
    .boxed()
}

/// Says that notebooks are understood, for which the library has no words.
fn add_notebooks(result: &mut Value) {
    if let Some(Value::Object(capabilities)) = result.get_mut("capabilities") {
        let selector = json!([{"cells": [{"language": "python"}]}]);
        capabilities
            .insert("notebookDocumentSync".to_owned(), json!({"notebookSelector": selector, "save": true}));
    }
}

fn with_result(response: Response, change: fn(&mut Value)) -> Response {
    let (id, mut result) = response.into_parts();
    if let Ok(result) = &mut result {
        change(result);
    }
    Response::from_parts(id, result)
}

fn without_params(request: Request) -> Request {
    let (method, id, _) = request.into_parts();
    let builder = Request::build(method);
    match id {
        Some(id) => builder.id(id),
        None => builder,
    }
    .finish()
}
