/**
 * Profiling runs as the user sees them: a notification with progress and Cancel, then the outcome.
 *
 * The server runs the program and words every figure; nothing here adds, compares or formats numbers.
 */
import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import * as vscode from "vscode";
import {
  ExecuteCommandRequest,
  type LanguageClient,
  State,
  WorkDoneProgress,
  WorkDoneProgressCancelNotification,
} from "vscode-languageclient/node";
import { PROFILE_COMMAND, type ProfileParams, type ProfileResponse, RUN_FINISHED, type RunFinished } from "./protocol";
import type { Status } from "./status";

/** All runs of one server. */
export class Runs implements vscode.Disposable {
  private readonly finished = new Map<string, Deferred<RunFinished>>();
  /** Resolved when the server goes away; then replaced, because the client starts a crashed server again. */
  private stopped = new Deferred<void>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly client: LanguageClient,
    private readonly status: Status,
  ) {
    this.subscriptions = [
      client.onNotification(RUN_FINISHED, (result: RunFinished) => this.ending(result.run).resolve(result)),
      client.onDidChangeState(({ newState }) => {
        if (newState === State.Stopped) {
          this.stopped.resolve();
          this.stopped = new Deferred();
        }
      }),
    ];
  }

  /**
   * Saves the file, runs it, and waits for the end.
   *
   * @returns how the run ended; undefined when it could not be started or the server went away, of which the user has been told
   */
  async profile(params: ProfileParams): Promise<RunFinished | undefined> {
    const uri = vscode.Uri.parse(params.uri);
    if (!(await save(uri))) {
      return undefined;
    }
    this.status.begin();
    let result: RunFinished;
    try {
      result = await vscode.window.withProgress(
        {
          location: vscode.ProgressLocation.Notification,
          cancellable: true,
          title: `Heaphint: ${subject(uri, params)}`,
        },
        (progress, cancellation) => this.run(params, progress, cancellation),
      );
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.status.end(true, message);
      showFailure(message);
      return undefined;
    }
    const failed = result.outcome === "failed";
    this.status.end(failed, result.message);
    if (failed) {
      showFailure(result.message);
    }
    return result;
  }

  private async run(
    params: ProfileParams,
    progress: vscode.Progress<{ message?: string }>,
    cancellation: vscode.CancellationToken,
  ): Promise<RunFinished> {
    const stopped = this.stopped.promise.then(() => Promise.reject(new Error("The server ended before the run did.")));
    const token = randomUUID();
    // Both before the request: the server may report before its answer is handled.
    const reports = this.client.onProgress(WorkDoneProgress.type, token, (value) => {
      if (value.kind !== "end") {
        progress.report({ message: value.message });
      }
    });
    const cancel = cancellation.onCancellationRequested(() =>
      this.client.sendNotification(WorkDoneProgressCancelNotification.type, { token }),
    );
    try {
      const answer: ProfileResponse = await Promise.race([
        this.client.sendRequest(ExecuteCommandRequest.type, {
          command: PROFILE_COMMAND,
          arguments: [params],
          workDoneToken: token,
        }),
        stopped,
      ]);
      try {
        return await Promise.race([this.ending(answer.run).promise, stopped]);
      } finally {
        this.finished.delete(answer.run);
      }
    } finally {
      reports.dispose();
      cancel.dispose();
    }
  }

  /** The end of a run, whichever of the two asks first: the answer to the request, or the notification. */
  private ending(run: string): Deferred<RunFinished> {
    let deferred = this.finished.get(run);
    if (deferred === undefined) {
      deferred = new Deferred();
      this.finished.set(run, deferred);
    }
    return deferred;
  }

  dispose(): void {
    this.stopped.resolve();
    vscode.Disposable.from(...this.subscriptions).dispose();
  }
}

/** The server runs what is on the disk. */
async function save(uri: vscode.Uri): Promise<boolean> {
  const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === uri.toString());
  // What was never saved is run from a file of the server's.
  if (document === undefined || document.isUntitled || !document.isDirty || (await document.save())) {
    return true;
  }
  void vscode.window.showErrorMessage(`${basename(uri.fsPath)} was not profiled because it could not be saved.`);
  return false;
}

function subject(uri: vscode.Uri, params: ProfileParams): string {
  const file = basename(uri.fsPath);
  switch (params.what) {
    case "module":
      return `${file} as a module`;
    case "import":
      return `import of ${params.name ?? file}`;
    case "testFile":
      return `tests of ${file}`;
    case "allTests":
      return "all tests";
    case "configuration":
      return params.name ?? "run configuration";
    case "again":
      return "last run again";
    default:
      return params.test === undefined ? file : `${params.test} in ${file}`;
  }
}

function showFailure(message: string): void {
  const commands = new Map([
    ["Show Output", "heaphint.showOutput"],
    ["Show Log", "heaphint.showLog"],
  ]);
  void vscode.window.showErrorMessage(`Heaphint: ${message}`, ...commands.keys()).then((choice) => {
    const command = choice === undefined ? undefined : commands.get(choice);
    if (command !== undefined) {
      void vscode.commands.executeCommand(command);
    }
  });
}

class Deferred<T> {
  resolve!: (value: T) => void;
  readonly promise = new Promise<T>((resolve) => {
    this.resolve = resolve;
  });
}
