/**
 * Reads the data that the page carries: base64 of deflated bytes in elements that no browser runs. What is read here
 * is written by `page/data.rs`, in the same order.
 */

/** The figures that add up, in the order of the columns. */
export const SUMS = ["peak", "allocated", "leaked", "temporary"];

/** The bytes of one part of the data. */
async function bytesOf(id) {
  const node = document.getElementById(id);
  const text = atob(node.textContent);
  const packed = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) packed[index] = text.charCodeAt(index);
  node.remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function jsonOf(id) {
  return JSON.parse(new TextDecoder().decode(await bytesOf(id)));
}

/** Columns of LEB128 numbers, one after the other. */
export class Columns {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  #number() {
    let value = 0;
    let scale = 1;
    let byte;
    do {
      byte = this.#bytes[this.#at++];
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte & 0x80);
    return value;
  }

  /** The next column, as an array of the given kind. */
  read(length, Kind = Uint32Array) {
    const values = new Kind(length);
    for (let index = 0; index < length; index++) values[index] = this.#number();
    return values;
  }

  /** The next column, of steps between rising numbers. */
  readRising(length, Kind = Uint32Array) {
    const values = this.read(length, Kind);
    for (let index = 1; index < length; index++) values[index] += values[index - 1];
    return values;
  }

  /** The next columns: bytes and count of each figure that adds up. */
  readSums(length) {
    const sums = {};
    for (const figure of SUMS) {
      sums[figure] = { bytes: this.read(length, Float64Array), count: this.read(length, Float64Array) };
    }
    return sums;
  }

  /** The next columns: a maximum, and the number of the reason why it is not exact. */
  readMaxima(length) {
    return { bytes: this.read(length, Float64Array), why: this.read(length, Uint8Array) };
  }
}

/** Reason number of a maximum that is not known at all. */
export const UNKNOWN = 255;

/** Maxima that nobody knows. */
function unknownMaxima(length) {
  return { bytes: new Float64Array(length), why: new Uint8Array(length).fill(UNKNOWN) };
}

/**
 * Of lines or functions of two runs: which run has them (`EARLIER` for those that only that one has), the line where
 * they were then, whether that is a guess, and their figures in the earlier run.
 */
function readEarlier(meta, places, length) {
  if (!meta.earlier) return { run: new Uint8Array(length) };
  return {
    run: places.read(length, Uint8Array),
    was: places.read(length),
    guess: places.read(length, Uint8Array),
    earlier: {
      total: places.readSums(length),
      totalMax: places.readMaxima(length),
      own: places.readSums(length),
      ownMax: unknownMaxima(length),
    },
  };
}

/** Everything but the source texts, as plain arrays. */
export async function loadData() {
  const [meta, graphBytes, placeBytes, historyBytes] = await Promise.all([
    jsonOf("data-meta"),
    bytesOf("data-graph"),
    bytesOf("data-places"),
    bytesOf("data-history"),
  ]);
  const { counts } = meta;
  const graph = new Columns(graphBytes);
  const frames = { function: graph.read(counts.frames), line: graph.read(counts.frames), run: graph.read(counts.frames, Uint8Array) };
  const nodes = { parent: graph.read(counts.nodes), frame: graph.read(counts.nodes) };
  for (let node = 0; node < counts.nodes; node++) nodes.parent[node] = node - nodes.parent[node];
  const sites = {
    node: graph.readRising(counts.sites),
    thread: graph.read(counts.sites),
    allocator: graph.read(counts.sites),
    module: graph.read(counts.sites),
    run: graph.read(counts.sites, Uint8Array),
    sums: graph.readSums(counts.sites),
    sizes: meta.sizes.map(() => (counts.sites > 0 ? graph.read(counts.sites, Float64Array) : new Float64Array())),
  };
  const timeline = ({ samples }) => ({
    elapsed: graph.readRising(samples, Float64Array),
    rss: graph.read(samples, Float64Array),
    heap: graph.read(samples, Float64Array),
  });
  const timelines = meta.processes.map(timeline);
  const earlierTimelines = (meta.earlier?.processes ?? []).map(timeline);
  const places = new Columns(placeBytes);
  const lines = {
    file: places.read(counts.lines),
    line: places.read(counts.lines),
    function: places.read(counts.lines),
    total: places.readSums(counts.lines),
    totalMax: places.readMaxima(counts.lines),
    own: places.readSums(counts.lines),
    ownMax: meta.earlier ? unknownMaxima(counts.lines) : places.readMaxima(counts.lines),
    ...readEarlier(meta, places, counts.lines),
  };
  const functions = {
    function: places.read(counts.functions),
    total: places.readSums(counts.functions),
    totalMax: places.readMaxima(counts.functions),
    own: places.readSums(counts.functions),
    ownMax: unknownMaxima(counts.functions),
    ...readEarlier(meta, places, counts.functions),
  };
  const history = meta.history ? readHistory(new Columns(historyBytes), meta.history) : null;
  return { meta, frames, nodes, sites, timelines, earlierTimelines, lines, functions, history };
}

/** What happened to each site over time: see `page/history.rs`. */
function readHistory(columns, counts) {
  const { ticks, changes, lifetimes } = counts;
  return {
    ticks: { end: columns.readRising(ticks, Float64Array), peak: columns.read(ticks, Float64Array) },
    changes: {
      tick: columns.readRising(changes),
      site: columns.read(changes),
      bytes: columns.read(changes, Float64Array),
      count: columns.read(changes, Float64Array),
    },
    lifetimes: {
      site: columns.readRising(lifetimes),
      allocated: columns.read(lifetimes),
      freed: columns.read(lifetimes),
      bytes: columns.read(lifetimes, Float64Array),
      count: columns.read(lifetimes, Float64Array),
    },
  };
}

/** The source texts: by file, `{changed, lines}`, where `lines` maps a number to its text, and `whole` tells whether all are there. */
export async function loadSources() {
  const sources = new Map();
  for (const { file, changed, text, lines } of await jsonOf("data-source")) {
    const whole = text !== undefined;
    const numbered = whole ? text.split(/\r\n|\r|\n/).map((line, index) => [index + 1, line]) : lines;
    if (whole && numbered.at(-1)[1] === "" && numbered.length > 1) numbered.pop();
    sources.set(file, { changed, whole, lines: new Map(numbered) });
  }
  return sources;
}
