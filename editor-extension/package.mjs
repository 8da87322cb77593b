// Makes heaphint-linux-x64.vsix: the extension with the program inside.
//
// The program is $HEAPHINT, else the release build of this repository. The licences come from the top of the repository.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const here = import.meta.dirname;
const top = resolve(here, "..");
const program = process.env.HEAPHINT ?? join(top, "target/release/heaphint");
if (!existsSync(program)) {
  console.error(`${program} does not exist. Build it with \`cargo build --release\`, or name a program in HEAPHINT.`);
  process.exit(1);
}
mkdirSync(join(here, "bin"), { recursive: true });
copyFileSync(program, join(here, "bin/heaphint"));
chmodSync(join(here, "bin/heaphint"), 0o755);
for (const name of readdirSync(top).filter((entry) => entry.startsWith("LICENSE"))) {
  copyFileSync(join(top, name), join(here, name));
}
const vsce = join(here, "node_modules/@vscode/vsce/vsce");
// vsce looks for one file named LICENSE and asks when there is none; ours are the two copied above.
const options = ["--target", "linux-x64", "--no-dependencies", "--skip-license"];
options.push("--allow-missing-repository", "--no-rewrite-relative-links");
const out = process.argv[2] ?? "heaphint-linux-x64.vsix";
const result = spawnSync(process.execPath, [vsce, "package", ...options, "--out", out], {
  cwd: here,
  stdio: "inherit",
});
process.exit(result.status ?? 1);
