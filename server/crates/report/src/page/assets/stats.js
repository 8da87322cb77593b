/**
 * The run in numbers.
 */
import { bar, byId, element, fill } from "./element.js";
import { counted, duration, exactly, grouped, moment, printable, share, size } from "./format.js";
import { histogram } from "./details.js";
import { LATER, sum } from "./figures.js";

/** Rows of each list. */
const LISTED = 10;

/** Sums of what was allocated by some key of sites, the largest first by bytes and by count. */
function ranked(model, keyOf) {
  const { bytes, count } = model.sites.sums.allocated;
  const rows = new Map();
  for (let site = 0; site < bytes.length; site++) {
    if (model.sites.run[site] !== LATER) continue;
    const key = keyOf(site);
    const row = rows.get(key) ?? { key, bytes: 0, count: 0 };
    row.bytes += bytes[site];
    row.count += count[site];
    rows.set(key, row);
  }
  const by = (unit) => [...rows.values()].sort((a, b) => b[unit] - a[unit] || a.key - b.key);
  return { bytes: by("bytes"), count: by("count") };
}

/** What is known of a run as a whole. */
function facts(session, more) {
  const known = [
    ["Command", printable(session.command.join(" ")) || "unknown"],
    ["Folder", printable(session.directory)],
    ["Python", session.python ?? "unknown"],
    ["Started", moment(session.started_ms)],
    ["Ended", moment(session.started_ms + session.duration_ms)],
    ["Duration", duration(session.duration_ms)],
    ["Exit code", session.exit_code === null ? "unknown" : String(session.exit_code)],
    ["Processes", `${grouped(session.processes)} (first: ${session.pid})`],
    ["Peak", `${size(session.peak_bytes)} (${exactly(session.peak_bytes)}) at ${duration(session.peak_ms)}`],
    ["Allocated", `${size(session.allocated_bytes)} (${exactly(session.allocated_bytes)}) in ${counted(session.allocated_count, "allocation")}`],
    ["Live at the end", `${size(session.leaked_bytes)} (${exactly(session.leaked_bytes)}) in ${counted(session.leaked_count, "allocation")}`],
    ["Largest RSS", size(session.rss_peak_bytes)],
    ...more,
  ];
  return element("dl", {}, known.map(([name, value]) => [element("dt", {}, name), element("dd", { class: "name" }, value)]).flat());
}

/** Shows the statistics; they are of the whole run, whatever the filters say. */
export function showStats(app) {
  const { model } = app;
  const { session, meta, earlier } = model;
  const more = [
    ["Python allocator", printable(meta.python_allocator)],
    ["Main thread", String(meta.main_thread)],
    ["Frames seen", `${counted(meta.counts.lines_seen, "line")}, ${counted(meta.counts.nodes + meta.counts.nodes_left_out - 1, "stack")}`],
    ["heaphint", meta.heaphint_version],
  ];
  const sizes = model.sites.sizes.map((counts) => counts.reduce((total, count, site) => total + (model.sites.run[site] === LATER ? count : 0), 0));
  const ofRun = (title) => (earlier ? `${title}, later run` : title);
  const allocators = ranked(model, (site) => model.sites.allocator[site]);
  const modules = ranked(model, (site) => model.sites.module[site]);
  const places = ranked(model, (site) => model.nodes.frame[model.sites.node[site]]);
  const moduleName = (row) => [model.modules[row.key], ""];
  const placeName = (row) => [model.functionOf(row.key).qualname, model.place(row.key)];
  fill(
    byId("stats-body"),
    card(earlier ? "The later run" : "The run", facts(session, more)),
    earlier && card("The earlier run", facts(earlier.session, [])),
    card("What is not exact", notes(app)),
    card(ofRun("Sizes of allocations"), histogram(model, sizes)),
    card(ofRun("Allocators"), ranking(allocators.count, "count", (row) => [meta.allocators[row.key], ""])),
    card(ofRun("Locations that allocated most, by size"), ranking(places.bytes, "bytes", placeName)),
    card(ofRun("Locations that allocated most, by number"), ranking(places.count, "count", placeName)),
    card(ofRun("Modules that allocated most, by size"), ranking(modules.bytes, "bytes", moduleName)),
    card(ofRun("Modules that allocated most, by number"), ranking(modules.count, "count", moduleName)),
  );
}

function card(title, ...content) {
  return element("section", { class: "card" }, element("h2", {}, title), content);
}

function notes(app) {
  const { session, meta, earlier } = app.model;
  const sentences = session.notes.map(printable);
  if (earlier) sentences.push(...earlier.session.notes.map((note) => `Of the earlier run: ${printable(note)}`));
  if (app.model.lines.guess?.includes(1)) {
    sentences.push("Where a line was in the earlier run is a guess, marked ~, when the text of its file at a run is not known or the line was changed.");
  }
  if (!session.complete) sentences.push("A process ended without closing its capture, or still runs: the figures are those until then.");
  sentences.push("A single stack's own maximum is not recorded: max is offered for lines and functions.");
  const bounds = app.model.lines.totalMax.why.reduce((count, why) => count + (why === 1 ? 1 : 0), 0);
  if (bounds > 0) sentences.push(`The maximum of ${counted(bounds, "line")} is a lower bound, marked ≥: maxima with callees are exact for the project's lines and functions.`);
  if (app.model.sites.sizes.some((counts) => counts.some((count) => count >= 2 ** 32 - 1))) sentences.push("A counter of sizes ran full, so there were more allocations of that size.");
  const { nodes_left_out, lines_left_out, functions_left_out } = meta.counts;
  if (nodes_left_out > 0) sentences.push(`${counted(nodes_left_out, "smaller stack")} are joined where they leave the graph: sums stay exact, but with a filter their lines do not count.`);
  if (lines_left_out > 0) sentences.push(`${counted(lines_left_out, "smaller line")} and ${counted(functions_left_out, "smaller function")} are left out of the tables.`);
  return element("ul", {}, sentences.map((sentence) => element("li", {}, sentence)));
}

function ranking(rows, unit, nameOf) {
  const whole = rows.reduce((total, row) => total + row[unit], 0);
  return element(
    "table",
    { class: "figures ranking" },
    element(
      "tbody",
      {},
      rows.slice(0, LISTED).map((row) => {
        const [name, place] = nameOf(row);
        const value = unit === "bytes" ? size(row.bytes) : grouped(row.count);
        return element(
          "tr",
          {},
          element("th", { scope: "row" }, element("span", { class: "name" }, name), place && element("span", { class: "place name" }, place)),
          element("td", {}, value),
          element("td", {}, share(row[unit], whole)),
          element("td", { class: "bar-cell" }, bar(whole > 0 ? row[unit] / whole : 0)),
        );
      }),
    ),
  );
}
