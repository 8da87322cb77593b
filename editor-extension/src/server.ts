/**
 * The life of the language server: found, started, restarted, stopped.
 *
 * Starts nothing in a workspace the user has not trusted; `start` is the only way to a process, and it asks.
 */
import * as vscode from "vscode";
import { type Executable, LanguageClient, RevealOutputChannelOn, State } from "vscode-languageclient/node";
import type { Log } from "./log";
import { Output } from "./output";
import { findProgram, ProgramNotFound } from "./program";
import { PROFILE_COMMAND, type ProfileParams } from "./protocol";
import { Runs } from "./runs";
import { readSettings, SECTION } from "./settings";
import type { Status } from "./status";

/** A server that answers. */
interface Connection {
  client: LanguageClient;
  runs: Runs;
}

export class Server {
  /** The newest start or stop: each waits for the one before, so that two never overlap. */
  private latest: Promise<Connection | undefined> = Promise.resolve(undefined);

  constructor(
    private readonly bundledProgram: string,
    private readonly log: Log,
    private readonly program: vscode.OutputChannel,
    private readonly status: Status,
  ) {}

  /** Starts the server, in place of one that runs already. A failure is shown to the user. */
  start(): Promise<void> {
    return this.change(() => this.connect());
  }

  stop(): Promise<void> {
    return this.change(async () => undefined);
  }

  /** @returns the running server; undefined when there is none, of which the user has been told */
  async connection(): Promise<Connection | undefined> {
    if (!vscode.workspace.isTrusted) {
      await explainRestrictedMode();
      return undefined;
    }
    const connection = await this.latest;
    if (connection !== undefined && (await isUp(connection.client))) {
      return connection;
    }
    await this.start();
    return this.latest;
  }

  private async change(next: () => Promise<Connection | undefined>): Promise<void> {
    const before = this.latest;
    this.latest = before.then(async (connection) => {
      await disconnect(connection);
      return next();
    });
    await this.latest;
  }

  private async connect(): Promise<Connection | undefined> {
    if (!vscode.workspace.isTrusted) {
      return undefined;
    }
    try {
      const program = await findProgram({
        setting: vscode.workspace.getConfiguration(SECTION).get("path", ""),
        bundled: this.bundledProgram,
        path: process.env.PATH ?? "",
      });
      this.log.channel.info(`Starting ${program}`);
      const connection = this.createConnection(program);
      await connection.client.start();
      this.status.ready();
      return connection;
    } catch (error) {
      this.explainFailure(error);
      return undefined;
    }
  }

  private createConnection(command: string): Connection {
    const executable: Executable = { command, args: ["server"], options: { cwd: workspaceFolder() } };
    const connection = {} as Connection;
    const client = new LanguageClient(SECTION, "Heaphint", executable, {
      documentSelector: [
        { scheme: "file", language: "python" },
        { scheme: "untitled", language: "python" },
        { scheme: "vscode-notebook-cell", language: "python" },
        { scheme: "file", pattern: "**/{pyproject,heaphint}.toml" },
      ],
      outputChannel: this.log.channel,
      traceOutputChannel: this.log.trace,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: readSettings,
      middleware: {
        // What a code lens starts is shown like what the command starts.
        executeCommand: (name, args, next) =>
          name === PROFILE_COMMAND ? connection.runs.profile(args[0] as ProfileParams) : next(name, args),
        workspace: {
          configuration: async (params, token, next) => {
            const answers = await next(params, token);
            return Array.isArray(answers)
              ? answers.map((answer, index) => (params.items[index]?.section === SECTION ? readSettings() : answer))
              : answers;
          },
        },
      },
    });
    client.registerFeature(new Output(client, this.program));
    return Object.assign(connection, { client, runs: new Runs(client, this.status) });
  }

  private explainFailure(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.log.channel.error(message);
    if (error instanceof ProgramNotFound) {
      this.status.fail(message);
      offer(message, "Open Settings", () =>
        vscode.commands.executeCommand("workbench.action.openSettings", "heaphint.path"),
      );
    } else {
      const sentence = `The Heaphint server did not start: ${message}`;
      this.status.fail(sentence);
      offer(sentence, "Show Log", () => this.log.channel.show());
    }
  }
}

async function disconnect(connection: Connection | undefined): Promise<void> {
  if (connection === undefined) {
    return;
  }
  connection.runs.dispose();
  if (await isUp(connection.client)) {
    await connection.client.dispose();
  }
}

/** A crashed server is started again by the client, which cannot be stopped or replaced while it does so. */
async function isUp(client: LanguageClient): Promise<boolean> {
  if (client.state === State.Starting) {
    await client.start().catch(() => undefined); // The client itself tells of the failure.
  }
  return client.isRunning();
}

function workspaceFolder(): string | undefined {
  return vscode.workspace.workspaceFolders?.find((folder) => folder.uri.scheme === "file")?.uri.fsPath;
}

function offer(message: string, action: string, act: () => unknown): void {
  void vscode.window.showErrorMessage(message, action).then((choice) => {
    if (choice === action) {
      act();
    }
  });
}

async function explainRestrictedMode(): Promise<void> {
  const manage = "Manage Workspace Trust";
  const choice = await vscode.window.showWarningMessage(
    "Heaphint runs nothing in Restricted Mode. Trust this workspace to profile its files.",
    manage,
  );
  if (choice === manage) {
    await vscode.commands.executeCommand("workbench.trust.manage");
  }
}
