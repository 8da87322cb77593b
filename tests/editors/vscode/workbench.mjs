// Drives VS Code's workbench as a person would, with the packaged extension installed, and keeps a picture of each step
// in $SCREENSHOTS: before, running, cancelled, annotated, hover, problems, failed, menus, the light theme, Restricted Mode.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { installExtension, startBrowser, startServer } from "./code.mjs";

const { WORKSPACE: workspace, DATA: data, SCREENSHOTS: screenshots } = process.env;
const extension = resolve(import.meta.dirname, "../../../editor-extension");

let passed = 0;
let failed = 0;
let pictures = 0;

/** One step; a failed one is told, has its own picture, and the next goes on. */
async function step(page, name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n     ${String(error).split("\n").slice(0, 6).join("\n     ")}`);
    await picture(page, `FAILED ${name}`);
    await page.keyboard.press("Escape");
  }
}

async function picture(page, name) {
  pictures += 1;
  const file = `${String(pictures).padStart(2, "0")}-${name.replace(/[^a-zA-Z]+/g, "-")}.png`;
  await page.screenshot({ path: join(screenshots, file) });
}

/** The workbench of `server` on the folder `directory`. */
async function openWorkbench(browser, server, directory) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 760 } })).newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(`${server.base}/?folder=${directory}`);
  await page.locator(".monaco-workbench").waitFor({ timeout: 60_000 });
  await page.locator(".explorer-folders-view .monaco-list-row", { hasText: "app.py" }).waitFor({ timeout: 60_000 });
  return page;
}

/**
 * The quick input fades in and out and loses its focus to notifications: the whole gesture is tried again, never one
 * step of it.
 */
async function pick(page, key, prefix, text) {
  for (let attempt = 0; attempt < 8; attempt += 1) {
    try {
      await page.keyboard.press(key);
      const input = page.locator(".quick-input-widget input.input");
      await input.fill(prefix + text, { timeout: 2000 });
      await page.locator(".quick-input-list .monaco-list-row", { hasText: text }).first().waitFor({ timeout: 3000 });
      await input.press("Enter", { timeout: 2000 });
      await page.locator(".quick-input-widget").waitFor({ state: "hidden", timeout: 3000 });
      return;
    } catch {
      await page.keyboard.press("Escape");
      await page.waitForTimeout(300);
    }
  }
  throw new Error(`could not choose ${text}`);
}

const command = (page, title) => pick(page, "F1", ">", title);

/** A command that asks: its list is open afterwards. */
async function ask(page, title, heading) {
  const list = page.locator(".quick-input-widget", { hasText: heading });
  for (let attempt = 0; attempt < 8; attempt += 1) {
    try {
      await page.keyboard.press("F1");
      const input = page.locator(".quick-input-widget input.input");
      await input.fill(`>${title}`, { timeout: 2000 });
      await page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().waitFor({ timeout: 3000 });
      await input.press("Enter", { timeout: 2000 });
      await list.waitFor({ timeout: 5000 });
      return list;
    } catch {
      await page.keyboard.press("Escape");
      await page.waitForTimeout(300);
    }
  }
  throw new Error(`${title} asked nothing`);
}

const choice = (list, text) => list.locator(".monaco-list-row", { hasText: text }).first();

async function openFile(page, name) {
  const tab = page.locator(".tab", { hasText: name });
  if ((await tab.count()) > 0) {
    await tab.first().click();
  } else {
    await page.locator(".explorer-folders-view .monaco-list-row", { hasText: name }).dblclick();
  }
  await page.locator(".tab.active", { hasText: name }).waitFor();
  await page.keyboard.press("Control+1"); // The keys go to the editor.
}

/** Puts the cursor to the start of the file, and its first lines on the screen. */
async function toTop(page) {
  await page.keyboard.press("Control+1");
  await page.keyboard.press("Control+Home");
}

const toast = (page, text) => page.locator(".notification-toast", { hasText: text });
const lineWith = (page, text) => page.locator(".view-line", { hasText: text }).first();
const lenses = (page) => page.locator(".codelens-decoration a", { hasText: "Profile memory" });

async function expectHint(page, text, timeout = 30_000) {
  await page.locator(".view-lines span", { hasText: text }).first().waitFor({ timeout });
}

async function noHints(page) {
  await page.locator(".view-lines span", { hasText: /[KMG]i?B peak/ }).first().waitFor({ state: "detached" });
}

/** The processes whose command line contains `text`. */
function processes(text) {
  return readdirSync("/proc").filter((id) => {
    try {
      const line = readFileSync(`/proc/${id}/cmdline`, "utf8").replaceAll("\0", " ");
      return /^\d+$/.test(id) && Number(id) !== process.pid && line.includes(text);
    } catch {
      return false; // It ended while we looked.
    }
  });
}

async function until(what, condition, timeout = 15_000) {
  const end = Date.now() + timeout;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`${what}: not within ${timeout / 1000} s`);
    }
    await new Promise((settle) => setTimeout(settle, 100));
  }
}

async function profilingSteps(page, workspace) {
  await step(page, "before: lenses and no figures", async () => {
    await openFile(page, "app.py");
    await lenses(page).nth(1).waitFor({ timeout: 40_000 });
    await page.locator(".statusbar-item", { hasText: "Heaphint" }).waitFor();
    await noHints(page);
    await picture(page, "before");
  });

  await step(page, "the run menu offers the command", async () => {
    await page.locator(".editor-actions [aria-label*='Profile Memory']").first().waitFor();
    await picture(page, "run menu");
  });

  await step(page, "the context menu offers the command", async () => {
    await lineWith(page, "def main").click({ button: "right" });
    await page.locator(".context-view .action-label", { hasText: "Profile Memory" }).first().waitFor();
    await picture(page, "context menu");
    await page.keyboard.press("Escape");
  });

  await step(page, "running: a notification with seconds, live memory and Cancel", async () => {
    await openFile(page, "slow.py");
    await command(page, "Heaphint: Profile Memory");
    const running = toast(page, "Heaphint: slow.py");
    await running.waitFor();
    await toast(page, /\d s.*2\d\.\d MiB/).waitFor();
    await running.locator(".monaco-button", { hasText: "Cancel" }).waitFor();
    await picture(page, "running");
  });

  await step(page, "cancelled: the program is gone and the notification too", async () => {
    await until("the program runs", () => processes(join(workspace, "slow.py")).length > 0);
    await toast(page, "Heaphint: slow.py").locator(".monaco-button", { hasText: "Cancel" }).click();
    await toast(page, "Heaphint: slow.py").waitFor({ state: "detached" });
    await until("the program ended", () => processes(join(workspace, "slow.py")).length === 0);
    await page.waitForTimeout(500);
    await picture(page, "cancelled");
  });

  await step(page, "annotated: a click on the lens, then figures at the ends of lines", async () => {
    await openFile(page, "app.py");
    await lenses(page).last().click();
    await expectHint(page, /48\.0.MiB.peak/);
    await expectHint(page, /32\.0.MiB.peak/);
    await toast(page, "Heaphint: app.py").waitFor({ state: "detached" });
    await page.locator(".squiggly-warning").first().waitFor({ state: "attached" });
    await page.waitForTimeout(700);
    await picture(page, "annotated");
  });

  await step(page, "hover: the figures and the stacks", async () => {
    await lineWith(page, "def main").click();
    await lineWith(page, "bytearray(48").locator("span span").nth(1).hover();
    const hover = page.locator(".monaco-hover:not(.hidden) .hover-contents", { hasText: "48.0 MiB" });
    await hover.first().waitFor();
    await page.waitForTimeout(500);
    await picture(page, "hover");
    const link = hover.first().locator("a", { hasText: "app.py" }).first();
    await link.waitFor();
    await link.click();
    // The line of `load`, of its call in `main`, or of the call of `main`: wherever the first link leads.
    await page.locator(".statusbar-item", { hasText: /Ln (5|15|20)\b/ }).waitFor();
    await page.mouse.move(900, 600);
    await page.keyboard.press("Escape");
    await toTop(page);
  });

  await step(page, "problems: the exceeded limit and what explains it", async () => {
    await command(page, "Problems: Focus on Problems View");
    const entry = page.locator(".markers-panel .monaco-list-row", { hasText: "48.0 MiB" });
    await entry.first().waitFor();
    await page.locator(".markers-panel .monaco-list-row", { hasText: "pyproject.toml" }).first().waitFor();
    await picture(page, "problems");
    await command(page, "View: Hide Panel");
  });

  await step(page, "growing: figures appear and grow while the program runs", async () => {
    await openFile(page, "grows.py");
    await command(page, "Heaphint: Profile Memory");
    await expectHint(page, /20\.0.MiB.peak/);
    await expectHint(page, /[468]0\.0.MiB.peak/);
    await picture(page, "growing");
    await toast(page, "Heaphint: grows.py").locator(".monaco-button", { hasText: "Cancel" }).click();
    await toast(page, "Heaphint: grows.py").waitFor({ state: "detached" });
  });

  await step(page, "figures: others are shown at once", async () => {
    await openFile(page, "app.py");
    await command(page, "Heaphint: Profile Memory");
    await expectHint(page, /48\.0.MiB.peak/);
    const list = await ask(page, "Heaphint: Choose Figures", "Which Figures?");
    await choice(list, "Only where the line itself allocates").click();
    await expectHint(page, /48\.0.MiB.peak.self/);
    await picture(page, "choose figures");
    await choice(list, "With what the line called").click();
    await page.keyboard.press("Escape");
    await list.waitFor({ state: "hidden" });
  });

  await step(page, "compared: the difference to another session", async () => {
    const list = await ask(page, "Heaphint: Compare With Session", "Compare With Session");
    await choice(list, "app.py").waitFor();
    await picture(page, "sessions");
    await choice(list, "app.py").click();
    await expectHint(page, /48\.0.MiB.=.peak/);
    const file = join(workspace, "app.py");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("bytearray(48 *", "bytearray(50 *"));
    await lineWith(page, "bytearray(50").waitFor();
    await command(page, "Heaphint: Profile Memory");
    await expectHint(page, /50\.0.MiB.▲.\+2\.00.peak/);
    await page.waitForTimeout(700);
    await picture(page, "compared");
    await command(page, "Preferences: Toggle between Light/Dark Themes");
    await page.locator(".monaco-workbench.vs").waitFor();
    await page.waitForTimeout(700);
    await picture(page, "compared light");
    await command(page, "Preferences: Toggle between Light/Dark Themes");
    writeFileSync(file, text);
    await lineWith(page, "bytearray(48").waitFor();
    const again = await ask(page, "Heaphint: Compare With Session", "Compare With Session");
    await choice(again, "Nothing").click();
    await command(page, "Heaphint: Profile Memory");
    await expectHint(page, /48\.0.MiB.peak/);
  });

  await step(page, "edited: the figure moves, and an edited line's is marked as old", async () => {
    await toTop(page);
    await page.keyboard.type("# A line above.\n");
    await lineWith(page, "bytearray(48").click();
    await page.keyboard.press("End");
    await page.keyboard.type("  # edited");
    await expectHint(page, /48\.0.MiB.peak.\(old\)/);
    await picture(page, "edited");
    await command(page, "File: Revert File");
  });

  await step(page, "light theme", async () => {
    await toTop(page);
    await command(page, "Preferences: Toggle between Light/Dark Themes");
    await page.locator(".monaco-workbench.vs").waitFor();
    await page.waitForTimeout(700);
    await picture(page, "annotated light");
    await command(page, "Preferences: Toggle between Light/Dark Themes");
    await page.locator(".monaco-workbench.vs-dark").waitFor();
  });

  await step(page, "failed: one sentence, and a way to the log", async () => {
    await openFile(page, "broken.py");
    await command(page, "Heaphint: Profile Memory");
    const error = toast(page, /broken\.py.*exit/);
    await error.waitFor();
    await error.locator(".monaco-button", { hasText: "Show Log" }).waitFor();
    await picture(page, "failed");
    await error.locator(".monaco-button", { hasText: "Show Log" }).click();
    await page.locator(".panel .view-line", { hasText: "ValueError" }).first().waitFor();
    await picture(page, "log");
    await command(page, "View: Hide Panel");
  });

  await step(page, "cleared: the figures are gone", async () => {
    await openFile(page, "app.py");
    await command(page, "Heaphint: Profile Memory");
    await expectHint(page, /48\.0.MiB.peak/);
    await command(page, "Heaphint: Clear Annotations");
    await noHints(page);
    await page.locator(".codelens-decoration", { hasText: /[KMG]i?B/ }).first().waitFor({ state: "detached" });
    await picture(page, "cleared");
  });

  await step(page, "the demo: a larger program, with a limit of the project", async () => {
    await openFile(page, "example.py");
    await command(page, "View: Toggle Primary Side Bar Visibility");
    await command(page, "Heaphint: Profile Memory");
    await expectHint(page, /MiB.peak/);
    await command(page, "Problems: Focus on Problems View");
    await page.locator(".markers-panel .monaco-list-row", { hasText: "pyproject.toml" }).first().waitFor();
    await page.waitForTimeout(1000);
    await picture(page, "demo problems");
    await command(page, "View: Hide Panel");
    await page.keyboard.press("Control+1");
    await page.keyboard.press("Control+End");
    await page.waitForTimeout(500);
    await picture(page, "demo");
    await lineWith(page, "return \"\\n\".join(rows)").locator("span span").nth(1).hover();
    await page.locator(".monaco-hover:not(.hidden) .hover-contents", { hasText: "MiB" }).first().waitFor();
    await page.waitForTimeout(500);
    await picture(page, "demo hover");
    await page.mouse.move(900, 600);
    await page.keyboard.press("Escape");
    await command(page, "View: Toggle Primary Side Bar Visibility");
    await openFile(page, "app.py");
  });

  await step(page, "a missing program: one sentence, and a way to the setting", async () => {
    mkdirSync(join(workspace, ".vscode"), { recursive: true });
    const file = join(workspace, ".vscode/settings.json");
    writeFileSync(file, '{ "heaphint.path": "/nonexistent/heaphint" }');
    const message = toast(page, "heaphint.path names /nonexistent/heaphint, which does not exist");
    await message.waitFor();
    await picture(page, "missing program");
    await message.locator(".monaco-button", { hasText: "Open Settings" }).waitFor();
    writeFileSync(file, "{}");
    await page.locator(".statusbar-item.has-background-color", { hasText: "Heaphint" }).waitFor({ state: "detached" });
  });

  await step(page, "the log shows the messages when asked to", async () => {
    writeFileSync(join(workspace, ".vscode/settings.json"), '{ "heaphint.trace.server": "messages" }');
    await command(page, "Heaphint: Show Log");
    // The setting is read a moment after the file was written.
    await until("a message in the log", async () => {
      await command(page, "Heaphint: Clear Annotations");
      return (await page.locator(".panel .view-line", { hasText: "workspace/executeCommand" }).count()) > 0;
    });
    await picture(page, "trace");
    writeFileSync(join(workspace, ".vscode/settings.json"), "{}");
  });
}

async function restrictedSteps(page, _workspace, program) {
  const server = `${program} server`;
  await step(page, "untrusted: nothing starts, and the command says why", async () => {
    await openFile(page, "app.py");
    await page.locator(".statusbar-item", { hasText: "Restricted Mode" }).waitFor();
    await command(page, "Heaphint: Profile Memory");
    await toast(page, "Heaphint runs nothing in Restricted Mode").waitFor();
    await page.waitForTimeout(1000);
    await picture(page, "untrusted");
    if (processes(server).length > 0 || (await lenses(page).count()) > 0) {
      throw new Error("the server runs in an untrusted workspace");
    }
  });

  await step(page, "trusted: the server starts by itself", async () => {
    await toast(page, "Heaphint runs nothing").locator(".monaco-button", { hasText: "Manage Workspace Trust" }).click();
    await page.locator(".workspace-trust-editor .monaco-button", { hasText: /^Trust$/ }).first().click();
    await until("the server runs", () => processes(server).length > 0);
    await openFile(page, "app.py");
    await lenses(page).first().waitFor();
    await picture(page, "trusted");
  });
}

/** What `heaphint transform heapprofile` writes opens in VS Code's own table of heap profiles, which we did not write. */
async function exportSteps(page, workspace, heaphint) {
  await step(page, "exported: VS Code's heap profile table has the functions and their sizes", async () => {
    const capture = join(workspace, "exported.heaphint");
    for (const parts of [
      ["run", "--quiet", "--output", capture, "app.py"],
      ["transform", "heapprofile", "--output", join(workspace, "exported.heapprofile"), capture],
    ]) {
      const { status, stdout, stderr } = spawnSync(heaphint, parts, { cwd: workspace, encoding: "utf8" });
      if (status !== 0) {
        throw new Error(`heaphint ${parts.join(" ")}: ${stdout}${stderr}`);
      }
    }
    await pick(page, "Control+P", "", "exported.heapprofile");
    await until("the table shows the program", async () => {
      const texts = page.frames().map((frame) => frame.evaluate(() => document.body?.innerText ?? "").catch(() => ""));
      const table = (await Promise.all(texts)).find((text) => text.includes("Total Size")) ?? "";
      // 48 MiB and 32 MiB at the peak, in thousands of bytes.
      return /83,88[6-9]\s?kB\s+<module>\s+\S*app\.py/.test(table);
    });
    await picture(page, "exported");
  });
}

/** Where the extension was installed. */
function installed(folder) {
  const extensions = join(folder, "extensions");
  const name = readdirSync(extensions).find((entry) => entry.startsWith("heaphint."));
  return join(extensions, name);
}

const vsix = join(data, "heaphint.vsix");
const packaged = spawnSync(process.execPath, [join(extension, "package.mjs"), vsix], { encoding: "utf8", timeout: 120_000 });
if (packaged.status !== 0) {
  throw new Error(`the extension could not be packaged: ${packaged.stdout}${packaged.stderr}`);
}
const browser = await startBrowser();
const servers = [];
try {
  for (const [name, trust, steps] of [
    ["trusted", { "security.workspace.trust.enabled": false }, [profilingSteps, exportSteps]],
    ["restricted", { "security.workspace.trust.startupPrompt": "never" }, [restrictedSteps]],
  ]) {
    const folder = join(data, name);
    const directory = join(data, name, "workspace");
    cpSync(workspace, directory, { recursive: true });
    cpSync(join(extension, "../server/src/demo/example.py"), join(directory, "example.py"));
    installExtension(folder, vsix);
    const server = await startServer({ data: folder, settings: trust });
    servers.push(server);
    const page = await openWorkbench(browser, server, directory);
    for (const part of steps) {
      await part(page, directory, join(installed(folder), "bin/heaphint"));
    }
    await page.context().close();
    server.stop();
  }
} catch (error) {
  failed += 1;
  console.log(`FAIL ${error.stack}`);
} finally {
  await browser.close();
  for (const server of servers) {
    server.stop();
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
