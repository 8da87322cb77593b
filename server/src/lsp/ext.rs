//! The messages between editors and this server that the language server protocol does not know.
//!
//! Mirrored by `editor-extension/src/protocol.ts`, with the same names and fields; a check compares the two files.

use lsp_types::Url;
use lsp_types::notification::Notification;
use serde::{Deserialize, Serialize};

use crate::launch::Modes;
use crate::launch::modes::parse_sample;

/// Runs something under the tracer: what its argument says, or without one what was run last. Answered at once; the run itself is told by progress on `workDoneToken`.
pub const PROFILE_COMMAND: &str = "heaphint.profile";

/// Ends runs before their time, for editors without a button on their progress. Its argument is [`CancelParams`], or
/// nothing for every run.
pub const CANCEL_COMMAND: &str = "heaphint.cancel";

/// Takes every annotation away. No argument, no answer.
pub const CLEAR_COMMAND: &str = "heaphint.clear";

/// Chooses which figures are shown, at once and without another run. Its argument is [`ShowParams`]; without one the
/// person is asked.
pub const SHOW_COMMAND: &str = "heaphint.show";

/// Tells what [`SHOW_COMMAND`] can choose from: [`Choices`]. Its argument is [`SessionParams`] or nothing.
pub const CHOICES_COMMAND: &str = "heaphint.choices";

/// Lists the sessions of a project: [`SessionList`]. Its argument is [`SessionParams`] or nothing.
pub const SESSIONS_COMMAND: &str = "heaphint.sessions";

/// Shows a session, or captures that were made elsewhere. Its argument is [`SessionParams`].
pub const OPEN_SESSION_COMMAND: &str = "heaphint.openSession";

/// Names a session: it is kept then, however many follow. Its argument is [`SessionParams`]; without a name it loses
/// the one it has.
pub const NAME_SESSION_COMMAND: &str = "heaphint.nameSession";

/// Deletes a session with its captures. Its argument is [`SessionParams`].
pub const DELETE_SESSION_COMMAND: &str = "heaphint.deleteSession";

/// Shows differences to a session from now on, also of later runs. Its argument is [`SessionParams`]; without a session
/// figures stand alone again.
pub const COMPARE_COMMAND: &str = "heaphint.compare";

/// Accepts the run that is shown of a project: the growth of later ones is measured from it. Its argument is
/// [`AcceptParams`].
pub const ACCEPT_COMMAND: &str = "heaphint.acceptRun";

/// Opens the stacks of an exceeded limit. Its argument comes with the code action that offers it.
pub const STACKS_COMMAND: &str = "heaphint.openStacks";

/// The argument of [`ACCEPT_COMMAND`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AcceptParams {
    /// The folder of the project, as a `file:` URI.
    pub uri: Url,
}

/// Writes a page with every view of a session, or of what is shown, and opens it in a browser: [`ReportResponse`]. Its
/// argument is [`SessionParams`] or nothing.
pub const REPORT_COMMAND: &str = "heaphint.report";

/// The one argument of [`PROFILE_COMMAND`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileParams {
    /// The Python file that is meant, as a `file:` URI. For what belongs to a whole project: any file or folder of it. For
    /// a notebook: its URI, or that of a cell.
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

    /// The last run again, of whatever project.
    pub fn again() -> Self {
        let anywhere = Url::from_directory_path("/").expect("an absolute path has a URI");
        Self::new(anywhere, Some(ProfileWhat::Again))
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
    /// The cells of the notebook, one after the other.
    Notebook,
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
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
pub struct CancelParams {
    /// The run; every run when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// What [`SHOW_COMMAND`] shows. Parts that are left out are as the settings say, or everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct ShowParams {
    /// The figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<Figure>,
    /// Whether a line counts only where it is the one that allocates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_only: Option<bool>,
    /// The id of the only process that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// The name, or the kernel's id, of the only thread that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

/// What can be chosen from, and what is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choices {
    /// The figure that is shown.
    pub figure: Figure,
    /// Whether a line counts only where it is the one that allocates.
    pub self_only: bool,
    /// The only process that counts.
    pub process: Option<u32>,
    /// The only thread that counts.
    pub thread: Option<String>,
    /// The session that figures are compared with.
    pub baseline: Option<String>,
    /// The processes of the session that is shown.
    pub processes: Vec<ProcessChoice>,
    /// Names of its threads, the one that allocated most first.
    pub threads: Vec<String>,
    /// Names of the project's run configurations.
    pub configurations: Vec<String>,
}

/// A process that can be chosen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessChoice {
    /// Its id.
    pub pid: u32,
    /// What it held at its peak, for a person.
    pub peak: String,
}

/// Names a session, for the commands that want one.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
pub struct SessionParams {
    /// Any file or folder of the project; the project that was shown last when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<Url>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Its new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Captures that are no session of the project, wherever they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captures: Option<Vec<Url>>,
}

/// The answer to [`REPORT_COMMAND`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReportResponse {
    /// The page.
    pub uri: Url,
}

/// The sessions of a project, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionList {
    /// The project's root.
    pub root: String,
    /// Its sessions.
    pub sessions: Vec<SessionItem>,
}

/// A session in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionItem {
    /// What commands call it.
    pub session: String,
    /// What somebody named it.
    pub name: Option<String>,
    /// What ran.
    pub title: String,
    /// When it began, milliseconds since 1970-01-01 UTC.
    pub started_ms: u64,
    /// What it held at its peak, for a person.
    pub peak: String,
    /// The program's exit code, 128 + N for signal N; null when nobody saw it end.
    pub exit_code: Option<i32>,
    /// Whether it goes on.
    pub running: bool,
    /// How many processes it has.
    pub processes: u32,
    /// Whether its figures are shown.
    pub shown: bool,
    /// Whether figures are compared with it.
    pub baseline: bool,
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
    /// The session that was recorded; null when nothing was.
    pub session: Option<String>,
}

/// Sends a [`RunFinished`].
#[derive(Debug)]
pub enum RunFinishedNotification {}

impl Notification for RunFinishedNotification {
    type Params = RunFinished;
    const METHOD: &'static str = RUN_FINISHED;
}

/// The settings the server reads: `initializationOptions`, and section `heaphint` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How many sessions of the server's own are kept in a project, beside those that have a name.
    pub keep_sessions: u32,
    /// Where files are that captures from elsewhere name.
    pub path_mappings: Vec<PathMapping>,
    /// How exceeded limits are shown.
    pub limits: LimitSettings,
    /// What runs record, where the run's own configuration leaves it open; null for what the project says.
    pub run: RunSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            python: None,
            inlay_hints: InlayHintSettings::default(),
            units: Units::default(),
            profile_on_save: OnSave::default(),
            keep_sessions: 20,
            path_mappings: Vec::new(),
            limits: LimitSettings::default(),
            run: RunSettings::default(),
        }
    }
}

/// How exceeded limits are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSettings {
    /// How loudly.
    pub severity: Severity,
}

/// What runs record. Null is left to the project's `[tool.heaphint.run]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSettings {
    /// Whether Python programs that a program starts, and what it forks, are recorded too.
    pub follow: Option<bool>,
    /// Whether every event is kept, in its order.
    pub record: Option<bool>,
    /// Whether stacks have the native frames between the Python frames.
    pub native: Option<bool>,
    /// Bytes between two allocations that are sampled, on average: a size such as `512 KiB`.
    pub sample: Option<String>,
    /// Whether allocations of CPython's own allocators are told apart.
    pub trace_python_allocators: Option<bool>,
}

impl RunSettings {
    /// The modes. Settings that were read have a sample that is a size.
    pub fn modes(&self) -> Modes {
        Modes {
            follow: self.follow,
            record: self.record,
            native: self.native,
            sample: self.sample.as_deref().and_then(|sample| parse_sample(sample).ok()),
            trace_python_allocators: self.trace_python_allocators,
            addresses: None,
        }
    }
}

/// How loudly something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As what must be changed.
    Error,
    /// As what should be looked at.
    #[default]
    Warning,
    /// As what is good to know.
    Information,
    /// As what nearly nobody sees.
    Hint,
}

/// Where files are that captures from elsewhere name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathMapping {
    /// The beginning of their paths there.
    pub from: String,
    /// The beginning of their paths here.
    pub to: String,
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
    /// True when a line counts only where it is the one that allocates.
    pub self_only: bool,
    /// Lines below this many bytes get no hint.
    pub minimum_bytes: u64,
}

impl Default for InlayHintSettings {
    fn default() -> Self {
        Self { enabled: true, figure: Figure::Peak, self_only: false, minimum_bytes: 1 << 20 }
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
            session: None,
        };
        assert_eq!(
            serde_json::to_value(finished).expect("JSON"),
            serde_json::json!({"run": "1", "outcome": "finished", "message": "done", "peakBytes": 5, "exitCode": null, "session": null})
        );
        assert_eq!(
            serde_json::to_value(Settings::default()).expect("JSON"),
            serde_json::json!({
                "python": null,
                "inlayHints": {"enabled": true, "figure": "peak", "selfOnly": false, "minimumBytes": 1_048_576},
                "units": "iec",
                "profileOnSave": "never",
                "keepSessions": 20,
                "pathMappings": [],
                "limits": {"severity": "warning"},
                "run": {"follow": null, "record": null, "native": null, "sample": null, "tracePythonAllocators": null}
            })
        );
    }
}
