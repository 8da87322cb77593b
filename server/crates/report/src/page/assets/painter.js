/**
 * Draws a tree on a canvas and knows what lies where. Only what can be seen is visited, so the size of the tree does
 * not matter.
 */

/** Narrower frames are drawn as one strip, device-independent pixels. */
const NARROW = 1.5;
/** Narrower frames have no label. */
const LABELLED = 28;

/** A painter of one canvas. */
export class Painter {
  constructor(canvas, model) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.model = model;
  }

  /** Fits the canvas to its place: width and height in pixels of the page. */
  resize(width, height) {
    this.ratio = window.devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.canvas.width = Math.max(1, Math.round(width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(height * this.ratio));
    const fontSize = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.row = Math.round(fontSize * 1.45);
    this.font = `${Math.round(fontSize * 0.8)}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
    this.context.font = this.font;
    this.character = this.context.measureText("0123456789").width / 10;
  }

  /** The height that the whole tree takes. */
  heightOf(tree) {
    return (tree.maxDepth + 1) * this.row;
  }

  /**
   * Draws. `view` is `{tree, from, span, top, flames, least, matches, searching, colours, rootLabel, selected, hovered}`:
   * `from` and `span` the range of values across, `top` the scrolled pixels, `matches` flags by frame.
   */
  draw(view) {
    const { context: c, ratio, width, height, row } = this;
    const { tree, colours } = view;
    this.view = view;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.fillStyle = colours.line;
    c.fillRect(0, 0, width, height);
    c.font = this.font;
    c.textBaseline = "middle";
    this.scale = view.span > 0 ? width / view.span : 0;
    this.labels = [];
    this.#frame(0, 0, width);
    const stack = [0];
    while (stack.length > 0) {
      const node = stack.pop();
      const kids = tree.childrenOf(node);
      const depth = tree.depth[node] + 1;
      const y = this.yOf(depth);
      if (view.flames ? y + row < 0 : y > height) continue;
      for (let index = this.#firstEndingAfter(kids, view.from); index < kids.length; index++) {
        const child = kids[index];
        const x = (tree.start[child] - view.from) * this.scale;
        if (x > width) break;
        if (tree.value[child] < view.least) break;
        const wide = tree.value[child] * this.scale;
        if (wide < NARROW) {
          // What follows is no wider.
          const last = kids[kids.length - 1];
          const end = (tree.start[last] + tree.value[last] - view.from) * this.scale;
          c.fillStyle = colours.dim;
          c.fillRect(x, y, Math.min(end, width) - x, row - 1);
          break;
        }
        const left = Math.max(0, x);
        this.#frame(child, left, Math.min(width, x + wide) - left);
        stack.push(child);
      }
    }
    this.#label();
    for (const [node, wide] of [[view.hovered, 1], [view.selected, 2]]) {
      if (node !== null && node !== undefined) this.#outline(node, wide);
    }
  }

  /** Index of the first child that ends after a value: children stand in the order of their places. */
  #firstEndingAfter(kids, value) {
    const { tree } = this.view;
    let low = 0;
    let high = kids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (tree.start[kids[middle]] + tree.value[kids[middle]] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #frame(node, x, wide) {
    const { context: c, view, row, height } = this;
    const { tree, colours } = view;
    const y = this.yOf(tree.depth[node]);
    if (y + row < 0 || y > height || wide <= 0) return;
    const frame = tree.frame[node];
    const group = tree.groupOf(frame);
    const matches = node !== 0 && group === undefined && view.matches?.[frame];
    let text = colours.text;
    if (matches) {
      c.fillStyle = colours.match;
      text = colours.matchText;
    } else if (view.searching) {
      c.fillStyle = colours.dim;
      text = colours.dimText;
    } else {
      c.fillStyle = colours.node(tree, node);
    }
    c.fillRect(x, y, wide > 2 ? wide - 0.5 : wide, row - 1);
    if (wide >= LABELLED) this.labels.push([node, x, y, wide, text]);
  }

  #label() {
    const { context: c, row } = this;
    let last = null;
    for (const [node, x, y, wide, text] of this.labels) {
      if (text !== last) c.fillStyle = text;
      last = text;
      const label = this.labelOf(node);
      const room = Math.floor((wide - 8) / this.character);
      const shown = label.length <= room ? label : `${label.slice(0, Math.max(0, room - 1))}…`;
      if (isPlain(shown)) {
        c.fillText(shown, x + 4, y + row / 2);
        continue;
      }
      // Other scripts have other widths.
      c.save();
      c.beginPath();
      c.rect(x, y, wide - 2, row);
      c.clip();
      c.fillText(shown, x + 4, y + row / 2);
      c.restore();
    }
  }

  #outline(node, wide) {
    const { context: c, row, view } = this;
    const { x, width } = this.spanOf(node);
    if (width <= 0) return;
    c.strokeStyle = view.colours.mark;
    c.lineWidth = wide;
    c.strokeRect(x + wide / 2, this.yOf(view.tree.depth[node]) + wide / 2, Math.max(1, width - wide), row - 1 - wide);
  }

  /** What is written on a node. */
  labelOf(node) {
    const { tree, rootLabel } = this.view;
    if (node === 0) return rootLabel;
    return tree.groupOf(tree.frame[node]) ?? this.model.label(tree.frame[node]);
  }

  /** The visible part of a node across. */
  spanOf(node) {
    const { tree, from } = this.view;
    const x = (tree.start[node] - from) * this.scale;
    const left = Math.max(0, x);
    return { x: left, width: Math.min(this.width, x + tree.value[node] * this.scale) - left };
  }

  /** The top of a row on the canvas. */
  yOf(depth) {
    const { top, flames, tree } = this.view;
    const y = flames ? this.heightOfRows(tree) - (depth + 1) * this.row : depth * this.row;
    return y - top;
  }

  /** A flame graph stands on the ground, however low it is. */
  heightOfRows(tree) {
    return Math.max(this.heightOf(tree), this.height);
  }

  /** The node at a point of the canvas, or null. */
  nodeAt(x, y) {
    const { view, row } = this;
    if (!view || view.span <= 0) return null;
    const { tree } = view;
    const down = y + view.top;
    const depth = Math.floor((view.flames ? this.heightOfRows(tree) - down : down) / row);
    const value = view.from + x / this.scale;
    let node = 0;
    for (let at = 0; at < depth; at++) {
      const kids = tree.childrenOf(node);
      const first = kids[this.#firstEndingAfter(kids, value)];
      if (first === undefined || tree.start[first] > value || tree.value[first] < view.least) return null;
      if (tree.value[first] * this.scale < NARROW) return null;
      node = first;
    }
    return node;
  }
}

function isPlain(text) {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x24f && code !== 0x2026) return false;
  }
  return true;
}
