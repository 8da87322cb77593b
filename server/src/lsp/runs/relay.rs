//! What a program writes, passed on to the editor: all of it, in the order in which it arrives, and never more of it
//! in memory than the editor is about to take. A program that writes faster waits, as it would for a terminal.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use lsp_types::{LogMessageParams, MessageType};

use crate::lsp::ext::{OutputStream, ProgramOutput, ProgramOutputNotification};
use crate::lsp::outbox::Outbox;

/// Bytes that are read at once.
const PIECE: usize = 32 << 10;
/// A line longer than this comes to the log in pieces.
const MAX_LINE: usize = 8 << 10;
/// How long to wait for more, milliseconds, before what has come is looked at again.
const IDLE_MS: libc::c_int = 50;

/// The way of a program's output to the editor.
#[derive(Debug)]
pub struct Relay {
    outbox: Outbox,
    runtime: tokio::runtime::Handle,
    run: String,
    /// The editor takes output as it is; otherwise it gets lines in its log.
    raw: bool,
    last_error_line: Arc<Mutex<Option<String>>>,
    program_ended: Arc<AtomicBool>,
}

impl Relay {
    /// The way for the output of a run. To be called on the runtime.
    pub fn new(outbox: Outbox, run: String, raw: bool) -> Self {
        Self {
            outbox,
            runtime: tokio::runtime::Handle::current(),
            run,
            raw,
            last_error_line: Arc::default(),
            program_ended: Arc::default(),
        }
    }

    /// The last line of standard error that was not empty.
    pub fn last_error_line(&self) -> Arc<Mutex<Option<String>>> {
        self.last_error_line.clone()
    }

    /// To be set when the program has ended.
    pub fn program_ended(&self) -> Arc<AtomicBool> {
        self.program_ended.clone()
    }

    /// Reads both pipes to their ends. Drops `written` when the program has ended and everything that it wrote has
    /// been passed on; processes that it left behind may write more.
    pub fn relay(self, stdout: OwnedFd, stderr: OwnedFd, written: mpsc::Sender<()>) {
        let mut pipes = [Pipe::new(OutputStream::Stdout, stdout), Pipe::new(OutputStream::Stderr, stderr)];
        let mut written = Some(written);
        let mut buffer = vec![0; PIECE];
        while pipes.iter().any(|pipe| pipe.file.is_some()) {
            // What the program wrote before it ended is in the pipes by now.
            let ended = self.program_ended.load(Ordering::Relaxed);
            let ready = wait(&pipes);
            if ended && ready == [false, false] {
                pipes.iter_mut().for_each(|pipe| self.pass(pipe, true));
                written = None;
            }
            for (pipe, ready) in pipes.iter_mut().zip(ready) {
                if ready {
                    let more = pipe.read(&mut buffer);
                    self.pass(pipe, !more);
                }
            }
        }
        drop(written);
    }

    /// Passes on what has been read from a pipe: complete characters or lines, or everything at its end.
    fn pass(&self, pipe: &mut Pipe, all: bool) {
        let text = pipe.take_text(all);
        if pipe.stream == OutputStream::Stderr {
            self.remember_last_line(pipe, &text);
        }
        if self.raw {
            if !text.is_empty() {
                let bytes = text.len();
                let params = ProgramOutput { run: self.run.clone(), stream: pipe.stream, text };
                self.outbox.notify_in_turn::<ProgramOutputNotification>(&self.runtime, params, bytes);
            }
            return;
        }
        pipe.line += &text;
        while let Some(end) = line_end(&pipe.line, all) {
            let line: String = pipe.line.drain(..end).collect();
            let bytes = line.len();
            let message = line.trim_end_matches(['\n', '\r']).to_owned();
            let params = LogMessageParams { typ: MessageType::LOG, message };
            self.outbox.notify_in_turn::<lsp_types::notification::LogMessage>(&self.runtime, params, bytes);
        }
    }

    fn remember_last_line(&self, pipe: &mut Pipe, text: &str) {
        pipe.recent += text;
        if let Some(line) = pipe.recent.lines().rev().find(|line| !line.trim().is_empty()) {
            let line = line[..boundary(line, MAX_LINE)].to_owned();
            *self.last_error_line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        }
        let begun = pipe.recent.rfind('\n').map_or(0, |end| end + 1);
        pipe.recent.drain(..begun);
        pipe.recent.truncate(boundary(&pipe.recent, MAX_LINE));
    }
}

/// Where the first line of `text` ends that can be passed on.
fn line_end(text: &str, all: bool) -> Option<usize> {
    match text.find('\n') {
        Some(at) if at <= MAX_LINE => Some(at + 1),
        _ if text.len() > MAX_LINE => Some(boundary(text, MAX_LINE)),
        _ => (all && !text.is_empty()).then_some(text.len()),
    }
}

/// The end of the last character that ends within the first `most` bytes.
fn boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// One of a program's streams.
struct Pipe {
    stream: OutputStream,
    /// `None` at its end.
    file: Option<File>,
    /// What has been read and not passed on: at most the beginning of a character.
    bytes: Vec<u8>,
    /// The beginning of a line, for editors that get lines.
    line: String,
    /// The beginning of a line of standard error.
    recent: String,
}

impl Pipe {
    fn new(stream: OutputStream, pipe: OwnedFd) -> Self {
        Self {
            stream,
            file: Some(pipe.into()),
            bytes: Vec::new(),
            line: String::new(),
            recent: String::new(),
        }
    }

    /// Reads what there is; false at the end.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let read = self.file.as_mut().map_or(Ok(0), |file| file.read(buffer));
        match read {
            Ok(0) => self.file = None,
            Ok(bytes) => self.bytes.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => self.file = None,
        }
        self.file.is_some()
    }

    /// What has been read, without a character of which the rest is to come.
    fn take_text(&mut self, all: bool) -> String {
        let incomplete = if all { 0 } else { incomplete_character(&self.bytes) };
        let rest = self.bytes.split_off(self.bytes.len() - incomplete);
        String::from_utf8_lossy(&std::mem::replace(&mut self.bytes, rest)).into_owned()
    }
}

/// How many bytes at the end are the beginning of a character.
fn incomplete_character(bytes: &[u8]) -> usize {
    match std::str::from_utf8(&bytes[bytes.len().saturating_sub(4)..]) {
        Ok(_) => 0,
        // The window may begin inside a character, so only a problem at the very end counts.
        Err(_) => (1..=bytes.len().min(3))
            .find(|length| {
                let tail = &bytes[bytes.len() - length..];
                std::str::from_utf8(tail)
                    .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
            })
            .unwrap_or(0),
    }
}

/// Waits for a moment for something to read; which of the pipes have it.
fn wait(pipes: &[Pipe; 2]) -> [bool; 2] {
    let mut polled = [0, 1].map(|i| libc::pollfd {
        // A negative descriptor is passed over.
        fd: pipes[i].file.as_ref().map_or(-1, AsRawFd::as_raw_fd),
        events: libc::POLLIN,
        revents: 0,
    });
    // SAFETY: the array lives during the call and its length is given.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), 2, IDLE_MS) };
    polled.map(|polled| ready > 0 && polled.revents != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_never_cut() {
        assert_eq!(incomplete_character("a🐍".as_bytes()), 0);
        for cut in 1..4 {
            let bytes = "é🐍".as_bytes();
            assert_eq!(incomplete_character(&bytes[..bytes.len() - cut]), 4 - cut);
        }
        // What is no UTF-8 at all waits for nothing.
        assert_eq!(incomplete_character(b"ab\xff"), 0);
        assert_eq!(incomplete_character(b"\x80\x80\x80\x80"), 0);
        assert_eq!(incomplete_character(b""), 0);
    }

    #[test]
    fn lines_end_where_they_end_or_are_too_long() {
        assert_eq!(line_end("a\nb", false), Some(2));
        assert_eq!(line_end("ab", false), None);
        assert_eq!(line_end("ab", true), Some(2));
        assert_eq!(line_end("", true), None);
        let long = "é".repeat(MAX_LINE);
        assert_eq!(line_end(&long, false), Some(MAX_LINE));
        assert_eq!(line_end(&format!("{long}\n"), false), Some(MAX_LINE));
    }
}
