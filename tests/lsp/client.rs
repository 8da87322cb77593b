//! An editor without a window: sends messages to `heaphint server` and waits for its answers.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A message that has not come after this time does not come.
const PATIENCE: Duration = Duration::from_secs(600);

/// A server and the messages that it sent.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    unread: Vec<Value>,
    last_id: i64,
    answers: fn(&str, &Value) -> Option<Value>,
}

impl Client {
    /// A server to which nothing has been said.
    pub fn start() -> Self {
        Self::start_by(&mut Command::new(env!("CARGO_BIN_EXE_heaphint")))
    }

    /// The same, by a command that puts something in front of the program.
    pub fn start_by(command: &mut Command) -> Self {
        let mut child = command
            .args(["server", "--stdio"])
            .env("HEAPHINT_TEST_COMMANDS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the server starts");
        let (sender, messages) = channel();
        let output = child.stdout.take().expect("a pipe");
        thread::spawn(move || read_messages(BufReader::new(output), &sender));
        Self {
            input: child.stdin.take(),
            child,
            messages,
            unread: Vec::new(),
            last_id: 0,
            answers: |_, _| Some(Value::Null),
        }
    }

    /// A server for an editor that can everything.
    pub fn initialized() -> Self {
        let mut client = Self::start();
        client.initialize(json!({}));
        client
    }

    /// Says `initialize`, with these parts beside or instead of the usual ones, and `initialized`.
    pub fn initialize(&mut self, parts: Value) -> Value {
        let mut params = json!({
            "processId": std::process::id(),
            "rootUri": null,
            "capabilities": {
                "general": {"positionEncodings": ["utf-16"]},
                "window": {"workDoneProgress": true},
                "workspace": {"inlayHint": {"refreshSupport": true}, "codeLens": {"refreshSupport": true}},
                "textDocument": {
                    "hover": {"contentFormat": ["markdown", "plaintext"]},
                    "publishDiagnostics": {"relatedInformation": true}
                }
            }
        });
        merge(&mut params, parts);
        let answer = self.ask("initialize", params);
        self.notify("initialized", json!({}));
        answer
    }

    /// How requests of the server are answered from now on: `None` leaves them without an answer.
    pub fn answer_with(&mut self, answers: fn(&str, &Value) -> Option<Value>) {
        self.answers = answers;
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("an open pipe");
        input.write_all(bytes).expect("the server reads");
        input.flush().expect("the server reads");
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request and returns its id.
    pub fn request(&mut self, method: &str, params: Value) -> i64 {
        self.last_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}));
        self.last_id
    }

    /// Waits for the answer to a request: the whole message.
    pub fn answer(&mut self, id: i64) -> Value {
        self.wait_for(&format!("the answer to request {id}"), |message| {
            message["id"] == id && message.get("method").is_none()
        })
    }

    /// Sends a request, waits for its answer, and expects a result.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        let mut answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Waits for a notification or a request of the server: its params.
    pub fn told(&mut self, method: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut message =
            self.wait_for(method, |message| message["method"] == method && wanted(&message["params"]));
        message["params"].take()
    }

    /// Waits for the first message that is `wanted`, unread ones first; others stay unread.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.unread.iter().position(&wanted) {
            return self.unread.remove(at);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match self.messages.recv_timeout(left) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => panic!("{what} did not come, but {:#?}", self.unread),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the server ended before {what}; it said {:#?}", self.unread)
                }
            };
            self.answer_server(&message);
            if wanted(&message) {
                return message;
            }
            self.unread.push(message);
        }
    }

    fn answer_server(&mut self, message: &Value) {
        let (Some(method), Some(id)) = (message["method"].as_str(), message.get("id")) else { return };
        if let Some(result) = (self.answers)(method, &message["params"]) {
            self.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
        }
    }

    /// True when a message of this method came and nobody has waited for it.
    pub fn has_unread(&self, method: &str) -> bool {
        self.unread.iter().any(|message| message["method"] == method)
    }

    /// True when diagnostics of a file came, other than none, and nobody has waited for them.
    pub fn has_unread_diagnostics(&self, uri: &str) -> bool {
        self.unread.iter().any(|message| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["diagnostics"] != json!([])
        })
    }

    /// Closes the server's input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits for the server's end.
    pub fn wait(&mut self) -> ExitStatus {
        // The output is closed when the process ends.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) => self.unread.push(message),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().expect("a child"),
                Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
            }
        }
    }

    /// Ends the server as if the machine had lost it.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }

    /// The most memory that the server had at any moment, bytes.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory that the server has for itself now, bytes: without its code, which is large in test builds.
    pub fn own_memory(&self) -> u64 {
        self.status("RssAnon:")
    }

    fn status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Opens a document.
    pub fn open(&mut self, uri: &str, text: &str) {
        self.notify(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": text}}),
        );
    }

    /// Replaces a range `[line, character, line, character]` of a document, or all of it.
    pub fn change(&mut self, uri: &str, version: i32, range: Option<[u32; 4]>, text: &str) {
        let change = match range {
            Some([line, character, end_line, end_character]) => json!({
                "range": {
                    "start": {"line": line, "character": character},
                    "end": {"line": end_line, "character": end_character}
                },
                "text": text
            }),
            None => json!({"text": text}),
        };
        self.notify(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]}),
        );
    }

    /// The code lenses of a document: (line, title, command, first argument).
    pub fn lenses(&mut self, uri: &str) -> Vec<(u64, String, String, Value)> {
        let lenses = self.ask("textDocument/codeLens", json!({"textDocument": {"uri": uri}}));
        let lenses = lenses.as_array().cloned().unwrap_or_default();
        lenses
            .into_iter()
            .map(|lens| {
                // As editors do with those that they show.
                let resolved = lens.get("command").is_some();
                let lens = if resolved { lens } else { self.ask("codeLens/resolve", lens) };
                let command = &lens["command"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let line = lens["range"]["start"]["line"].as_u64().expect("a line");
                (line, text(&command["title"]), text(&command["command"]), command["arguments"][0].clone())
            })
            .collect()
    }

    /// The hints of a document: (line, character, label).
    pub fn hints(&mut self, uri: &str) -> Vec<(u64, u64, String)> {
        self.hints_in(uri, 0, 100_000)
    }

    /// The hints of some lines of a document.
    pub fn hints_in(&mut self, uri: &str, first: u64, end: u64) -> Vec<(u64, u64, String)> {
        let range = json!({"start": {"line": first, "character": 0}, "end": {"line": end, "character": 0}});
        let hints = self.ask("textDocument/inlayHint", json!({"textDocument": {"uri": uri}, "range": range}));
        let hints = hints.as_array().cloned().unwrap_or_default();
        hints
            .iter()
            .map(|hint| {
                let position = &hint["position"];
                let number = |value: &Value| value.as_u64().expect("a number");
                let label = hint["label"].as_str().expect("a label").to_owned();
                (number(&position["line"]), number(&position["character"]), label)
            })
            .collect()
    }

    /// What a hover on a line says; empty for nothing.
    pub fn hover(&mut self, uri: &str, line: u32) -> String {
        let position = json!({"line": line, "character": 0});
        let hover =
            self.ask("textDocument/hover", json!({"textDocument": {"uri": uri}, "position": position}));
        hover["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The code actions of a kind on a line.
    pub fn actions(&mut self, uri: &str, line: u32, only: Option<&str>) -> Vec<Value> {
        let position = json!({"line": line, "character": 0});
        let context = match only {
            Some(kind) => json!({"diagnostics": [], "only": [kind]}),
            None => json!({"diagnostics": []}),
        };
        let range = json!({"start": position, "end": {"line": line, "character": 1000}});
        let params = json!({"textDocument": {"uri": uri}, "range": range, "context": context});
        self.ask("textDocument/codeAction", params).as_array().cloned().unwrap_or_default()
    }

    /// Asks for a command and returns the answer's result.
    pub fn command(&mut self, command: &str, argument: Value) -> Value {
        self.ask("workspace/executeCommand", json!({"command": command, "arguments": [argument]}))
    }

    /// Profiles a file to its end: what `heaphint/runFinished` says.
    pub fn profile(&mut self, argument: Value) -> Value {
        let answer = self.command("heaphint.profile", argument);
        let run = answer["run"].as_str().expect("a run").to_owned();
        self.told("heaphint/runFinished", |params| params["run"] == run)
    }

    /// Waits for diagnostics of a file.
    pub fn diagnostics(&mut self, uri: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut params = self.told("textDocument/publishDiagnostics", |params| {
            params["uri"] == uri && wanted(params["diagnostics"].as_array().map_or(&[], Vec::as_slice))
        });
        match params["diagnostics"].take() {
            Value::Array(diagnostics) => diagnostics,
            _ => Vec::new(),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A test that failed must not leave a server behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_messages(mut output: impl BufRead, sender: &Sender<Value>) {
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect("a length"),
                None if line == "\r\n" => break,
                _ => panic!("the server wrote {line:?} to its output"),
            }
        }
        let mut body = vec![0; length];
        if output.read_exact(&mut body).is_err() {
            return;
        }
        let message = serde_json::from_slice(&body).expect("JSON");
        if sender.send(message).is_err() {
            return;
        }
    }
}

fn merge(to: &mut Value, from: Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (key, value) in from {
                merge(to.entry(key).or_insert(Value::Null), value);
            }
        }
        (to, from) => *to = from,
    }
}
