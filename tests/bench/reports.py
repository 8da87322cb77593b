#!/usr/bin/env python3
"""What each report costs beside Memray's, on one capture of Memray: CPU time, elapsed time, memory.

Both tools read the same file, in turns. Without --capture, Memray records alloc_small with every
allocation of Python's own allocators, at scale 1 about 43 million of them. The goals are those of
the reader: 40 ms of CPU time per million allocations, and 32 MB + 24 B per live allocation + 32 B
per stack node.

    python tests/bench/reports.py --heaphint target/release/heaphint

Needs an interpreter that can import memray.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKLOAD = Path(__file__).resolve().parent / "workloads" / "alloc_small.py"
GOAL_MS_PER_MILLION = 40

# Name, arguments of heaphint, arguments of memray (None: it has no such report for a pipe or file).
REPORTS = [
    ("stats", ["stats", "{capture}"], ["stats", "{capture}"]),
    ("stats as JSON", ["stats", "--json", "{capture}"], ["stats", "--json", "-f", "-o", "{out}.json", "{capture}"]),
    ("summary", ["summary", "{capture}"], ["summary", "{capture}"]),
    ("table", ["table", "{capture}"], ["table", "-f", "-o", "{out}.html", "{capture}"]),
    ("tree", ["tree", "{capture}"], None),
    ("flame graph", ["flamegraph", "-f", "-o", "{out}.html", "{capture}"], ["flamegraph", "-f", "-o", "{out}.html", "{capture}"]),
    (
        "flame graph of leaks",
        ["flamegraph", "--leaks", "-f", "-o", "{out}.html", "{capture}"],
        ["flamegraph", "--leaks", "-f", "-o", "{out}.html", "{capture}"],
    ),
    (
        "flame graph of temporaries",
        ["flamegraph", "--temporary", "-f", "-o", "{out}.html", "{capture}"],
        ["flamegraph", "--temporary-allocations", "-f", "-o", "{out}.html", "{capture}"],
    ),
    ("transform csv", ["transform", "csv", "{capture}"], ["transform", "csv", "-f", "-o", "{out}.csv", "{capture}"]),
    ("imports", ["imports", "{capture}"], None),
    ("diff with itself", ["diff", "{capture}", "{capture}"], None),
]  # fmt: skip


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heaphint", default="heaphint", help="the program (heaphint in PATH)")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with memray")
    parser.add_argument("--capture", help="a capture of Memray (recorded when none is named)")
    parser.add_argument("--scale", default="1.0", help="of the recorded program (1.0)")
    parser.add_argument("--only", help="reports, with commas between them (all)")
    options = parser.parse_args()
    if os.sep in options.heaphint:
        options.heaphint = os.path.abspath(options.heaphint)
    return options


def measure(command, folder):
    """Runs a command; CPU seconds, elapsed seconds and the largest resident set in bytes."""
    start = time.monotonic()
    with open(os.path.join(folder, "output"), "wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        text = Path(folder, "output").read_text(errors="replace")[-2000:]
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss * 1024


def record(options, folder):
    """A capture of Memray with the events of all allocators."""
    capture = os.path.join(folder, "alloc_small.bin")
    command = [options.python, "-m", "memray", "run", "-q", "-f", "--trace-python-allocators"]
    measure([*command, "-o", capture, str(WORKLOAD), options.scale], folder)
    return capture


def facts(options, capture):
    """Allocations of a capture, those that were live at the peak, and its stack nodes."""

    def ask(*arguments):
        return json.loads(subprocess.check_output([options.heaphint, *arguments, capture]))

    allocations = ask("stats", "--json")["total_num_allocations"]
    nodes = ask("tree", "--json")["nodes"]
    live = nodes[0]["total"]["peak_count"]
    return allocations, live, len(nodes)


def cells(measured):
    cpu, elapsed, memory = measured
    return f"{cpu:.2f} s | {elapsed:.2f} s | {memory / 1e6:.0f} MB"


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        capture = os.path.abspath(options.capture) if options.capture else record(options, folder)
        allocations, live, nodes = facts(options, capture)
        most = 32e6 + 24 * live + 32 * nodes
        size = os.path.getsize(capture) / 1e6
        print(
            f"{allocations:,} allocations, {live:,} live at the peak, {nodes:,} stack nodes, {size:.0f} MB"
        )
        goal = GOAL_MS_PER_MILLION * allocations / 1e9
        print(f"goals of the reader: {goal:.2f} s of CPU time, {most / 1e6:.0f} MB\n")
        print(
            "| report | heaphint: CPU | elapsed | memory | CPU per million | Memray: CPU | elapsed | memory |"
        )
        print("|---|---|---|---|---|---|---|---|", flush=True)
        wanted = options.only.split(",") if options.only else [name for name, _, _ in REPORTS]
        for name, ours, theirs in REPORTS:
            if name not in wanted:
                continue

            def filled(parts):
                return [
                    part.format(capture=capture, out=os.path.join(folder, "out")) for part in parts
                ]

            own = measure([options.heaphint, *filled(ours)], folder)
            read = 2 if name.startswith("diff") else 1
            per_million = f"{own[0] * 1e9 / allocations / read:.0f} ms"
            other = "– | – | –"
            if theirs:
                other = cells(measure([options.python, "-m", "memray", *filled(theirs)], folder))
            print(f"| {name} | {cells(own)} | {per_million} | {other} |", flush=True)


if __name__ == "__main__":
    main()
