/**
 * Starts the page: reads the data, builds the views, and shows what the address says.
 */
import { Controls, setUpTheme } from "./controls.js";
import { loadData, loadSources } from "./data.js";
import { Details } from "./details.js";
import { byId, fill } from "./element.js";
import { EARLIER, knownFigure, LATER, Selection, stackFigure } from "./figures.js";
import { FlameView } from "./flame.js";
import { difference, printable, size } from "./format.js";
import { MemoryView } from "./memory.js";
import { Model } from "./model.js";
import { caveat, Places } from "./places.js";
import { SourceView } from "./source.js";
import { State } from "./state.js";
import { showStats } from "./stats.js";
import { TableView } from "./table.js";

const VIEWS = ["flame", "memory", "source", "table", "stats"];

/** What the views share, and how they lead to each other. */
class App {
  constructor(model) {
    this.model = model;
    this.state = new State({ figure: model.meta.figure, colour: model.earlier ? "change" : "kind" });
    if (!VIEWS.includes(this.state.view)) this.state.view = "flame";
    this.selection = new Selection(model, this.state);
    this.details = new Details(byId("details-body"), this);
    this.views = {
      flame: new FlameView(this),
      memory: new MemoryView(this),
      source: new SourceView(this),
      table: new TableView(this),
      stats: { show: () => showStats(this) },
    };
    this.controls = new Controls(this);
    this.state.onChange(() => this.show());
  }

  /** The figure that is shown. */
  figure() {
    return knownFigure(this.state.figure, this.selection.interval);
  }

  /** The figure of stacks that is shown. */
  shownFigure() {
    return stackFigure(this.figure());
  }

  /** Figures by line and function of what is chosen, in a run of the page. */
  places(run = LATER) {
    const key = `${this.figure()}|${this.selection.key}`;
    if (this.placesKey !== key) {
      this.placesKey = key;
      this.knownPlaces = [LATER, EARLIER].map((each) => new Places(this.model, this.selection, this.figure(), each));
    }
    return this.knownPlaces[run];
  }

  /** The source texts, read when they are first asked for. */
  sources() {
    this.loadedSources ??= loadSources();
    return this.loadedSources;
  }

  show() {
    const { state } = this;
    this.selection = new Selection(this.model, state);
    for (const view of VIEWS) byId(`view-${view}`).hidden = view !== state.view;
    byId("details").hidden = state.view !== "flame" && state.view !== "source";
    byId("controls").hidden = state.view === "stats";
    this.controls.show();
    const sentence = caveat(this.model, state, this.selection);
    byId("caveat").hidden = sentence === null;
    fill(byId("caveat"), sentence ?? "");
    byId("tooltip").hidden = true;
    this.views[state.view].show();
  }

  /** Shows a line of a file in the source view. */
  showSource(file, line) {
    this.state.set({ view: "source", file, line });
  }

  /** Marks a line in the graph. */
  searchLine(file, line) {
    this.state.set({ view: "flame", zoom: "", search: `${this.model.files[file].path}:${line}` });
    this.views.flame.selectLargestMatch();
    byId("flame-canvas").focus({ preventScroll: true });
  }

  /** Zooms to a stack of the model. */
  zoomToStack(node) {
    const { model, state } = this;
    const hidden = state.imports === "hidden" ? model.importFrames() : null;
    const frames = model.stack(node).filter((frame) => !hidden?.[frame]);
    const zoom = frames.map((frame) => frame.toString(36)).join(".");
    state.set({ view: "flame", inverted: "", split: "", zoom });
  }
}

async function start() {
  const model = new Model(await loadData());
  const { session, earlier } = model;
  fill(byId("command"), printable(session.command.join(" ")) || "heaphint");
  const change = earlier ? ` (${difference(earlier.session.peak_bytes, session.peak_bytes, "bytes")})` : "";
  fill(byId("peak"), `peak ${size(session.peak_bytes)}${change}`);
  const app = new App(model);
  setUpTheme(() => app.show());
  byId("loading").remove();
  byId("page").hidden = false;
  app.show();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  fill(byId("loading"), `This page cannot be shown: ${error.message}. It needs a browser of 2023 or newer.`);
});
