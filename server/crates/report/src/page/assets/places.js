/**
 * Figures by line, function and file. Of the whole run they come with the data, maxima included; of a part of it they
 * are added up here, and then nobody knows their maxima.
 */
import { UNKNOWN } from "./data.js";
import { EARLIER, figureNamed, knownFigure, LATER, stackFigure } from "./figures.js";
import { duration } from "./format.js";

/** Figures of all lines, functions and files for one figure, one selection and one run of the page. */
export class Places {
  constructor(model, selection, figure, run = LATER) {
    this.model = model;
    this.selection = selection;
    this.figure = figure;
    this.run = run;
    this.isMax = figure === "max";
    this.isWhole = selection.isAll;
  }

  /** `{total, own}` of all lines, each `{bytes, count, why}` by line number of the data; `count` is null for `max`. */
  get lines() {
    this.lineFigures ??= this.#figures(this.model.lines, () => this.#addLines());
    return this.lineFigures;
  }

  /** The same for functions. */
  get functions() {
    this.functionFigures ??= this.#figures(this.model.functions, () => this.#addFunctions());
    return this.functionFigures;
  }

  #figures(places, add) {
    const { total, totalMax, own, ownMax } = this.run === EARLIER ? places.earlier : places;
    if (this.isMax) {
      const shown = (max) => ({
        bytes: max.bytes,
        count: null,
        why: this.isWhole ? max.why : max.why.map(() => UNKNOWN),
      });
      return { total: shown(totalMax), own: shown(ownMax) };
    }
    if (!this.isWhole) return add();
    const exact = (sums) => ({ ...sums[this.figure], why: null });
    return { total: exact(total), own: exact(own) };
  }

  #addLines() {
    const { model } = this;
    lineIndex(model);
    model.firstLines ??= model.firsts((frame) => model.frameLines[frame]);
    return this.#add(model.lines.line.length, model.frameLines, model.firstLines);
  }

  #addFunctions() {
    const { model } = this;
    const rows = new Map(Array.from(model.functions.function, (index, row) => [index, row]));
    model.frameFunctions ??= Int32Array.from(model.frames.function, (index) => rows.get(index) ?? -1);
    model.firstFunctions ??= model.firsts((frame) => model.frames.function[frame]);
    return this.#add(model.functions.function.length, model.frameFunctions, model.firstFunctions);
  }

  #add(length, placeOf, firsts) {
    const { model, selection } = this;
    const { frame } = model.nodes;
    const total = { why: null };
    const own = { why: null };
    for (const unit of ["bytes", "count"]) {
      const weights = selection.weights(this.figure, unit, this.run);
      const below = model.below(weights);
      total[unit] = new Float64Array(length);
      own[unit] = new Float64Array(length);
      for (let node = 1; node < frame.length; node++) {
        const place = placeOf[frame[node]];
        if (place >= 0 && firsts[node]) total[unit][place] += below[node];
      }
      model.sites.node.forEach((node, site) => {
        const place = node === 0 ? -1 : placeOf[frame[node]];
        if (place >= 0) own[unit][place] += weights[site];
      });
    }
    return { total, own };
  }
}

/** The row of a line among the data's lines, if it has figures; `run` is `EARLIER` for a line of that run only. */
export function lineIndex(model, file, line, run = LATER) {
  const key = (file_, line_, run_) => (file_ * 2 + run_) * 2 ** 26 + line_;
  if (!model.lineRows) {
    const { lines } = model;
    model.lineRows = new Map(Array.from(lines.line, (number, row) => [key(lines.file[row], number, lines.run[row]), row]));
    model.frameLines = Int32Array.from({ length: model.frameCount }, (_, frame) =>
      model.isStandIn(frame) ? -1 : (model.lineRows.get(key(model.functionOf(frame).file, model.frames.line[frame], model.frames.run[frame])) ?? -1),
    );
  }
  return file === undefined ? undefined : model.lineRows.get(key(file, line, run));
}

/** What stands before a figure that is not exact, and why. */
export function exactness(model, why) {
  if (why === undefined || why === 0) return { mark: "", why: null };
  if (why === UNKNOWN) return { mark: "?", why: "not known" };
  // 1: a maximum with callees was not recorded. 4: only sums of the peak and of the end were.
  return { mark: why === 1 || why === 4 ? "≥ " : "~ ", why: model.meta.inexact[why] };
}

/** A sentence on what the chosen figure cannot say, or null. */
export function caveat(model, state, selection) {
  const { interval } = selection;
  if (interval !== null && ["flame", "source", "table"].includes(state.view)) {
    const what = knownFigure(state.figure, interval) === "leaked" ? "what was allocated in it and not freed by its end" : "its peak";
    return `Only the part from ${duration(interval.from)} to ${duration(interval.to)} is shown: ${what}. “Clear filters” shows the whole run again.`;
  }
  if (state.figure !== "max") return null;
  if (state.view === "flame" || state.view === "table") {
    const onStacks = state.view === "flame" || !["lines", "functions"].includes(state.rows);
    if (onStacks) {
      const shown = figureNamed(stackFigure("max")).title.toLowerCase();
      return `A single stack's own maximum is not recorded, only that of lines and functions: this shows the ${shown}.`;
    }
  }
  if (!selection.isAll) return "Maxima are known for the whole run only, not for a part of it: take the filters away to see them.";
  return null;
}
