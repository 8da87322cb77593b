//! What the server sends on its own: notifications in order, and requests that are never waited for for ever.
//!
//! Nothing here waits inside a handler: a handler that waits for the editor while the editor's answer stands in
//! line behind other messages would wait for ever.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lsp_types::MessageType;
use lsp_types::notification::{LogMessage, Notification, ShowMessage};
use lsp_types::request::Request;
use tokio::sync::mpsc;
use tower_lsp::Client;

/// An editor that has not answered after this time is treated as if it had refused.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The way to the editor.
#[derive(Debug, Clone)]
pub struct Outbox {
    client: Client,
    queue: mpsc::UnboundedSender<Delivery>,
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
        Self { client, queue }
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
        let client = self.client.clone();
        // The library panics when an answer comes that nobody waits for any more, so this task always waits.
        let answer = tokio::spawn(async move { client.send_request::<R>(params).await });
        tokio::time::timeout(ANSWER_TIMEOUT, answer).await.ok()?.ok()?.ok()
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
