/**
 * What is shown, in the page's address: so a view can be left and come back to, with the browser's own buttons.
 */

const DEFAULTS = {
  view: "flame",
  figure: "peak",
  unit: "bytes",
  thread: "",
  process: "",
  module: "",
  allocator: "",
  from: "",
  to: "",
  direction: "icicle",
  inverted: "",
  split: "",
  colour: "kind",
  width: "later",
  imports: "hidden",
  small: "",
  zoom: "",
  search: "",
  rows: "lines",
  file: "",
  line: "",
};
/** Changes of these can be gone back from; the others are mere settings. */
const STEPS = ["view", "zoom", "file", "line"];

/** The state, and who wants to know of its changes. */
export class State {
  #listeners = [];
  #defaults;

  /** `defaults` are those that differ from page to page. */
  constructor(defaults) {
    this.#defaults = { ...DEFAULTS, ...defaults };
    this.#read();
    addEventListener("popstate", () => this.#moved());
    addEventListener("hashchange", () => this.#moved());
  }

  /** Calls `listener` with the names of what changed. */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** Changes some values. */
  set(values) {
    const changed = Object.keys(values).filter((name) => this[name] !== String(values[name]));
    if (changed.length === 0) return;
    for (const name of changed) this[name] = String(values[name]);
    const address = this.#address();
    if (changed.some((name) => STEPS.includes(name))) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.#tell(changed);
  }

  #tell(changed) {
    for (const listener of this.#listeners) listener(new Set(changed));
  }

  #moved() {
    const before = { ...this };
    this.#read();
    const changed = Object.keys(DEFAULTS).filter((name) => this[name] !== before[name]);
    if (changed.length > 0) this.#tell(changed);
  }

  #read() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const [name, value] of Object.entries(this.#defaults)) this[name] = given.get(name) ?? value;
  }

  #address() {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(this.#defaults)) {
      if (this[name] !== value) given.set(name, this[name]);
    }
    return `#${given}`;
  }
}
