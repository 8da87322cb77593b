/**
 * RSS and heap over time, with the peak marked.
 */
import { isDark, styleColour } from "./colours.js";
import { byId, element, fill } from "./element.js";
import { duration, moment, size } from "./format.js";

/** Parts of the shown time by which the keyboard moves and zooms. */
const STEP = 0.2;

/** Text that opens in a spreadsheet: one row per sample. */
export function timelineCsv(model) {
  const rows = ["pid,elapsed_ms,unix_ms,rss_bytes,heap_bytes"];
  model.timelines.forEach((timeline, index) => {
    const { pid, started_ms } = model.meta.processes[index];
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
    byId("memory-reset").addEventListener("click", () => this.#zoom(this.whole));
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
    const timeline = model.timelines[process];
    const key = `${process}|${isDark()}`;
    this.#describe(process, timeline);
    if (key !== this.key) {
      this.key = key;
      this.chart?.destroy();
      this.chart = null;
      fill(this.box);
      if (timeline.elapsed.length > 0) this.#draw(process, timeline);
    }
    this.#resize();
  }

  #describe(process, timeline) {
    const { model } = this;
    const { pid, started_ms, peak_bytes, peak_ms } = model.meta.processes[process];
    const many = model.meta.processes.length > 1;
    let largest = 0;
    for (const rss of timeline.rss) largest = Math.max(largest, rss);
    const facts =
      timeline.elapsed.length === 0
        ? "No samples were recorded: the process ended too soon."
        : `The heap's peak was ${size(peak_bytes)} at ${duration(peak_ms)}; the largest resident set size in these ${timeline.elapsed.length} samples is ${size(largest)}.`;
    const which = many ? `Process ${pid}, one of ${model.meta.processes.length}: choose another with the process filter. ` : "";
    fill(byId("memory-facts"), `${which}${facts} Recording began at ${moment(started_ms)}.`);
    for (const id of ["memory-reset", "memory-csv"]) byId(id).disabled = timeline.elapsed.length === 0;
  }

  #draw(process, timeline) {
    const { peak_bytes, peak_ms } = this.model.meta.processes[process];
    const style = getComputedStyle(document.documentElement);
    const fontSize = Number.parseFloat(style.fontSize);
    const font = `${Math.round(fontSize * 0.85)}px system-ui, sans-serif`;
    const seconds = Array.from(timeline.elapsed, (ms) => ms / 1000);
    const axis = { font, stroke: styleColour("--text"), grid: { stroke: styleColour("--line"), width: 1 }, ticks: { stroke: styleColour("--line"), width: 1 } };
    const top = Math.max(peak_bytes, ...[timeline.rss, timeline.heap].map((values) => values.reduce((a, b) => Math.max(a, b), 0)));
    this.whole = [0, Math.max(seconds[seconds.length - 1], peak_ms / 1000, 0.001)];
    const options = {
      ...this.#size(),
      scales: { x: { time: false, range: (_, least, most) => (least === null ? this.whole : [least, most]) }, y: { range: () => [0, top * 1.08 || 1] } },
      cursor: { drag: { x: true, y: false }, points: { size: 7 } },
      legend: { live: true },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((tick) => duration(tick * 1000)), space: fontSize * 6 },
        { ...axis, values: (_, ticks) => ticks.map((tick) => size(tick)), size: fontSize * 5.2, incrs: byteSteps() },
      ],
      series: [
        { label: "Time", value: (_, value) => (value === null ? "–" : duration(value * 1000)) },
        { label: "RSS", stroke: styleColour("--rss"), width: 2, value: (_, value) => (value === null ? "–" : size(value)) },
        { label: "Heap", stroke: styleColour("--heap"), width: 2, fill: styleColour("--heap-fill"), value: (_, value) => (value === null ? "–" : size(value)) },
      ],
      hooks: { draw: [(chart) => this.#markPeak(chart, peak_ms / 1000, peak_bytes, font)] },
    };
    this.chart = new uPlot(options, [seconds, Array.from(timeline.rss), Array.from(timeline.heap)], this.box);
    this.#zoom(this.whole);
  }

  #markPeak(chart, at, bytes, font) {
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
    const text = `peak ${size(bytes)}`;
    const before = x + c.measureText(text).width + 12 * ratio > left + width;
    c.textAlign = before ? "right" : "left";
    c.textBaseline = "top";
    c.fillText(text, x + (before ? -7 : 7) * ratio, top + 4 * ratio);
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
      Escape: () => this.whole,
    };
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

/** Distances of marks on an axis of bytes: 1, 2, 5 and so on of each unit. */
function byteSteps() {
  const steps = [];
  for (let unit = 1; unit < 2 ** 60; unit *= 1024) {
    for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500]) steps.push(step * unit);
  }
  return steps;
}
