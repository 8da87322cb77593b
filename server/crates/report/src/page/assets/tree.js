/**
 * The tree that the flame graph draws: stacks merged by frame, from the outermost or from the innermost, with frames
 * hidden and split as asked.
 *
 * A tree's frames are the model's; above them stand the groups of a split tree. Everything is in arrays, because a
 * tree can have hundreds of thousands of nodes.
 */
import { children } from "./model.js";

/** Inverted trees are built to this share of the whole: below it, they would be as large as all stacks together. */
const LEAST_INVERTED_SHARE = 1 / 20_000;

/** A tree with values, positions and depths. Node 0 is the root and stands for everything. */
export class Tree {
  /**
   * `parent` and `frame` by node, parents first. `own` is what a node has beside its children, for each run of the
   * page; `width` says which of it is drawn: `later`, `earlier`, or the `difference` of both.
   */
  constructor({ parent, frame, own }, groups, frameCount, width) {
    this.parent = Uint32Array.from(parent);
    this.frame = Uint32Array.from(frame);
    this.groups = groups;
    this.frameCount = frameCount;
    this.size = parent.length;
    const [later, earlier] = own;
    this.later = this.#sums(later);
    this.earlier = earlier ? this.#sums(earlier) : null;
    if (!earlier || width === "later") this.value = this.later;
    else if (width === "earlier") this.value = this.earlier;
    else this.value = this.#sums(later.map((value, node) => Math.abs(value - earlier[node])));
    const { start, list } = children(this.parent);
    this.childStart = start;
    this.childList = list;
    this.#layOut();
  }

  /** What each node has with its children. */
  #sums(own) {
    const sums = Float64Array.from(own);
    for (let node = sums.length - 1; node > 0; node--) sums[this.parent[node]] += sums[node];
    return sums;
  }

  /** Sorts children, the largest first, and gives each node its place. */
  #layOut() {
    const { value, childStart, childList, size } = this;
    this.start = new Float64Array(size);
    this.depth = new Uint16Array(size);
    this.enter = new Uint32Array(size);
    this.maxDepth = 0;
    const larger = (a, b) => value[b] - value[a] || a - b;
    const next = childStart.slice(0, size);
    let clock = 1;
    let at = 0;
    let from = 0;
    if (size > 0) childList.subarray(childStart[0], childStart[1]).sort(larger);
    while (size > 0) {
      if (next[at] < childStart[at + 1]) {
        const child = childList[next[at]++];
        this.start[child] = from;
        this.depth[child] = this.depth[at] + 1;
        this.maxDepth = Math.max(this.maxDepth, this.depth[child]);
        this.enter[child] = clock++;
        childList.subarray(childStart[child], childStart[child + 1]).sort(larger);
        at = child;
      } else {
        if (at === 0) break;
        from = this.start[at] + value[at];
        at = this.parent[at];
      }
    }
  }

  /** The children of a node, the largest first. */
  childrenOf(node) {
    return this.childList.subarray(this.childStart[node], this.childStart[node + 1]);
  }

  /** The child of a node with this frame. */
  childWith(node, frame) {
    return this.childrenOf(node).find((child) => this.frame[child] === frame);
  }

  /** Frames from below the root to a node. */
  path(node) {
    const frames = [];
    for (let at = node; at !== 0; at = this.parent[at]) frames.push(this.frame[at]);
    return frames.reverse();
  }

  /** The node at the end of a path, or as far as the path goes. */
  follow(path) {
    let at = 0;
    for (const frame of path) {
      const child = this.childWith(at, frame);
      if (child === undefined) break;
      at = child;
    }
    return at;
  }

  /** The group of a frame number of this tree, if it is one. */
  groupOf(frame) {
    return frame >= this.frameCount ? this.groups[frame - this.frameCount] : undefined;
  }
}

/** Nodes in the making, each found again by its parent and frame. */
class Growing {
  parent = [0];
  frame = [0];
  #known = new Map();
  #frames;
  #weights;

  /** `weights` gives each site its weight, for each run of the page. */
  constructor(frames, weights) {
    this.#frames = frames;
    this.#weights = weights;
    this.own = weights.map(() => [0]);
  }

  /** What a site weighs in all runs together. */
  weight(site) {
    let sum = 0;
    for (const weights of this.#weights) sum += weights[site];
    return sum;
  }

  /** Adds a site to what a node has itself. */
  add(node, site) {
    this.#weights.forEach((weights, run) => {
      this.own[run][node] += weights[site];
    });
  }

  child(parent, frame) {
    const key = parent * this.#frames + frame;
    let node = this.#known.get(key);
    if (node === undefined) {
      node = this.parent.length;
      this.parent.push(parent);
      this.frame.push(frame);
      for (const own of this.own) own.push(0);
      this.#known.set(key, node);
    }
    return node;
  }
}

/**
 * Builds the tree of what `weights` gives each site, for each run of the page; `width` is that of [`Tree`].
 *
 * `hidden` flags frames that are left out, `groupOf` gives the group of a site and `groups` their names, for a split
 * tree; `inverted` begins with the innermost frames.
 */
export function buildTree(model, weights, { hidden, groupOf = null, groups = [], inverted = false, width = "later" }) {
  const growing = new Growing(model.frameCount + groups.length, weights);
  const build = inverted ? fromInside : fromOutside;
  build(model, growing, hidden, groupOf);
  return new Tree(growing, groups, model.frameCount, width);
}

function fromOutside(model, growing, hidden, groupOf) {
  const { parent, frame } = model.nodes;
  const { node } = model.sites;
  const order = Uint32Array.from(node.keys());
  // One group after the other, so that one map from nodes to shown nodes is enough.
  if (groupOf) order.sort((a, b) => groupOf(a) - groupOf(b) || a - b);
  const shown = new Int32Array(parent.length).fill(-1);
  let last = null;
  const path = [];
  shown[0] = 0;
  for (const site of order) {
    if (growing.weight(site) <= 0) continue;
    const group = groupOf ? groupOf(site) : null;
    if (group !== last) {
      shown.fill(-1);
      shown[0] = growing.child(0, model.frameCount + group);
      last = group;
    }
    let at = node[site];
    while (shown[at] < 0) {
      path.push(at);
      at = parent[at];
    }
    let above = shown[at];
    while (path.length > 0) {
      const below = path.pop();
      if (!hidden[frame[below]]) above = growing.child(above, frame[below]);
      shown[below] = above;
    }
    growing.add(above, site);
  }
}

/** The node itself, or the nearest one further out that is not hidden. */
function visible(model, hidden, node) {
  let at = node;
  while (at !== 0 && hidden[model.nodes.frame[at]]) at = model.nodes.parent[at];
  return at;
}

function fromInside(model, growing, hidden, groupOf) {
  const { parent, frame } = model.nodes;
  const { node } = model.sites;
  let total = 0;
  const first = new Map();
  for (let site = 0; site < node.length; site++) {
    const weight = growing.weight(site);
    if (weight <= 0) continue;
    total += weight;
    const shown = groupOf ? growing.child(0, model.frameCount + groupOf(site)) : 0;
    if (!first.has(shown)) first.set(shown, { nodes: [], sites: [] });
    first.get(shown).nodes.push(visible(model, hidden, node[site]));
    first.get(shown).sites.push(site);
  }
  const least = total * LEAST_INVERTED_SHARE;
  const work = [...first.entries()];
  while (work.length > 0) {
    const [shown, { nodes, sites }] = work.pop();
    const callers = new Map();
    for (let index = 0; index < nodes.length; index++) {
      const at = nodes[index];
      if (at === 0) {
        growing.add(shown, sites[index]);
        continue;
      }
      let caller = callers.get(frame[at]);
      if (caller === undefined) {
        caller = { nodes: [], sites: [], sum: 0 };
        callers.set(frame[at], caller);
      }
      caller.nodes.push(visible(model, hidden, parent[at]));
      caller.sites.push(sites[index]);
      caller.sum += growing.weight(sites[index]);
    }
    for (const [called, caller] of callers) {
      const child = growing.child(shown, called);
      if (caller.sum >= least) work.push([child, caller]);
      else for (const site of caller.sites) growing.add(child, site);
    }
  }
}

/** A site is not counted by a node, is counted through what the node calls, or is the node's own. */
export const OUTSIDE = 0;
export const BELOW = 1;
export const OWN = 2;

/**
 * How the sites of the run relate to a node of a tree: a function from a site to `OUTSIDE`, `BELOW` or `OWN`. The tree
 * was built with the same `hidden`, `groupOf` and `inverted`. In an inverted tree nothing is `OWN`.
 */
export function membership(model, tree, at, { hidden, groupOf = null, inverted = false }) {
  const path = tree.path(at);
  const group = path.length > 0 && path[0] >= model.frameCount ? path.shift() - model.frameCount : null;
  const inGroup = (site) => group === null || groupOf(site) === group;
  const { parent, frame } = model.nodes;
  const { node } = model.sites;
  if (inverted) {
    return (site) => {
      if (!inGroup(site)) return OUTSIDE;
      let held = node[site];
      for (const wanted of path) {
        held = visible(model, hidden, held);
        if (held === 0 || frame[held] !== wanted) return OUTSIDE;
        held = parent[held];
      }
      return BELOW;
    };
  }
  // How much of the path each stack has followed; beyond its end, one more.
  const followed = new Int32Array(parent.length);
  for (let index = 1; index < parent.length; index++) {
    const before = followed[parent[index]];
    if (before < 0 || before > path.length || hidden[frame[index]]) followed[index] = before;
    else if (before === path.length) followed[index] = before + 1;
    else followed[index] = frame[index] === path[before] ? before + 1 : -1;
  }
  return (site) => {
    const far = followed[node[site]];
    if (far < path.length || !inGroup(site)) return OUTSIDE;
    return far === path.length ? OWN : BELOW;
  };
}
