// Starts VS Code's server and a browser page that shows its workbench.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, openSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";

const cache = process.env.CACHE;
const require = createRequire(join(cache, "vscode/driver/package.json"));
const { chromium } = require("playwright-core");
const nodeHome = join(cache, "vscode/node-home");
const serverMain = join(cache, "vscode/code-server/node_modules/code-server/lib/vscode/out/server-main.js");
// Without a gallery neither the page nor the server asks any host.
const environment = {
  ...process.env,
  PATH: `${nodeHome}/bin:${process.env.PATH}`,
  EXTENSIONS_GALLERY: '{"serviceUrl":""}',
};

const quiet = {
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Dark Modern",
  "workbench.editor.useModal": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "editor.minimap.enabled": false,
  "editor.stickyScroll.enabled": false,
  "editor.fontSize": 14,
  "explorer.autoReveal": false,
  "chat.disableAIFeatures": true,
  "git.openRepositoryInParentFolders": "never",
  "telemetry.telemetryLevel": "off",
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": "off",
  "extensions.ignoreRecommendations": true,
  // The web build saves by itself otherwise, and no file would ever be unsaved.
  "files.autoSave": "off",
};

/** Installs a .vsix for servers that are started with the same `data` folder. */
export function installExtension(data, vsix) {
  const result = spawnSync(
    join(nodeHome, "bin/node"),
    [serverMain, "--server-data-dir", data, "--extensions-dir", join(data, "extensions"), "--install-extension", vsix],
    { env: environment, encoding: "utf8", timeout: 60_000 },
  );
  if (result.status !== 0) {
    throw new Error(`the extension could not be installed: ${result.stdout}${result.stderr}`);
  }
}

function writeSettings(folder, settings) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "settings.json"), JSON.stringify(settings, null, 2));
}

/**
 * Starts a server. Settings that name a file of the machine count only as `machineSettings`. `smokeTest` switches
 * VS Code's test driver on: tests inside the extension host need it, but it hides every notification and dialog. The
 * server stays in this process's session, which ends with the part of the tests.
 *
 * @returns {Promise<{base: string, port: number, stop: () => void}>}
 */
export async function startServer({ data, settings = {}, machineSettings = {}, smokeTest = false }) {
  writeSettings(join(data, "data/User"), { ...quiet, ...settings });
  writeSettings(join(data, "data/Machine"), machineSettings);
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const log = openSync(join(data, "server.log"), "a");
  const server = spawn(
    join(nodeHome, "bin/node"),
    [
      ...[serverMain, "--host", "127.0.0.1", "--port", String(port), "--without-connection-token"],
      ...["--accept-server-license-terms", "--telemetry-level", "off"],
      ...["--server-data-dir", data, "--extensions-dir", join(data, "extensions")],
      ...(smokeTest ? ["--enable-smoke-test-driver"] : []),
    ],
    { env: environment, stdio: ["ignore", log, log] },
  );
  for (let attempt = 0; attempt < 150; attempt += 1) {
    try {
      await fetch(`${base}/version`);
      return { base, port, stop: () => server.kill() };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  throw new Error(`VS Code's server did not answer within 30 s; see ${join(data, "server.log")}`);
}

export async function startBrowser() {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      // As root, and in containers, whose /dev/shm is small.
      ...["--no-sandbox", "--disable-dev-shm-usage"],
      ...["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
    ],
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
