#!/usr/bin/env python3
"""What tracing costs: one table of CPU time, and lines about start-up, memory and captures.

    python tests/bench/bench.py --heaphint target/release/heaphint

A cell is CPU time divided by that of the untraced run of the same round, the median of all rounds.
Variants run in turns on one core, each round with an environment of another length. CPU time is
user and system time of the process and of all that it waited for: the cost of starting heaphint or
Memray is in it.

Memray's rows need an interpreter that can import memray; a workload that needs a library which the
interpreter has not, and a mode that this build of heaphint has not, are left out and named.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from variants import ROWS, against_untraced, has, in_turns, program, variants

HERE = Path(__file__).resolve().parent
# The columns, in their order, and the library that each needs.
COLUMNS = {
    "call_heavy": None,
    "alloc_small": None,
    "alloc_large": None,
    "alloc_deep": None,
    "numpy_temps": "numpy",
    "threads": None,
    "native_threads": None,
    "import_heavy": None,
    "app_sqlglot": "sqlglot",
    "app_pandas": "pandas",
}
# Columns whose threads run at once: they have all cores.
PARALLEL = {"native_threads"}
PARTS = ["table", "start", "memory", "captures"]
MIB = 1024 * 1024


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = {"rows": [row[0] for row in ROWS], "columns": list(COLUMNS), "parts": PARTS}
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all variants (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is 2 to 3 s a run (1.0)")
    for option, choices in names.items():
        choices = ",".join(choices)
        parser.add_argument(f"--{option}", default=choices, help=f"of {choices} (all)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter (this one)")
    parser.add_argument("--heaphint", default="heaphint", help="the program (heaphint in PATH)")
    parser.add_argument(
        "--core",
        type=int,
        help="the core to run on (the last one allowed); native_threads has all",
    )
    parser.add_argument("--json", metavar="FILE", help="write every single figure to FILE")
    options = parser.parse_args()
    for option, choices in names.items():
        chosen = getattr(options, option).split(",")
        setattr(options, option, chosen)
        unknown = set(chosen) - set(choices)
        if unknown:
            parser.error(
                f"{option}: there is no {', '.join(sorted(unknown))}; there are {', '.join(choices)}"
            )
    if options.rounds < 1:
        parser.error("there must be at least one round")
    return options


class Bench:
    """One run of this program: the variants, and every figure that was measured."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.all_cores = os.sched_getaffinity(0)
        self.core = {max(self.all_cores) if options.core is None else options.core}
        os.sched_setaffinity(0, self.core)
        self.heaphint = program(options.heaphint)
        self.python = program(options.python)
        self.variants, self.left_out = variants(self.heaphint, self.python, options.rows, folder)
        self.traced = self.variants[1:]
        self.figures = {"left_out": self.left_out}
        # Bytes and allocations of captures, by column and row.
        self.captures = {}

    def header(self):
        version = subprocess.check_output([self.python, "--version"], text=True).strip()
        options = self.options
        about = (
            f"{version}, core {min(self.core)}, {options.rounds} rounds, scale {options.scale:g}"
        )
        self.figures["about"] = about
        print(about)
        for name, why in self.left_out.items():
            print(f"row {name} is left out: {why}")

    def measure(self, name, script, rounds=None):
        os.sched_setaffinity(0, self.all_cores if name in PARALLEL else self.core)
        runs = in_turns(self.variants, script, self.folder, rounds or self.options.rounds)
        self.figures[name] = {
            variant: [asdict(run) for run in all_runs] for variant, all_runs in runs.items()
        }
        return runs

    def table(self):
        """CPU ratios: rows are variants, columns are workloads, as in a table of costs."""
        columns, texts = {}, []
        for name in self.options.columns:
            needs = COLUMNS[name]
            if needs and not has(self.python, needs):
                print(f"column {name} is left out: {self.python} cannot import {needs}")
                continue
            runs = self.measure(name, [HERE / "workloads" / f"{name}.py", self.options.scale])
            printed = {run.text for all_runs in runs.values() for run in all_runs}
            if len(printed) != 1:
                sys.exit(f"{name} printed different results: {printed}")
            seconds = [run.cpu for run in runs["untraced"]]
            columns[name] = {"untraced": (statistics.median(seconds), min(seconds), max(seconds))}
            for variant in self.traced:
                columns[name][variant.name] = against_untraced(
                    runs, variant.name, lambda run: run.cpu, lambda traced, plain: traced / plain
                )
            texts += printed
            self.captures[name] = {
                variant.name: self.capture_figures(variant) for variant in self.traced
            }
            print(f"  {name}: {self.spread(columns[name])}", file=sys.stderr, flush=True)
        print(
            f"\nCPU ratio to untraced\n\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}"
        )
        for variant in self.variants:
            cells = [f"{column[variant.name][0]:.2f}" for column in columns.values()]
            title = "untraced, CPU s" if variant.capture is None else variant.title
            print(f"| {title} | {' | '.join(cells)} |")
        print("\nEach run printed:", "; ".join(texts))

    @staticmethod
    def spread(column):
        return ", ".join(f"{name} {m:.2f} ({a:.2f}-{b:.2f})" for name, (m, a, b) in column.items())

    def start(self):
        """What starting costs: an empty script."""
        runs = self.measure("start", [HERE / "memory" / "empty.py"], 4 * self.options.rounds)
        print(
            "\nStart-up of an empty script, ms added (wall, CPU)\n\n| | wall | CPU |\n|---|---|---|"
        )
        for variant in self.traced:
            cells = []
            for figure in (lambda run: run.wall, lambda run: run.cpu):
                added, _, _ = against_untraced(runs, variant.name, figure, lambda a, b: a - b)
                cells.append(f"{added * 1000:.1f}")
            print(f"| {variant.title} | {' | '.join(cells)} |")

    def memory(self):
        """What tracing adds to the largest resident set."""
        scripts = {
            "empty": HERE / "memory" / "empty.py",
            "import_heavy": HERE / "workloads" / "import_heavy.py",
            "live": HERE / "memory" / "live.py",
        }
        added, nodes = {}, {}
        for name, script in scripts.items():
            runs = self.measure(f"memory {name}", [HERE / "memory" / "resident.py", script])
            for variant in self.traced:
                added[name, variant.name], _, _ = against_untraced(
                    runs, variant.name, resident, lambda traced, plain: traced - plain
                )
                if name == "import_heavy":
                    nodes[variant.name] = self.stack_nodes(variant)
        live, empty = (
            added.get,
            {variant.name: added["empty", variant.name] for variant in self.traced},
        )
        print(
            "\nMemory added to the largest resident set\n\n| | empty script, MiB | import_heavy, MiB | "
            "stack nodes | bytes a node | 1 M live allocations, MiB | bytes each |\n|---|---|---|---|---|---|---|"
        )
        for variant in self.traced:
            name = variant.name
            imports, million, count = (
                live(("import_heavy", name)),
                live(("live", name)),
                nodes[name],
            )
            a_node = f"{(imports - empty[name]) / count:.0f}" if count else ""
            each = (million - empty[name]) / 1_000_000
            print(
                f"| {variant.title} | {empty[name] / MIB:.1f} | {imports / MIB:.1f} | {count or ''} | {a_node} | "
                f"{million / MIB:.1f} | {each:.0f} |"
            )

    def capture_figures(self, variant):
        """Size, allocations and stack nodes of the capture that a variant's last run left."""
        stats = subprocess.check_output([self.heaphint, "stats", "--json", variant.capture])
        return {
            "bytes": os.path.getsize(variant.capture),
            "allocations": json.loads(stats)["total_num_allocations"],
            "nodes": self.stack_nodes(variant),
        }

    def stack_nodes(self, variant):
        """Nodes of the stack tree in a capture of heaphint; Memray's captures have none."""
        if variant.name.startswith("memray"):
            return None
        command = [self.heaphint, "parse", variant.capture]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            return sum(line.startswith(b"STACK ") for line in process.stdout)

    def sizes(self):
        """Bytes of captures: for each allocation, and for each stack node where there are any."""
        self.figures["captures"] = self.captures
        columns = list(self.captures)
        print(
            f"\nCaptures: bytes an allocation / bytes a stack node\n\n| | {' | '.join(columns)} |\n"
            f"|---|{'---|' * len(columns)}"
        )
        for variant in self.traced:
            cells = []
            for column in columns:
                of = self.captures[column][variant.name]
                cell = f"{of['bytes'] / of['allocations']:.2f}" if of["allocations"] else "-"
                cells.append(f"{cell} / {of['bytes'] / of['nodes']:.1f}" if of["nodes"] else cell)
            print(f"| {variant.title} | {' | '.join(cells)} |")

    def run(self):
        parts = self.options.parts
        self.header()
        if "table" in parts:
            self.table()
        if "captures" in parts and self.captures:
            self.sizes()
        if "start" in parts:
            self.start()
        if "memory" in parts:
            self.memory()
        if self.options.json:
            Path(self.options.json).write_text(json.dumps(self.figures, indent=1) + "\n")


def resident(run):
    """The largest resident set that `memory/resident.py` printed, bytes."""
    return int(run.text.split()[-1]) * 1024


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        Bench(options, folder).run()


if __name__ == "__main__":
    main()
