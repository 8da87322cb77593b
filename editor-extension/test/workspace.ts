/** What the tests ask VS Code about the files of `tests/editors/workspace`. */
import * as assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import * as vscode from "vscode";

export async function open(name: string): Promise<vscode.TextDocument> {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, "the tests need the workspace open");
  const document = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder.uri, name));
  await vscode.window.showTextDocument(document);
  return document;
}

/** The number of the one line that contains `text`. */
export function lineOf(document: vscode.TextDocument, text: string): number {
  const lines = document.getText().split("\n");
  const line = lines.findIndex((content) => content.includes(text));
  assert.notEqual(line, -1, `no line contains ${text}`);
  return line;
}

/** The hint at the end of each line that has one. */
export async function hints(document: vscode.TextDocument): Promise<Map<number, string>> {
  const whole = new vscode.Range(0, 0, document.lineCount, 0);
  const found = await vscode.commands.executeCommand<vscode.InlayHint[] | undefined>(
    "vscode.executeInlayHintProvider",
    document.uri,
    whole,
  );
  return new Map(
    (found ?? []).map(({ position, label }) => [
      position.line,
      typeof label === "string" ? label : label.map((part) => part.value).join(""),
    ]),
  );
}

export async function lenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
  return vscode.commands.executeCommand("vscode.executeCodeLensProvider", document.uri, 100);
}

export async function hover(document: vscode.TextDocument, line: number): Promise<string> {
  const position = new vscode.Position(line, document.lineAt(line).firstNonWhitespaceCharacterIndex);
  const found = await vscode.commands.executeCommand<vscode.Hover[]>(
    "vscode.executeHoverProvider",
    document.uri,
    position,
  );
  return found
    .flatMap(({ contents }) => contents.map((content) => (typeof content === "string" ? content : content.value)))
    .join("\n");
}

/** The server processes that this extension host has started. */
export function servers(): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((id) => {
      try {
        const parent = /^\d+ \(.*\) \S (\d+) /.exec(readFileSync(`/proc/${id}/stat`, "utf8"))?.[1];
        const words = readFileSync(`/proc/${id}/cmdline`, "utf8").split("\0");
        return parent === String(process.pid) && words.includes(process.env.HEAPHINT ?? "") && words.includes("server");
      } catch {
        return false; // It ended while we looked.
      }
    });
}

/** Asks until the answer satisfies; the server tells of news by a request of its own, which takes its time. */
export async function eventually<T>(
  what: string,
  ask: () => T | PromiseLike<T>,
  satisfies: (answer: T) => boolean,
): Promise<T> {
  const end = Date.now() + 15_000;
  for (;;) {
    const answer = await ask();
    if (satisfies(answer)) {
      return answer;
    }
    if (Date.now() > end) {
      const shown = answer instanceof Map ? JSON.stringify([...answer]) : JSON.stringify(answer);
      assert.fail(`${what} did not come within 15 s; last seen: ${shown}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
