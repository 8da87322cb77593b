#!/usr/bin/env python3
"""What tracing costs: CPU time of each workload untraced, under heaphint and under Memray.

The three variants run in turns on one core, and each traced run is compared with the untraced run
of its own round; the table shows the median of these ratios. CPU time is user and system time of
the process and of all that it waited for: the cost of starting heaphint or Memray is in it.

    python tests/bench/bench.py --heaphint target/release/heaphint --rounds 5

Memray's column needs an interpreter that can import memray; numpy_temps needs numpy.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WORKLOADS = Path(__file__).resolve().parent / "workloads"


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = sorted(path.stem for path in WORKLOADS.glob("*.py"))
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all variants (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is 2 to 3 s a run (1.0)")
    parser.add_argument(
        "--workloads",
        default=",".join(names),
        help=f"names with commas between them ({','.join(names)})",
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter (this one)")
    parser.add_argument("--heaphint", default="heaphint", help="the program (heaphint in PATH)")
    parser.add_argument("--core", type=int, help="the core to run on (the last one allowed)")
    options = parser.parse_args()
    options.workloads = options.workloads.split(",")
    unknown = set(options.workloads) - set(names)
    if unknown:
        parser.error(
            f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(names)}"
        )
    if options.rounds < 1:
        parser.error("there must be at least one round")
    return options


def cpu_seconds(command, folder):
    """Runs a command to its end; its CPU seconds and what it printed."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace").strip()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{text}")
    return usage.ru_utime + usage.ru_stime, text


def has(python, module):
    return (
        subprocess.run([python, "-c", f"import {module}"], stderr=subprocess.DEVNULL).returncode
        == 0
    )


def variants(options, folder):
    """Prefixes of the command line, by the name of their column."""
    heaphint = [options.heaphint, "run", "-q", "-f", "-o", f"{folder}/bench.heaphint"]
    found = {
        "untraced": [options.python],
        "heaphint": [*heaphint, "--python", options.python],
    }
    if has(options.python, "memray"):
        memray = [options.python, "-m", "memray", "run", "-q", "-f", "-o", f"{folder}/bench.memray"]
        found["memray"] = memray
    return found


def measure(options, name, prefixes, folder):
    """CPU seconds of each variant, round by round."""
    seconds = {variant: [] for variant in prefixes}
    script = [WORKLOADS / f"{name}.py", str(options.scale)]
    for _ in range(options.rounds):
        printed = set()
        for variant, prefix in prefixes.items():
            used, text = cpu_seconds(prefix + script, folder)
            seconds[variant].append(used)
            printed.add(text)
        if len(printed) != 1:
            sys.exit(f"{name} printed different results: {printed}")
    return seconds


def ratio(seconds, variant):
    ratios = [traced / plain for traced, plain in zip(seconds[variant], seconds["untraced"])]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main():
    options = arguments()
    if os.sep in options.heaphint:
        options.heaphint = os.path.abspath(options.heaphint)
    core = options.core if options.core is not None else max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    with tempfile.TemporaryDirectory() as folder:
        prefixes = variants(options, folder)
        version = subprocess.check_output([options.python, "--version"], text=True).strip()
        print(f"{version}, core {core}, {options.rounds} rounds, scale {options.scale:g}\n")
        traced = [variant for variant in prefixes if variant != "untraced"]
        print(f"| workload | untraced, CPU s | {' | '.join(traced)} |")
        print("|---|---|" + "---|" * len(traced), flush=True)
        for name in options.workloads:
            if name == "numpy_temps" and not has(options.python, "numpy"):
                print(f"| {name} | needs numpy |" + " |" * len(traced))
                continue
            seconds = measure(options, name, prefixes, folder)
            cells = [f"{statistics.median(seconds['untraced']):.2f}"]
            cells += [ratio(seconds, variant) for variant in traced]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
