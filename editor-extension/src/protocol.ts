/**
 * The messages between this extension and `heaphint server` that the language server protocol does not know.
 *
 * Mirrors `server/src/lsp/ext.rs`: the same names, the same fields. `compare-protocol.mjs` compares the two files;
 * whoever changes one changes the other.
 */

/** Runs a file under the tracer. Answered at once; the run itself is told by progress on `workDoneToken`. */
export const PROFILE_COMMAND = "heaphint.profile";

/** Takes every annotation away. No argument, no answer. */
export const CLEAR_COMMAND = "heaphint.clear";

/** The one argument of `PROFILE_COMMAND`. */
export interface ProfileParams {
  /** The Python file to run, as a `file:` URI. */
  uri: string;
  /** What the program finds in `sys.argv[1:]`. */
  args?: string[];
  /** Run only this test function of the file: `test_a` or `TestB::test_c`. */
  test?: string;
}

/** The answer to `PROFILE_COMMAND`. */
export interface ProfileResponse {
  /** Names the run in `RunFinished`. */
  run: string;
}

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
}

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
