// How long the flame graph of a large page takes to open and to draw. Zooms, scrolls and hovers in Chromium, and prints
// what the page's main thread needed for each frame, in CPU time: what a busy machine adds is not the page's. Below
// 16.7 ms it keeps up with 60 frames a second. Ends with 1 when it does not.
//
//   DRIVER=tests/.cache/page node tests/page/frames.mjs PAGE.html
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const FRAME_MS = 1000 / 60;
const OPEN_MS = 1000;

const { chromium } = createRequire(join(process.env.DRIVER, "package.json"))("playwright-core");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1920, height: 1080 }, offline: true });
const page = await context.newPage();
const session = await context.newCDPSession(page);
await session.send("Performance.enable", { timeDomain: "threadTicks" });

/** CPU milliseconds that the page's main thread has used. */
async function used() {
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "TaskDuration").value * 1000;
}

let isSlow = false;
const report = (name, value, most) => {
  isSlow ||= value > most;
  console.log(`${name.padEnd(34)} ${value.toFixed(1).padStart(8)} ms${value > most ? `, more than ${most.toFixed(1)}` : ""}`);
};

const before = await used();
await page.goto(`file://${resolve(process.argv[2])}`);
await page.waitForFunction(() => document.documentElement.dataset.ready === "yes", null, { timeout: 120_000 });
report("opening", (await used()) - before, OPEN_MS);

/** CPU time of a frame, or of each `every` of them, while something changes what is drawn in each of them. */
async function measure(name, kind, { frames = 120, every = 1 } = {}) {
  const start = await used();
  await page.evaluate(
    ([how, count]) =>
      new Promise((done) => {
        const canvas = document.getElementById("flame-canvas");
        const scroller = document.getElementById("flame-scroller");
        const box = canvas.getBoundingClientRect();
        // Always the same points, all over the graph.
        const at = (frame) => ({ clientX: box.left + ((frame * 97) % box.width), clientY: box.top + ((frame * 41) % box.height), bubbles: true });
        const steps = {
          hover: (frame) => canvas.dispatchEvent(new PointerEvent("pointermove", at(frame))),
          scroll: (frame) => {
            scroller.scrollTop = ((scroller.scrollHeight - scroller.clientHeight) * (1 - Math.cos(frame / 12))) / 2;
          },
          // Each zoom takes about ten frames, and fewer on a busy machine.
          zoom: (frame) => {
            if (frame % 20 === 0) canvas.dispatchEvent(new MouseEvent("click", { ...at(frame), clientY: box.top + 60 + (frame % 7) * 20 }));
            else if (frame % 20 === 10) canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
          },
        };
        let frame = 0;
        const next = () => {
          steps[how](frame);
          frame += 1;
          if (frame < count) requestAnimationFrame(next);
          else done();
        };
        requestAnimationFrame(next);
      }),
    [kind, frames],
  );
  report(name, (((await used()) - start) / frames) * every, FRAME_MS * every);
}

for (const direction of ["icicle", "flame"]) {
  await page.selectOption("#direction", direction);
  await measure(`${direction}: a frame of pointing`, "hover");
  await measure(`${direction}: a frame of scrolling`, "scroll");
  await measure(`${direction}: a zoom, ten frames`, "zoom", { every: 10 });
}
await page.click("#tab-stats");
const seen = await page.locator("#stats-body dd", { hasText: /lines?, .* stacks?$/ }).innerText();
console.log(`shown: ${seen}`);
await browser.close();
process.exitCode = isSlow ? 1 : 0;
