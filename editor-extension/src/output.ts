/** What profiled programs write, in a channel of its own: whole and in order, as a terminal would show it. */
import type * as vscode from "vscode";
import type { ClientCapabilities, LanguageClient, StaticFeature } from "vscode-languageclient/node";
import { PROGRAM_OUTPUT, type ProgramOutput } from "./protocol";

/** Tells the server that this editor takes output as it is, and shows it. */
export class Output implements StaticFeature {
  private subscription: vscode.Disposable | undefined;

  constructor(
    private readonly client: LanguageClient,
    private readonly channel: vscode.OutputChannel,
  ) {}

  fillClientCapabilities(capabilities: ClientCapabilities): void {
    capabilities.experimental = { ...capabilities.experimental, heaphintOutput: true };
  }

  initialize(): void {
    this.subscription = this.client.onNotification(PROGRAM_OUTPUT, ({ text }: ProgramOutput) =>
      this.channel.append(text),
    );
  }

  getState(): { kind: "static" } {
    return { kind: "static" };
  }

  clear(): void {
    this.subscription?.dispose();
  }
}
