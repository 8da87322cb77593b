/**
 * Which figure is meant, and of which part of the run.
 */
import { OF_PARTS } from "./interval.js";

/** The figures, in the order in which reports show them. `what` goes behind an amount. */
export const FIGURES = [
  { name: "peak", title: "Peak", what: "live at the peak", meaning: "What was live when the process held most" },
  { name: "max", title: "Max", what: "at most", meaning: "The largest amount of its own that a line or function held at any one moment" },
  { name: "allocated", title: "Allocated", what: "allocated", meaning: "Everything ever allocated" },
  { name: "leaked", title: "Leaked", what: "live at the end", meaning: "What was still live when recording ended; what the program still holds counts, too" },
  { name: "temporary", title: "Temporary", what: "freed at once", meaning: "What was freed before its thread's next allocation" },
];

/** The figure with this name. */
export function figureNamed(name) {
  return FIGURES.find((figure) => figure.name === name) ?? FIGURES[0];
}

/** A figure that single stacks have: of `max`, which they have not, the peak is meant. */
export function stackFigure(name) {
  return name === "max" ? "peak" : name;
}

/** The run that something belongs to: the only one or the later of two, and the earlier one. */
export const LATER = 0;
export const EARLIER = 1;

/** The figure that is meant where only some are known: of a part of the time, the peak stands for the others. */
export function knownFigure(name, interval) {
  return interval === null || OF_PARTS.includes(name) ? name : "peak";
}

/** What the filters of a state leave of the run. */
export class Selection {
  constructor(model, state) {
    this.model = model;
    const number = (text) => (text === "" ? null : Number(text));
    this.thread = number(state.thread);
    this.process = number(state.process);
    this.module = number(state.module);
    this.allocator = number(state.allocator);
    this.interval = model.history && state.from !== "" ? model.interval(Number(state.from), Number(state.to)) : null;
    this.key = [state.thread, state.process, state.module, state.allocator, this.interval?.first, this.interval?.last].join("/");
  }

  /** Whether it is the whole run. */
  get isAll() {
    return !this.isFiltered && this.interval === null;
  }

  /** Whether some sites are left out. */
  get isFiltered() {
    return this.thread !== null || this.process !== null || this.module !== null || this.allocator !== null;
  }

  /** Bytes and count of each site, whether it is filtered out or not. */
  sums(figure) {
    return this.interval === null ? this.model.sites.sums[figure] : this.interval.sums(figure);
  }

  has(site, run = LATER) {
    const { sites, threads } = this.model;
    return (
      sites.run[site] === run &&
      (this.thread === null || sites.thread[site] === this.thread) &&
      (this.process === null || threads[sites.thread[site]]?.process === this.process) &&
      (this.module === null || sites.module[site] === this.module) &&
      (this.allocator === null || sites.allocator[site] === this.allocator)
    );
  }

  /** What each site counts for in a run; 0 for those that are filtered out, and for those of the other run. */
  weights(figure, unit, run = LATER) {
    const all = this.sums(stackFigure(figure))[unit];
    if (!this.isFiltered && !this.model.earlier) return all;
    return all.map((value, site) => (this.has(site, run) ? value : 0));
  }

  /** The same for each run of the page, the later one first. */
  weightsOfRuns(figure, unit) {
    return this.model.runs.map((run) => this.weights(figure, unit, run));
  }
}

/** The sum of an array. */
export function sum(values) {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
