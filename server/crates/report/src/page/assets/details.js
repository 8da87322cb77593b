/**
 * What is known of one frame of the graph, or of one line: its figures, sizes, threads and source.
 */
import { SUMS } from "./data.js";
import { bar, element, fill } from "./element.js";
import { EARLIER, FIGURES, figureNamed, knownFigure, LATER } from "./figures.js";
import { amount, counted, difference, exactly, grouped, share, size } from "./format.js";
import { exactness, lineIndex } from "./places.js";
import { BELOW, OUTSIDE, OWN } from "./tree.js";

/** Lines of source around the one that is meant. */
const CONTEXT = 2;
/** Rows of a list of threads or allocators. */
const LISTED = 5;

/** Sums over the sites of a node in one run: figures, own figures, sizes, and the largest threads and allocators. */
export function sumsOf(model, selection, relation, figure, run = LATER) {
  const { sites } = model;
  const zero = () => Object.fromEntries(SUMS.map((name) => [name, { bytes: 0, count: 0 }]));
  const sums = { total: zero(), own: zero(), sizes: sites.sizes.map(() => 0), threads: new Map(), allocators: new Map() };
  const weights = selection.sums(figure).bytes;
  const columns = SUMS.map((name) => [name, selection.sums(name)]);
  const add = (map, key, value) => map.set(key, (map.get(key) ?? 0) + value);
  for (let site = 0; site < sites.node.length; site++) {
    const how = relation(site);
    if (how === OUTSIDE || !selection.has(site, run)) continue;
    for (const [name, column] of columns) {
      for (const unit of ["bytes", "count"]) {
        const value = column[unit][site];
        sums.total[name][unit] += value;
        if (how === OWN) sums.own[name][unit] += value;
      }
    }
    sites.sizes.forEach((counts, size_) => {
      sums.sizes[size_] += counts[site];
    });
    if (weights[site] > 0) {
      add(sums.threads, model.threads[sites.thread[site]]?.name ?? "?", weights[site]);
      add(sums.allocators, model.meta.allocators[sites.allocator[site]], weights[site]);
    }
  }
  return sums;
}

/** The panel that tells of a frame or a line. */
export class Details {
  constructor(node, app) {
    this.node = node;
    this.app = app;
    this.clear();
  }

  clear() {
    fill(this.node, element("p", { class: "hint" }, "Choose a frame or a line to see its figures."));
  }

  /** Shows a node of the graph's tree; `relation` is its membership. */
  showNode(tree, node, relation, inverted) {
    const { model, state } = this.app;
    const frame = tree.frame[node];
    const group = tree.groupOf(frame);
    const figure = this.app.shownFigure();
    const sums = sumsOf(model, this.app.selection, relation, figure);
    const isPlace = node !== 0 && group === undefined && !model.isStandIn(frame);
    const made = isPlace ? model.functionOf(frame) : null;
    // The page has no text of a file as it was at the earlier run.
    const isGone = isPlace && model.frames.run[frame] === EARLIER;
    const line = model.frames.line[frame];
    const title = node === 0 ? "Everything" : (group ?? made?.qualname ?? model.label(frame));
    fill(
      this.node,
      element("h2", { class: "name" }, title),
      isPlace && element("p", { class: "place name" }, model.place(frame)),
      element("h3", {}, inverted ? "Allocations that end in this stack" : node === 0 ? (model.earlier ? "Both runs" : "The run") : "This stack and what it calls"),
      model.earlier
        ? this.#changeTable(sums.total, sumsOf(model, this.app.selection, relation, figure, EARLIER).total, figureNamed(figure))
        : this.#stackTable(sums, inverted || node === 0, figureNamed(figure)),
      this.#actions(isPlace && !isGone ? { file: made.file, line } : null, state.view),
      isPlace && !isGone && this.#source(made.file, line),
      isPlace && this.#lineFigures(made.file, line, model.frames.run[frame]),
      this.#histogram(sums.sizes),
      this.#ranking("Threads", sums.threads, figure),
      this.#ranking("Allocators", sums.allocators, figure),
    );
  }

  /** Shows a line of a file. */
  showLine(file, line) {
    const { model, state } = this.app;
    const row = lineIndex(model, file, line);
    const name = row === undefined ? `Line ${line}` : model.functions_[model.lines.function[row]].qualname;
    const onLine = new Uint8Array(model.meta.counts.nodes);
    for (let node = 1; node < onLine.length; node++) {
      const frame = model.nodes.frame[node];
      const is = model.functionOf(frame).file === file && model.frames.line[frame] === line;
      onLine[node] = is || onLine[model.nodes.parent[node]] ? 1 : 0;
    }
    const figure = this.app.shownFigure();
    const relation = (site) => (onLine[model.sites.node[site]] ? BELOW : OUTSIDE);
    const sums = sumsOf(model, this.app.selection, relation, figure);
    fill(
      this.node,
      element("h2", { class: "name" }, name),
      this.#place(file, line),
      this.#actions({ file, line }, state.view),
      this.#source(file, line),
      this.#lineFigures(file, line),
      this.#histogram(sums.sizes),
      this.#ranking("Threads", sums.threads, figure),
      this.#ranking("Allocators", sums.allocators, figure),
    );
  }

  #place(file, line) {
    return element("p", { class: "place name" }, `${this.app.model.files[file].shown}:${line}`);
  }

  #stackTable(sums, totalOnly, shown) {
    const { interval } = this.app.selection;
    const rows = SUMS.filter((name) => knownFigure(name, interval) === name).map((name) => {
      const figure = figureNamed(name);
      const cells = [sums.total[name].bytes, sums.total[name].count, sums.own[name].bytes];
      return element(
        "tr",
        { class: figure === shown ? "chosen" : null },
        element("th", { scope: "row", title: figure.meaning }, figure.title),
        element("td", { title: exactly(cells[0]) }, size(cells[0])),
        element("td", {}, grouped(cells[1])),
        !totalOnly && element("td", { title: exactly(cells[2]) }, size(cells[2])),
      );
    });
    return element(
      "table",
      { class: "figures" },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("td"),
          element("th", { scope: "col" }, "bytes"),
          element("th", { scope: "col" }, "count"),
          !totalOnly && element("th", { scope: "col" }, "own"),
        ),
      ),
      element("tbody", {}, rows),
    );
  }

  /** Both runs side by side, in the chosen unit. */
  #changeTable(later, earlier, shown) {
    const { unit } = this.app.state;
    return this.#comparison(SUMS.map((name) => {
      const figure = figureNamed(name);
      return { figure, chosen: figure === shown, earlier: earlier[name][unit], later: later[name][unit], unit, mark: "" };
    }));
  }

  /** A table of figures in both runs. */
  #comparison(rows) {
    const cell = (value, unit, mark = "") => element("td", { title: unit === "bytes" ? exactly(value) : null }, `${mark}${amount(value, unit)}`);
    const head = ["before", "now", "change"].map((title) => element("th", { scope: "col" }, title));
    return element(
      "table",
      { class: "figures comparison" },
      element("thead", {}, element("tr", {}, element("td"), head)),
      element(
        "tbody",
        {},
        rows.map(({ figure, chosen, earlier, later, unit, mark }) =>
          element(
            "tr",
            { class: chosen ? "chosen" : null },
            element("th", { scope: "row", title: figure.meaning }, figure.title),
            cell(earlier, unit, mark),
            cell(later, unit, mark),
            element("td", {}, earlier === later ? "–" : difference(earlier, later, unit)),
          ),
        ),
      ),
    );
  }

  #actions(place, view) {
    if (!place) return null;
    const { app } = this;
    const button = (text, go) => element("button", { type: "button", on: { click: go } }, text);
    return element(
      "p",
      { class: "actions" },
      view !== "source" && button("Show source", () => app.showSource(place.file, place.line)),
      view === "flame"
        ? button("Find in graph", () => app.searchLine(place.file, place.line))
        : button("Show in flame graph", () => app.searchLine(place.file, place.line)),
    );
  }

  #source(file, line) {
    const box = element("pre", { class: "excerpt", hidden: true });
    this.app.sources().then((sources) => {
      const source = sources.get(file);
      if (!source?.lines.has(line)) return;
      for (let number = line - CONTEXT; number <= line + CONTEXT; number++) {
        const text = source.lines.get(number);
        if (text === undefined) continue;
        const row = element("span", { class: number === line ? "here" : null }, `${String(number).padStart(5)}  ${text}\n`);
        box.append(row);
      }
      if (source.changed) box.append(element("span", { class: "warning" }, "The file was changed after the run."));
      box.hidden = false;
    });
    return box;
  }

  /** The line over all stacks, with its maximum. */
  #lineFigures(file, line, run = LATER) {
    const { model, selection } = this.app;
    const row = lineIndex(model, file, line, run);
    if (row === undefined) return null;
    const { lines } = model;
    const title = selection.isAll ? "This line in all stacks" : "This line in all stacks, without filters";
    if (model.earlier) return element("section", {}, element("h3", {}, title), this.#lineChange(row), this.#lineBefore(row, line));
    const rows = FIGURES.map((figure) => {
      const isMax = figure.name === "max";
      const cell = (sums, max) => {
        if (!isMax) {
          const { bytes, count } = sums[figure.name];
          return element("td", { title: `${exactly(bytes[row])} in ${counted(count[row], "allocation")}` }, size(bytes[row]));
        }
        const { mark, why } = exactness(model, max.why[row]);
        return element("td", { title: [exactly(max.bytes[row]), why].filter(Boolean).join("; ") }, `${mark}${size(max.bytes[row])}`);
      };
      return element(
        "tr",
        {},
        element("th", { scope: "row", title: figure.meaning }, figure.title),
        cell(lines.total, lines.totalMax),
        cell(lines.own, lines.ownMax),
      );
    });
    const inexact = [lines.totalMax.why[row], lines.ownMax.why[row]].find((why) => why > 0);
    return element(
      "section",
      {},
      element("h3", {}, title),
      element(
        "table",
        { class: "figures" },
        element("thead", {}, element("tr", {}, element("td"), element("th", { scope: "col" }, "total"), element("th", { scope: "col" }, "own"))),
        element("tbody", {}, rows),
      ),
      inexact && element("p", { class: "hint" }, `${exactness(model, inexact).mark.trim()} ${model.meta.inexact[inexact]}.`),
    );
  }

  /** A line in both runs, with its maxima. */
  #lineChange(row) {
    const { model, state } = this.app;
    const { total, totalMax, earlier } = model.lines;
    return this.#comparison(FIGURES.map((figure) => {
      if (figure.name === "max") {
        const why = totalMax.why[row] || earlier.totalMax.why[row];
        return { figure, earlier: earlier.totalMax.bytes[row], later: totalMax.bytes[row], unit: "bytes", mark: exactness(model, why).mark };
      }
      const of = (sums) => sums[figure.name][state.unit][row];
      return { figure, earlier: of(earlier.total), later: of(total), unit: state.unit, mark: "" };
    }));
  }

  /** Where a line was in the earlier run. */
  #lineBefore(row, line) {
    const { run, was, guess } = this.app.model.lines;
    let sentence = null;
    if (run[row] === EARLIER) sentence = "Only the earlier run has this line.";
    else if (was[row] === 0) sentence = "Only the later run has this line.";
    else if (guess[row]) sentence = `A guess: it was line ${was[row]} in the earlier run, whose text is not known.`;
    else if (was[row] !== line) sentence = `It was line ${was[row]} in the earlier run.`;
    return sentence && element("p", { class: "hint" }, sentence);
  }

  /** What belongs to the later run alone says so in a page of two. */
  #ofRun(title) {
    return this.app.model.earlier ? `${title}, later run` : title;
  }

  #histogram(counts) {
    // Sizes are not known by moment.
    const title = this.app.selection.interval === null ? this.#ofRun("Sizes of allocations") : "Sizes of allocations, whole run";
    return element("section", {}, element("h3", {}, title), histogram(this.app.model, counts));
  }

  #ranking(title, map, figure) {
    const rows = [...map].sort((a, b) => b[1] - a[1]);
    if (rows.length < 2) return null;
    const whole = rows.reduce((total, row) => total + row[1], 0);
    return element(
      "section",
      {},
      element("h3", {}, this.#ofRun(`${title}, ${figureNamed(figure).what}`)),
      element(
        "table",
        { class: "figures" },
        element(
          "tbody",
          {},
          rows.slice(0, LISTED).map(([name, value]) =>
            element("tr", {}, element("th", { scope: "row", class: "name" }, name), element("td", {}, size(value)), element("td", {}, share(value, whole))),
          ),
        ),
      ),
      rows.length > LISTED && element("p", { class: "hint" }, `and ${rows.length - LISTED} more`),
    );
  }
}

/** Numbers of allocations by size, as bars with their figures. */
export function histogram(model, counts) {
  const largest = Math.max(1, ...counts);
  const used = counts.map((count, index) => (count > 0 ? index : -1)).filter((index) => index >= 0);
  if (used.length === 0) return element("p", { class: "hint" }, "none");
  const first = used[0];
  const last = used[used.length - 1];
  const full = 2 ** 32 - 1;
  const rows = [];
  for (let index = first; index <= last; index++) {
    const [least, most] = model.meta.sizes[index];
    const range = most === null ? `from ${size(least)}` : `below ${size(most + 1)}`;
    rows.push(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, range),
        element("td", { class: "bar-cell" }, bar(counts[index] / largest)),
        element("td", {}, `${grouped(counts[index])}${counts[index] >= full ? " or more" : ""}`),
      ),
    );
  }
  return element("table", { class: "figures histogram" }, element("tbody", {}, rows));
}
