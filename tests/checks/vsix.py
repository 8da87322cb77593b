"""Looks into a packaged extension: it holds what it runs on, the program can be executed, and nothing else is in it."""

import json
import sys
import zipfile

EXPECTED = {
    "extension/package.json",
    "extension/dist/extension.js",
    "extension/bin/heaphint",
    "extension/images/icon.png",
}
ALLOWED = ("extension/images/", "extension/LICENSE", "extension/readme.md", "extension/README.md")


def problems(package):
    with zipfile.ZipFile(package) as archive:
        files = {info.filename: info for info in archive.infolist()}
        inside = {name for name in files if name.startswith("extension/")}
        for name in sorted(EXPECTED - inside):
            yield f"{name} is missing"
        for name in sorted(inside - EXPECTED):
            if not name.startswith(ALLOWED):
                yield f"{name} has no business in the package"
        for licence in ("MIT", "APACHE"):
            if not any(licence in name for name in inside):
                yield f"the {licence} licence is missing"
        program = files.get("extension/bin/heaphint")
        if program is not None and (program.external_attr >> 16) & 0o111 != 0o111:
            yield "extension/bin/heaphint cannot be executed"
        manifest = json.loads(archive.read("extension/package.json"))
        if manifest["main"].removeprefix("./") not in {
            n.removeprefix("extension/") for n in inside
        }:
            yield f"{manifest['main']}, which the manifest starts, is missing"


def main():
    found = list(problems(sys.argv[1]))
    for problem in found:
        print(f"FAIL {sys.argv[1]}: {problem}")
    print(f"{0 if found else 1} passed, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
