/**
 * The figures as tables: by line, function, stack, module, thread and allocator.
 */
import { bar, byId, element, fill } from "./element.js";
import { EARLIER, figureNamed, LATER, stackFigure, sum } from "./figures.js";
import { amount, became, counted, difference, exactly, share } from "./format.js";
import { exactness } from "./places.js";
import { matcher } from "./search.js";

/** Rows shown at first, and added by "more". */
const PAGE = 100;
/** Stacks shown of a line or function. */
const STACKS = 5;

/** The kinds of rows. */
export const ROWS = [
  ["lines", "Lines"],
  ["functions", "Functions"],
  ["stacks", "Stacks"],
  ["modules", "Modules"],
  ["threads", "Threads"],
  ["allocators", "Allocators"],
];

/** The view of the tables. */
export class TableView {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.sort = { column: 0, down: true };
    this.shown = PAGE;
    this.open = new Set();
    fill(byId("table-rows"), ROWS.map(([value, text]) => element("option", { value }, text)));
    byId("table-rows").addEventListener("change", (event) => this.app.state.set({ rows: event.target.value }));
    byId("table-filter").addEventListener("input", () => {
      this.shown = PAGE;
      this.#fill();
    });
    byId("table-more").addEventListener("click", () => {
      this.shown += PAGE;
      this.#fill();
    });
  }

  show() {
    const { state, selection } = this.app;
    const kind = ROWS.some(([value]) => value === state.rows) ? state.rows : "lines";
    byId("table-rows").value = kind;
    const key = [kind, this.app.figure(), state.unit, selection.key, state.imports].join("|");
    if (key !== this.key) {
      if (kind !== this.kind) this.sort = { column: 0, down: true };
      this.key = key;
      this.kind = kind;
      this.shown = PAGE;
      this.open.clear();
      this.#collect();
    }
    this.#fill();
  }

  /** Fills `columns` and `rows`: each row has a name, a place, values by column, and what its stacks go through. */
  #collect() {
    const { kind } = this;
    const isPlaces = kind === "lines" || kind === "functions";
    const isMax = this.app.figure() === "max" && isPlaces;
    const byBytes = (title, of) => ({ title, unit: "bytes", of });
    const byCount = (title, of) => ({ title, unit: "count", of });
    if (this.model.earlier) {
      this.#collectBoth(isPlaces, isMax);
    } else if (isPlaces) {
      const { total, own } = this.app.places()[kind];
      this.columns = isMax
        ? [byBytes("Total", total), byBytes("Own", own)]
        : [byBytes("Total", total), byCount("Total count", total), byBytes("Own", own), byCount("Own count", own)];
      this.rows = kind === "lines" ? this.#lines() : this.#functions();
    } else {
      const [sums] = this.#sums();
      this.columns = [byBytes("Bytes", sums), byCount("Count", sums)];
      this.rows = sums.rows;
    }
    if (isPlaces && this.app.state.imports === "hidden") this.rows = this.rows.filter(({ at }) => !this.model.isImportFile(at.file));
    this.rows = this.rows.filter(({ index }) => this.columns.some(({ unit, of }) => of[unit][index] !== 0));
    const { figure, unit } = this.app.state;
    const wholes = this.app.selection.weightsOfRuns(figure, this.model.earlier && !isMax ? unit : "bytes").map(sum);
    this.whole = Math.max(1, ...wholes);
  }

  /** Columns of two runs: what changed, and both values, in the chosen unit. */
  #collectBoth(isPlaces, isMax) {
    const { app, kind } = this;
    const unit = isMax ? "bytes" : app.state.unit;
    const change = (later, earlier) => ({
      [unit]: later[unit].map((value, index) => value - earlier[unit][index]),
      why: later.why?.map((why, index) => Math.max(why, earlier.why[index])) ?? null,
    });
    const column = (title, of) => ({ title, unit, of });
    const both = (later, earlier) => [
      { ...column("Change", change(later, earlier)), earlier: earlier[unit], later: later[unit] },
      column("Before", earlier),
      column("Now", later),
    ];
    if (!isPlaces) {
      const [later, earlier] = this.#sums();
      this.columns = both(later, earlier);
      this.rows = later.rows;
      return;
    }
    const [later, earlier] = [LATER, EARLIER].map((run) => app.places(run)[kind]);
    this.columns = both(later.total, earlier.total);
    if (!isMax) {
      const own = { ...column("Own change", change(later.own, earlier.own)), earlier: earlier.own[unit], later: later.own[unit] };
      this.columns.push(own);
    }
    this.rows = kind === "lines" ? this.#lines() : this.#functions();
  }

  #lines() {
    const { model } = this;
    const { lines } = model;
    return Array.from(lines.line, (line, index) => ({
      index,
      name: model.functions_[lines.function[index]].qualname,
      place: `${model.files[lines.file[index]].shown}:${line}${this.#moved(lines, index, line)}`,
      at: { file: lines.file[index], line, gone: lines.run[index] === EARLIER },
      goesThrough: (frame) => model.functionOf(frame).file === lines.file[index] && model.frames.line[frame] === line && model.frames.run[frame] === lines.run[index],
    }));
  }

  #functions() {
    const { model } = this;
    return Array.from(model.functions.function, (made, index) => {
      const { qualname, file, line } = model.functions_[made];
      return {
        index,
        name: qualname,
        place: `${model.files[file].shown}:${line}${this.#moved(model.functions, index, line)}`,
        at: { file, line, gone: model.functions.run[index] === EARLIER },
        goesThrough: (frame) => model.frames.function[frame] === made,
      };
    });
  }

  /** Where a line or function of two runs was. */
  #moved({ run, was, guess }, index, line) {
    if (run[index] === EARLIER) return " (earlier run)";
    if (!was || was[index] === 0 || (was[index] === line && !guess[index])) return "";
    return ` (was ${guess[index] ? "~ " : ""}${was[index]})`;
  }

  /** Sums of sites by what the rows stand for, for each run of the page. */
  #sums() {
    const { model, kind } = this;
    const { sites } = model;
    const { selection, state } = this.app;
    const keyOf = { stacks: sites.node, modules: sites.module, threads: sites.thread, allocators: sites.allocator }[kind];
    const indexes = new Map();
    const rows = [];
    const sums = model.runs.map(() => ({ bytes: [], count: [], why: null, rows }));
    const weights = { bytes: selection.weightsOfRuns(this.app.figure(), "bytes"), count: selection.weightsOfRuns(this.app.figure(), "count") };
    for (let site = 0; site < sites.node.length; site++) {
      const key = keyOf[site];
      let index = indexes.get(key);
      if (index === undefined) {
        index = rows.length;
        indexes.set(key, index);
        rows.push({ index, key, ...this.#named(key) });
        for (const { bytes, count } of sums) {
          bytes.push(0);
          count.push(0);
        }
      }
      sums.forEach(({ bytes, count }, run) => {
        bytes[index] += weights.bytes[run][site];
        count[index] += weights.count[run][site];
      });
    }
    return sums;
  }

  #named(key) {
    const { model, kind } = this;
    if (kind === "stacks") {
      const frame = model.nodes.frame[key];
      const isPlace = !model.isStandIn(frame);
      return {
        name: model.functionOf(frame).qualname,
        place: model.place(frame),
        at: isPlace ? { file: model.functionOf(frame).file, line: model.frames.line[frame], gone: model.frames.run[frame] === EARLIER } : null,
        stack: key,
      };
    }
    const name = { modules: model.modules, allocators: model.meta.allocators }[kind]?.[key] ?? model.threads[key]?.name ?? "?";
    const filter = { modules: "module", allocators: "allocator", threads: "thread" }[kind];
    return { name: name === "<root>" ? "<root> (standard library alone)" : name, place: "", filter: { [filter]: key } };
  }

  #fill() {
    const { columns, sort, app } = this;
    const match = matcher(byId("table-filter").value);
    const rows = match ? this.rows.filter(({ name, place }) => match.test(`${name} ${place}`)) : [...this.rows];
    if (sort.column < 0) {
      rows.sort((a, b) => a.name.localeCompare(b.name) || a.index - b.index);
    } else {
      const { unit, of, earlier } = columns[Math.min(sort.column, columns.length - 1)];
      // Of what differs, the most comes first, whichever way it went.
      const value = ({ index }) => (earlier ? Math.abs(of[unit][index]) : of[unit][index]);
      rows.sort((a, b) => value(b) - value(a) || a.index - b.index);
    }
    if (!sort.down) rows.reverse();
    const figure = figureNamed(this.#figureName());
    const head = (title, column) => {
      const chosen = sort.column === column;
      return element(
        "th",
        { scope: "col", "aria-sort": chosen ? (sort.down ? "descending" : "ascending") : null, class: column < 0 ? "wide" : null },
        element("button", { type: "button", on: { click: () => this.#sortBy(column) } }, title, chosen ? (sort.down ? " ▾" : " ▴") : ""),
      );
    };
    fill(
      byId("table-head"),
      element("tr", {}, head("Name", -1), columns.map(({ title }, column) => head(title, column)), element("th", { scope: "col", class: "bar-cell" }, "Share")),
    );
    fill(byId("table-body"), rows.slice(0, this.shown).flatMap((row) => this.#row(row)));
    fill(byId("table-count"), `${counted(rows.length, "row")}, ${figure.what}`);
    byId("table-more").hidden = rows.length <= this.shown;
    if (app.state.view === "table") app.details.clear();
  }

  #figureName() {
    return this.kind === "lines" || this.kind === "functions" ? this.app.figure() : this.app.shownFigure();
  }

  #sortBy(column) {
    const down = this.sort.column === column ? !this.sort.down : column >= 0;
    this.sort = { column, down };
    this.#fill();
  }

  #row(row) {
    const { columns, app } = this;
    const isOpen = this.open.has(row.index);
    const first = Math.abs(columns[0].of[columns[0].unit][row.index]);
    const toggle = () => {
      if (isOpen) this.open.delete(row.index);
      else this.open.add(row.index);
      this.#fill();
      byId("table-body").querySelector(`[data-row="${row.index}"]`)?.focus();
    };
    const expands = row.stack !== undefined || row.goesThrough !== undefined;
    const name = expands
      ? element("button", { type: "button", class: "name", "data-row": row.index, "aria-expanded": String(isOpen), on: { click: toggle } }, `${isOpen ? "▾" : "▸"} ${row.name}`)
      : element("button", { type: "button", class: "name", title: "Show this only", on: { click: () => app.state.set(row.filter) } }, row.name);
    const tr = element(
      "tr",
      { class: isOpen ? "open" : null },
      element("th", { scope: "row", class: "wide" }, name, row.place && element("span", { class: "place name" }, row.place)),
      columns.map(({ unit, of, earlier, later }) => {
        const { mark, why } = exactness(app.model, of.why?.[row.index]);
        if (earlier) return this.#changeCell(earlier[row.index], later[row.index], unit, { mark, why });
        const value = amount(of[unit][row.index], unit);
        const exact = unit === "bytes" && mark !== "?" ? exactly(of[unit][row.index]) : null;
        return element("td", { title: [exact, why].filter(Boolean).join("; ") || null }, mark === "?" ? "?" : `${mark}${value}`);
      }),
      element("td", { class: "bar-cell", title: share(first, this.whole) }, bar(first / this.whole)),
    );
    return isOpen ? [tr, element("tr", { class: "stacks" }, element("td", { colspan: columns.length + 2 }, this.#stacks(row)))] : [tr];
  }

  /** What changed, with the word for it. */
  #changeCell(earlier, later, unit, { mark, why }) {
    const kind = became(earlier, later);
    const exact = unit === "bytes" ? `${exactly(earlier)} before, ${exactly(later)} now` : null;
    const shown = kind === "same" ? "–" : `${mark.trim() === "" ? "" : "~ "}${difference(earlier, later, unit)}`;
    return element(
      "td",
      { title: [exact, why].filter(Boolean).join("; ") || null, class: `change ${kind}` },
      shown,
      (kind === "appeared" || kind === "went") && element("span", { class: "hint" }, ` ${kind}`),
    );
  }

  /** The stacks of an open row. */
  #stacks(row) {
    const { app, model } = this;
    const actions = row.at && !row.at.gone && element(
      "p",
      { class: "actions" },
      element("button", { type: "button", on: { click: () => app.showSource(row.at.file, row.at.line) } }, "Show source"),
      row.stack === undefined && this.kind === "lines" && element("button", { type: "button", on: { click: () => app.searchLine(row.at.file, row.at.line) } }, "Show in flame graph"),
      row.stack !== undefined && element("button", { type: "button", on: { click: () => app.zoomToStack(row.stack) } }, "Show in flame graph"),
    );
    if (row.stack !== undefined) return [actions, this.#frames(row.stack)];
    const { stacks, left } = stacksThrough(model, app.selection, this.#figureName(), row.goesThrough);
    return [
      actions,
      model.earlier && element("p", { class: "hint" }, stacks.length > 0 ? "Stacks of the later run:" : "The later run has no such stack."),
      stacks.map(({ node, bytes, count }) =>
        element(
          "details",
          { open: stacks.length === 1 },
          element("summary", {}, `${amount(bytes, "bytes")} in ${counted(count, "allocation")}: `, element("span", { class: "name" }, model.label(model.nodes.frame[node]))),
          this.#frames(node),
        ),
      ),
      left > 0 && element("p", { class: "hint" }, `and ${counted(left, "smaller stack")}`),
    ];
  }

  #frames(node) {
    const { model } = this;
    return element(
      "ol",
      { class: "stack" },
      model.stack(node).map((frame) => element("li", {}, element("span", { class: "name" }, model.functionOf(frame).qualname), " ", element("span", { class: "place name" }, model.place(frame)))),
    );
  }
}

/** The largest stacks with a frame for which `goesThrough` holds, and how many others there are. */
export function stacksThrough(model, selection, figure, goesThrough) {
  const { parent, frame } = model.nodes;
  const through = new Uint8Array(parent.length);
  for (let node = 1; node < parent.length; node++) {
    through[node] = through[parent[node]] || goesThrough(frame[node]) ? 1 : 0;
  }
  const bytes = selection.weights(figure, "bytes");
  const count = selection.weights(figure, "count");
  const sums = new Map();
  model.sites.node.forEach((node, site) => {
    if (!through[node] || bytes[site] <= 0) return;
    const held = sums.get(node) ?? { node, bytes: 0, count: 0 };
    held.bytes += bytes[site];
    held.count += count[site];
    sums.set(node, held);
  });
  const stacks = [...sums.values()].sort((a, b) => b.bytes - a.bytes || a.node - b.node);
  return { stacks: stacks.slice(0, STACKS), left: Math.max(0, stacks.length - STACKS) };
}
