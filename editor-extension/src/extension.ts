/** The entry: commands, settings and workspace trust, wired to the server. */
import * as vscode from "vscode";
import { ExecuteCommandRequest } from "vscode-languageclient/node";
import { createLog } from "./log";
import { CLEAR_COMMAND, type ProfileParams, type RunFinished } from "./protocol";
import { Server } from "./server";
import { SECTION } from "./settings";
import { Status } from "./status";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = createLog();
  const status = new Status();
  const started = new Server(context.asAbsolutePath("bin/heaphint"), log, status);
  server = started;

  context.subscriptions.push(
    log,
    status,
    // The server's own commands (`heaphint.profile`, `heaphint.clear`) are registered by the language client.
    vscode.commands.registerCommand("heaphint.profileMemory", (target?: vscode.Uri | ProfileParams) =>
      profileMemory(started, target),
    ),
    vscode.commands.registerCommand("heaphint.clearAnnotations", async () => {
      const connection = await started.connection();
      await connection?.client.sendRequest(ExecuteCommandRequest.type, { command: CLEAR_COMMAND, arguments: [] });
    }),
    vscode.commands.registerCommand("heaphint.restartServer", async () => {
      if (vscode.workspace.isTrusted) {
        await started.start();
      } else {
        await started.connection();
      }
    }),
    vscode.commands.registerCommand("heaphint.showLog", () => log.channel.show()),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration(`${SECTION}.path`)) {
        await started.start();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => started.start()),
  );
  // Not awaited: a command waits for the server by itself, and a slow start holds nobody up.
  void started.start();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

/**
 * @param target the file, as the menus give it; with arguments or a test, as a key binding may give it; the open file otherwise
 * @returns how the run ended; undefined when nothing was run, of which the user has been told
 */
async function profileMemory(server: Server, target?: vscode.Uri | ProfileParams): Promise<RunFinished | undefined> {
  const params = profileParams(target);
  if (params === undefined) {
    void vscode.window.showWarningMessage("Open a Python file of this machine to profile its memory.");
    return undefined;
  }
  const connection = await server.connection();
  return connection?.runs.profile(params);
}

function profileParams(target?: vscode.Uri | ProfileParams): ProfileParams | undefined {
  if (target !== undefined && !(target instanceof vscode.Uri)) {
    return target;
  }
  const document = vscode.window.activeTextEditor?.document;
  const uri = target ?? (document?.languageId === "python" ? document.uri : undefined);
  return uri?.scheme === "file" ? { uri: uri.toString() } : undefined;
}
