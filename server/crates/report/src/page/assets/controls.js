/**
 * Tabs, choices and filters around the views.
 */
import { byId, element, fill } from "./element.js";
import { FIGURES, knownFigure } from "./figures.js";
import { isDark } from "./colours.js";

const THEME_KEY = "heaphint-theme";
/** Choices that the state holds, by the id of their element, which is also their name. */
const CHOICES = ["figure", "unit", "thread", "process", "module", "allocator", "split", "colour", "width", "direction", "small"];
/** The same for those that are on or off, with the value of each. */
const SWITCHES = { inverted: ["yes", ""], imports: ["hidden", "shown"] };

/** Storage may be closed to pages from a file or in a frame. */
function stored(value) {
  try {
    if (value !== undefined) localStorage.setItem(THEME_KEY, value);
    return localStorage.getItem(THEME_KEY);
  } catch {
    return null;
  }
}

/** Light or dark: as the system says, until somebody chooses. */
export function setUpTheme(changed) {
  const root = document.documentElement;
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    byId("theme").setAttribute("aria-label", isDark() ? "Switch to light" : "Switch to dark");
    byId("theme").textContent = isDark() ? "☀" : "☾";
  };
  apply(stored());
  byId("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    stored(theme);
    apply(theme);
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    apply(null);
    changed();
  });
}

/** Fills the choices and keeps them and the state the same. */
export class Controls {
  constructor(app) {
    this.app = app;
    const { model, state } = app;
    fill(byId("figure"), FIGURES.map(({ name, title, meaning }) => element("option", { value: name, title: meaning }, title)));
    this.#filter("thread", "All threads", used(model.sites.thread), (index) => model.threads[index]?.name ?? "?");
    const processes = Array.from({ length: model.processCount }, (_, index) => index);
    this.#filter("process", "All processes", processes, (index) => model.processName(index));
    this.#filter("module", "All modules", used(model.sites.module), (index) => model.modules[index]);
    this.#filter("allocator", "All allocators", used(model.sites.allocator), (index) => model.meta.allocators[index]);
    byId("width").closest("label").hidden = !model.earlier;
    if (!model.earlier) byId("colour").querySelector("[value=change]").remove();
    for (const name of CHOICES) byId(name).addEventListener("change", (event) => state.set({ [name]: event.target.value }));
    for (const [name, [on, off]] of Object.entries(SWITCHES)) {
      byId(name).addEventListener("change", (event) => state.set({ [name]: event.target.checked ? on : off }));
    }
    byId("search").addEventListener("input", (event) => state.set({ search: event.target.value }));
    byId("clear-filters").addEventListener("click", () => state.set({ thread: "", process: "", module: "", allocator: "", from: "", to: "" }));
    byId("filters-toggle").addEventListener("click", () => this.#toggleFilters());
    byId("help").addEventListener("click", () => byId("help-dialog").showModal());
    byId("help-close").addEventListener("click", () => byId("help-dialog").close());
    this.#tabs();
    addEventListener("keydown", (event) => this.#key(event));
  }

  #filter(id, all, values, nameOf) {
    const named = values.map((value) => [value, nameOf(value)]).sort((a, b) => a[1].localeCompare(b[1]));
    fill(byId(id), element("option", { value: "" }, all), named.map(([value, name]) => element("option", { value }, name.slice(0, 80))));
    byId(id).closest("label").hidden = values.length < 2;
  }

  #toggleFilters() {
    const box = byId("controls");
    const open = box.classList.toggle("open");
    byId("filters-toggle").setAttribute("aria-expanded", String(open));
  }

  #tabs() {
    const tabs = Array.from(byId("tabs").querySelectorAll("[role=tab]"));
    for (const tab of tabs) {
      tab.addEventListener("click", () => this.app.state.set({ view: tab.dataset.view }));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
        this.app.state.set({ view: next.dataset.view });
        next.focus();
      });
    }
  }

  #key(event) {
    const typing = event.target instanceof HTMLElement && event.target.matches("input, select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const id = { flame: "search", source: "source-filter", table: "table-filter" }[this.app.state.view];
      if (!id) return;
      event.preventDefault();
      byId(id).focus();
    } else if (event.key === "?") {
      byId("help-dialog").showModal();
    }
  }

  /** Shows what the state says. */
  show() {
    const { state, selection } = this.app;
    for (const name of CHOICES) byId(name).value = state[name];
    for (const [name, [on]] of Object.entries(SWITCHES)) byId(name).checked = state[name] === on;
    if (byId("search").value !== state.search) byId("search").value = state.search;
    for (const tab of byId("tabs").querySelectorAll("[role=tab]")) {
      const chosen = tab.dataset.view === state.view;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    // Stacks have no maximum of their own, and a maximum has no count. Of a part of the time not all figures are known.
    for (const option of byId("figure").options) {
      option.disabled = knownFigure(option.value, selection.interval) !== option.value || (option.value === "max" && state.view === "flame");
    }
    byId("figure").value = state.view === "flame" ? this.app.shownFigure() : this.app.figure();
    const isTable = state.view === "table" && !this.app.model.earlier;
    byId("unit").disabled = isTable || (state.view === "source" && state.figure === "max");
    byId("clear-filters").hidden = selection.isAll;
    document.body.dataset.view = state.view;
  }
}

/** The different values of a column. */
function used(column) {
  return [...new Set(column)];
}
