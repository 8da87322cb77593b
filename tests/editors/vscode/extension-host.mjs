// Runs the extension's mocha tests (editor-extension/test) inside VS Code's own extension host.
import { join, resolve } from "node:path";
import { startBrowser, startServer } from "./code.mjs";

const { WORKSPACE: workspace, DATA: data, HEAPHINT: program } = process.env;
const extension = resolve(import.meta.dirname, "../../../editor-extension");
const server = await startServer({
  data: join(data, "code"),
  smokeTest: true,
  settings: { "security.workspace.trust.enabled": false },
  machineSettings: { "heaphint.path": program },
});
const browser = await startBrowser();
const mark = "test: "; // as in editor-extension/test/index.ts
const log = [];
let code = 1;
try {
  const page = await browser.newPage();
  let end;
  const ended = new Promise((settle) => {
    end = settle;
  });
  // VS Code calls these two in a page that is opened with the path of a test run. All of its own log comes here, too.
  await page.exposeFunction("codeAutomationLog", (_type, parts) => {
    const text = parts.join(" ");
    log.push(text);
    if (text.startsWith(mark)) {
      console.log(text.slice(mark.length));
    }
  });
  await page.exposeFunction("codeAutomationExit", (status) => end(status));
  const remote = (path) => `vscode-remote://127.0.0.1:${server.port}${path}`;
  const payload = [
    ["extensionDevelopmentPath", remote(extension)],
    ["extensionTestsPath", remote(join(extension, "out/test/test/index"))],
    ["skipWelcome", "true"],
  ];
  await page.goto(`${server.base}/?folder=${workspace}&payload=${encodeURIComponent(JSON.stringify(payload))}`);
  const limit = new Promise((settle) => setTimeout(() => settle("no end within 240 s"), 240_000));
  code = await Promise.race([ended, limit]);
} finally {
  await browser.close();
  server.stop();
}
if (code !== 0) {
  if (!log.some((text) => text.startsWith(mark))) {
    console.log(log.join("\n"));
    console.log("0 passed, 1 failed");
  }
  console.log(`the test run ended with: ${code}`);
}
process.exit(code === 0 ? 0 : 1);
