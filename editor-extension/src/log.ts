/**
 * The log that "Show Log" opens, and the view of it that the language client traces messages to.
 *
 * The client traces when its channel's level is Trace, which a user sets for a whole channel by another command. The
 * view reports that level exactly while the setting `heaphint.trace.server` asks for messages, so the setting alone decides.
 */
import * as vscode from "vscode";
import { SECTION } from "./settings";

export interface Log extends vscode.Disposable {
  channel: vscode.LogOutputChannel;
  trace: vscode.LogOutputChannel;
}

export function createLog(): Log {
  const channel = vscode.window.createOutputChannel("Heaphint", { log: true });
  const levelChanged = new vscode.EventEmitter<vscode.LogLevel>();
  const trace = Object.create(channel, {
    logLevel: { get: traceLevel },
    onDidChangeLogLevel: { value: levelChanged.event },
    trace: { value: (message: string) => channel.info(message) },
  }) as vscode.LogOutputChannel;
  const configuration = vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration(`${SECTION}.trace.server`)) {
      levelChanged.fire(traceLevel());
    }
  });
  return {
    channel,
    trace,
    dispose: () => vscode.Disposable.from(configuration, levelChanged, channel).dispose(),
  };
}

function traceLevel(): vscode.LogLevel {
  const wanted = vscode.workspace.getConfiguration(SECTION).get("trace.server", "off");
  return wanted === "off" ? vscode.LogLevel.Info : vscode.LogLevel.Trace;
}
