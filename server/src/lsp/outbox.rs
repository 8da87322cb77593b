//! What the server sends on its own: notifications in order, and requests that are never waited for for ever.
//!
//! Nothing here waits inside a handler: a handler that waits for the editor while the editor's answer stands in
//! line behind other messages would wait for ever.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lsp_types::MessageType;
use lsp_types::notification::{LogMessage, Notification, ShowMessage};
use lsp_types::request::Request;
use tokio::sync::{Semaphore, mpsc};
use tower_lsp::Client;

/// An editor that has not answered after this time is treated as if it had refused.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A person who has not answered after this time has forgotten the question.
const PERSON_TIMEOUT: Duration = Duration::from_secs(600);
/// Bytes of program output that are on their way to the editor at any moment, over all runs.
const MAX_OUTPUT_BYTES: usize = 256 << 10;

/// The way to the editor.
#[derive(Debug, Clone)]
pub struct Outbox {
    client: Client,
    queue: mpsc::UnboundedSender<Delivery>,
    /// Bytes of program output that may be on their way.
    output: Arc<Semaphore>,
}

type Delivery = BoxFuture<'static, ()>;

impl Outbox {
    /// An outbox. Its task runs as long as the runtime.
    pub fn new(client: Client) -> Self {
        let (queue, mut deliveries) = mpsc::unbounded_channel::<Delivery>();
        tokio::spawn(async move {
            while let Some(delivery) = deliveries.recv().await {
                delivery.await;
            }
        });
        Self { client, queue, output: Arc::new(Semaphore::new(MAX_OUTPUT_BYTES)) }
    }

    /// Sends a notification of `bytes` after all earlier ones. Waits while many of its kind are on their way, so it
    /// is for threads of their own only, never for tasks.
    pub fn notify_in_turn<N>(&self, runtime: &tokio::runtime::Handle, params: N::Params, bytes: usize)
    where
        N: Notification + 'static,
        N::Params: Send + 'static,
    {
        let bytes = u32::try_from(bytes.clamp(1, MAX_OUTPUT_BYTES)).unwrap_or(1);
        // Nobody closes it; without a permit the server is ending.
        let Ok(permit) = runtime.block_on(self.output.clone().acquire_many_owned(bytes)) else { return };
        let client = self.client.clone();
        let delivery = async move {
            client.send_notification::<N>(params).await;
            drop(permit);
        };
        let _ = self.queue.send(delivery.boxed());
    }

    /// Sends a notification after all earlier ones.
    pub fn notify<N>(&self, params: N::Params)
    where
        N: Notification + 'static,
        N::Params: Send + 'static,
    {
        let client = self.client.clone();
        // The courier only ends with the process.
        let _ = self.queue.send(async move { client.send_notification::<N>(params).await }.boxed());
    }

    /// Sends a request. `None` when the editor refuses, or does not answer in time. Only for tasks of their own.
    pub async fn request<R>(&self, params: R::Params) -> Option<R::Result>
    where
        R: Request + 'static,
        R::Params: Send + 'static,
        R::Result: Send + 'static,
    {
        self.request_within::<R>(params, ANSWER_TIMEOUT).await
    }

    /// Sends a request that a person answers, who takes their time.
    pub async fn request_of_person<R>(&self, params: R::Params) -> Option<R::Result>
    where
        R: Request + 'static,
        R::Params: Send + 'static,
        R::Result: Send + 'static,
    {
        self.request_within::<R>(params, PERSON_TIMEOUT).await
    }

    async fn request_within<R>(&self, params: R::Params, timeout: Duration) -> Option<R::Result>
    where
        R: Request + 'static,
        R::Params: Send + 'static,
        R::Result: Send + 'static,
    {
        let client = self.client.clone();
        // The library panics when an answer comes that nobody waits for any more, so this task always waits.
        let answer = tokio::spawn(async move { client.send_request::<R>(params).await });
        tokio::time::timeout(timeout, answer).await.ok()?.ok()?.ok()
    }

    /// Sends a request whose answer does not matter.
    pub fn request_in_background<R>(&self, params: R::Params)
    where
        R: Request + 'static,
        R::Params: Send + 'static,
        R::Result: Send + 'static,
    {
        let client = self.client.clone();
        tokio::spawn(async move { client.send_request::<R>(params).await });
    }

    /// Writes a line into the editor's log.
    pub fn log(&self, typ: MessageType, message: impl Into<String>) {
        self.notify::<LogMessage>(lsp_types::LogMessageParams { typ, message: message.into() });
    }

    /// Shows a sentence to the person.
    pub fn show(&self, typ: MessageType, message: impl Into<String>) {
        self.notify::<ShowMessage>(lsp_types::ShowMessageParams { typ, message: message.into() });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::{SinkExt, StreamExt};
    use lsp_types::request::WorkspaceConfiguration;
    use lsp_types::{ConfigurationParams, InitializeParams, InitializeResult};
    use serde_json::json;
    use tower::Service;
    use tower_lsp::jsonrpc::{self, Response};
    use tower_lsp::{LanguageServer, LspService};

    use super::*;

    struct Nothing;

    #[tower_lsp::async_trait]
    impl LanguageServer for Nothing {
        async fn initialize(&self, _: InitializeParams) -> jsonrpc::Result<InitializeResult> {
            Ok(InitializeResult::default())
        }

        async fn shutdown(&self) -> jsonrpc::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_answer_that_comes_too_late_is_dropped() {
        let outbox = Mutex::new(None);
        let (mut service, socket) = LspService::new(|client| {
            *outbox.lock().unwrap() = Some(Outbox::new(client));
            Nothing
        });
        let outbox = outbox.into_inner().unwrap().unwrap();
        let initialize = jsonrpc::Request::build("initialize").params(json!({"capabilities": {}})).id(1);
        service.call(initialize.finish()).await.unwrap();

        let (mut requests, mut answers) = socket.split();
        let ask = |timeout| {
            outbox
                .request_within::<WorkspaceConfiguration>(ConfigurationParams { items: Vec::new() }, timeout)
        };
        let (answer, request) = tokio::join!(ask(Duration::from_millis(1)), requests.next());
        assert_eq!(answer, None);
        // The library would panic here if nobody waited for the answer any more.
        answers.send(Response::from_ok(request.unwrap().id().unwrap().clone(), json!([1]))).await.unwrap();

        let answered = async {
            let request = requests.next().await.unwrap();
            answers.send(Response::from_ok(request.id().unwrap().clone(), json!([2]))).await.unwrap();
        };
        let (answer, ()) = tokio::join!(ask(ANSWER_TIMEOUT), answered);
        assert_eq!(answer, Some(vec![json!(2)]));
    }
}
