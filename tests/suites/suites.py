#!/usr/bin/env python3
"""Programs behave under heaphint as without it: CPython's own tests and numpy's, side by side.

    python tests/suites/suites.py --heaphint target/release/heaphint --python python3.14

Runs each module untraced and under heaphint and compares the outcome of every single test. A test
that differs is run once more on both sides; only what differs again is a difference. Prints a table
of outcomes and each difference, and ends with 1 when there is one.

CPython's tests come with the interpreter (Debian: libpython3.N-testsuite); numpy's need numpy,
pytest and hypothesis in it; `numpy.linalg` is a part of them. What is missing is left out and named.
"""

import argparse
import collections
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

from known import KNOWN

MODULES = (
    "test_list test_dict test_bytes test_threading test_generators test_coroutines test_asyncio "
    "test_gc test_subprocess test_multiprocessing_fork test_multiprocessing_spawn test_os test_mmap "
    "test_ctypes test_faulthandler test_signal test_embed test__interpreters numpy"
).split()
# Modules that have another name in some versions.
OTHER_NAMES = {"test__interpreters": "test__xxsubinterpreters"}

MODES = {
    "default": [],
    "python": ["--trace-python-allocators"],
    "record": ["--record"],
    "native": ["--native"],
    "sample": ["--sample", "512KiB"],
}
SEVERITY = ["passed", "skipped", "failed", "error"]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heaphint", default="heaphint", help="the program (heaphint in PATH)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter (this one)")
    parser.add_argument("--modules", default=",".join(MODULES), help="names with commas (all)")
    parser.add_argument(
        "--modes", default="default,python", help=f"of {','.join(MODES)} (default,python)"
    )
    parser.add_argument("--timeout", type=int, default=3600, help="seconds for one module (3600)")
    options = parser.parse_args()
    options.modules = options.modules.split(",")
    options.modes = options.modes.split(",")
    unknown = set(options.modes) - set(MODES)
    if unknown:
        parser.error(f"there is no mode {', '.join(unknown)}; there are {', '.join(MODES)}")
    for name in ("heaphint", "python"):
        value = getattr(options, name)
        path = os.path.abspath(value) if os.sep in value else shutil.which(value)
        if not path or not os.path.exists(path):
            parser.error(f"there is no {value}")
        setattr(options, name, path)
    return options


class Outcome:
    """What a run of a module came to: how it ended, and the outcome of each test."""

    def __init__(self, end, tests, output):
        self.end, self.tests, self.output = end, tests, output

    def __str__(self):
        counts = collections.Counter(self.tests.values())
        parts = [f"{counts[word]} {word}" for word in SEVERITY if counts[word]]
        return ", ".join([*parts, f"{self.end}"])


def outcomes(report):
    """The outcome of each test in a JUnit file; of several with one name, the worst."""
    tests = {}
    for case in ET.parse(report).iter("testcase"):
        name = ".".join(filter(None, [case.get("classname"), case.get("name")]))
        found = {child.tag for child in case}
        if "error" in found:
            outcome = "error"
        elif "failure" in found:
            outcome = "failed"
        else:
            outcome = "skipped" if "skipped" in found else "passed"
        tests[name] = max(tests.get(name, "passed"), outcome, key=SEVERITY.index)
    return tests


class Suite:
    """One interpreter and one program, in which modules are run."""

    def __init__(self, options, modes):
        self.options, self.modes = options, modes

    def command(self, module, report, only):
        """The arguments of Python that run a module, or `only` some of its tests."""
        if module.partition(".")[0] == "numpy":
            # What numpy's package lacks of its own tests (f2py's sources) must not end the others.
            more = [
                "--continue-on-collection-errors",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:randomly",
            ]
            run = ["-m", "pytest", "-q", *more, f"--junitxml={report}"]
            return [*run, *(["-k", " or ".join(only)] if only else []), "--pyargs", module]
        # Names of tests in a report have the module in front; patterns match without it.
        patterns = [word for name in only for word in ("-m", f"*{name.rsplit('.', 2)[-1]}*")]
        return ["-m", "test", "--junit-xml", report, *patterns, module]

    def run(self, module, mode, only=()):
        """Runs a module; `mode` is None for an untraced run."""
        options = self.options
        with tempfile.TemporaryDirectory() as folder:
            report = os.path.join(folder, "report.xml")
            command = [options.python, *self.command(module, report, only)]
            if mode is not None:
                capture = os.path.join(folder, "capture.heaphint")
                traced = [options.heaphint, "run", "-q", "-o", capture, *MODES[mode], "--"]
                command = traced + command
            place = os.path.join(folder, "place")
            os.mkdir(place)
            with open(os.path.join(folder, "output"), "w+b") as output:
                try:
                    end = subprocess.run(
                        command,
                        cwd=place,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        timeout=options.timeout,
                    ).returncode
                    end = f"exit {end}" if end >= 0 else f"signal {-end}"
                except subprocess.TimeoutExpired:
                    end = f"not done in {options.timeout} s"
                output.seek(0)
                text = output.read().decode(errors="replace")
            tests = outcomes(report) if os.path.exists(report) else {}
            return Outcome(end, tests, text)

    def compare(self, module):
        """Runs a module in all ways; the outcomes, and sentences about what differs and what is known to."""
        plain = self.run(module, None)
        found, differences, known = {"untraced": plain}, [], []
        for mode in self.modes:
            traced = self.run(module, mode)
            found[mode] = traced
            for name in sorted(differing(plain, traced)):
                reason = known_reason(module, name)
                pair = f"{plain.tests.get(name, 'not run')} untraced, {traced.tests.get(name, 'not run')} traced"
                if reason:
                    known.append(f"{module} [{mode}] {name}: {pair}: {reason}")
                    continue
                again = self.run(module, None, [name]), self.run(module, mode, [name])
                if differing(*again) or again[0].end != again[1].end:
                    differences.append(
                        f"{module} [{mode}] {name}: {pair}\n{again[1].output[-3000:]}"
                    )
                else:
                    known.append(f"{module} [{mode}] {name}: {pair}: the same when run again")
            if plain.end != traced.end and not differing(plain, traced):
                differences.append(
                    f"{module} [{mode}]: {plain.end} untraced, {traced.end} traced\n{traced.output[-3000:]}"
                )
        return found, differences, known


def differing(plain, traced):
    """The names of tests whose outcomes differ."""
    names = plain.tests.keys() | traced.tests.keys()
    return {name for name in names if plain.tests.get(name) != traced.tests.get(name)}


def known_reason(module, name):
    return next((why for of, part, why in KNOWN if of == module and part in name), None)


def has(python, module):
    search = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", search], capture_output=True).returncode == 0


def present(python, module):
    """The name under which an interpreter has a module's tests, or None and why not."""
    if module.partition(".")[0] == "numpy":
        missing = [name for name in ("numpy", "pytest", "hypothesis") if not has(python, name)]
        return (None, f"{', '.join(missing)} cannot be imported") if missing else (module, None)
    for name in (module, OTHER_NAMES.get(module)):
        if name and has(python, f"test.{name}"):
            return name, None
    return None, "this Python comes without it"


def main():
    options = arguments()
    sys.stdout.reconfigure(line_buffering=True)
    # Whoever runs this in the background may have it ignored, and tests of signals would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    version = subprocess.check_output([options.python, "--version"], text=True).strip()
    help_text = subprocess.check_output([options.heaphint, "run", "--help"], text=True)
    modes = [
        mode
        for mode in options.modes
        if all(flag in help_text for flag in MODES[mode] if flag.startswith("--"))
    ]
    left_out = [mode for mode in options.modes if mode not in modes]
    print(
        version + "".join(f"; mode {mode} is left out: this build has it not" for mode in left_out)
    )
    print(f"\n| module | untraced | {' | '.join(modes)} | s |\n|---|---|{'---|' * len(modes)}---|")
    suite, all_differences, all_known = Suite(options, modes), [], []
    passed = failed = 0
    for module in options.modules:
        name, why = present(options.python, module)
        if name is None:
            print(f"| {module} | left out: {why} |")
            continue
        start = time.monotonic()
        found, differences, known = suite.compare(name)
        cells = [str(outcome) for outcome in found.values()]
        print(f"| {name} | {' | '.join(cells)} | {time.monotonic() - start:.0f} |")
        all_differences += differences
        all_known += known
        failed += bool(differences)
        passed += not differences
    for title, sentences in (("No difference", all_known), ("Different", all_differences)):
        if sentences:
            print(f"\n{title}:")
            print("\n".join(f"- {sentence}" for sentence in sentences))
    print(f"\n{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
