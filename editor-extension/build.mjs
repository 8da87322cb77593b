// Bundles the extension into dist/extension.js. `--minify` for a package, `--watch` while working.
import { build, context } from "esbuild";

const flags = new Set(process.argv.slice(2));
const options = {
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  minify: flags.has("--minify"),
  sourcemap: !flags.has("--minify"),
  logLevel: flags.has("--watch") ? "info" : "warning",
};
if (flags.has("--watch")) {
  await (await context(options)).watch();
} else {
  await build(options);
}
