/**
 * Which figure is meant, and of which part of the run.
 */

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

/** What the filters of a state leave of the run. */
export class Selection {
  constructor(model, state) {
    this.model = model;
    const number = (text) => (text === "" ? null : Number(text));
    this.thread = number(state.thread);
    this.process = number(state.process);
    this.module = number(state.module);
    this.allocator = number(state.allocator);
    this.key = [state.thread, state.process, state.module, state.allocator].join("/");
  }

  /** Whether it is the whole run. */
  get isAll() {
    return this.thread === null && this.process === null && this.module === null && this.allocator === null;
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
    const all = this.model.sites.sums[stackFigure(figure)][unit];
    if (this.isAll && !this.model.earlier) return all;
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
