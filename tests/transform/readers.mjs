// Reads a file with a tool that others have written, and prints what it says about stacks as JSON: see readers.py.
//
// Usage: node readers.mjs NODE_MODULES FORMAT FILE

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gunzipSync } from "node:zlib";

const [modules, format, file] = process.argv.slice(2);
const load = createRequire(`${modules}/`);

function pprof() {
  const { Profile } = load("pprof-format");
  const profile = Profile.decode(gunzipSync(readFileSync(file)));
  const text = (index) => profile.stringTable.strings[Number(index)];
  const types = profile.sampleType.map((type) => `${text(type.type)}/${text(type.unit)}`);
  const expected = ["alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes"];
  if (types.join() !== expected.join()) throw new Error(`sample types are ${types}`);
  if (text(profile.defaultSampleType) !== "inuse_space") throw new Error("another default sample type");
  const functions = new Map(profile.function.map((it) => [String(it.id), it]));
  const locations = new Map(profile.location.map((it) => [String(it.id), it]));
  return profile.sample.map((sample) => {
    const label = (key) => sample.label.find((it) => text(it.key) === key);
    const frames = sample.locationId.map((id) => {
      const [line] = locations.get(String(id)).line;
      const called = functions.get(String(line.functionId));
      return [text(called.name), text(called.filename), Number(line.line)];
    });
    return {
      thread: text(label("thread").str),
      allocator: text(label("allocator").str),
      frames: frames.reverse(),
      bytes: Number(sample.value[3]),
      count: Number(sample.value[2]),
    };
  });
}

// The types of the DevTools protocol, which is where the format is defined.
function heapProfile() {
  const protocol = load("devtools-protocol/json/js_protocol.json");
  const types = new Map();
  for (const domain of protocol.domains) {
    for (const type of domain.types ?? []) types.set(`${domain.domain}.${type.id}`, type);
  }
  const check = (value, type, domain, where) => {
    if (type.$ref) {
      const name = type.$ref.includes(".") ? type.$ref : `${domain}.${type.$ref}`;
      return check(value, types.get(name), name.split(".")[0], where);
    }
    const kind = Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
    if (kind !== type.type && !(kind === "integer" && type.type === "number")) {
      throw new Error(`${where} is ${kind}, not ${type.type}`);
    }
    if (kind === "array") value.forEach((item, index) => check(item, type.items, domain, `${where}[${index}]`));
    for (const property of type.properties ?? []) {
      const held = value[property.name];
      if (held === undefined && !property.optional) throw new Error(`${where}.${property.name} is missing`);
      if (held !== undefined) check(held, property, domain, `${where}.${property.name}`);
    }
  };
  const profile = JSON.parse(readFileSync(file, "utf8"));
  check(profile, types.get("HeapProfiler.SamplingHeapProfile"), "HeapProfiler", "profile");
  const rows = [];
  const stack = [[profile.head, []]];
  const ids = new Map();
  while (stack.length > 0) {
    const [node, above] = stack.pop();
    const { functionName, url, lineNumber } = node.callFrame;
    const path = url.startsWith("file://") ? decodeURIComponent(url.slice("file://".length)) : url;
    const frames = lineNumber < 0 ? above : [...above, [functionName, path, lineNumber + 1]];
    ids.set(node.id, node.selfSize);
    if (node.selfSize > 0) rows.push({ thread: null, allocator: null, frames, bytes: node.selfSize, count: null });
    for (const child of node.children) stack.push([child, frames]);
  }
  for (const sample of profile.samples) {
    if (ids.get(sample.nodeId) !== sample.size) throw new Error(`sample ${sample.ordinal} is not its node's`);
  }
  return rows;
}

// speedscope's own schema, and ajv, which knows what a schema means.
function speedscopeSchema() {
  const Ajv = load("ajv").default;
  const schema = JSON.parse(readFileSync(`${modules}/node_modules/speedscope/dist/release/file-format-schema.json`));
  const validate = new Ajv({ strict: false }).compile(schema);
  if (!validate(JSON.parse(readFileSync(file, "utf8")))) throw new Error(JSON.stringify(validate.errors));
  return [];
}

const formats = { pprof, heapprofile: heapProfile, speedscope: speedscopeSchema };
console.log(JSON.stringify(formats[format]()));
