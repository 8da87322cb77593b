#!/usr/bin/env python3
"""What each report costs beside Memray's, on captures of one program: CPU time, elapsed time, memory.

Heaphint reads its own full record and Memray's capture, Memray its capture, in turns. Without --own
and --capture, each tool records alloc_small with every allocation of Python's own allocators, at
scale 1.5 about 43 million of them. The goals are those of the reader: 40 ms of CPU time per million
allocations, and 32 MB + 24 B per live allocation + 32 B per stack node.

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
from concurrent.futures import ProcessPoolExecutor
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
    parser.add_argument("--own", help="a full record of heaphint (recorded when none is named)")
    parser.add_argument("--scale", default="1.5", help="of the recorded program (1.5)")
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


def record_own(options, folder):
    """A full record of heaphint with the same events."""
    capture = os.path.join(folder, "alloc_small.heaphint")
    modes = ["--record", "--trace-python-allocators", "--python", options.python]
    command = [options.heaphint, "run", "-q", *modes, "-o", capture]
    measure([*command, str(WORKLOAD), options.scale], folder)
    return capture


def facts(options, capture):
    """Allocations of a capture, those that were live at the peak, and its stack nodes."""

    def ask(*arguments):
        return json.loads(subprocess.check_output([options.heaphint, *arguments, capture]))

    allocations = ask("stats", "--json")["total_num_allocations"]
    nodes = ask("tree", "--json")["nodes"]
    live = nodes[0]["total"]["peak_count"]
    return allocations, live, len(nodes)


def cells(measured, allocations):
    cpu, elapsed, memory = measured
    per_million = cpu * 1e9 / allocations
    return f"{cpu:.2f} s | {per_million:.1f} ms | {elapsed:.2f} s | {memory / 1e6:.0f} MB"


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        theirs = os.path.abspath(options.capture) if options.capture else record(options, folder)
        own = os.path.abspath(options.own) if options.own else record_own(options, folder)
        allocations = {}
        for name, capture in [("heaphint's", own), ("Memray's", theirs)]:
            # Not here: what a process starts inherits its largest resident set.
            with ProcessPoolExecutor(1) as aside:
                allocations[capture], live, nodes = aside.submit(facts, options, capture).result()
            most = 32e6 + 24 * live + 32 * nodes
            goal = GOAL_MS_PER_MILLION * allocations[capture] / 1e9
            print(
                f"{name} capture: {os.path.getsize(capture) / 1e6:.0f} MB, {allocations[capture]:,} allocations, "
                f"{live:,} live at the peak, {nodes:,} stack nodes; goals: {goal:.2f} s of CPU time, {most / 1e6:.0f} MB"
            )
        columns = ["heaphint", "heaphint with Memray's capture", "Memray"]
        cells_of = [f"{name}: CPU | per million | elapsed | memory" for name in columns]
        print(f"\n| report | {' | '.join(cells_of)} |\n|{'---|' * 13}", flush=True)
        wanted = options.only.split(",") if options.only else [name for name, _, _ in REPORTS]
        for name, ours, other in REPORTS:
            if name not in wanted:
                continue
            read = 2 if name.startswith("diff") else 1
            row = []
            for command, parts, capture in [
                ([options.heaphint], ours, own),
                ([options.heaphint], ours, theirs),
                ([options.python, "-m", "memray"], other, theirs),
            ]:
                if parts is None:
                    row.append("– | – | – | –")
                    continue
                out = os.path.join(folder, "out")
                filled = [part.format(capture=capture, out=out) for part in parts]
                row.append(cells(measure([*command, *filled], folder), allocations[capture] * read))
            print(f"| {name} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
