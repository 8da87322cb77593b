/**
 * What was recorded, ready to be asked: names of frames, the stack tree, and its counters.
 */
import { EARLIER, LATER } from "./figures.js";
import { baseName, printable, shortPath } from "./format.js";
import { Interval } from "./interval.js";

/** The facts of one profiling run. Nodes, frames, functions, files and sites are numbers. */
export class Model {
  constructor(data) {
    Object.assign(this, data);
    const { meta } = data;
    this.session = meta.session;
    /** What the run is compared with: `{session, processes}`, or null. */
    this.earlier = meta.earlier ?? null;
    this.runs = this.earlier ? [LATER, EARLIER] : [LATER];
    this.files = meta.files.map((file) => ({
      ...file,
      shown: printable(shortPath(file.path, meta.session.directory)),
      base: printable(baseName(file.path)),
    }));
    this.functions_ = meta.functions.map(([qualname, file, line]) => ({
      name: printable(qualname.slice(qualname.lastIndexOf(".") + 1)),
      qualname: printable(qualname),
      file,
      line,
    }));
    this.modules = meta.modules.map(printable);
    this.processCount = Math.max(meta.processes.length, this.earlier?.processes.length ?? 0);
    this.threads = meta.threads.map(([name, process]) => ({
      process,
      name: this.processCount > 1 ? `${printable(name)} (${this.#pids(process)})` : printable(name),
    }));
    this.frameCount = meta.counts.frames;
    this.labels = new Array(this.frameCount);
  }

  /** The numbers of a process of the session: of two runs that in the later one, then that in the earlier one. */
  #pids(index) {
    const now = this.meta.processes[index]?.pid ?? "none";
    return this.earlier ? `${now}, was ${this.earlier.processes[index]?.pid ?? "none"}` : String(now);
  }

  /** What a process of the session is called. */
  processName(index) {
    return `process ${this.#pids(index)}`;
  }

  /** The function of a frame: `{name, qualname, file, line}`. */
  functionOf(frame) {
    return this.functions_[this.frames.function[frame]];
  }

  /** Whether a frame stands for no place in a program: stacks without Python, and joined ones. */
  isStandIn(frame) {
    const index = this.frames.function[frame];
    return index === this.meta.outside || index === this.meta.joined;
  }

  /** What a frame is called in the graph. */
  label(frame) {
    const known = this.labels[frame];
    if (known !== undefined) return known;
    const made = this.functionOf(frame);
    const label = this.isStandIn(frame)
      ? made.name
      : `${made.qualname}  ${this.files[made.file].base}:${this.frames.line[frame]}${this.runMark(frame)}`;
    this.labels[frame] = label;
    return label;
  }

  /** Where a frame is: `pkg/app.py:12`. */
  place(frame) {
    if (this.isStandIn(frame)) return "";
    return `${this.files[this.functionOf(frame).file].shown}:${this.frames.line[frame]}${this.runMark(frame)}`;
  }

  /** What stands behind a line that only the earlier of two runs has. */
  runMark(frame) {
    return this.frames.run[frame] === EARLIER ? " (earlier run)" : "";
  }

  /** The file of a frame. */
  fileOf(frame) {
    return this.files[this.functionOf(frame).file];
  }

  /** Whether a file belongs to the import system. */
  isImportFile(file) {
    return this.meta.origins[this.files[file].origin] === "import system";
  }

  /** Frames that belong to the import system, as flags. */
  importFrames() {
    this.importFlags ??= Uint8Array.from({ length: this.frameCount }, (_, frame) =>
      this.isImportFile(this.functionOf(frame).file) ? 1 : 0,
    );
    return this.importFlags;
  }

  /** The frames of a stack, outermost first. */
  stack(node) {
    const frames = [];
    for (let at = node; at !== 0; at = this.nodes.parent[at]) frames.push(this.nodes.frame[at]);
    return frames.reverse();
  }

  /** A part of the time, in milliseconds; only of a full record. The last one is kept, with what was added up of it. */
  interval(from, to) {
    const made = new Interval(this, from, to);
    if (this.lastInterval?.first !== made.first || this.lastInterval.last !== made.last) this.lastInterval = made;
    return this.lastInterval;
  }

  /** Sums of sites over each node and everything that it calls. */
  below(weights) {
    const sums = new Float64Array(this.meta.counts.nodes);
    const { node } = this.sites;
    for (let site = 0; site < node.length; site++) sums[node[site]] += weights[site];
    for (let at = sums.length - 1; at > 0; at--) sums[this.nodes.parent[at]] += sums[at];
    return sums;
  }

  /**
   * Of each node, whether what `keyOf` gives for its frame is on no frame further out: there its figures count for
   * that key, so that recursion counts once.
   */
  firsts(keyOf) {
    const { parent, frame } = this.nodes;
    const flags = new Uint8Array(parent.length);
    const keys = new Float64Array(this.frameCount);
    for (let index = 0; index < this.frameCount; index++) keys[index] = keyOf(index);
    const { start, list } = children(parent);
    const on = new Map();
    const path = [];
    const next = start.slice(0, parent.length);
    let at = 0;
    for (;;) {
      if (next[at] < start[at + 1]) {
        at = list[next[at]++];
        path.push(at);
        const key = keys[frame[at]];
        const times = on.get(key) ?? 0;
        if (times === 0) flags[at] = 1;
        on.set(key, times + 1);
      } else {
        const left = path.pop();
        if (left === undefined) return flags;
        const key = keys[frame[left]];
        on.set(key, on.get(key) - 1);
        at = parent[left];
      }
    }
  }
}

/** The children of each node of a tree whose parents come first: those of `n` are `list[start[n]..start[n + 1]]`. */
export function children(parent) {
  const start = new Uint32Array(parent.length + 1);
  for (let node = 1; node < parent.length; node++) start[parent[node] + 1]++;
  for (let node = 0; node < parent.length; node++) start[node + 1] += start[node];
  const next = start.slice();
  const list = new Uint32Array(Math.max(0, parent.length - 1));
  for (let node = 1; node < parent.length; node++) list[next[parent[node]]++] = node;
  return { start, list };
}
