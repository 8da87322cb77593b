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
 * all tests of the project; the run configuration `name`; what was run last.
 */
export type ProfileWhat = "file" | "module" | "import" | "testFile" | "allTests" | "configuration" | "again";

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
}

/** The settings the server reads: `initializationOptions`, and section `heaphint` of the configuration. */
export interface Settings {
  python: string | null;
  inlayHints: InlayHintSettings;
  units: Units;
  profileOnSave: OnSave;
}

/** What happens when a Python file is saved: nothing; what was run last in its project; the file. */
export type OnSave = "never" | "again" | "file";

/** What stands at the end of a line. */
export interface InlayHintSettings {
  enabled: boolean;
  figure: Figure;
  /** Lines below this many bytes get no hint. */
  minimumBytes: number;
}

export type Figure = "peak" | "max" | "allocated" | "leaked" | "temporary";

/** Binary (KiB) or decimal (kB) units. */
export type Units = "iec" | "si";
