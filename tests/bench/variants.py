"""The ways in which a workload is run: untraced, and one for each row of the table."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

SAMPLE = ["--sample", "512KiB"]
PYTHON = ["--trace-python-allocators"]

# The rows, in their order, with Memray's beside those of ours that do the same: name, what stands
# in the table, the program that traces, its options.
ROWS = [
    ("memray", "Memray", "memray", []),
    ("default", "default (aggregate)", "heaphint", []),
    ("record", "full record", "heaphint", ["--record"]),
    ("memray-python", "Memray, Python allocators", "memray", PYTHON),
    ("python", "Python allocators", "heaphint", PYTHON),
    ("memray-native", "Memray, native", "memray", ["--native"]),
    ("native", "native", "heaphint", ["--native"]),
    ("sample", "sampling", "heaphint", SAMPLE),
    ("sample-python", "sampling, Python allocators", "heaphint", SAMPLE + PYTHON),
]


@dataclass
class Variant:
    """One way to run a script. `capture` is the file that a run leaves, None for an untraced one."""

    name: str
    title: str
    prefix: list
    capture: str | None


@dataclass
class Run:
    """What one run used: seconds, and what it printed."""

    cpu: float
    wall: float
    text: str


def has(python, module):
    """Whether an interpreter can import a module."""
    search = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", search], stderr=subprocess.DEVNULL).returncode == 0


def variants(heaphint, python, chosen, folder):
    """The untraced variant and the chosen rows; and why the others are left out, by name.

    An option that `heaphint run --help` does not tell of is not ready in that build.
    """
    options = subprocess.check_output([heaphint, "run", "--help"], text=True)
    memray = has(python, "memray")
    found, left_out = [Variant("untraced", "untraced", [python], None)], {}
    for name, title, program, flags in ROWS:
        if name not in chosen:
            continue
        capture = f"{folder}/{name}.capture"
        output = ["-q", "-f", "-o", capture]
        missing = [flag for flag in flags if flag.startswith("--") and flag not in options]
        if program == "memray" and not memray:
            left_out[name] = f"{python} cannot import memray"
        elif program == "heaphint" and missing:
            left_out[name] = f"this build has no {' and no '.join(missing)}"
        elif program == "memray":
            prefix = [python, "-m", "memray", "run", *output, *flags]
            found.append(Variant(name, title, prefix, capture))
        else:
            prefix = [heaphint, "run", *output, *flags, "--python", python]
            found.append(Variant(name, title, prefix, capture))
    return found, left_out


def environment(number):
    """The environment of a round: as long as no other round's, the same for all variants of one.

    The C library gives its heap's end back to the kernel, or keeps it, by where blocks happen to lie, and that begins with
    the copy of the environment that the interpreter makes. A program of arrays may so have 60,000 page faults or 100,000,
    which is a difference of 7 %. With one environment for all rounds a ratio would be that of two such chances.
    """
    return {**os.environ, "HEAPHINT_BENCH_PADDING": "x" * (number * 389 % 2048)}


def run(variant, script, folder, number):
    """Runs a script to its end. CPU time is that of all processes together, the tracer's too."""
    command = [*variant.prefix, *map(str, script)]
    with tempfile.TemporaryFile() as output:
        before = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(number),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace").strip()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return Run(usage.ru_utime + usage.ru_stime, wall, text)


def in_turns(found, script, folder, rounds):
    """The runs of each variant, round by round, by the variant's name."""
    runs = {variant.name: [] for variant in found}
    for number in range(rounds):
        for variant in found:
            runs[variant.name].append(run(variant, script, folder, number))
    return runs


def against_untraced(runs, name, figure, compare):
    """A figure of each run of a variant compared with that of the untraced run of its round: median, least, largest."""
    pairs = zip(runs[name], runs["untraced"])
    compared = [compare(figure(traced), figure(plain)) for traced, plain in pairs]
    return statistics.median(compared), min(compared), max(compared)


def program(name):
    """The absolute path of a program that is named by a path or stands in PATH."""
    path = os.path.abspath(name) if os.sep in name else shutil.which(name)
    if not path or not os.path.exists(path):
        sys.exit(f"there is no {name}")
    return path
