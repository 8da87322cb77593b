// Compares the messages of this extension (src/protocol.ts) with the server's (server/src/lsp/ext.rs): the same names,
// the same fields, the same types. Both files are brought to lines like `ProfileParams.args?: string[]`.
//
//   node compare-protocol.mjs [EXT_RS PROTOCOL_TS]
import { readFileSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const [rustFile, typescriptFile] =
  process.argv.length > 2
    ? process.argv.slice(2)
    : [join(here, "../server/src/lsp/ext.rs"), join(here, "src/protocol.ts")];

const rust = rustMessages(readFileSync(rustFile, "utf8"));
const typescript = typescriptMessages(readFileSync(typescriptFile, "utf8"));
const differences = [
  ...rust.filter((line) => !typescript.includes(line)).map((line) => `only in ${rustFile}: ${line}`),
  ...typescript.filter((line) => !rust.includes(line)).map((line) => `only in ${typescriptFile}: ${line}`),
];
if (rust.length === 0 || differences.length > 0) {
  console.error("The extension and the server must mean the same messages; change both files together.");
  console.error(differences.join("\n") || "No messages were found.");
  process.exit(1);
}

function rustMessages(text) {
  const code = text.split("#[cfg(test)]")[0].replace(/\/\/.*$/gm, "");
  const lines = [...code.matchAll(/pub const (\w+): &str =\s*"([^"]*)";/g)].map(
    ([, name, value]) => `${name} = "${value}"`,
  );
  const items = /((?:#\[[^\]]*\]\s*)*)pub (struct|enum) (\w+) \{([^}]*)\}/g;
  for (const [, attributes, kind, name, body] of code.matchAll(items)) {
    if (!/derive\([^)]*Serialize/.test(attributes)) {
      continue;
    }
    const style = /rename_all = "(\w+)"/.exec(attributes)?.[1];
    if (kind === "enum") {
      const variants = [...body.replace(/#\[[^\]]*\]/g, "").matchAll(/\w+/g)].map(([variant]) =>
        JSON.stringify(rename(variant, style)),
      );
      lines.push(`${name} = ${variants.sort().join(" | ")}`);
    } else {
      for (const [, field, type, optional] of fields(body)) {
        lines.push(`${name}.${rename(field, style)}${optional ? "?" : ""}: ${translate(type, optional)}`);
      }
    }
  }
  return lines;
}

/** `[whole, name, type, may be left out]` of each field of a struct. */
function fields(body) {
  return [...body.matchAll(/((?:#\[[^\]]*\]\s*)*)pub (\w+): ([^\n]+),/g)].map(([whole, attributes, name, type]) => [
    whole,
    name,
    type,
    attributes.includes("skip_serializing_if"),
  ]);
}

function rename(name, style) {
  switch (style) {
    case undefined:
      return name;
    case "lowercase":
      return name.toLowerCase();
    case "camelCase":
      return name
        .replace(/^[A-Z]/, (letter) => letter.toLowerCase())
        .replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
    default:
      throw new Error(`compare-protocol.mjs does not know rename_all = "${style}"; teach it.`);
  }
}

function translate(type, optional) {
  const [, outer, inner] = /^(Option|Vec)<(.*)>$/.exec(type) ?? [];
  if (outer === "Option") {
    return optional ? translate(inner) : `${translate(inner)} | null`;
  }
  if (outer === "Vec") {
    return `${translate(inner)}[]`;
  }
  return (
    { String: "string", Url: "string", bool: "boolean", u64: "number", u32: "number", i32: "number" }[type] ?? type
  );
}

function typescriptMessages(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const lines = [...code.matchAll(/export const (\w+) = "([^"]*)";/g)].map(([, name, value]) => `${name} = "${value}"`);
  for (const [, name, union] of code.matchAll(/export type (\w+) =([^;]*);/g)) {
    lines.push(
      `${name} = ${[...union.matchAll(/"\w+"/g)]
        .map(([literal]) => literal)
        .sort()
        .join(" | ")}`,
    );
  }
  for (const [, name, body] of code.matchAll(/export interface (\w+) \{([^}]*)\}/g)) {
    for (const [, field, optional, type] of body.matchAll(/(\w+)(\??): ([^;]*);/g)) {
      lines.push(`${name}.${field}${optional}: ${type}`);
    }
  }
  return lines;
}
