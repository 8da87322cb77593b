/**
 * Source files with figures beside their lines.
 */
import { bar, byId, element, fill } from "./element.js";
import { EARLIER, figureNamed } from "./figures.js";
import { amount, difference, exactly, printable, share } from "./format.js";
import { exactness } from "./places.js";
import { matcher } from "./search.js";

/** Files in the list. */
const LISTED = 200;
/** Lines shown around those with figures, in files that are longer than `LONG`. */
const CONTEXT = 12;
const LONG = 4000;

/** The view of the source. */
export class SourceView {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.list = byId("source-files");
    this.body = byId("source-body");
    byId("source-filter").addEventListener("input", () => this.#listFiles());
  }

  async show() {
    const { app } = this;
    const { state } = app;
    this.sources = await app.sources();
    if (state.view !== "source") return;
    this.places = app.places();
    this.earlier = this.model.earlier ? app.places(EARLIER) : null;
    this.#orderFiles();
    if (state.file === "" && this.ordered.length > 0) {
      this.file = this.ordered[0];
    } else {
      this.file = state.file === "" ? null : Number(state.file);
    }
    this.#listFiles();
    this.#showFile();
    const line = Number(state.line);
    if (this.file !== null && line > 0) app.details.showLine(this.file, line);
    else app.details.clear();
  }

  #orderFiles() {
    const { lines } = this.model;
    const totals = this.#values(this.places.lines.total);
    const earlier = this.earlier && this.#values(this.earlier.lines.total);
    this.largest = new Map();
    for (let row = 0; row < lines.file.length; row++) {
      const file = lines.file[row];
      this.largest.set(file, Math.max(this.largest.get(file) ?? 0, totals[row], earlier?.[row] ?? 0));
    }
    const hidesImports = this.app.state.imports === "hidden";
    const isProject = (file) => (this.model.meta.origins[this.model.files[file].origin] === "project" ? 1 : 0);
    this.ordered = [...this.largest.keys()]
      .filter((file) => this.largest.get(file) > 0 && !(hidesImports && this.model.isImportFile(file)))
      .sort((a, b) => isProject(b) - isProject(a) || this.largest.get(b) - this.largest.get(a) || a - b);
  }

  /** Values of the chosen unit; a maximum has bytes only. */
  #values(figures) {
    return figures[this.unit] ?? figures.bytes;
  }

  get unit() {
    return this.app.figure() === "max" ? "bytes" : this.app.state.unit;
  }

  #listFiles() {
    const { model, unit } = this;
    const match = matcher(byId("source-filter").value);
    const files = this.ordered.filter((file) => !match || match.test(model.files[file].path));
    const whole = this.ordered.reduce((most, file) => Math.max(most, this.largest.get(file)), 1);
    fill(
      this.list,
      files.slice(0, LISTED).map((file) =>
        element(
          "li",
          {},
          element(
            "button",
            {
              type: "button",
              "aria-current": file === this.file ? "true" : null,
              title: printable(model.files[file].path),
              on: { click: () => this.app.state.set({ file, line: "" }) },
            },
            element("span", { class: "name path" }, model.files[file].shown),
            element("span", { class: "amount" }, amount(this.largest.get(file), unit)),
            bar(this.largest.get(file) / whole),
          ),
        ),
      ),
      files.length > LISTED && element("li", { class: "hint" }, `and ${files.length - LISTED} more: type a part of their path`),
      files.length === 0 && element("li", { class: "hint" }, "no such file"),
    );
  }

  #showFile() {
    const { model, file, app } = this;
    if (file === null || !model.files[file]) {
      fill(this.body, element("p", { class: "hint" }, "No file was recorded."));
      return;
    }
    const rows = new Map();
    const gone = [];
    model.lines.file.forEach((of, row) => {
      if (of !== file) return;
      if (model.lines.run[row] === EARLIER) gone.push(row);
      else rows.set(model.lines.line[row], row);
    });
    const source = this.sources.get(file);
    const shown = this.#shownLines(rows, source);
    const figure = figureNamed(app.figure());
    const heading = element("h2", { class: "name" }, printable(model.files[file].path));
    const notes = [];
    if (!source) notes.push("The text of this file is not in the page.");
    else if (!source.whole) notes.push("Only lines with figures are in the page.");
    if (source?.changed) notes.push("The file was changed after the run, so lines may have moved.");
    const largest = Math.max(1, ...[...rows.values(), ...gone].map((row) => this.#heat(row)));
    const body = element("tbody");
    let last = 0;
    for (const line of shown) {
      if (line !== last + 1 && last !== 0) {
        body.append(element("tr", { class: "gap" }, element("td", { colspan: this.earlier ? 6 : 5 }, "⋮")));
      }
      last = line;
      body.append(this.#line(line, rows.get(line), source?.lines.get(line) ?? "", largest));
    }
    if (gone.length > 0) {
      body.append(element("tr", { class: "gap" }, element("td", { colspan: 6 }, "Lines that only the earlier run has:")));
      for (const row of gone.sort((a, b) => model.lines.line[a] - model.lines.line[b])) {
        body.append(this.#line(model.lines.line[row], row, model.functions_[model.lines.function[row]].qualname, largest));
      }
    }
    fill(
      this.body,
      heading,
      notes.map((note) => element("p", { class: "warning" }, note)),
      element(
        "table",
        { class: "code" },
        element("caption", { class: "hidden-text" }, `Lines of ${model.files[file].shown} with ${figure.title.toLowerCase()} figures`),
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            this.#columns().map(([name, meaning]) => element("th", { scope: "col", title: `${figure.meaning}, ${meaning}` }, name)),
            element("th", { scope: "col" }, element("span", { class: "hidden-text" }, "heat")),
            element("th", { scope: "col" }, element("span", { class: "hidden-text" }, "line")),
            element("th", { scope: "col" }, element("span", { class: "hidden-text" }, "text")),
          ),
        ),
        body,
      ),
    );
    const chosen = this.body.querySelector("tr.chosen");
    chosen?.scrollIntoView({ block: "center" });
  }

  #shownLines(rows, source) {
    if (!source) return [...rows.keys()].sort((a, b) => a - b);
    const all = [...source.lines.keys()].sort((a, b) => a - b);
    const missing = [...rows.keys()].filter((line) => !source.lines.has(line));
    if (all.length <= LONG) return [...all, ...missing].sort((a, b) => a - b);
    const near = new Set(missing);
    for (const line of [...rows.keys(), Number(this.app.state.line)]) {
      for (let at = line - CONTEXT; at <= line + CONTEXT; at++) if (source.lines.has(at)) near.add(at);
    }
    return [...near].sort((a, b) => a - b);
  }

  /** Columns of figures: names, and what they mean. */
  #columns() {
    if (!this.earlier) return [["total", "with what the line calls"], ["own", "by the line itself"]];
    return [
      ["change", "with what the line calls, from the earlier to the later run"],
      ["before", "with what the line calls, in the earlier run"],
      ["now", "with what the line calls, in the later run"],
    ];
  }

  /** How much a line stands out: by its total, of two runs by its change. */
  #heat(row) {
    const total = this.#values(this.places.lines.total)[row];
    return this.earlier ? Math.abs(total - this.#values(this.earlier.lines.total)[row]) : total;
  }

  #cell(figures, row) {
    const { model, unit } = this;
    const value = this.#values(figures)[row];
    const { mark, why } = exactness(model, figures.why?.[row]);
    if (value === 0 && mark !== "?") return element("td");
    const exact = unit === "bytes" && mark !== "?" ? exactly(value) : null;
    return element("td", { title: [exact, why].filter(Boolean).join("; ") || null }, mark === "?" ? "?" : `${mark}${amount(value, unit)}`);
  }

  #cells(row) {
    const { total, own } = this.places.lines;
    if (row === undefined) return this.#columns().map(() => element("td"));
    if (!this.earlier) return [this.#cell(total, row), this.#cell(own, row)];
    const before = this.earlier.lines.total;
    const [earlier, later] = [before, total].map((figures) => this.#values(figures)[row]);
    const change = element("td", { class: `change ${later < earlier ? "shrank" : "grew"}` }, earlier === later ? "–" : difference(earlier, later, this.unit));
    return [change, this.#cell(before, row), this.#cell(total, row)];
  }

  /** The row of a line; `row` is its row among the data's lines, if it has figures. */
  #line(line, row, text, largest) {
    const { model, app } = this;
    const isGone = row !== undefined && model.lines.run[row] === EARLIER;
    const chosen = Number(app.state.line) === line && !isGone;
    const heat = row === undefined ? 0 : this.#heat(row) / largest;
    const number =
      row === undefined || isGone
        ? String(line)
        : element(
            "button",
            { type: "button", "aria-label": `Line ${line}`, "aria-pressed": chosen ? "true" : "false", on: { click: () => app.state.set({ file: this.file, line }) } },
            String(line),
          );
    const code = element("td", { class: "text" }, text.replaceAll("\t", "    "));
    const tr = element(
      "tr",
      { class: chosen ? "chosen" : null, title: heat > 0 ? `${share(this.#heat(row), largest)} of the file's largest ${this.earlier ? "change" : "line"}` : null },
      this.#cells(row),
      element("td", { class: "bar-cell" }, heat > 0 && bar(heat, "bar heat")),
      element("td", { class: "number" }, number),
      code,
    );
    tr.style.setProperty("--heat", heat.toFixed(3));
    return tr;
  }
}
