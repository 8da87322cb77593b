/**
 * Colours of the graphs, for light and dark. A module has the same colour in every page.
 */

const HUES = { project: 152, library: 212, "standard library": 45, "import system": 280, "no file": 0, native: 330 };

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

/** Fills of frames; `by` is `kind` or `module`. */
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

  /** The fill of a frame of the model. */
  frame(frame) {
    const { model } = this;
    const file = model.fileOf(frame);
    const key = model.isStandIn(frame) ? "" : this.by === "module" ? this.moduleOf(file) : model.meta.origins[file.origin];
    return this.named(key);
  }

  /** The fill of a group of a split tree. */
  group() {
    return this.root;
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
