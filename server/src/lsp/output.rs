//! Standard output, for the protocol library and for answers that are too large for it: it makes a tree of every answer
//! before it writes it, and for thousands of hints that takes longer than to find them.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Stdout,
};
use tokio::sync::Mutex;
use tower_lsp::jsonrpc::Id;

/// The way to the editor, message by message.
#[derive(Debug)]
pub struct Output<W = Stdout>(Arc<Mutex<W>>);

impl<W> Clone for Output<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Serialize)]
struct Answer<'a, T> {
    jsonrpc: &'static str,
    result: &'a T,
    id: Id,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    /// Nobody else writes to `to`.
    pub fn new(to: W) -> Self {
        Self(Arc::new(Mutex::new(to)))
    }

    /// Passes on the messages that the library writes, until it ends.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub async fn forward(self, from: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut from = BufReader::new(from);
        let mut body = Vec::new();
        while let Some(length) = length(&mut from).await? {
            body.clear();
            (&mut from).take(length).read_to_end(&mut body).await?;
            self.send(&body).await?;
        }
        Ok(())
    }

    /// Answers a request.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub async fn answer(&self, id: Id, result: &impl Serialize) -> io::Result<()> {
        self.send(&serde_json::to_vec(&Answer { jsonrpc: "2.0", result, id })?).await
    }

    async fn send(&self, body: &[u8]) -> io::Result<()> {
        let mut to = self.0.lock().await;
        to.write_all(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes()).await?;
        to.write_all(body).await?;
        to.flush().await
    }
}

/// The length of the next message, whose beginning is read; `None` at the end.
async fn length(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<u64>> {
    let mut length = None;
    let mut line = String::new();
    loop {
        line.clear();
        if from.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(':') {
            Some(("Content-Length", value)) => length = value.trim().parse().ok(),
            Some(_) => {}
            None => return Ok(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_never_mixed() {
        let (to, mut read) = tokio::io::duplex(16);
        let output = Output::new(to);
        let library: Vec<u8> =
            (0..100).flat_map(|i| format!("Content-Length: 9\r\n\r\n[\"{i:05}\"]").into_bytes()).collect();
        let forwarded = tokio::spawn(output.clone().forward(std::io::Cursor::new(library)));
        let answered = tokio::spawn(async move {
            for i in 0..100 {
                output.answer(Id::Number(i), &"é".repeat(40)).await.expect("it is read");
            }
        });
        let mut all = String::new();
        read.read_to_string(&mut all).await.expect("text");
        forwarded.await.expect("a task").expect("it is read");
        answered.await.expect("a task");
        let mut rest = all.as_str();
        let mut seen = 0;
        while let Some(message) = rest.strip_prefix("Content-Length: ") {
            let (length, behind) = message.split_once("\r\n\r\n").expect("a header");
            let (body, behind) = behind.split_at(length.parse().expect("a number"));
            serde_json::from_str::<serde_json::Value>(body).expect("a message");
            (rest, seen) = (behind, seen + 1);
        }
        assert_eq!((rest, seen), ("", 200));
    }
}
