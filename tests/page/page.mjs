// Opens pages in Chromium with the network cut, clicks through every view, and compares what is shown with the JSON
// reports of the same captures. Prints a line per step, and `N passed, M failed` at the end.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";

const { WORK: work, DRIVER: driver, SCREENSHOTS: screenshots } = process.env;
const require = createRequire(join(driver, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const json = (name) => JSON.parse(readFileSync(join(work, name), "utf8"));

let passed = 0;
let failed = 0;
let pictures = 0;

async function picture(page, name) {
  pictures += 1;
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(screenshots, `${String(pictures).padStart(2, "0")}-${name.replace(/[^a-zA-Z0-9]+/g, "-")}.png`) });
}

/** One step; a failed one is told and has a picture, and the next goes on. */
async function step(page, name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n     ${String(error.message ?? error).split("\n").slice(0, 12).join("\n     ")}`);
    await picture(page, `FAILED ${name}`);
  }
}

/** A page with the network cut; `problems` collects what a healthy page never has. */
async function open(browser, name, { hash = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, offline: true, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems = [];
  page.on("console", (message) => problems.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => problems.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) problems.push(`request: ${request.url()}`);
  });
  await page.addInitScript(() => {
    window.violations = [];
    addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(`file://${join(work, `${name}.html`)}#${hash}`);
  await ready(page);
  return { page, problems };
}

const ready = (page) => page.waitForFunction(() => document.documentElement.dataset.ready === "yes");
const view = (page, name) => page.click(`#tab-${name}`);
const text = (page, selector) => page.locator(selector).innerText();
const number = (shown) => Number(shown.match(/[\d,]+/)[0].replaceAll(",", ""));
/** The exact bytes that stand behind the cells of an element's row. */
const exact = (row) => row.locator("td[title]").evaluateAll((cells) => cells.map((cell) => Number(cell.title.match(/[\d,]+/)?.[0].replaceAll(",", "") ?? Number.NaN)));

/** What the panel says of the chosen frame: `{Peak: [bytes, count], …}`. */
async function panel(page) {
  return page.locator("#details table.figures").first().locator("tbody tr").evaluateAll((rows) =>
    Object.fromEntries(
      rows.map((row) => {
        const cells = row.querySelectorAll("td");
        const of = (shown) => Number(shown.match(/[\d,]+/)[0].replaceAll(",", ""));
        return [row.querySelector("th").textContent, [of(cells[0].title), of(cells[1].textContent)]];
      }),
    ),
  );
}

async function healthy(page, problems) {
  assert.deepEqual(problems, []);
  assert.deepEqual(await page.evaluate(() => window.violations), []);
}

/** The centre of a frame of the graph whose label begins with `name`, found by the tooltip that tells its name. */
async function frameAt(page, name) {
  const box = await page.locator("#flame-canvas").boundingBox();
  const row = await page.evaluate(() => Math.round(Number.parseFloat(getComputedStyle(document.documentElement).fontSize) * 1.45));
  for (let y = row / 2; y < Math.min(box.height, row * 20); y += row) {
    for (let x = 3; x < box.width; x += box.width / 40) {
      await page.mouse.move(box.x + x, box.y + y);
      const tooltip = page.locator("#tooltip strong");
      if ((await tooltip.isVisible()) && (await tooltip.textContent()) === name) return [box.x + x, box.y + y];
    }
  }
  throw new Error(`no frame of ${name} can be seen`);
}

async function flameGraph(browser) {
  const { session, files } = json("subject.lines.json");
  const subject = files.find((file) => file.path.endsWith("/subject.py"));
  const functionOf = (name) => subject.functions.find((made) => made.name === name).total;
  const { page, problems } = await open(browser, "subject");

  await step(page, "the flame graph holds what the run held", async () => {
    const shown = await panel(page);
    assert.deepEqual(shown.Allocated, [session.allocated_bytes, session.allocated_count]);
    assert.deepEqual(shown.Leaked, [session.leaked_bytes, session.leaked_count]);
    assert.equal(shown.Peak[0], session.peak_bytes);
    assert.match(await page.title(), /subject\.py - heaphint$/);
    await picture(page, "flame graph");
  });
  await step(page, "a search finds a function and sums it up", async () => {
    for (const [figure, key] of [["peak", "peak_bytes"], ["allocated", "allocated_bytes"], ["leaked", "leaked_bytes"], ["temporary", "temporary_bytes"]]) {
      await page.selectOption("#figure", figure);
      await page.fill("#search", "/^temporary .*subject/");
      const expected = functionOf("temporary")[key];
      const result = await text(page, "#search-result");
      assert.match(result, expected > 0 ? /^\d+ frames?: / : /^nothing found$/, `${figure}: ${result}`);
    }
    await page.selectOption("#figure", "allocated");
    await page.fill("#search", "/^leak .*subject/");
    await page.locator("#flame-canvas").focus();
    // 500, 1000 and 1500 KB of the threads, and 4 MB, each with a byte for the end.
    assert.equal(functionOf("leak").allocated_bytes, 7_000_004);
    assert.match(await text(page, "#search-result"), /^2 frames: 6\.68 MiB, /);
    await picture(page, "search");
  });
  await step(page, "matches are visited one by one", async () => {
    await page.click("#search-next");
    assert.equal(await text(page, "#details h2"), "leak");
    const first = await text(page, "#announcement");
    await page.click("#search-next");
    assert.notEqual(await text(page, "#announcement"), first);
    await page.fill("#search", "/(/");
    assert.equal(await text(page, "#search-result"), "This is no regular expression.");
    await page.fill("#search", "");
  });
  await step(page, "a click zooms, the breadcrumbs and the browser lead back and forward", async () => {
    await page.selectOption("#figure", "peak");
    await page.mouse.click(...(await frameAt(page, "main")));
    assert.equal(await page.locator("#breadcrumbs [aria-current]").innerText(), "main");
    assert.equal(await text(page, "#details h2"), "main");
    await picture(page, "zoomed");
    await page.click("#flame-back");
    await page.waitForFunction(() => document.querySelector("#breadcrumbs [aria-current]").textContent === "everything");
    await page.click("#flame-forward");
    await page.waitForFunction(() => document.querySelector("#breadcrumbs [aria-current]").textContent === "main");
    await page.reload();
    await ready(page);
    assert.equal(await page.locator("#breadcrumbs [aria-current]").innerText(), "main");
    await page.locator("#breadcrumbs button").first().click();
    assert.equal(await page.locator("#breadcrumbs [aria-current]").innerText(), "everything");
  });
  await step(page, "the keyboard alone is enough", async () => {
    await page.locator("#flame-canvas").focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    const first = await text(page, "#announcement");
    assert.match(first, /, \d/);
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await text(page, "#announcement"), first);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await text(page, "#announcement"), first);
    await page.keyboard.press("Enter");
    assert.notEqual(await page.locator("#breadcrumbs [aria-current]").innerText(), "everything");
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#breadcrumbs [aria-current]").innerText(), "everything");
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  });
  await step(page, "the import system is hidden or shown", async () => {
    const find = async () => {
      await page.fill("#search", "importlib._bootstrap");
      return text(page, "#search-result");
    };
    assert.equal(await find(), "nothing found");
    await page.uncheck("#imports");
    assert.match(await find(), /^\d+ frames: /);
    await page.check("#imports");
    await page.fill("#search", "");
  });
  await step(page, "inverted, split, coloured and turned around, it holds the same", async () => {
    await page.locator("#flame-canvas").focus();
    await page.keyboard.press("Home");
    const whole = await panel(page);
    for (const split of ["thread", "module", "allocator", ""]) {
      await page.selectOption("#split", split);
      for (const inverted of [true, false]) {
        await page.setChecked("#inverted", inverted);
        await page.locator("#flame-canvas").focus();
        await page.keyboard.press("Home");
        assert.deepEqual(await panel(page), whole, `${split} ${inverted}`);
        if (split === "thread") await picture(page, `split by thread${inverted ? " inverted" : ""}`);
      }
    }
    await page.selectOption("#colour", "module");
    await page.selectOption("#direction", "flame");
    await page.selectOption("#small", "1");
    await picture(page, "flames by module");
    assert.equal((await panel(page)).Peak[0], whole.Peak[0]);
    for (const [id, value] of [["colour", "kind"], ["direction", "icicle"], ["small", ""]]) await page.selectOption(`#${id}`, value);
  });
  await step(page, "threads and allocators add up to the whole", async () => {
    const whole = await panel(page);
    for (const id of ["thread", "allocator", "module"]) {
      const values = await page.locator(`#${id} option`).evaluateAll((options) => options.map((option) => option.value));
      let sum = 0;
      for (const value of values.slice(1)) {
        await page.selectOption(`#${id}`, value);
        sum += (await panel(page)).Allocated[0];
      }
      assert.equal(sum, whole.Allocated[0], id);
      await page.click("#clear-filters");
    }
    await page.selectOption("#thread", { label: "worker-3" });
    await picture(page, "one thread");
    assert.ok((await panel(page)).Allocated[0] >= 4_500_000);
    await page.click("#clear-filters");
  });
  await step(page, "counts are shown instead of bytes", async () => {
    await page.selectOption("#unit", "count");
    await page.hover("#flame-canvas", { position: { x: 200, y: 8 } });
    assert.match(await text(page, "#tooltip"), /[\d,]+ allocations live at the peak, 100 %/);
    await page.selectOption("#unit", "bytes");
  });
  await step(page, "max is not offered for stacks", async () => {
    assert.ok(await page.locator("#figure option[value=max]").isDisabled());
  });
  await step(page, "the flame graph leaves no error, no request, no broken policy", () => healthy(page, problems));
  await page.context().close();
}

async function sourceAndTable(browser) {
  const { files } = json("subject.lines.json");
  const subject = files.find((file) => file.path.endsWith("/subject.py"));
  const { page, problems } = await open(browser, "subject", { hash: "view=source" });

  await step(page, "source lines have the figures of lines --json", async () => {
    for (const figure of ["peak", "max", "allocated", "leaked", "temporary"]) {
      await page.selectOption("#figure", figure);
      for (const line of subject.lines) {
        const row = page.locator("#source-body tbody tr", { has: page.getByRole("button", { name: `Line ${line.line}`, exact: true }) });
        const key = `${figure}_bytes`;
        const expected = [line.total[key], line.self[key]].filter((bytes) => bytes > 0);
        assert.deepEqual((await exact(row)).filter((bytes) => bytes > 0), expected, `${figure} of line ${line.line}`);
      }
    }
    assert.match(await text(page, "#source-body"), /def recurse\(depth\):/);
  });
  await step(page, "a line leads to its figures and to the graph, and the graph back to the line", async () => {
    await page.selectOption("#figure", "peak");
    await page.getByRole("button", { name: "Line 10", exact: true }).click();
    assert.equal(await text(page, "#details h2"), "leak");
    await picture(page, "source");
    await page.getByRole("button", { name: "Show in flame graph" }).click();
    const total = subject.lines.find((line) => line.line === 10).total.peak_bytes;
    assert.ok((await text(page, "#search-result")).startsWith("2 frames: "));
    assert.equal(await text(page, "#details h2"), "leak");
    const row = page.locator("#details section", { hasText: "This line in all stacks" }).locator("tbody tr").first();
    assert.equal((await exact(row))[0], total);
    await page.getByRole("button", { name: "Show source" }).click();
    assert.equal(await page.locator("#source-body tr.chosen button").innerText(), "10");
  });
  await step(page, "files are filtered", async () => {
    await page.fill("#source-filter", "no such path");
    assert.equal(await text(page, "#source-files"), "no such file");
    await page.fill("#source-filter", "");
  });
  await step(page, "the table has the figures of lines --json", async () => {
    await view(page, "table");
    await page.uncheck("#imports");
    await page.fill("#table-filter", "subject.py:");
    for (const figure of ["allocated", "max", "peak"]) {
      await page.selectOption("#figure", figure);
      for (const kind of ["lines", "functions"]) {
        await page.selectOption("#table-rows", kind);
        const of = kind === "lines" ? subject.lines : subject.functions;
        for (const place of of.filter(({ total }) => total[`${figure}_bytes`] > 0)) {
          const row = page.locator("#table-body tr", { has: page.locator(".place", { hasText: new RegExp(`subject\\.py:${place.line}$`) }) });
          const named = row.filter({ hasText: place.qualname ?? place.name });
          assert.equal((await exact(named.first()))[0], place.total[`${figure}_bytes`], `${figure} of ${kind} ${place.line}`);
        }
      }
    }
  });
  await step(page, "rows are sorted both ways, and open to their stacks", async () => {
    await page.selectOption("#table-rows", "lines");
    const column = async () => {
      const rows = await page.locator("#table-body tr").all();
      return Promise.all(rows.map(async (row) => (await exact(row))[0]));
    };
    const down = await column();
    assert.deepEqual(down, [...down].sort((a, b) => b - a));
    await page.locator("#table-head button", { hasText: "Total" }).first().click();
    const up = await column();
    assert.deepEqual(up, [...up].sort((a, b) => a - b));
    await page.locator("#table-head button", { hasText: "Total" }).first().click();
    await page.fill("#table-filter", "recurse");
    await page.locator("#table-body button[aria-expanded]").first().click();
    const stack = await page.locator("#table-body .stack").first().locator("li").allInnerTexts();
    assert.equal(stack.filter((frame) => frame.startsWith("recurse ")).length, 31);
    await picture(page, "table with a stack");
  });
  await step(page, "stacks, modules, threads and allocators are rows, too", async () => {
    await page.fill("#table-filter", "");
    for (const kind of ["stacks", "modules", "threads", "allocators"]) {
      await page.selectOption("#table-rows", kind);
      const largest = await exact(page.locator("#table-body tr").first());
      assert.ok(largest[0] > 0, kind);
    }
    await page.selectOption("#table-rows", "threads");
    await page.getByRole("button", { name: "worker-2" }).click();
    assert.equal(await page.locator("#table-body tr").count(), 1);
    await page.selectOption("#table-rows", "lines");
    await page.fill("#table-filter", "worker");
    await page.selectOption("#figure", "max");
    assert.match(await text(page, "#caveat"), /whole run only/);
  });
  await step(page, "source and table leave no error, no request, no broken policy", () => healthy(page, problems));
  await page.context().close();
}

async function memoryAndStats(browser) {
  const { page, problems } = await open(browser, "subject", { hash: "view=memory", colorScheme: "dark" });
  const stats = json("subject.stats.json");

  await step(page, "the memory graph zooms by pointer and keyboard, and back", async () => {
    const axis = () => page.evaluate(() => document.querySelector("#memory-chart .u-over").getBoundingClientRect().width);
    assert.ok((await axis()) > 300);
    const box = await page.locator("#memory-chart .u-over").boundingBox();
    const before = await page.locator("#memory-chart canvas").screenshot();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 90, { steps: 4 });
    await page.mouse.up();
    await page.mouse.move(2, 2);
    await page.waitForTimeout(100);
    const zoomed = await page.locator("#memory-chart canvas").screenshot();
    assert.ok(!before.equals(zoomed));
    await page.click("#memory-reset");
    await page.mouse.move(2, 2);
    await page.waitForTimeout(100);
    assert.ok(before.equals(await page.locator("#memory-chart canvas").screenshot()));
    await page.locator("#memory-chart").focus();
    await page.keyboard.press("+");
    await page.waitForTimeout(100);
    assert.ok(!before.equals(await page.locator("#memory-chart canvas").screenshot()));
    await page.keyboard.press("Escape");
    await picture(page, "memory");
  });
  await step(page, "the samples are downloaded as CSV", async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#memory-csv")]);
    assert.equal(download.suggestedFilename(), "memory.csv");
    const rows = readFileSync(await download.path(), "utf8").trim().split("\n");
    assert.equal(rows[0], "pid,elapsed_ms,unix_ms,rss_bytes,heap_bytes");
    assert.ok(rows.length > 1);
    const largest = Math.max(...rows.slice(1).map((row) => Number(row.split(",")[4])));
    assert.ok(largest > 0 && largest <= stats.session.peak_bytes);
    assert.equal(Number(rows[1].split(",")[0]), stats.metadata.pid);
  });
  await step(page, "statistics are those of stats --json", async () => {
    await view(page, "stats");
    const facts = Object.fromEntries(
      await page.locator("#stats-body dl").first().evaluate((list) => {
        const names = [...list.querySelectorAll("dt")].map((name) => name.textContent);
        return names.map((name, index) => [name, list.querySelectorAll("dd")[index].textContent]);
      }),
    );
    assert.equal(number(facts.Peak.split("(")[1]), stats.metadata.peak_memory);
    assert.equal(number(facts.Allocated.split("(")[1]), stats.total_bytes_allocated);
    assert.equal(number(facts.Allocated.split(" in ")[1]), stats.total_num_allocations);
    assert.equal(facts.Command, stats.metadata.command_line);
    assert.equal(facts.Python, stats.session.python);
    const card = (title) => page.locator("#stats-body .card", { has: page.getByRole("heading", { name: title, exact: true }) });
    const bars = await card("Sizes of allocations").locator("tbody tr td:last-child").allInnerTexts();
    const counts = stats.allocation_size_histogram.map(({ count }) => count);
    const used = counts.slice(counts.findIndex((count) => count > 0), counts.findLastIndex((count) => count > 0) + 1);
    assert.deepEqual(bars.map(number), used);
    const rows = await card("Allocators").locator("tbody tr").allInnerTexts();
    const kinds = Object.fromEntries(rows.map((row) => row.split(/\s+/)).map(([name, count]) => [name, number(count)]));
    assert.deepEqual(kinds, stats.allocator_type_distribution);
    for (const [title, key] of [["Locations that allocated most, by size", "top_allocations_by_size"], ["Modules that allocated most, by size", "top_modules_by_allocation_size"]]) {
      const names = await card(title).locator("th .name:first-child").allInnerTexts();
      const expected = stats[key].map((top) => top.module ?? top.function ?? "outside Python code");
      assert.deepEqual(names.map((name) => name.split(".").at(-1)), expected.map((name) => name.split(".").at(-1)));
    }
    await picture(page, "stats");
  });
  await step(page, "the theme is the system's until it is chosen", async () => {
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await back();
    await page.click("#theme");
    assert.notEqual(await back(), dark);
    await page.reload();
    await ready(page);
    assert.notEqual(await back(), dark, "the choice is kept");
    await page.click("#theme");
    assert.equal(await back(), dark);
  });
  await step(page, "help opens and closes", async () => {
    await page.keyboard.press("?");
    assert.ok(await page.locator("#help-dialog").isVisible());
    await page.keyboard.press("Escape");
    assert.ok(!(await page.locator("#help-dialog").isVisible()));
  });
  await step(page, "memory and stats leave no error, no request, no broken policy", () => healthy(page, problems));
  await page.context().close();
}

async function partsOfTime(browser) {
  const half = Math.floor(json("moments.stats.json").session.duration_ms / 2);
  const { page, problems } = await open(browser, "moments", { hash: "view=memory" });
  const whole = (name) => json(name).nodes[0].total;

  await step(page, "dragging over the memory graph chooses a part of the run", async () => {
    const box = await page.locator("#memory-chart .u-over").boundingBox();
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.6, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, y, { steps: 5 });
    await page.mouse.up();
    assert.match(await text(page, "#memory-facts"), /Between .* at most .* were live/);
    await picture(page, "a part of the time");
    await view(page, "flame");
    assert.match(await text(page, "body"), /Only the part from .* is shown: its peak/);
    await picture(page, "flame graph of a part");
  });
  for (const [name, file, from, to, figure] of [
    ["the first half", "moments.early.json", 0, half, "Peak"],
    ["the second half", "moments.late.json", half + 1, 2 * half + 2, "Peak"],
    ["what the second half left", "moments.left.json", half + 1, 2 * half + 2, "Leaked"],
  ]) {
    await step(page, `${name} has the figures of the command line`, async () => {
      await page.goto(`file://${join(work, "moments.html")}#view=flame&from=${from}&to=${to}`);
      await page.reload();
      await ready(page);
      const [bytes, count] = (await panel(page))[figure];
      const key = figure.toLowerCase();
      assert.deepEqual([bytes, count], [whole(file)[`${key}_bytes`], whole(file)[`${key}_count`]]);
    });
  }
  await step(page, "the halves are not alike", async () => {
    assert.ok(whole("moments.early.json").peak_bytes > 8_000_000);
    assert.ok(whole("moments.late.json").peak_bytes < whole("moments.early.json").peak_bytes);
    assert.ok(whole("moments.left.json").leaked_bytes >= 3_000_000);
  });
  await step(page, "parts of the time leave no error, no request, no broken policy", () => healthy(page, problems));
  await page.context().close();
}

async function processes(browser) {
  const { page, problems } = await open(browser, "forking");
  const { session } = json("forking.lines.json");
  await step(page, "a session's processes are filtered, split and have a memory graph each", async () => {
    assert.equal(await page.locator("#process option").count(), session.processes + 1);
    const whole = await panel(page);
    assert.deepEqual(whole.Allocated, [session.allocated_bytes, session.allocated_count]);
    await page.selectOption("#split", "process");
    await picture(page, "split by process");
    await page.selectOption("#process", { index: 2 });
    assert.ok((await panel(page)).Allocated[0] < whole.Allocated[0]);
    await view(page, "memory");
    assert.match(await text(page, "#memory-facts"), /one of 3: choose another/);
    assert.ok(await page.locator("#process").isVisible());
    await view(page, "stats");
    assert.match(await text(page, "#stats-body"), /peak and max add up 3 processes/);
  });
  await step(page, "a page of several processes leaves no error", () => healthy(page, problems));
  await page.context().close();
}

/** The rows of a table of both runs, by figure: what stands below `before`, `now` and `change`. */
async function comparison(page) {
  return page.locator("#details table.comparison").first().locator("tbody tr").evaluateAll((rows) =>
    Object.fromEntries(
      rows.map((row) => {
        const cells = Array.from(row.querySelectorAll("td"));
        const exact = (cell) => Number(cell.title.match(/[\d,]+/)[0].replaceAll(",", ""));
        return [row.querySelector("th").textContent, [exact(cells[0]), exact(cells[1]), cells[2].textContent]];
      }),
    ),
  );
}

async function twoRuns(browser) {
  const diff = json("two.diff.json");
  const { page, problems } = await open(browser, "two");
  const find = async (query) => {
    await page.fill("#search", query);
    await page.click("#search-next");
    return text(page, "#search-result");
  };

  await step(page, "a page of two runs has the figures of both", async () => {
    assert.match(await page.title(), /app\.py - two runs - heaphint$/);
    const shown = await comparison(page);
    for (const [title, name] of [["Peak", "peak"], ["Allocated", "allocated"], ["Leaked", "leaked"], ["Temporary", "temporary"]]) {
      const { before, after } = diff.whole;
      assert.deepEqual(shown[title].slice(0, 2), [before[`${name}_bytes`], after[`${name}_bytes`]], title);
    }
    assert.match(await text(page, "#peak"), /^peak .* \(−/);
    await picture(page, "two runs");
  });
  await step(page, "frames are found with what became of them, whatever the width shows", async () => {
    for (const width of ["later", "earlier", "difference"]) {
      await page.selectOption("#width", width);
      assert.match(await find("/^load .*app/"), /^1 frame: 3\.81 MiB before, 5\.72 MiB now, grew: \+1\.91 MiB$/, width);
      assert.match(await find("/^parse .*app/"), /: 7\.63 MiB before, 1\.91 MiB now, shrank: −5\.72 MiB$/, width);
      assert.match(await find("/^index .*app/"), /: 0 B before, 2\.38 MiB now, appeared: \+2\.38 MiB$/, width);
      assert.match(await find("/^old_cache .*app/"), /: 2\.86 MiB before, 0 B now, went: −2\.86 MiB$/, width);
      await page.fill("#search", "");
      await picture(page, `two runs ${width}`);
    }
  });
  await step(page, "as wide as the difference, nothing of what differs is hidden", async () => {
    await find("/^old_cache .*app/");
    await page.keyboard.press("Enter");
    await page.fill("#search", "");
    await page.mouse.click(...(await frameAt(page, "old_cache")));
    assert.equal(await text(page, "#details h2"), "old_cache");
    assert.match(await text(page, "#details"), /Only the earlier run has this line/);
    assert.equal(await page.getByRole("button", { name: "Show source" }).count(), 0);
    await page.click("#flame-reset");
  });
  await step(page, "colours and shapes leave the figures as they are", async () => {
    await page.selectOption("#width", "later");
    const home = async () => {
      await page.locator("#flame-canvas").focus();
      await page.keyboard.press("Home");
      return comparison(page);
    };
    const whole = await home();
    for (const [id, value] of [["colour", "kind"], ["colour", "module"], ["colour", "change"], ["split", "allocator"], ["split", ""], ["direction", "flame"], ["direction", "icicle"]]) {
      await page.selectOption(`#${id}`, value);
      assert.deepEqual(await home(), whole, `${id} ${value}`);
    }
    await page.check("#inverted");
    assert.deepEqual(await home(), whole);
    await picture(page, "two runs inverted");
    await page.uncheck("#inverted");
  });
  await step(page, "the table says what grew, shrank, appeared and went", async () => {
    await view(page, "table");
    await page.uncheck("#imports");
    await page.fill("#table-filter", "app.py:");
    for (const [kind, places] of [["lines", diff.lines], ["functions", diff.functions]]) {
      await page.selectOption("#table-rows", kind);
      for (const place of places.filter(({ location }) => location?.file.endsWith("/app.py"))) {
        const row = page.locator("#table-body tr", { has: page.locator(".name", { hasText: new RegExp(`${place.location.qualname.replace(/[.<>]/g, "\\$&")}$`) }) })
          .filter({ hasText: `app.py:${place.location.line ?? place.location.before_line}` });
        const { before, after } = place.total;
        assert.deepEqual((await exact(row.first())).slice(1, 3), [before.peak_bytes, after.peak_bytes], `${kind} ${place.location.qualname}`);
        if (["appeared", "went"].includes(place.change)) assert.match(await row.first().innerText(), new RegExp(place.change));
      }
    }
    await page.selectOption("#table-rows", "functions");
    const changes = (await Promise.all((await page.locator("#table-body tr").all()).map(exact))).map(([, before, after]) => Math.abs(after - before));
    assert.deepEqual(changes, [...changes].sort((a, b) => b - a));
    await picture(page, "two runs table");
    await page.locator("#table-body button[aria-expanded]", { hasText: "old_cache" }).click();
    assert.match(await text(page, "#table-body .stacks"), /The later run has no such stack/);
    await page.selectOption("#unit", "count");
    const counts = diff.functions.find(({ location }) => location?.function === "load").total;
    const row = page.locator("#table-body tr", { has: page.locator("button", { hasText: /^▸ load$/ }) });
    assert.deepEqual((await row.locator("td").allInnerTexts()).slice(1, 3).map(number), [counts.before.peak_count, counts.after.peak_count]);
    await page.selectOption("#unit", "bytes");
  });
  await step(page, "the source has both figures beside each line, and the lines that are gone", async () => {
    await view(page, "source");
    await picture(page, "two runs source");
    const body = page.locator("#source-body tbody");
    const loading = diff.lines.find(({ location }) => location?.function === "load" && location.file.endsWith("/app.py"));
    const row = body.locator("tr", { has: page.getByRole("button", { name: `Line ${loading.location.line}`, exact: true }) });
    assert.deepEqual((await exact(row)).filter((bytes) => bytes > 0), [loading.total.before.peak_bytes, loading.total.after.peak_bytes]);
    assert.match(await row.innerText(), /\+1\.91 MiB/);
    assert.match(await body.innerText(), /Lines that only the earlier run has:[^]*old_cache/);
    await row.getByRole("button").click();
    assert.match(await text(page, "#details"), new RegExp(`It was line ${loading.location.before_line} in the earlier run`));
  });
  await step(page, "memory over time and statistics are those of both runs", async () => {
    await view(page, "memory");
    assert.match(await text(page, "#memory-facts"), /In the earlier run, which began at /);
    assert.match(await text(page, "#memory-chart .u-legend"), /RSS before[^]*Heap before/);
    await picture(page, "two runs memory");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#memory-csv")]);
    const rows = readFileSync(await download.path(), "utf8").trim().split("\n").slice(1);
    assert.deepEqual([...new Set(rows.map((line) => Number(line.split(",")[0])))], [diff.after.pid, diff.before.pid]);
    await view(page, "stats");
    const cards = await page.locator("#stats-body .card h2").allInnerTexts();
    assert.deepEqual(cards.slice(0, 2), ["The later run", "The earlier run"]);
    await picture(page, "two runs stats");
  });
  await step(page, "a page of two runs leaves no error, no request, no broken policy", () => healthy(page, problems));
  await page.context().close();
}

async function hostile(browser) {
  const { files } = json("hostile.lines.json");
  const { page, problems } = await open(browser, "hostile", { hash: "view=table&rows=functions" });
  await step(page, "hostile names are text in every view", async () => {
    await page.fill("#table-filter", "hostile/");
    const names = await page.locator("#table-body th button.name").allInnerTexts();
    assert.equal(names.length, files.filter((file) => file.path.startsWith("/hostile/")).length);
    assert.ok(names.some((name) => name.includes("</script><script>window.hostile = 1</script>")));
    assert.ok(!names.join("").includes("\u202e"));
    await picture(page, "hostile table");
    for (const opener of await page.locator("#table-body button[aria-expanded=false]").all()) await opener.click().catch(() => {});
    for (const name of ["flame", "source", "memory", "stats"]) {
      await view(page, name);
      await picture(page, `hostile ${name}`);
    }
    await view(page, "source");
    for (const file of (await page.locator("#source-files button").all()).slice(0, 12)) await file.click();
    await view(page, "flame");
    await page.selectOption("#split", "module");
    await page.fill("#search", "hostile/");
    assert.match(await text(page, "#search-result"), /^\d+ frames: /);
    for (let match = 0; match < 12; match += 1) await page.click("#search-next");
    assert.equal(await page.evaluate(() => window.hostile), undefined);
    assert.equal(await page.evaluate(() => document.querySelectorAll("img, svg, iframe, object").length), 0);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
  });
  await step(page, "a page of hostile names leaves no error, no request, no broken policy", () => healthy(page, problems));
  await step(page, "the policy stops scripts that are not the page's", async () => {
    await page.evaluate(() => {
      const script = document.createElement("script");
      try {
        script.textContent = "window.hostile = 2";
      } catch {
        script.append("window.hostile = 2");
      }
      document.body.append(script);
      const image = document.createElement("img");
      image.setAttribute("src", "http://localhost:9/x.png");
      document.body.append(image);
    }).catch(() => {});
    assert.equal(await page.evaluate(() => window.hostile), undefined);
    assert.ok((await page.evaluate(() => window.violations)).length > 0);
  });
  await page.context().close();
}

async function sizes(browser) {
  for (const name of ["subject", "two"]) await sizesOf(browser, name);
}

async function sizesOf(browser, subject) {
  for (const [width, height, colorScheme] of [[320, 640, "light"], [320, 640, "dark"], [3840, 2160, "light"], [3840, 2160, "dark"]]) {
    const { page, problems } = await open(browser, subject, { viewport: { width, height }, colorScheme });
    await step(page, `every view of ${subject} fits ${width} pixels, ${colorScheme}`, async () => {
      for (const name of ["flame", "memory", "source", "table", "stats"]) {
        await view(page, name);
        await picture(page, `${subject} ${width} ${colorScheme} ${name}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${name} is ${wide} pixels too wide`);
      }
      const font = await page.evaluate(() => Number.parseFloat(getComputedStyle(document.body).fontSize));
      assert.ok(width > 3000 ? font >= 20 : font >= 14, `letters of ${font} pixels`);
      await healthy(page, problems);
    });
    await page.context().close();
  }
}

/** What axe-core has against each view: contrast, names, roles, landmarks, keyboard. */
async function everybody(browser) {
  for (const subject of ["subject", "two", "forking"]) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, problems } = await open(browser, subject, { colorScheme, hash: "figure=max" });
      await page.evaluate(axe);
      for (const name of ["flame", "memory", "source", "table", "stats"]) {
        await step(page, `axe has nothing against ${name} of ${subject}, ${colorScheme}`, async () => {
          await view(page, name);
          if (name === "flame") {
            await page.fill("#search", "/./");
            await page.click("#search-next");
          }
          if (name === "table") await page.locator("#table-body button[aria-expanded]").first().click();
          const violations = await page.evaluate(async () => (await window.axe.run()).violations);
          const told = violations.flatMap(({ id, help, nodes }) => nodes.map(({ html, any }) => `${id}: ${help}: ${html.slice(0, 200)} ${any[0]?.message ?? ""}`));
          assert.deepEqual(told, []);
        });
      }
      await healthy(page, problems);
      await page.context().close();
    }
  }
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  for (const part of [flameGraph, sourceAndTable, memoryAndStats, partsOfTime, processes, twoRuns, hostile, everybody, sizes]) await part(browser);
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
