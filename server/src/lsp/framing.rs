//! Reads messages from the editor and passes on only what can be understood.
//!
//! The protocol library stops for ever at the first message it cannot decode, so such a message is replaced by
//! one that [`super::service`] answers with an error.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tower_lsp::jsonrpc::{Request, Response};

/// The method of the message that stands for an unreadable one. Its params are a sentence, its id null.
pub const UNREADABLE: &str = "$heaphint/unreadable";

/// A header line longer than this is no header.
const MAX_HEADER: u64 = 16 << 10;
/// A message longer than this is no message.
const MAX_BODY: usize = 512 << 20;

/// Passes messages from `from` to `to` until one of them ends.
///
/// # Errors
/// When reading or writing fails.
pub async fn forward(mut from: impl AsyncBufRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut header = Vec::new();
    let mut length = None;
    let mut in_garbage = false;
    loop {
        header.clear();
        if (&mut from).take(MAX_HEADER).read_until(b'\n', &mut header).await? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&header);
        let line = line.trim();
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok().filter(|length| *length <= MAX_BODY);
            in_garbage = length.is_none();
        } else if line.is_empty()
            && let Some(length) = length.take()
        {
            let mut body = Vec::new();
            if (&mut from).take(length as u64).read_to_end(&mut body).await? < length {
                return Ok(());
            }
            in_garbage = false;
            write(&mut to, &checked(body)).await?;
            continue;
        } else if !name.eq_ignore_ascii_case("content-type") && !line.is_empty() {
            in_garbage = true;
            length = None;
        }
        if in_garbage && line.is_empty() {
            in_garbage = false;
            write(&mut to, &unreadable("a message must begin with a Content-Length header")).await?;
        }
    }
}

/// `body`, when it is a message.
fn checked(body: Vec<u8>) -> Vec<u8> {
    match serde_json::from_slice::<Value>(&body) {
        Err(error) => unreadable(&error.to_string()),
        Ok(value) if Request::deserialize_ok(&value) || Response::deserialize_ok(&value) => body,
        Ok(_) => unreadable("this is not a JSON-RPC message"),
    }
}

/// Whether a JSON value is a message of some kind.
trait DeserializeOk: serde::de::DeserializeOwned {
    fn deserialize_ok(value: &Value) -> bool {
        <Self as serde::Deserialize>::deserialize(value).is_ok()
    }
}

impl DeserializeOk for Request {}
impl DeserializeOk for Response {}

fn unreadable(problem: &str) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": null, "method": UNREADABLE, "params": [problem]}).to_string().into_bytes()
}

async fn write(to: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> io::Result<()> {
    to.write_all(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes()).await?;
    to.write_all(body).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(input: &[u8]) -> String {
        let mut output = Vec::new();
        forward(input, &mut output).await.expect("memory never fails");
        String::from_utf8(output).expect("text")
    }

    #[tokio::test]
    async fn messages_pass_and_garbage_is_named() {
        let good = br#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#;
        let framed =
            |body: &[u8]| [format!("content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
        let out = passed(&framed(good)).await;
        assert!(out.starts_with("Content-Length: 52\r\n\r\n{"), "{out}");
        for garbage in
            [&b"hello\r\n\r\n"[..], &framed(b"{oh"), &framed(b"[1]"), b"Content-Length: -1\r\n\r\n"]
        {
            let out = passed(&[garbage, &framed(good)].concat()).await;
            assert_eq!(out.matches(UNREADABLE).count(), 1, "{out}");
            assert!(out.ends_with("\"params\":{}}"), "{out}");
        }
        assert_eq!(passed(b"Content-Length: 10\r\n\r\n{").await, "");
    }
}
