"""The language server in figures: how long it takes to start, to read, to show and to answer, and what it holds.

    python3 tests/bench/server_figures.py [start] [capture] [hints] [end] [--program PATH] [--rounds 5]

Without words everything is measured. Each line says what was measured, beside the goal; nothing is judged. Wall time
grows with whatever else the machine does; the processor's time hardly does.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from editor import PROGRAM, Editor, shares

# A tree of calls with 10 branches on each of 6 levels: every path allocates, and is a stack of its own.
STACKS = """import sys
kept = []
def f(n):
    if n == 0:
        kept.append(bytearray(2000))
        return
{calls}
f({depth})
""".format(calls="\n".join("    f(n - 1)" for _ in range(10)), depth="int(sys.argv[1])")


def say(what, seen, goal):
    print(f"{what:58} {seen:44} goal {goal}", flush=True)


def start(options, _):
    walls, cpus, memories = [], [], []
    for _ in range(4 * options.rounds):
        begin = time.monotonic()
        editor = Editor(options.program)
        walls.append(time.monotonic() - begin)
        cpus.append(editor.cpu())
        time.sleep(0.3)
        memories.append(editor.memory())
        editor.end()
    wall, cpu = statistics.median(walls) * 1000, statistics.median(cpus) * 1000
    say(
        "start to initialized",
        f"{wall:.1f} ms, {min(walls) * 1000:.1f} at best, cpu {cpu:.0f} ms",
        "30 ms",
    )
    say("resident memory when idle", f"{statistics.median(memories):.1f} MiB", "15 MB")


def capture(options, folder):
    path = folder / "stacks.py"
    path.write_text(STACKS)
    output = folder / "stacks.heaphint"
    command = [options.program, "run", "-f", "-o", output, path, str(options.depth)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    walls, cpus, memories, peaks = [], [], [], []
    for _ in range(options.rounds):
        editor = Editor(options.program)
        editor.open(path)
        before, begin = editor.cpu(), time.monotonic()
        editor.command(
            "heaphint.openSession", {"uri": path.as_uri(), "captures": [output.as_uri()]}
        )
        hints = editor.ask("textDocument/inlayHint", editor.hints(path, 0, 100))
        walls.append(time.monotonic() - begin)
        cpus.append(editor.cpu() - before)
        assert hints, "the capture has no figures"
        time.sleep(1)
        memories.append(editor.memory())
        peaks.append(peak(editor))
        editor.end()
    size = output.stat().st_size / 2**20
    wall, cpu = statistics.median(walls) * 1000, statistics.median(cpus) * 1000
    nodes = sum(10**level for level in range(options.depth + 1))
    say(
        f"a capture of {nodes:,} stack nodes, {size:.0f} MiB, is shown",
        f"{wall:.0f} ms, cpu {cpu:.0f} ms",
        "300 ms",
    )
    held, most = statistics.median(memories), statistics.median(peaks)
    say("resident memory with it", f"{held:.1f} MiB, {most:.0f} at most", "40 MB")


def peak(editor):
    from editor import status

    return status(editor.server.pid, "VmHWM")


def annotated(folder, lines, more=""):
    """A file of so many lines, of which every other one holds memory."""
    path = folder / "lines.py"
    rows = ["kept = []"]
    for i in range(lines // 2):
        rows += [f"kept.append(bytearray({1000 + i}))", f"x{i} = {i}"]
    path.write_text("\n".join(rows) + "\n" + more)
    return path


def hints(options, folder):
    path = annotated(
        folder, 10_000, "import time\nwhile True: time.sleep(0.001); kept.append(bytearray(900))\n"
    )
    resolves = {"inlayHint": {"resolveSupport": {"properties": ["tooltip"]}}}
    editor = Editor(options.program, {"textDocument": resolves})
    editor.settings(inlayHints={"figure": "allocated", "minimumBytes": 1})
    editor.open(path)
    run = editor.command("heaphint.profile", {"uri": path.as_uri()})["run"]
    deadline = time.monotonic() + 120
    while len(editor.ask("textDocument/inlayHint", editor.hints(path, 0, 10_002))) < 5_000:
        assert time.monotonic() < deadline, "the run has no figures"
        time.sleep(0.1)
    for words, lines, count in (("60 lines of a window", 60, 2000), ("all lines", 10_002, 300)):
        latencies, before = [], editor.cpu()
        for i in range(count):
            first = i * 37 % max(1, 10_002 - lines)
            asked = time.monotonic()
            editor.ask_raw("textDocument/inlayHint", editor.hints(path, first, first + lines))
            latencies.append(time.monotonic() - asked)
            time.sleep(0.002)
        cpu = (editor.cpu() - before) / count * 1000
        say(
            f"hints of {words}, 5,000 of 10,000 annotated, during a run",
            f"{shares(latencies)}, cpu {cpu:.2f} ms each",
            "p99 5 ms",
        )
    editor.command("heaphint.cancel", {"run": run})
    editor.finished.get(timeout=60)
    editor.end()


def end(options, folder):
    stamp = folder / "ended"
    for words, lines in (("a small program", 20), ("5,000 annotated lines", 10_000)):
        # The last thing that the program does itself; then the interpreter ends.
        ending = f"import time\nopen({str(stamp)!r}, 'w').write(str(time.monotonic()))\n"
        path = annotated(folder, lines, ending)
        delays = []
        for _ in range(options.rounds):
            editor = Editor(options.program, {"workspace": {"inlayHint": {"refreshSupport": True}}})
            editor.settings(inlayHints={"figure": "allocated", "minimumBytes": 1})
            editor.open(path)
            editor.command("heaphint.profile", {"uri": path.as_uri()})
            while True:
                editor.refreshed.get(timeout=600)
                shown = editor.ask("textDocument/inlayHint", editor.hints(path, 0, 60))
                if stamp.exists() and shown:
                    break
            delays.append(time.monotonic() - float(stamp.read_text()))
            stamp.unlink()
            editor.finished.get(timeout=600)
            editor.end()
        seen = f"{statistics.median(delays) * 1000:.0f} ms, {min(delays) * 1000:.0f} at best"
        say(f"annotations after the end of {words}", seen, "200 ms")


MEASURES = {"start": start, "capture": capture, "hints": hints, "end": end}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", metavar="start|capture|hints|end")
    parser.add_argument("--program", default=str(PROGRAM))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--depth", type=int, default=6, help="10 to this power are the stacks of the capture"
    )
    options = parser.parse_args()
    for name in options.what or MEASURES:
        folder = Path(tempfile.mkdtemp(prefix="heaphint-bench-"))
        (folder / "pyproject.toml").touch()
        try:
            MEASURES[name](options, folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
