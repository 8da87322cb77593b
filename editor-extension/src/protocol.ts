/**
 * The messages between this extension and `heaphint server` that the language server protocol does not know.
 *
 * Mirrors `server/src/lsp/ext.rs`: the same names, the same fields. `compare-protocol.mjs` compares the two files;
 * whoever changes one changes the other.
 */

/** Runs something under the tracer. Answered at once; the run itself is told by progress on `workDoneToken`. */
export const PROFILE_COMMAND = "heaphint.profile";

/**
 * Ends runs before their time, for editors without a button on their progress. Its argument is `CancelParams`, or nothing
 * for every run.
 */
export const CANCEL_COMMAND = "heaphint.cancel";

/** Takes every annotation away. No argument, no answer. */
export const CLEAR_COMMAND = "heaphint.clear";

/**
 * Chooses which figures are shown, at once and without another run. Its argument is `ShowParams`; without one the person is
 * asked.
 */
export const SHOW_COMMAND = "heaphint.show";

/** Tells what `SHOW_COMMAND` can choose from: `Choices`. Its argument is `SessionParams` or nothing. */
export const CHOICES_COMMAND = "heaphint.choices";

/** Lists the sessions of a project: `SessionList`. Its argument is `SessionParams` or nothing. */
export const SESSIONS_COMMAND = "heaphint.sessions";

/** Shows a session, or captures that were made elsewhere. Its argument is `SessionParams`. */
export const OPEN_SESSION_COMMAND = "heaphint.openSession";

/**
 * Names a session: it is kept then, however many follow. Its argument is `SessionParams`; without a name it loses the one
 * it has.
 */
export const NAME_SESSION_COMMAND = "heaphint.nameSession";

/** Deletes a session with its captures. Its argument is `SessionParams`. */
export const DELETE_SESSION_COMMAND = "heaphint.deleteSession";

/**
 * Shows differences to a session from now on, also of later runs. Its argument is `SessionParams`; without a session figures
 * stand alone again.
 */
export const COMPARE_COMMAND = "heaphint.compare";

/**
 * Accepts the run that is shown of a project: the growth of later ones is measured from it. Its argument is
 * `AcceptParams`.
 */
export const ACCEPT_COMMAND = "heaphint.acceptRun";

/** Opens the stacks of an exceeded limit. Its argument comes with the code action that offers it. */
export const STACKS_COMMAND = "heaphint.openStacks";

/** The argument of `ACCEPT_COMMAND`. */
export interface AcceptParams {
  /** The folder of the project, as a `file:` URI. */
  uri: string;
}

/**
 * Writes a page with every view of a session, or of what is shown, and opens it in a browser: `ReportResponse`. Its argument
 * is `SessionParams` or nothing.
 */
export const REPORT_COMMAND = "heaphint.report";

/** The one argument of `PROFILE_COMMAND`. */
export interface ProfileParams {
  /** The Python file that is meant, as a `file:` URI. For what belongs to a whole project: any file or folder of it. */
  uri: string;
  /** What to run; the file, or the test when there is one. */
  what?: ProfileWhat;
  /** The module of an import that is not the file's own, or the run configuration. */
  name?: string;
  /** What the program finds in `sys.argv[1:]`. */
  args?: string[];
  /** Run only this test of the file: `test_a`, `TestB`, `TestB::test_c` or `test_d[1-x]`. */
  test?: string;
  /** The text that the program finds at its standard input, which is closed otherwise. */
  stdin?: string;
}

/**
 * What to run: the file; the file as a module; the import of the file or of the module `name`; all tests of the file;
 * all tests of the project; the run configuration `name`; the cells of the notebook; what was run last.
 */
export type ProfileWhat =
  | "file"
  | "module"
  | "import"
  | "testFile"
  | "allTests"
  | "configuration"
  | "notebook"
  | "again";

/** The answer to `PROFILE_COMMAND`. */
export interface ProfileResponse {
  /** Names the run in `RunFinished`. */
  run: string;
}

/** The argument of `CANCEL_COMMAND`. */
export interface CancelParams {
  /** The run; every run when it is left out. */
  run?: string;
}

/** What `SHOW_COMMAND` shows. Parts that are left out are as the settings say, or everything. */
export interface ShowParams {
  figure?: Figure;
  /** Whether a line counts only where it is the one that allocates. */
  selfOnly?: boolean;
  /** The id of the only process that counts. */
  process?: number;
  /** The name, or the kernel's id, of the only thread that counts. */
  thread?: string;
}

/** What can be chosen from, and what is. */
export interface Choices {
  figure: Figure;
  selfOnly: boolean;
  process: number | null;
  thread: string | null;
  /** The session that figures are compared with. */
  baseline: string | null;
  /** The processes of the session that is shown. */
  processes: ProcessChoice[];
  /** Names of its threads, the one that allocated most first. */
  threads: string[];
  /** Names of the project's run configurations. */
  configurations: string[];
}

export interface ProcessChoice {
  pid: number;
  /** What it held at its peak, for a person. */
  peak: string;
}

/** Names a session, for the commands that want one. */
export interface SessionParams {
  /** Any file or folder of the project; the project that was shown last when it is left out. */
  uri?: string;
  session?: string;
  /** Its new name. */
  name?: string;
  /** Captures that are no session of the project, wherever they are. */
  captures?: string[];
}

/** The answer to `REPORT_COMMAND`. */
export interface ReportResponse {
  /** The page. */
  uri: string;
}

/** The sessions of a project, the newest first. */
export interface SessionList {
  /** The project's root. */
  root: string;
  sessions: SessionItem[];
}

export interface SessionItem {
  /** What commands call it. */
  session: string;
  /** What somebody named it. */
  name: string | null;
  /** What ran. */
  title: string;
  /** When it began, milliseconds since 1970-01-01 UTC. */
  startedMs: number;
  /** What it held at its peak, for a person. */
  peak: string;
  /** The program's exit code, 128 + N for signal N; null when nobody saw it end. */
  exitCode: number | null;
  /** Whether it goes on. */
  running: boolean;
  /** How many processes it has. */
  processes: number;
  /** Whether its figures are shown. */
  shown: boolean;
  /** Whether figures are compared with it. */
  baseline: boolean;
}

/**
 * The method of the notification that carries what a program writes. It is sent to editors whose capabilities say
 * `experimental.heaphintOutput`; others find the lines in their log.
 */
export const PROGRAM_OUTPUT = "heaphint/output";

/** What the notification `PROGRAM_OUTPUT` says. */
export interface ProgramOutput {
  run: string;
  stream: OutputStream;
  /** What the program wrote next. A piece may end anywhere between two characters. */
  text: string;
}

export type OutputStream = "stdout" | "stderr";

/** The method of the notification that ends a run. */
export const RUN_FINISHED = "heaphint/runFinished";

/**
 * How a run came to its end: the program ended with exit code 0; it could not be started, ended with another code, or
 * nothing could be read; somebody cancelled it.
 */
export type RunOutcome = "finished" | "failed" | "cancelled";

/** What the notification `RUN_FINISHED` says. */
export interface RunFinished {
  run: string;
  outcome: RunOutcome;
  /** One sentence for a person. */
  message: string;
  /** The most memory the process held at any moment, in bytes; null when nothing was measured. */
  peakBytes: number | null;
  /** The program's exit code, 128 + N for signal N; null when it did not end by itself. */
  exitCode: number | null;
  /** The session that was recorded; null when nothing was. */
  session: string | null;
}

/** The settings the server reads: `initializationOptions`, and section `heaphint` of the configuration. */
export interface Settings {
  python: string | null;
  inlayHints: InlayHintSettings;
  units: Units;
  profileOnSave: OnSave;
  /** How many sessions of the server's own are kept in a project, beside those that have a name. */
  keepSessions: number;
  /** Where files are that captures from elsewhere name. */
  pathMappings: PathMapping[];
  limits: LimitSettings;
  run: RunSettings;
}

/** What runs record; null is left to the project. */
export interface RunSettings {
  follow: boolean | null;
  record: boolean | null;
  native: boolean | null;
  /** A size such as `512 KiB`. */
  sample: string | null;
  tracePythonAllocators: boolean | null;
}

/** How exceeded limits are shown. */
export interface LimitSettings {
  severity: Severity;
}

export type Severity = "error" | "warning" | "information" | "hint";

/** Where files are that captures from elsewhere name: the beginning of their paths there, and here. */
export interface PathMapping {
  from: string;
  to: string;
}

/** What happens when a Python file is saved: nothing; what was run last in its project; the file. */
export type OnSave = "never" | "again" | "file";

/** What stands at the end of a line. */
export interface InlayHintSettings {
  enabled: boolean;
  figure: Figure;
  /** True when a line counts only where it is the one that allocates. */
  selfOnly: boolean;
  /** Lines below this many bytes get no hint. */
  minimumBytes: number;
}

export type Figure = "peak" | "max" | "allocated" | "leaked" | "temporary";

/** Binary (KiB) or decimal (kB) units. */
export type Units = "iec" | "si";
