//! The messages between editors and this server that the language server protocol does not know.
//!
//! Mirrored by `editor-extension/src/protocol.ts`, with the same names and fields; a check compares the two files.

use lsp_types::Url;
use lsp_types::notification::Notification;
use serde::{Deserialize, Serialize};

/// Runs something under the tracer. Answered at once; the run itself is told by progress on `workDoneToken`.
pub const PROFILE_COMMAND: &str = "heaphint.profile";

/// Ends runs before their time, for editors without a button on their progress. Its argument is [`CancelParams`], or
/// nothing for every run.
pub const CANCEL_COMMAND: &str = "heaphint.cancel";

/// Takes every annotation away. No argument, no answer.
pub const CLEAR_COMMAND: &str = "heaphint.clear";

/// The one argument of [`PROFILE_COMMAND`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileParams {
    /// The Python file that is meant, as a `file:` URI. For what belongs to a whole project: any file or folder of it.
    pub uri: Url,
    /// What to run; the file, or the test when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<ProfileWhat>,
    /// The module of an import that is not the file's own, or the run configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the program finds in `sys.argv[1:]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Run only this test of the file: `test_a`, `TestB`, `TestB::test_c` or `test_d[1-x]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The text that the program finds at its standard input, which is closed otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
}

impl ProfileParams {
    /// A run of what `uri` is, with nothing else said.
    pub fn new(uri: Url, what: Option<ProfileWhat>) -> Self {
        Self { uri, what, name: None, args: None, test: None, stdin: None }
    }
}

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProfileWhat {
    /// The file, as `python FILE`.
    File,
    /// The file as a module, as `python -m MODULE`.
    Module,
    /// The import of the file, or of the module `name`: what starting up costs.
    Import,
    /// All tests of the file.
    TestFile,
    /// All tests of the project.
    AllTests,
    /// The run configuration `name` of the project's `pyproject.toml` or `heaphint.toml`.
    Configuration,
    /// What was run last.
    Again,
}

/// The answer to [`PROFILE_COMMAND`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProfileResponse {
    /// Names the run in [`RunFinished`].
    pub run: String,
}

/// The argument of [`CANCEL_COMMAND`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CancelParams {
    /// The run; every run when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// The method of the notification that carries what a program writes. It is sent to editors whose capabilities say
/// `experimental.heaphintOutput`; others find the lines in their log.
pub const PROGRAM_OUTPUT: &str = "heaphint/output";

/// What the notification [`PROGRAM_OUTPUT`] says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProgramOutput {
    /// The run.
    pub run: String,
    /// Where the program wrote it.
    pub stream: OutputStream,
    /// What it wrote next. A piece may end anywhere between two characters.
    pub text: String,
}

/// Where a program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Sends a [`ProgramOutput`].
#[derive(Debug)]
pub enum ProgramOutputNotification {}

impl Notification for ProgramOutputNotification {
    type Params = ProgramOutput;
    const METHOD: &'static str = PROGRAM_OUTPUT;
}

/// The method of the notification that ends a run.
pub const RUN_FINISHED: &str = "heaphint/runFinished";

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// The program ended with exit code 0.
    Finished,
    /// It could not be started, ended with another code, or nothing could be read.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// What the notification [`RUN_FINISHED`] says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFinished {
    /// The run.
    pub run: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// One sentence for a person.
    pub message: String,
    /// The most memory the process held at any moment, in bytes; null when nothing was measured.
    pub peak_bytes: Option<u64>,
    /// The program's exit code, 128 + N for signal N; null when it did not end by itself.
    pub exit_code: Option<i32>,
}

/// Sends a [`RunFinished`].
#[derive(Debug)]
pub enum RunFinishedNotification {}

impl Notification for RunFinishedNotification {
    type Params = RunFinished;
    const METHOD: &'static str = RUN_FINISHED;
}

/// The settings the server reads: `initializationOptions`, and section `heaphint` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The interpreter; null for the project's own.
    pub python: Option<String>,
    /// What stands at the end of a line.
    pub inlay_hints: InlayHintSettings,
    /// How sizes are written.
    pub units: Units,
    /// What happens when a Python file is saved.
    pub profile_on_save: OnSave,
}

/// What happens when a Python file is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum OnSave {
    /// Nothing.
    #[default]
    Never,
    /// What was run last in its project is run again.
    Again,
    /// The file is run.
    File,
}

/// What stands at the end of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InlayHintSettings {
    /// False for no hints at all.
    pub enabled: bool,
    /// The figure.
    pub figure: Figure,
    /// Lines below this many bytes get no hint.
    pub minimum_bytes: u64,
}

impl Default for InlayHintSettings {
    fn default() -> Self {
        Self { enabled: true, figure: Figure::Peak, minimum_bytes: 1 << 20 }
    }
}

/// A figure of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// Live at the process's peak.
    #[default]
    Peak,
    /// The line's own largest number of live bytes.
    Max,
    /// Ever allocated.
    Allocated,
    /// Live at the end.
    Leaked,
    /// Freed at once.
    Temporary,
}

/// Binary (KiB) or decimal (kB) units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Units {
    /// Powers of 1024.
    #[default]
    Iec,
    /// Powers of 1000.
    Si,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_look_as_documented() {
        let finished = RunFinished {
            run: "1".into(),
            outcome: RunOutcome::Finished,
            message: "done".into(),
            peak_bytes: Some(5),
            exit_code: None,
        };
        assert_eq!(
            serde_json::to_value(finished).expect("JSON"),
            serde_json::json!({"run": "1", "outcome": "finished", "message": "done", "peakBytes": 5, "exitCode": null})
        );
        assert_eq!(
            serde_json::to_value(Settings::default()).expect("JSON"),
            serde_json::json!({
                "python": null,
                "inlayHints": {"enabled": true, "figure": "peak", "minimumBytes": 1_048_576},
                "units": "iec",
                "profileOnSave": "never"
            })
        );
    }
}
