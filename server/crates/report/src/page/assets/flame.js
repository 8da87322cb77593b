/**
 * The flame graph: builds the tree that the state asks for, and moves through it by pointer and keyboard.
 */
import { Colours } from "./colours.js";
import { byId, element, fill } from "./element.js";
import { figureNamed } from "./figures.js";
import { amount, became, counted, difference, printable, share } from "./format.js";
import { Painter } from "./painter.js";
import { matchingFrames, matchingNodes } from "./search.js";
import { buildTree, membership } from "./tree.js";

/** Duration of a zoom, milliseconds. */
const ZOOM_MS = 160;

/** Groups of a split tree: names, and which one a site belongs to. */
function grouping(model, split) {
  const { sites } = model;
  if (split === "thread") return { groups: model.threads.map(({ name }) => name), groupOf: (site) => sites.thread[site] };
  if (split === "process") {
    const groups = Array.from({ length: model.processCount }, (_, index) => model.processName(index));
    return { groups, groupOf: (site) => model.threads[sites.thread[site]]?.process ?? 0 };
  }
  if (split === "module") return { groups: model.modules, groupOf: (site) => sites.module[site] };
  if (split === "allocator") return { groups: model.meta.allocators, groupOf: (site) => sites.allocator[site] };
  return {};
}

/** The view of the tree. */
export class FlameView {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.state = app.state;
    this.scroller = byId("flame-scroller");
    this.canvas = byId("flame-canvas");
    this.ground = byId("flame-ground");
    this.tooltip = byId("tooltip");
    this.painter = new Painter(this.canvas, this.model);
    this.none = new Uint8Array(this.model.frameCount);
    this.selected = 0;
    this.hovered = null;
    this.#listen();
    new ResizeObserver(() => this.resize()).observe(this.scroller);
  }

  #listen() {
    const { canvas, scroller } = this;
    canvas.addEventListener("pointermove", (event) => this.#hover(event));
    canvas.addEventListener("pointerleave", () => this.#hover(null));
    canvas.addEventListener("click", (event) => {
      const node = this.painter.nodeAt(...this.#position(event));
      if (node === null) return;
      this.select(node, false);
      this.zoomTo(node);
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    scroller.addEventListener("scroll", () => this.draw());
    byId("flame-back").addEventListener("click", () => history.back());
    byId("flame-forward").addEventListener("click", () => history.forward());
    byId("flame-reset").addEventListener("click", () => this.zoomTo(0));
    byId("search-next").addEventListener("click", () => this.#nextMatch(1));
    byId("search-previous").addEventListener("click", () => this.#nextMatch(-1));
    byId("search").addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#nextMatch(event.shiftKey ? -1 : 1);
    });
  }

  /** Shows what the state asks for. */
  show() {
    const { state, model } = this;
    const figure = this.app.shownFigure();
    const key = [figure, state.unit, this.app.selection.key, state.inverted, state.split, state.imports, state.width].join("|");
    if (key !== this.key) {
      const path = this.tree ? this.tree.path(this.selected) : [];
      this.key = key;
      this.options = {
        hidden: state.imports === "hidden" ? model.importFrames() : this.none,
        inverted: state.inverted !== "",
        width: state.width,
        ...grouping(model, state.split),
      };
      this.tree = buildTree(model, this.app.selection.weightsOfRuns(figure, state.unit), this.options);
      this.selected = this.tree.follow(path);
      this.from = 0;
      this.span = this.tree.value[0];
      this.searched = null;
      this.hovered = null;
    }
    this.colours = new Colours(model, !model.earlier && state.colour === "change" ? "kind" : state.colour);
    this.zoomed = this.tree.follow(this.#zoomPath());
    if (!this.#isInside(this.selected, this.zoomed)) this.selected = this.zoomed;
    this.#search();
    this.#crumbs();
    this.#legend();
    this.resize();
    this.#move();
    this.details();
    this.canvas.setAttribute("aria-label", this.#summary());
  }

  #isInside(node, ancestor) {
    for (let at = node; ; at = this.tree.parent[at]) {
      if (at === ancestor) return true;
      if (at === 0) return false;
    }
  }

  #zoomPath() {
    return this.state.zoom === "" ? [] : this.state.zoom.split(".").map((part) => Number.parseInt(part, 36));
  }

  #summary() {
    const figure = figureNamed(this.app.shownFigure());
    return `Flame graph of ${this.#value([0])} ${figure.what}. Arrow keys move, Enter zooms, Escape zooms out.`;
  }

  /** Zooms to a node. */
  zoomTo(node) {
    this.state.set({ zoom: this.tree.path(node).map((frame) => frame.toString(36)).join(".") });
  }

  /** Makes a node the one that the panel tells of. */
  select(node, announce = true) {
    this.selected = node;
    if (announce) {
      this.#scrollTo(node);
      byId("announcement").textContent = this.describe(node);
    }
    this.draw();
    this.details();
  }

  /** The panel beside the graph. */
  details() {
    const { tree, selected, model, options } = this;
    if (this.state.view !== "flame") return;
    this.app.details.showNode(tree, selected, membership(model, tree, selected, options), options.inverted);
  }

  /** A node in a sentence. */
  describe(node) {
    const { tree, model } = this;
    const value = this.#value([node]);
    if (node === 0) return `Everything, ${value}`;
    const frame = tree.frame[node];
    const group = tree.groupOf(frame);
    if (group !== undefined) return `${group}, ${value}`;
    const place = model.place(frame);
    return `${model.functionOf(frame).qualname}${place ? ` at ${place}` : ""}, ${value}`;
  }

  /** What nodes hold together, in words. */
  #value(nodes) {
    return this.#parts(nodes).join(", ");
  }

  /** What nodes hold together, and its share; of two runs what it was and is, and what became of it. */
  #parts(nodes) {
    const { tree, state } = this;
    const sum = (values) => nodes.reduce((total, node) => total + values[node], 0);
    const shown = (value) => `${amount(value, state.unit)}${state.unit === "count" ? " allocations" : ""}`;
    if (!tree.earlier) return [shown(sum(tree.value)), share(sum(tree.value), tree.value[0])];
    const [earlier, later] = [sum(tree.earlier), sum(tree.later)];
    const change = became(earlier, later) === "same" ? "same" : `${became(earlier, later)}: ${difference(earlier, later, state.unit)}`;
    return [`${shown(earlier)} before, ${shown(later)} now`, change];
  }

  resize() {
    const { scroller, painter, ground, tree } = this;
    if (!tree || scroller.clientWidth === 0) return;
    const { clientWidth: width, clientHeight: height } = scroller;
    if (painter.width !== width || painter.height !== height || painter.ratio !== (window.devicePixelRatio || 1)) {
      painter.resize(width, height);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const flames = this.state.direction === "flame";
    const whole = painter.heightOf(tree);
    ground.style.height = `${Math.max(0, whole - height)}px`;
    if (flames !== this.wasFlames || this.key !== this.scrolledKey) {
      scroller.scrollTop = flames ? Math.max(0, whole - height) : 0;
      this.wasFlames = flames;
      this.scrolledKey = this.key;
    }
    this.draw();
  }

  /** Moves the shown range to the zoomed node, in a few steps unless somebody wants no motion. */
  #move() {
    const { tree, zoomed } = this;
    const to = { from: tree.start[zoomed], span: tree.value[zoomed] };
    const start = { from: this.from, span: this.span };
    if (start.from === to.from && start.span === to.span) {
      this.draw();
      return;
    }
    const begin = performance.now();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const step = (now) => {
      const part = still ? 1 : Math.min(1, Math.max(0, (now - begin) / ZOOM_MS));
      const eased = 1 - (1 - part) ** 3;
      this.from = part === 1 ? to.from : start.from + (to.from - start.from) * eased;
      this.span = part === 1 ? to.span : start.span + (to.span - start.span) * eased;
      this.draw();
      this.moving = part < 1 ? requestAnimationFrame(step) : 0;
    };
    cancelAnimationFrame(this.moving);
    this.moving = requestAnimationFrame(step);
    this.#scrollTo(zoomed);
  }

  #scrollTo(node) {
    const { painter, scroller, tree, state } = this;
    if (!painter.row) return;
    const row = tree.depth[node] * painter.row;
    const y = state.direction === "flame" ? painter.heightOfRows(tree) - row - painter.row : row;
    const margin = 2 * painter.row;
    if (y < scroller.scrollTop + margin) scroller.scrollTop = Math.max(0, y - margin);
    else if (y + painter.row > scroller.scrollTop + scroller.clientHeight - margin) {
      scroller.scrollTop = y + painter.row + margin - scroller.clientHeight;
    }
  }

  draw() {
    if (!this.tree || !this.painter.width) return;
    const { state, tree } = this;
    const figure = figureNamed(this.app.shownFigure());
    const [whole, change] = this.#parts([0]);
    this.painter.draw({
      tree,
      from: this.from,
      span: this.span,
      top: this.scroller.scrollTop,
      flames: state.direction === "flame",
      least: tree.value[0] * (Number(state.small) / 100),
      matches: this.matches?.flags,
      searching: this.matches !== null,
      colours: this.colours,
      rootLabel: `everything: ${whole} ${figure.what}${tree.earlier ? `, ${change}` : ""}`,
      selected: this.selected,
      hovered: this.hovered,
    });
  }

  /** Finds what is searched, and says how much it is. */
  #search() {
    const { state, tree, model } = this;
    const searched = `${state.search}|${this.key}`;
    if (searched === this.searched) return;
    this.searched = searched;
    this.matches = matchingFrames(model, state.search);
    const result = byId("search-result");
    if (!this.matches) {
      this.found = [];
      fill(result, "");
    } else if (this.matches.error) {
      this.found = [];
      fill(result, this.matches.error);
    } else {
      const { nodes, outermost } = matchingNodes(tree, this.matches.flags);
      this.found = nodes;
      fill(result, nodes.length === 0 ? "nothing found" : `${counted(nodes.length, "frame")}: ${this.#value(outermost)}`);
    }
    for (const id of ["search-next", "search-previous"]) byId(id).disabled = this.found.length === 0;
  }

  #nextMatch(step) {
    const { found, tree } = this;
    if (!found || found.length === 0) return;
    const here = tree.enter[this.selected];
    let index = found.findIndex((node) => tree.enter[node] >= here);
    if (index < 0) index = found.length;
    if (found[index] === this.selected) index += step;
    else if (step < 0) index -= 1;
    const node = found[(index + found.length) % found.length];
    if (!this.#isInside(node, this.zoomed)) this.zoomTo(0);
    this.select(node);
  }

  /** Makes the largest match the selected node. */
  selectLargestMatch() {
    const { found, tree } = this;
    if (found.length === 0) return;
    this.select(found.reduce((largest, node) => (tree.value[node] > tree.value[largest] ? node : largest)));
  }

  #crumbs() {
    const { tree, model } = this;
    const path = [];
    for (let at = this.zoomed; at !== 0; at = tree.parent[at]) path.push(at);
    path.push(0);
    path.reverse();
    const name = (node) => {
      if (node === 0) return "everything";
      const frame = tree.frame[node];
      return tree.groupOf(frame) ?? model.functionOf(frame).qualname;
    };
    const list = byId("breadcrumbs");
    fill(
      list,
      path.map((node) =>
        element(
          "li",
          {},
          element(
            "button",
            { type: "button", class: "name", "aria-current": node === this.zoomed ? "location" : null, on: { click: () => this.zoomTo(node) } },
            name(node),
          ),
        ),
      ),
    );
    list.scrollLeft = list.scrollWidth;
    byId("flame-reset").disabled = this.zoomed === 0;
  }

  #legend() {
    const { model, state, colours } = this;
    if (colours.by === "change") {
      this.#changeLegend();
      return;
    }
    let names;
    if (state.colour === "module") {
      const bytes = new Map();
      const weights = this.app.selection.weights(this.app.shownFigure(), state.unit);
      model.sites.module.forEach((module, site) => bytes.set(module, (bytes.get(module) ?? 0) + weights[site]));
      names = [...bytes].filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1]).slice(0, 8).map(([module]) => model.modules[module]);
      names = names.map((name) => (name === "<root>" ? "standard library" : name));
    } else {
      const used = new Set(Array.from(model.frames.function, (_, frame) => (model.isStandIn(frame) ? -1 : model.fileOf(frame).origin)));
      names = model.meta.origins.filter((_, index) => used.has(index));
      if (state.imports === "hidden") names = names.filter((name) => name !== "import system");
    }
    this.#showLegend(names.map((name) => [colours.named(name), name]));
  }

  #changeLegend() {
    const { colours } = this;
    const names = [
      ["grew", 2, "grew by 50 % or more"],
      ["grew", 1, "10 % or more"],
      ["grew", 0, "less"],
      ["appeared", 2, "appeared"],
      ["same", 0, "same"],
      ["shrank", 0, "shrank by less than 10 %"],
      ["shrank", 1, "less than 50 %"],
      ["shrank", 2, "more"],
      ["went", 2, "went"],
    ];
    this.#showLegend(names.map(([kind, strength, name]) => [colours.changed(kind, strength), name]));
  }

  #showLegend(entries) {
    fill(
      byId("flame-legend"),
      entries.map(([colour, name]) => {
        const swatch = element("span", { class: "swatch" });
        swatch.style.background = colour;
        return element("li", { class: "name" }, swatch, name);
      }),
    );
  }

  #position(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #hover(event) {
    const node = event ? this.painter.nodeAt(...this.#position(event)) : null;
    if (node !== this.hovered) {
      this.hovered = node;
      this.draw();
    }
    const { tooltip, tree, model } = this;
    tooltip.hidden = node === null;
    this.canvas.classList.toggle("pointing", node !== null);
    if (node === null) return;
    const frame = tree.frame[node];
    const group = tree.groupOf(frame);
    const title = node === 0 ? "everything" : (group ?? model.functionOf(frame).qualname);
    const place = node === 0 || group !== undefined ? "" : model.place(frame);
    const figure = figureNamed(this.app.shownFigure());
    const [value, rest] = this.#parts([node]);
    fill(
      tooltip,
      element("strong", { class: "name" }, printable(title)),
      place && element("span", { class: "name" }, place),
      element("span", {}, `${value} ${figure.what}, ${rest}`),
    );
    const { innerWidth, innerHeight } = window;
    const box = tooltip.getBoundingClientRect();
    tooltip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8))}px`;
    const above = event.clientY - box.height - 12;
    tooltip.style.top = `${event.clientY + 18 + box.height > innerHeight ? Math.max(4, above) : event.clientY + 18}px`;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { tree, selected, state } = this;
    const siblings = selected === 0 ? [0] : Array.from(tree.childrenOf(tree.parent[selected]));
    const beside = (step) => siblings[siblings.indexOf(selected) + step];
    const inwards = state.direction === "flame" ? "ArrowUp" : "ArrowDown";
    const outwards = state.direction === "flame" ? "ArrowDown" : "ArrowUp";
    const moves = {
      [inwards]: () => tree.childrenOf(selected)[0],
      [outwards]: () => (selected === 0 ? undefined : tree.parent[selected]),
      ArrowRight: () => beside(1),
      ArrowLeft: () => beside(-1),
      Home: () => 0,
    };
    if (moves[event.key]) {
      const node = moves[event.key]();
      if (node !== undefined) {
        if (!this.#isInside(node, this.zoomed)) this.zoomTo(node);
        this.select(node);
      }
    } else if (event.key === "Enter" || event.key === " ") this.zoomTo(selected);
    else if (event.key === "Escape") this.zoomTo(0);
    else if (event.key === "Backspace") this.zoomTo(tree.parent[this.zoomed]);
    else if (event.key === "n") this.#nextMatch(1);
    else if (event.key === "N") this.#nextMatch(-1);
    else return;
    event.preventDefault();
  }
}
