/**
 * RSS and heap over time, with the peak marked.
 */
import { isDark, styleColour } from "./colours.js";
import { byId, element, fill } from "./element.js";
import { duration, moment, size } from "./format.js";

/** Parts of the shown time by which the keyboard moves and zooms. */
const STEP = 0.2;

/** A process that only the earlier of two runs has. */
const NO_SAMPLES = { elapsed: [], rss: [], heap: [] };
const NO_PROCESS = { pid: "none", started_ms: Number.NaN, peak_bytes: 0, peak_ms: 0 };

/** Text that opens in a spreadsheet: one row per sample. */
export function timelineCsv(model) {
  const rows = ["pid,elapsed_ms,unix_ms,rss_bytes,heap_bytes"];
  const earlier = model.earlier ? model.earlier.processes : [];
  const processes = [...model.meta.processes, ...earlier];
  [...model.timelines, ...model.earlierTimelines].forEach((timeline, index) => {
    const { pid, started_ms } = processes[index];
    timeline.elapsed.forEach((elapsed, sample) => {
      rows.push([pid, elapsed, started_ms + elapsed, timeline.rss[sample], timeline.heap[sample]].join(","));
    });
  });
  return `${rows.join("\n")}\n`;
}

/** The view of the memory over time. */
export class MemoryView {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.box = byId("memory-chart");
    byId("memory-reset").addEventListener("click", () => this.#showAll());
    for (const figure of ["peak", "leaked"]) {
      byId(`memory-${figure}`).addEventListener("click", () => app.state.set({ view: "flame", figure, zoom: "" }));
    }
    byId("memory-csv").addEventListener("click", () => this.#download());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#resize()).observe(this.box);
  }

  /** The process whose memory is shown: that of the filter, else the first. */
  get process() {
    const { process, thread } = this.app.selection;
    return process ?? (thread === null ? 0 : this.model.threads[thread].process);
  }

  show() {
    const { process, model } = this;
    const timeline = model.timelines[process] ?? NO_SAMPLES;
    const key = `${process}|${isDark()}`;
    this.#describe(process, timeline);
    if (key !== this.key) {
      this.key = key;
      this.chart?.destroy();
      this.chart = null;
      fill(this.box);
      if (timeline.elapsed.length + (model.earlierTimelines[process]?.elapsed.length ?? 0) > 0) this.#draw(process, timeline);
    }
    this.#resize();
    this.chart?.redraw();
  }

  #describe(process, timeline) {
    const { model } = this;
    const { pid, started_ms, peak_bytes, peak_ms } = model.meta.processes[process] ?? NO_PROCESS;
    const many = model.processCount > 1;
    let largest = 0;
    for (const rss of timeline.rss) largest = Math.max(largest, rss);
    const facts =
      timeline.elapsed.length === 0
        ? "No samples were recorded: the process ended too soon."
        : `The heap's peak was ${size(peak_bytes)} at ${duration(peak_ms)}; the largest resident set size in these ${timeline.elapsed.length} samples is ${size(largest)}.`;
    const which = many ? `Process ${pid}, one of ${model.processCount}: choose another with the process filter. ` : "";
    const before = model.earlier?.processes[process];
    const compared = before ? ` In the earlier run, which began at ${moment(before.started_ms)}, the heap's peak was ${size(before.peak_bytes)} at ${duration(before.peak_ms)}.` : "";
    const { interval } = this.app.selection;
    const part = interval === null ? "" : ` Between ${duration(interval.from)} and ${duration(interval.to)} at most ${size(interval.peakBytes)} were live.`;
    fill(byId("memory-facts"), `${which}${facts} Recording began at ${moment(started_ms)}.${compared}${part}`);
    byId("memory-part").hidden = interval === null;
    byId("memory-hint").textContent = this.hasParts
      ? "Drag to choose a part: the other views then show its peak, or what it left behind. With the keyboard, + and − zoom, arrows move, Enter chooses."
      : "Drag to zoom in; with the keyboard, + and − zoom, arrows move.";
    for (const id of ["memory-reset", "memory-csv"]) byId(id).disabled = timeline.elapsed.length === 0;
  }

  #draw(process, timeline) {
    const { model } = this;
    const { peak_bytes, peak_ms } = model.meta.processes[process] ?? NO_PROCESS;
    const before = model.earlier?.processes[process] && { ...model.earlier.processes[process], timeline: model.earlierTimelines[process] };
    const style = getComputedStyle(document.documentElement);
    const fontSize = Number.parseFloat(style.fontSize);
    const font = `${Math.round(fontSize * 0.85)}px system-ui, sans-serif`;
    const tableOf = ({ elapsed, rss, heap }) => [Array.from(elapsed, (ms) => ms / 1000), Array.from(rss), Array.from(heap)];
    // Both runs begin at the left; where only one has a sample, the line of the other goes on.
    const data = before ? uPlot.join([tableOf(timeline), tableOf(before.timeline)]) : tableOf(timeline);
    const [seconds] = data;
    const axis = { font, stroke: styleColour("--text"), grid: { stroke: styleColour("--line"), width: 1 }, ticks: { stroke: styleColour("--line"), width: 1 } };
    const top = data.slice(1).flat().reduce((a, b) => Math.max(a, b ?? 0), Math.max(peak_bytes, before?.peak_bytes ?? 0));
    this.whole = [0, Math.max(seconds[seconds.length - 1], peak_ms / 1000, (before?.peak_ms ?? 0) / 1000, 0.001)];
    const line = (label, colour, more) => ({ label, stroke: styleColour(colour), width: 2, spanGaps: true, value: (_, value) => (value === null || value === undefined ? "–" : size(value)), ...more });
    const options = {
      ...this.#size(),
      scales: { x: { time: false, range: (_, least, most) => (least === null ? this.whole : [least, most]) }, y: { range: () => [0, top * 1.08 || 1] } },
      cursor: { drag: { x: true, y: false }, points: { size: 7 } },
      legend: { live: true },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((tick) => duration(tick * 1000)), space: fontSize * 6 },
        { ...axis, values: (_, ticks) => ticks.map((tick) => size(tick)), size: fontSize * 5.2, space: fontSize * 2.5, incrs: byteSteps() },
      ],
      series: [
        { label: "Time", value: (_, value) => (value === null ? "–" : duration(value * 1000)) },
        line("RSS", "--rss"),
        line("Heap", "--heap", { fill: styleColour("--heap-fill") }),
        ...(before ? [line("RSS before", "--rss", { dash: [5, 4], width: 1.5 }), line("Heap before", "--heap", { dash: [5, 4], width: 1.5 })] : []),
      ],
      hooks: {
        setSelect: [({ select, posToVal }) => select.width > 0 && this.#choose(posToVal(select.left, "x"), posToVal(select.left + select.width, "x"))],
        draw: [
          (chart) => {
            this.#markPart(chart);
            if (before) this.#markPeak(chart, before.peak_ms / 1000, before.peak_bytes, font, "before: peak", 1);
            this.#markPeak(chart, peak_ms / 1000, peak_bytes, font, "peak", 0);
          },
        ],
      },
    };
    this.chart = new uPlot(options, data, this.box);
    this.#zoom(this.whole);
  }

  /** Whether parts of the time can be chosen: the first process of a full record knows them. */
  get hasParts() {
    return this.model.history !== null && this.process === 0;
  }

  /** Makes a part of the time, in seconds, the one that every view is about. */
  #choose(from, to) {
    if (this.hasParts) this.app.state.set({ from: Math.max(0, Math.round(from * 1000)), to: Math.max(0, Math.round(to * 1000)) });
  }

  #showAll() {
    this.#zoom(this.whole);
    this.app.state.set({ from: "", to: "" });
  }

  #markPart(chart) {
    const { interval } = this.app.selection;
    if (interval === null || !this.hasParts) return;
    const { left, top, width, height } = chart.bbox;
    const [from, to] = [interval.from, interval.to].map((ms) => Math.max(left, Math.min(left + width, chart.valToPos(ms / 1000, "x", true))));
    const c = chart.ctx;
    c.save();
    c.globalAlpha = 0.14;
    c.fillStyle = styleColour("--accent");
    c.fillRect(from, top, to - from, height);
    c.restore();
  }

  /** Marks a peak; its text stands in the given row from the top. */
  #markPeak(chart, at, bytes, font, name, row) {
    const { left, top, width, height } = chart.bbox;
    const x = chart.valToPos(at, "x", true);
    if (x < left - 1 || x > left + width + 1) return;
    const y = chart.valToPos(bytes, "y", true);
    const c = chart.ctx;
    const ratio = window.devicePixelRatio || 1;
    c.save();
    c.strokeStyle = c.fillStyle = styleColour("--peak");
    c.lineWidth = 1.5 * ratio;
    c.setLineDash([5 * ratio, 4 * ratio]);
    c.beginPath();
    c.moveTo(x, top);
    c.lineTo(x, top + height);
    c.stroke();
    c.beginPath();
    c.arc(x, y, 4 * ratio, 0, 2 * Math.PI);
    c.fill();
    c.font = font.replace(/^(\d+)px/, (_, pixels) => `600 ${pixels * ratio}px`);
    const text = `${name} ${size(bytes)}`;
    const before = x + c.measureText(text).width + 12 * ratio > left + width;
    c.textAlign = before ? "right" : "left";
    c.textBaseline = "top";
    const line = Number.parseFloat(font) * 1.3;
    c.fillText(text, x + (before ? -7 : 7) * ratio, top + (4 + row * line) * ratio);
    c.restore();
  }

  #size() {
    const legend = this.box.querySelector(".u-legend")?.offsetHeight ?? 32;
    return { width: Math.max(100, this.box.clientWidth), height: Math.max(140, this.box.clientHeight - legend) };
  }

  #resize() {
    if (this.chart && this.box.clientWidth > 0) this.chart.setSize(this.#size());
  }

  #zoom([min, max]) {
    this.chart?.setScale("x", { min, max });
  }

  #key(event) {
    if (!this.chart) return;
    const { min, max } = this.chart.scales.x;
    const width = max - min;
    const [least, most] = this.whole;
    const move = (by) => {
      const from = Math.max(least, Math.min(most - width, min + by * width));
      return [from, from + width];
    };
    const zooms = {
      ArrowLeft: () => move(-STEP),
      ArrowRight: () => move(STEP),
      "+": () => [min + width * STEP, max - width * STEP],
      "-": () => [Math.max(least, min - width * STEP), Math.min(most, max + width * STEP)],
    };
    if (event.key === "Enter") this.#choose(min, max);
    if (event.key === "Escape") this.#showAll();
    if (!zooms[event.key]) return;
    event.preventDefault();
    this.#zoom(zooms[event.key]());
  }

  #download() {
    const url = URL.createObjectURL(new Blob([timelineCsv(this.model)], { type: "text/csv" }));
    element("a", { href: url, download: "memory.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}

/** Distances of marks on an axis of bytes: powers of two, since sizes are shown in units of 1024. */
function byteSteps() {
  return Array.from({ length: 60 }, (_, power) => 2 ** power);
}
