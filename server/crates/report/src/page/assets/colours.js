/**
 * Colours of the graphs, for light and dark. A module has the same colour in every page.
 */
import { became } from "./format.js";

const HUES = { project: 152, library: 212, "standard library": 45, "import system": 280, "no file": 0, native: 330 };

/** Hues of what became of a frame; what is the same is grey. */
const CHANGES = { grew: 18, appeared: 330, shrank: 205, went: 255 };
/** From these parts of its larger value on, a frame that grew or shrank has a stronger colour. */
const STEPS = [0, 0.1, 0.5];

/** Whether the page is dark now. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** A colour of the style sheet by its variable, as a canvas understands it. */
export function styleColour(variable) {
  const probe = document.createElement("span");
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** A hue of 24 and a shade of 3, so that few modules look alike. */
function paintOf(name) {
  let hash = 2166136261;
  for (const c of name) hash = Math.imul(hash ^ c.codePointAt(0), 16777619);
  return { hue: ((hash >>> 8) % 24) * 15, shade: ((hash >>> 20) % 3) - 1 };
}

/** Fills of frames; `by` is `kind`, `module`, or `change` in a page of two runs. */
export class Colours {
  constructor(model, by) {
    this.model = model;
    this.by = by;
    this.dark = isDark();
    this.known = new Map();
    this.text = this.dark ? "#f2f2f3" : "#1b1b1f";
    this.dim = this.dark ? "#2c2d33" : "#e4e4e8";
    this.dimText = this.dark ? "#a0a1ab" : "#5d5e68";
    this.root = this.dark ? "#3a3b42" : "#d3d4da";
    this.match = this.dark ? "#b45309" : "#fbbf24";
    this.matchText = this.dark ? "#ffffff" : "#1b1b1f";
    this.line = this.dark ? "#18181b" : "#ffffff";
    this.mark = this.dark ? "#ffffff" : "#000000";
  }

  #fill({ hue, shade = 0 }, grey) {
    if (grey) return this.dark ? "#45464e" : "#cfd0d6";
    return this.dark ? `hsl(${hue} ${38 + 8 * shade}% ${30 - 5 * shade}%)` : `hsl(${hue} ${58 + 8 * shade}% ${80 + 5 * shade}%)`;
  }

  /** The fill of a node of a tree. */
  node(tree, node) {
    if (this.by === "change") return this.change(tree.earlier[node], tree.later[node]);
    const frame = tree.frame[node];
    if (node === 0 || tree.groupOf(frame) !== undefined) return this.root;
    return this.frame(frame);
  }

  /** The fill of something with these values. */
  change(earlier, later) {
    const kind = became(earlier, later);
    const part = Math.abs(later - earlier) / Math.max(later, earlier, 1);
    const strength = kind === "grew" || kind === "shrank" ? STEPS.findLastIndex((least) => part >= least) : 2;
    return this.changed(kind, strength);
  }

  /** The fill of a change of some strength, 0 to 2. */
  changed(kind, strength = 2) {
    const hue = CHANGES[kind];
    if (hue === undefined) return this.dark ? "#45464e" : "#e4e4e8";
    return this.dark ? `hsl(${hue} ${35 + 15 * strength}% ${24 + 6 * strength}%)` : `hsl(${hue} ${70 + 8 * strength}% ${90 - 8 * strength}%)`;
  }

  /** The fill of a frame of the model. */
  frame(frame) {
    const { model } = this;
    const file = model.fileOf(frame);
    const key = model.isStandIn(frame) ? "" : this.by === "module" ? this.moduleOf(file) : model.meta.origins[file.origin];
    return this.named(key);
  }

  /** The fill of a kind or a module by its name. */
  named(key) {
    let fill = this.known.get(key);
    if (fill === undefined) {
      fill = this.#fill(this.by === "module" ? paintOf(key) : { hue: HUES[key] }, key === "" || key === "no file");
      this.known.set(key, fill);
    }
    return fill;
  }

  /** The module that a file is coloured as. */
  moduleOf(file) {
    return file.module === undefined ? this.model.meta.origins[file.origin] : this.model.modules[file.module];
  }
}
