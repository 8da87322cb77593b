#!/usr/bin/env python3
"""The tracer under valgrind's memcheck: it reads and writes nothing that it must not, in every mode.

    python3 tests/checks/memcheck.py --heaphint target/release/heaphint [--python PYTHON] [PROGRAM...]

Runs programs of tests/programs with the tracer in valgrind and counts the errors that have a function
of the tracer on their stack; those of the interpreter alone are not ours. Ends with 1 when there is one,
and with 77 without valgrind. A run that recorded nothing is a failure, too.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAMS = (
    "allocator_calls.py comprehensions.py coroutines.py exec_loop.py fork_child.py generators.py leak_cycle.py "
    "many_threads.py mremap.py munmap_pages.py recursion.py thread_without_gil.py thread_renames.py uncaught.py"
).split()
MODES = [
    "",
    "record,addresses",
    "python-allocators",
    "native",
    "sample=4096",
    "record,python-allocators,native",
]
# An error whose stack goes through a hook: whoever finds none in it would find none at all.
CONTROL = """
import ctypes
libc = ctypes.CDLL(None)
libc.realloc.restype = ctypes.c_void_p
block = libc.realloc(None, ctypes.c_size_t(1000))
libc.free(ctypes.c_void_p(block))
libc.realloc(ctypes.c_void_p(block), ctypes.c_size_t(2000))
kept = [bytes(600 + number) for number in range(2000)]
"""
HERE = os.path.dirname(os.path.abspath(__file__))
VALGRIND = [
    "valgrind",
    # Otherwise valgrind takes the tracer's hooks for an allocator, and replaces them.
    "--soname-synonyms=somalloc=nouserintercepts",
    "--tool=memcheck",
    "--trace-children=yes",
    "--error-limit=no",
    "--num-callers=60",
]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heaphint", default="heaphint", help="the program (heaphint in PATH)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter (this one)")
    parser.add_argument("programs", nargs="*", default=PROGRAMS, help="names in tests/programs")
    options = parser.parse_args()
    options.heaphint = os.path.abspath(shutil.which(options.heaphint) or options.heaphint)
    return options


def library(options):
    """Where the program has put its tracer."""
    script = "print(open('/proc/self/maps').read())"
    with tempfile.TemporaryDirectory() as folder:
        command = [options.heaphint, "run", "-q", "--python", options.python, "-c", script]
        maps = subprocess.check_output(command, cwd=folder, text=True)
    return re.search(r"\S*/tracer-\S*\.so", maps).group()


def errors(log, tracer):
    """The errors that valgrind tells of in a log, and how many are of the tracer: each as its lines."""
    text = re.sub(r"^==\d+== ?", "", log, flags=re.MULTILINE)
    found = [part for part in text.split("\n\n") if re.search(r"^   at 0x", part, re.MULTILINE)]
    # What stands behind the stack of the error itself is where a block came from: always one of our hooks.
    stacks = [
        re.split(r"^ (?:Address|Uninitialised)", part, maxsplit=1, flags=re.MULTILINE)[0]
        for part in found
    ]
    return found, [part for part, stack in zip(found, stacks) if tracer in stack]


def run(options, tracer, program, mode):
    """Complaints about a run, and how many allocations it recorded and errors of others it had."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", HEAPHINT_MODES=mode)
        environment["HEAPHINT_CAPTURE"] = os.path.join(folder, "x.%p.heaphint")
        inside = ["env", f"LD_PRELOAD={tracer}", options.python]
        log = os.path.join(folder, "log.%p")
        script = os.path.join(HERE, "../programs", program)
        if program == "control":
            script = os.path.join(folder, "control.py")
            with open(script, "w") as file:
                file.write(CONTROL)
        command = [*VALGRIND, f"--log-file={log}", *inside, script]
        subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=900
        )
        captures = [name for name in os.listdir(folder) if name.endswith(".heaphint")]
        recorded, of_others, complaints = 0, 0, []
        for name in captures:
            path = os.path.join(folder, name)
            document = json.loads(
                subprocess.check_output([options.heaphint, "lines", "--json", path])
            )
            recorded += document["session"]["allocated_count"]
        for name in os.listdir(folder):
            if name.startswith("log."):
                with open(os.path.join(folder, name)) as file:
                    found, of_tracer = errors(file.read(), os.path.basename(tracer))
                of_others += len(found) - len(of_tracer)
                complaints += of_tracer
        if recorded < 1000:
            complaints.append(f"only {recorded} allocations were recorded")
        return complaints, recorded, of_others


def main():
    options = arguments()
    if not shutil.which("valgrind"):
        print("SKIPPED memcheck: there is no valgrind")
        sys.exit(77)
    tracer = library(options)
    control, _, _ = run(options, tracer, "control", "")
    if not any("Invalid" in complaint for complaint in control):
        sys.exit(f"the error of the control program was not found: {control}")
    passed = failed = 0
    print(
        "| program | mode | allocations | errors of the tracer | of the interpreter |\n|---|---|---|---|---|"
    )
    for program in options.programs:
        for mode in MODES:
            complaints, recorded, of_others = run(options, tracer, program, mode)
            print(
                f"| {program} | {mode or 'default'} | {recorded} | {len(complaints)} | {of_others} |",
                flush=True,
            )
            for complaint in complaints:
                print(complaint)
            failed += bool(complaints)
            passed += not complaints
    print(f"\n{passed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
