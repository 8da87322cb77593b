/**
 * A part of a full record: what each site held at the peak inside it, and what it allocated there and left behind.
 */

/** Figures that are known of a part. */
export const OF_PARTS = ["peak", "leaked"];

/** Ticks from the first that ends after `from` to the first that ends at `to` or later; milliseconds. */
export class Interval {
  constructor(model, from, to) {
    const { ticks } = model.history;
    const before = (limit) => {
      let [low, high] = [0, ticks.end.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (limit(ticks.end[middle])) low = middle + 1;
        else high = middle;
      }
      return Math.min(low, ticks.end.length - 1);
    };
    this.model = model;
    this.first = before((end) => end <= from);
    this.last = Math.max(this.first, before((end) => end < to));
    this.from = this.first === 0 ? 0 : ticks.end[this.first - 1];
    this.to = ticks.end[this.last];
    this.known = new Map();
  }

  /** Index of the tick with the largest peak; of equal ones the last. */
  get peakTick() {
    const { peak } = this.model.history.ticks;
    let found = this.first;
    for (let tick = this.first; tick <= this.last; tick++) if (peak[tick] >= peak[found]) found = tick;
    return found;
  }

  /** The most that was live inside, bytes. */
  get peakBytes() {
    return this.model.history.ticks.peak[this.peakTick];
  }

  /** Bytes and count of each site; zeros for figures that are not known of a part. */
  sums(figure) {
    if (!this.known.has(figure)) this.known.set(figure, this.#sums(figure));
    return this.known.get(figure);
  }

  #sums(figure) {
    const sites = this.model.sites.node.length;
    const sums = { bytes: new Float64Array(sites), count: new Float64Array(sites) };
    if (figure === "peak") this.#addPeak(sums);
    if (figure === "leaked") this.#addKept(sums);
    return sums;
  }

  /** Each change says what a site has from its tick on, so the last one up to the peak counts. */
  #addPeak(sums) {
    const { tick, site, bytes, count } = this.model.history.changes;
    const { peakTick } = this;
    for (let index = 0; index < tick.length && tick[index] <= peakTick; index++) {
      sums.bytes[site[index]] = bytes[index];
      sums.count[site[index]] = count[index];
    }
  }

  #addKept(sums) {
    const { site, allocated, freed, bytes, count } = this.model.history.lifetimes;
    for (let index = 0; index < site.length; index++) {
      const isInside = allocated[index] >= this.first && allocated[index] <= this.last;
      const isKept = freed[index] === 0 || freed[index] - 1 > this.last;
      if (!isInside || !isKept) continue;
      sums.bytes[site[index]] += bytes[index];
      sums.count[site[index]] += count[index];
    }
  }
}
