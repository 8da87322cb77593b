"""Load on the language server: several editors that type while programs run, and how long answers take.

    python3 tests/bench/editor_load.py [--clients 4] [--seconds 10] [--edits 2500] [--lines 2000] [--runs 3]
    python3 tests/bench/editor_load.py --soak

Each client has a server of its own and a document with a figure on every other line; it sends so many edits a second,
asks for hints meanwhile, and starts runs that it cancels or lets end. Each is a process, as editors are: what one has to
wait for in here is not the server's. The soak is one client with a million edits and 500
runs, as fast as they go. Prints the latencies of hint requests and the server's memory as it goes; it judges neither. Ends
with 1 when an edit was lost, a run had no end, or a server did not go.
"""

import argparse
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from editor import PROGRAM, Editor, shares


class Typist:
    """An editor whose document changes all the time, and is what it was after every second change."""

    def __init__(self, options, folder):
        self.path = folder / "app.py"
        self.rows = ["kept = []"]
        for i in range(options.lines // 2):
            self.rows += [f"kept.append(bytearray({1000 + i}))", f"x{i} = {i}"]
        self.rows.append(f"import time; time.sleep({options.sleep})")
        self.path.write_text("\n".join(self.rows) + "\n")
        self.editor = Editor(options.program)
        self.editor.settings(inlayHints={"figure": "allocated", "minimumBytes": 1})
        self.editor.open(self.path)
        self.version = 1
        self.started = 0
        self.random = random.Random(str(folder.name))

    def type(self):
        """A character comes and goes at the end of some line."""
        row = self.random.randrange(len(self.rows))
        end = {"line": row, "character": 1_000_000}
        for text, start in (("#", end), ("", {"line": row, "character": len(self.rows[row])})):
            change = {"range": {"start": start, "end": end}, "text": text}
            self.version += 1
            document = {"uri": self.path.as_uri(), "version": self.version}
            changes = {"textDocument": document, "contentChanges": [change]}
            self.editor.notify("textDocument/didChange", changes)

    def run(self):
        """Starts a run, and cancels every other one."""
        run = self.editor.command("heaphint.profile", {"uri": self.path.as_uri()})["run"]
        self.started += 1
        if self.random.random() < 0.5:
            self.editor.command("heaphint.cancel", {"run": run})

    def ask(self):
        """How long the hints of a window take, seconds."""
        asked = time.monotonic()
        self.editor.ask_raw("textDocument/inlayHint", self.editor.hints(self.path, 0, 60))
        return time.monotonic() - asked

    def wait(self, runs=None):
        for _ in range(self.started if runs is None else runs):
            self.editor.finished.get(timeout=600)
            self.started -= 1

    def end(self, problems):
        """Nothing was lost when every line is what it was: then no figure of a last run is old."""
        self.wait()
        self.editor.profile(self.path)
        request = self.editor.hints(self.path, 0, len(self.rows))
        hints = self.editor.ask("textDocument/inlayHint", request)
        old = [hint["label"] for hint in hints if hint["label"].endswith("(old)")]
        if not hints or old:
            problems.append(f"{len(hints)} hints, of which {len(old)} are old")
        memory = self.editor.memory()
        code = self.editor.end()
        if code != 0:
            problems.append(f"the server ended with {code}")
        return memory


def load(options, folder):
    """The latencies of hint requests, seconds, and what went wrong."""
    latencies, problems = [], []
    typist = Typist(options, folder)
    typist.editor.profile(typist.path)
    before = typist.editor.memory()
    begin = time.monotonic()
    due = [begin + i * options.seconds / options.runs for i in range(options.runs)]
    while (now := time.monotonic()) < begin + options.seconds:
        if due and now >= due[0]:
            due.pop(0)
            typist.run()
        # An editor that cannot keep up still asks.
        for _ in range(min(int(options.edits * (now - begin) - typist.version) // 2, 250)):
            typist.type()
        latencies.append(typist.ask())
        time.sleep(0.01)
    edits, memory = typist.version - 1, typist.end(problems)
    print(
        f"{folder.name}: {edits} edits, {before:.0f} MiB before and {memory:.0f} after", flush=True
    )
    return latencies, problems


def soak(options, folder):
    """The same, as fast as it goes."""
    latencies, problems = [], []
    options.lines, options.sleep = 500, 0.02
    typist = Typist(options, folder)
    begin = time.monotonic()
    for share in range(options.soak_runs):
        if typist.started > 2:
            typist.wait(1)
        typist.run()
        wanted = options.soak_edits * (share + 1) // options.soak_runs
        while typist.version - 1 < wanted:
            typist.type()
            if typist.version % 1001 == 0:
                latencies.append(typist.ask())
        latencies.append(typist.ask())
        if (share + 1) % (options.soak_runs // 10) == 0:
            memory, elapsed = typist.editor.memory(), time.monotonic() - begin
            print(
                f"{typist.version - 1:,} edits, {share + 1} runs, {elapsed:.0f} s: {memory:.1f} MiB",
                flush=True,
            )
    print(f"at the end {typist.end(problems):.1f} MiB", flush=True)
    return latencies, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(PROGRAM))
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--edits", type=float, default=2500, help="a second, of each client")
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3, help="of each client")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--soak-edits", type=int, default=1_000_000)
    parser.add_argument("--soak-runs", type=int, default=500)
    options = parser.parse_args()
    options.sleep = 1
    if options.soak:
        options.clients = 1
    latencies, problems = [], []
    with tempfile.TemporaryDirectory() as top:
        folders = [Path(top, f"client-{number}") for number in range(options.clients)]
        for folder in folders:
            folder.mkdir()
            (folder / "pyproject.toml").touch()
        with ProcessPoolExecutor(options.clients) as clients:
            for seen, wrong in clients.map(
                soak if options.soak else load, repeat(options), folders
            ):
                latencies += seen
                problems += wrong
    if latencies:
        print(f"{len(latencies)} hint requests: {shares(latencies)}")
    else:
        problems.append("no request was answered")
    print("\n".join(problems) or "nothing was lost")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
