"""Holds the boundaries between the parts of this repository.

Each boundary is a function whose docstring is the sentence that explains it: it is printed when the boundary is broken,
with the places that break it. server/ARCHITECTURE.md tells the whole picture.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

ALLOCATORS = """
    malloc calloc realloc reallocarray free free_sized free_aligned_sized
    posix_memalign aligned_alloc memalign valloc pvalloc
    mmap mmap64 munmap mremap
"""
# They pass on to each program that is started what the tracer was told.
STARTS = """
    execve execv execvp execvpe execl execlp execle fexecve execveat
    posix_spawn posix_spawnp system
"""
# For whoever has loaded the library, to start and stop a recording.
API = "heaphint_api_version heaphint_start heaphint_stop"
# Who waits for a child notes in its capture how it ended.
WAITS = "wait wait4 waitpid"
# `dlsym` finds the hooks for programs that look an allocator up by name; after `dlclose` addresses are others'; the exits
# close the capture.
TRACER_EXPORTS = {
    *ALLOCATORS.split(), *STARTS.split(), *API.split(), *WAITS.split(), "dlsym", "dlclose", "_exit", "_Exit",
}  # fmt: skip
TRACER_MOST_BYTES = 200_000
MOST_LINES = 800
SOURCES = {".rs", ".ts", ".mjs", ".js", ".py", ".sh", ".c", ".lua", ".el"}

BOUNDARIES = []


def boundary(function):
    BOUNDARIES.append(function)
    return function


def output(*command):
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def tracked_files():
    names = output("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split(
        "\0"
    )
    return [TOP / name for name in names if name and (TOP / name).is_file()]


def texts():
    """Tracked text files; this one, which spells the patterns, is none of them."""
    others = (path for path in tracked_files() if path != Path(__file__).resolve())
    return [path for path in others if b"\0" not in path.read_bytes()]


def relative(path):
    return path.relative_to(TOP).as_posix()


def packages(name, edges):
    """Names of everything that a package is built from, itself included."""
    tree = output(
        "cargo", "tree", "--locked", "-p", name, "-e", edges, "--prefix", "none", "--format", "{p}"
    )
    return {line.split()[0] for line in tree.splitlines() if line.strip()}


def matching_lines(paths, pattern):
    for path in paths:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                yield f"{relative(path)}:{number}: {line.strip()}"


def rust_files(*folders):
    return [
        path
        for path in tracked_files()
        if path.suffix == ".rs" and relative(path).startswith(folders)
    ]


@boundary
def program_without_tracer():
    """The program never links the tracer crate: a program that does has its own `malloc` replaced."""
    return packages("heaphint", "normal,build,dev") & {"heaphint-tracer"}


@boundary
def format_depends_on_nothing():
    """`heaphint-format` depends on nothing: it is part of a library that lives inside other people's processes."""
    return packages("heaphint-format", "normal,build") - {"heaphint-format"}


@boundary
def tracer_depends_on_little():
    """`heaphint-tracer` depends on `heaphint-format`, `libc` and `gimli` only, which reads unwind information and depends
    on nothing: it lives inside other people's processes."""
    return packages("heaphint-tracer", "normal,build") - {
        "heaphint-tracer",
        "heaphint-format",
        "libc",
        "gimli",
    }


@boundary
def figures_depend_on_nothing_else():
    """`analysis` and `report` know no async runtime, protocol, command line or terminal: so their figures can be
    trusted and tested alone."""
    # anstyle only names colours; whoever writes them to a terminal is elsewhere.
    strangers = re.compile(r"tokio|tower|lsp|clap|anstream|crossterm|notify")
    for name in ("heaphint-analysis", "heaphint-report"):
        for package in packages(name, "normal,build"):
            if strangers.match(package):
                yield f"{name} depends on {package}"


@boundary
def figures_do_no_io():
    """`analysis` turns bytes into facts and `report` writes to the `Write` it is given: neither opens, prints or starts
    anything."""
    io = re.compile(r"std::(fs|net|process|env)\b|\be?print(ln)?!")
    return matching_lines(
        rust_files("server/crates/analysis/src/", "server/crates/report/src/"), io
    )


@boundary
def protocol_stays_at_the_edge():
    """Only server/src/lsp/ names `lsp_types` and `tower_lsp`: the protocol stays at the edge."""
    inside = [path for path in rust_files("server/", "tracer/") if "/src/lsp/" not in str(path)]
    return matching_lines(inside, re.compile(r"\b(lsp_types|tower_lsp)\b"))


@boundary
def messages_are_the_same_on_both_sides():
    """editor-extension/src/protocol.ts mirrors server/src/lsp/ext.rs: change both together."""
    done = subprocess.run(
        ["node", "editor-extension/compare-protocol.mjs"], cwd=TOP, capture_output=True, text=True
    )
    return (done.stdout + done.stderr).splitlines() if done.returncode != 0 else []


def tracer_library():
    """The library as the program carries it."""
    built = output(
        "cargo", "build", "--quiet", "--locked", "--package", "heaphint-tracer", "--profile", "tracer",
        "--message-format", "json",
    )  # fmt: skip
    messages = [json.loads(line) for line in built.splitlines()]
    (library,) = [
        name
        for message in messages
        if message["reason"] == "compiler-artifact"
        for name in message["filenames"]
        if name.endswith("/libheaphint_tracer.so")
    ]
    return Path(library)


@boundary
def tracer_exports_hooks_only():
    """The tracer library exports the functions it replaces, and some that bear its name, and nothing else: every other name
    could shadow one of the program's."""
    symbols = output("readelf", "--wide", "--dyn-syms", str(tracer_library()))
    exported = set()
    for line in symbols.splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[4] in ("GLOBAL", "WEAK", "UNIQUE") and fields[6] != "UND":
            exported.add(fields[7].split("@")[0])
    for name in sorted(exported - TRACER_EXPORTS):
        yield f"{name} is exported"
    for name in sorted(TRACER_EXPORTS - exported):
        yield f"{name} is not exported"


@boundary
def tracer_needs_only_libc():
    """The tracer library needs the C library only: any other would be loaded into every traced process."""
    dynamic = output("readelf", "--wide", "--dynamic", str(tracer_library()))
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) - {"libc.so.6"}


@boundary
def tracer_is_small():
    """The tracer library stays under 200 kB: every traced process carries it."""
    size = tracer_library().stat().st_size
    return [f"it has {size} bytes"] if size >= TRACER_MOST_BYTES else []


@boundary
def no_machine_paths():
    """No tracked file names a folder of the machine it was written on: it would hold there only."""
    # A short one, like /app, could be anybody's example.
    places = [path for path in (TOP, Path.home()) if len(path.parts) > 2]
    pattern = "|".join(re.escape(f"{path}/") for path in [*places, "/root"])
    return matching_lines(texts(), re.compile(rf"(?<![\w.~-])({pattern})"))


@boundary
def no_registry_hosts():
    """No tracked file names a package registry: each machine says itself which one it uses."""
    hosts = r"registry\.(npmjs|yarnpkg)\.|files\.pythonhosted\.|pypi\.org/simple|(index|static)\.crates\.io"
    settings = r'"resolved":|^\s*registry\s*=\s*\S|--(extra-)?index-url|replace-with'
    return matching_lines(texts(), re.compile(f"{hosts}|{settings}"))


@boundary
def files_stay_small():
    """A source file has at most 800 lines: a longer one has several reasons to change; split it by noun."""
    for path in tracked_files():
        if path.suffix in SOURCES:
            lines = len(path.read_text().splitlines())
            if lines > MOST_LINES:
                yield f"{relative(path)} has {lines} lines"


@boundary
def modules_say_what_they_are_for():
    """Each Rust file starts with `//!`: what it is for and what it must never do."""
    for path in tracked_files():
        if path.suffix == ".rs" and not path.read_text().startswith("//!"):
            yield relative(path)


@boundary
def modules_have_names():
    """No module is called utils, common, shared, misc or helpers: such names collect what belongs elsewhere."""
    for path in tracked_files():
        parts = {Path(part).stem for part in path.relative_to(TOP).parts}
        if path.suffix in SOURCES and parts & {
            "util", "utils", "common", "shared", "misc", "helper", "helpers",
        }:  # fmt: skip
            yield relative(path)


def main():
    passed = failed = 0
    for check in BOUNDARIES:
        sentence = " ".join(check.__doc__.split())
        try:
            broken = list(check())
        except (OSError, RuntimeError, ValueError) as error:
            broken = [f"this could not be checked: {error}"]
        if broken:
            failed += 1
            print(f"FAIL {sentence}")
            for place in broken:
                print(f"     {place}")
        else:
            passed += 1
            print(f"ok   {sentence.split(': ')[0]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
