/**
 * Frames that match what somebody typed.
 */

/**
 * A test of texts: a part of them in any case, or a regular expression between slashes. `null` for nothing to search.
 * @returns {{test: (text: string) => boolean, error: string | null} | null}
 */
export function matcher(query) {
  const wanted = query.trim();
  if (wanted === "") return null;
  const expression = wanted.match(/^\/(.+)\/$/);
  if (expression) {
    try {
      const pattern = new RegExp(expression[1], "i");
      return { test: (text) => pattern.test(text), error: null };
    } catch {
      return { test: () => false, error: "This is no regular expression." };
    }
  }
  const lower = wanted.toLowerCase();
  // `app.py:5` is line 5, and not line 50.
  const isLine = /:\d+$/.test(lower);
  return {
    test: (text) => {
      const at = text.toLowerCase();
      return isLine ? at.endsWith(lower) : at.includes(lower);
    },
    error: null,
  };
}

/** Flags of the frames whose function, path or line match; `null` for nothing to search. */
export function matchingFrames(model, query) {
  const match = matcher(query);
  if (!match) return null;
  const flags = new Uint8Array(model.frameCount);
  for (let frame = 0; frame < flags.length; frame++) {
    const made = model.functionOf(frame);
    const text = model.isStandIn(frame)
      ? made.name
      : `${made.qualname} ${model.files[made.file].path}:${model.frames.line[frame]}`;
    flags[frame] = match.test(text) ? 1 : 0;
  }
  return { flags, error: match.error };
}

/**
 * Nodes of a tree that match, in the order in which they are drawn, and those of them that no other match calls: what
 * these hold is what all hold together.
 */
export function matchingNodes(tree, flags) {
  const nodes = [];
  const outermost = [];
  const isMatch = (node) => tree.frame[node] < tree.frameCount && flags[tree.frame[node]] === 1;
  const covered = new Uint8Array(tree.size);
  for (let node = 1; node < tree.size; node++) {
    covered[node] = covered[tree.parent[node]];
    if (!isMatch(node)) continue;
    nodes.push(node);
    // What a match calls is in its sum already.
    if (!covered[node]) outermost.push(node);
    covered[node] = 1;
  }
  nodes.sort((a, b) => tree.enter[a] - tree.enter[b]);
  return { nodes, outermost };
}
