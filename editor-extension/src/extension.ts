/** The entry: commands, settings and workspace trust, wired to the server. */
import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { createLog } from "./log";
import { Server } from "./server";
import { SECTION } from "./settings";
import { Status } from "./status";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = createLog();
  const status = new Status();
  const program = vscode.window.createOutputChannel("Heaphint: Program");
  const started = new Server(context.asAbsolutePath("bin/heaphint"), log, program, status);
  server = started;

  context.subscriptions.push(
    log,
    status,
    program,
    // The server's own commands (`heaphint.profile`, `heaphint.show`, ...) are registered by the language client.
    registerCommands(started),
    vscode.commands.registerCommand("heaphint.restartServer", async () => {
      if (vscode.workspace.isTrusted) {
        await started.start();
      } else {
        await started.connection();
      }
    }),
    vscode.commands.registerCommand("heaphint.showLog", () => log.channel.show()),
    vscode.commands.registerCommand("heaphint.showOutput", () => program.show(true)),
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
