import * as assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import * as vscode from "vscode";
import type { RunFinished } from "../src/protocol";
import { eventually, hints, hover, lenses, lineOf, open, servers } from "./workspace";

const HELD = "bytearray(48 *";

async function profile(document: vscode.TextDocument): Promise<RunFinished> {
  const result = await vscode.commands.executeCommand<RunFinished | undefined>("heaphint.profileMemory", document.uri);
  assert.ok(result, "the run did not start");
  return result;
}

async function annotated(document: vscode.TextDocument): Promise<Map<number, string>> {
  return eventually(
    "the hint",
    () => hints(document),
    (found) => found.has(lineOf(document, HELD)),
  );
}

async function withSetting(name: string, value: unknown, body: () => Promise<void>): Promise<void> {
  const configuration = vscode.workspace.getConfiguration("heaphint");
  await configuration.update(name, value, vscode.ConfigurationTarget.Workspace);
  try {
    await body();
  } finally {
    await configuration.update(name, undefined, vscode.ConfigurationTarget.Workspace);
  }
}

describe("profiling", () => {
  let app: vscode.TextDocument;
  before(async () => {
    app = await open("app.py");
    await eventually(
      "the command of the server",
      () => vscode.commands.getCommands(true),
      (all) => all.includes("heaphint.profile"),
    );
  });

  it("offers its commands", async () => {
    const all = await vscode.commands.getCommands(true);
    for (const name of [
      "profileMemory",
      "profileModule",
      "profileImport",
      "profileTestFile",
      "profileAllTests",
      "profileConfiguration",
      "profileAgain",
      "cancelRuns",
      "chooseFigures",
      "showSession",
      "compareWithSession",
      "openCaptures",
      "openReport",
      "clearAnnotations",
      "restartServer",
      "showLog",
      "showOutput",
      "profile",
      "clear",
    ]) {
      assert.ok(all.includes(`heaphint.${name}`), name);
    }
  });

  it("offers code lenses and no figures before a run", async () => {
    const found = await eventually(
      "the lenses",
      () => lenses(app),
      (all) => all.length >= 2,
    );
    const lines = found
      .filter(({ command }) => command?.title === "Profile memory")
      .map(({ range }) => range.start.line);
    assert.deepEqual(
      lines.sort((a, b) => a - b),
      [0, lineOf(app, "__main__")],
    );
    assert.equal((await hints(app)).size, 0);
  });

  it("shows what each line holds", async () => {
    const result = await profile(app);
    assert.equal(result.outcome, "finished", result.message);
    assert.equal(result.exitCode, 0);
    assert.ok((result.peakBytes ?? 0) >= 80 * 1024 * 1024, String(result.peakBytes));
    const found = await annotated(app);
    assert.match(found.get(lineOf(app, HELD)) ?? "", /48\.0 MiB peak/);
    assert.match(found.get(lineOf(app, "bytearray(32 *")) ?? "", /32\.0 MiB peak/);
    for (const label of found.values()) {
      assert.ok(label.length <= 43, label);
    }
  });

  it("tells the figures and the stacks in a hover", async () => {
    const text = await hover(app, lineOf(app, HELD));
    assert.match(text, /48\.0 MiB/);
    assert.match(text, /load/);
    assert.match(text, /app\.py/);
  });

  it("puts an exceeded limit among the problems, with what explains it", async () => {
    const found = await eventually(
      "the diagnostic",
      () => vscode.languages.getDiagnostics(app.uri),
      (all) => all.length > 0,
    );
    const [diagnostic] = found;
    assert.ok(diagnostic);
    assert.equal(diagnostic.severity, vscode.DiagnosticSeverity.Warning);
    assert.equal(diagnostic.range.start.line, lineOf(app, "def load"));
    assert.match(diagnostic.message, /48\.0 MiB/);
    assert.match(diagnostic.message, /10\.0 MiB/);
    const related = (diagnostic.relatedInformation ?? []).map(({ location }) => location.uri.path);
    assert.ok(
      related.some((path) => path.endsWith("/pyproject.toml")),
      related.join(),
    );
  });

  it("applies a changed limit to the last run at once", async () => {
    const file = app.uri.fsPath.replace(/app\.py$/, "pyproject.toml");
    const limits = await readFile(file, "utf8");
    const problems = () => vscode.languages.getDiagnostics(app.uri).map(({ message }) => message);
    await writeFile(file, limits.replace('"10 MB"', '"48.5 MB"'));
    await eventually("no problems", problems, (all) => all.length === 0);
    await writeFile(file, limits);
    await eventually("the problem", problems, (all) => all.some((message) => message.includes("10.0 MiB")));
  });

  it("moves the figures with the text", async () => {
    const before = lineOf(app, HELD);
    const edit = new vscode.WorkspaceEdit();
    edit.insert(app.uri, new vscode.Position(0, 0), "# one\n# two\n");
    assert.ok(await vscode.workspace.applyEdit(edit));
    assert.equal(lineOf(app, HELD), before + 2);
    const moved = await annotated(app);
    assert.match(moved.get(before + 2) ?? "", /48\.0 MiB/);
    assert.ok(!moved.has(before));
    await vscode.commands.executeCommand("undo");
    const back = await eventually(
      "the hint",
      () => hints(app),
      (found) => found.has(before) && !found.has(before + 2),
    );
    assert.match(back.get(before) ?? "", /48\.0 MiB/);
    await app.save();
  });

  it("obeys the settings at once", async () => {
    const line = lineOf(app, HELD);
    const becomes = (pattern: RegExp) =>
      eventually(
        String(pattern),
        () => hints(app),
        (found) => pattern.test(found.get(line) ?? ""),
      );
    await withSetting("units", "si", async () => void (await becomes(/50\.3 MB peak/)));
    await withSetting("inlayHints.figure", "allocated", async () => void (await becomes(/48\.0 MiB allocated/)));
    await withSetting("inlayHints.minimumBytes", 40 * 1024 * 1024, async () => {
      await eventually(
        "fewer hints",
        () => hints(app),
        (found) => found.has(line) && !found.has(lineOf(app, "bytearray(32 *")),
      );
    });
    await withSetting("inlayHints.enabled", false, async () => {
      await eventually(
        "no hints",
        () => hints(app),
        (found) => found.size === 0,
      );
    });
    await becomes(/48\.0 MiB peak/);
  });

  it("takes the figures away", async () => {
    await vscode.commands.executeCommand("heaphint.clearAnnotations");
    await eventually(
      "no hints",
      () => hints(app),
      (found) => found.size === 0,
    );
    await eventually(
      "no problems",
      () => vscode.languages.getDiagnostics(app.uri),
      (all) => all.length === 0,
    );
  });

  it("shows a run that a code lens starts like its own", async () => {
    const lens = (await lenses(app)).find(({ command }) => command?.title === "Profile memory");
    assert.ok(lens?.command);
    const result = await vscode.commands.executeCommand<RunFinished>(
      lens.command.command,
      ...(lens.command.arguments ?? []),
    );
    assert.equal(result.outcome, "finished", result.message);
    await annotated(app);
  });

  it("saves the file it runs", async () => {
    const edit = new vscode.WorkspaceEdit();
    edit.insert(app.uri, new vscode.Position(app.lineCount, 0), "# the end\n");
    assert.ok(await vscode.workspace.applyEdit(edit));
    assert.ok(app.isDirty);
    await profile(app);
    assert.ok(!app.isDirty);
    assert.match(await readFile(app.uri.fsPath, "utf8"), /# the end/);
  });

  it("shows the figures of an imported file, too", async () => {
    await vscode.commands.executeCommand("heaphint.clearAnnotations");
    await eventually(
      "no hints",
      () => hints(app),
      (found) => found.size === 0,
    );
    const uses = await open("uses.py");
    await profile(uses);
    const found = await annotated(app);
    assert.match(found.get(lineOf(app, HELD)) ?? "", /48\.0 MiB peak/);
    assert.ok(!found.has(lineOf(app, "bytearray(32 *")), "scratch was not called");
    assert.match((await hints(uses)).get(lineOf(uses, "app.load")) ?? "", /48\.0 MiB peak/);
  });

  it("profiles an import, and what was run last", async () => {
    app = await open("app.py");
    const imported = await vscode.commands.executeCommand<RunFinished>("heaphint.profileImport");
    assert.equal(imported.outcome, "finished", imported.message);
    assert.match(imported.message, /the import of app/);
    assert.equal((await hints(app)).size, 0, "an import calls nothing");
    assert.equal((await profile(app)).outcome, "finished");
    const again = await vscode.commands.executeCommand<RunFinished>("heaphint.profileAgain");
    assert.match(again.message, /app\.py peaked/);
    await annotated(app);
  });

  it("runs a document that was never saved", async () => {
    const content = "kept = bytearray(6 * 1024 * 1024)\n";
    const document = await vscode.workspace.openTextDocument({ language: "python", content });
    await vscode.window.showTextDocument(document);
    const result = await profile(document);
    assert.equal(result.outcome, "finished", result.message);
    const found = await eventually(
      "the hint",
      () => hints(document),
      (all) => all.size > 0,
    );
    assert.deepEqual([...found], [[0, "6.00 MiB peak"]]);
    await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
    app = await open("app.py");
  });

  it("shows captures that were made elsewhere, and offers the runs of a project", async () => {
    const result = await profile(app);
    const folder = vscode.Uri.joinPath(app.uri, "../.heaphint");
    const [name] = (await vscode.workspace.fs.readDirectory(folder))
      .map(([file]) => file)
      .filter((file) => file.startsWith(`${result.session}.`) && file.endsWith(".heaphint"));
    assert.ok(name, "the session has a capture");
    await vscode.commands.executeCommand("heaphint.clearAnnotations");
    assert.equal((await hints(app)).size, 0);
    await vscode.commands.executeCommand("heaphint.openCaptures", [vscode.Uri.joinPath(folder, name)]);
    await annotated(app);
    const toml = await open("pyproject.toml");
    const found = await eventually(
      "the lens of a run configuration",
      () => lenses(toml),
      (all) => all.length > 0,
    );
    assert.equal(found[0]?.command?.title, "Profile memory");
    app = await open("app.py");
  });

  it("gives the program its arguments", async () => {
    const result = await vscode.commands.executeCommand<RunFinished>("heaphint.profileMemory", {
      uri: app.uri.with({ path: app.uri.path.replace(/app\.py$/, "arguments.py") }).toString(),
      args: ["one", "two words"],
    });
    assert.equal(result.exitCode, 0, result.message);
    assert.equal(await readFile(app.uri.fsPath.replace(/app\.py$/, "arguments.txt"), "utf8"), "one|two words");
  });

  it("says that a program ended with an error", async () => {
    const result = await profile(await open("broken.py"));
    assert.equal(result.exitCode, 1);
    assert.match(result.message, /broken\.py/);
  });

  it("ends a run whose server died, and starts the server again", async () => {
    const slow = await open("slow.py");
    const run = vscode.commands.executeCommand<RunFinished | undefined>("heaphint.profileMemory", slow.uri);
    const [first] = await eventually("one server", servers, (all) => all.length === 1);
    assert.ok(first);
    // Long enough for the request to arrive; the test holds as well when it did not.
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.kill(first, "SIGKILL");
    assert.equal(await run, undefined);
    await eventually("a new server", servers, (all) => all.length === 1 && all[0] !== first);
    app = await open("app.py");
    assert.equal((await profile(app)).outcome, "finished");
    await annotated(app);
  });

  it("starts the server again when told so", async () => {
    const before = servers();
    await vscode.commands.executeCommand("heaphint.restartServer");
    const after = servers();
    assert.equal(after.length, 1);
    assert.notDeepEqual(after, before);
    app = await open("app.py");
    assert.equal((await profile(app)).outcome, "finished");
    await annotated(app);
  });

  it("runs nothing when the program is missing, and recovers when the setting is corrected", async () => {
    await withSetting("path", "/nonexistent/heaphint", async () => {
      await eventually(
        "the end of the server",
        () => vscode.commands.getCommands(true),
        (all) => !all.includes("heaphint.profile"),
      );
      assert.ok(!existsSync("/nonexistent/heaphint"));
      assert.equal(await vscode.commands.executeCommand("heaphint.profileMemory", app.uri), undefined);
    });
    await eventually(
      "the server",
      () => vscode.commands.getCommands(true),
      (all) => all.includes("heaphint.profile"),
    );
    assert.equal((await profile(app)).outcome, "finished");
  });
});
