#!/bin/bash
# The HTML page in Chromium with the network cut: real captures, every view, figures compared with the JSON reports.
#
# The program under test is $HEAPHINT, default target/debug/heaphint. Screenshots go to tests/page/screenshots.
# Ends with `N passed, M failed`, and with 0 when nothing failed; 77 when it cannot run here.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=$top/tests/.cache
heaphint=$(realpath "${HEAPHINT:-$top/target/debug/heaphint}") || exit 1
mkdir -p "$cache"
flock "$cache/lock" "$here/setup.sh" "$cache" || exit

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/programs/*.py "$work"
cd "$work" || exit 1
touch pyproject.toml
record() {
  "$heaphint" run --quiet --force --output "$1.%p.heaphint" "$1.py" || exit 1
  # The process that was started has the lowest id, and is the one that leads the session.
  mapfile -t captures < <(printf '%s\n' "$1".*.heaphint | sort -V)
  "$heaphint" flamegraph --force --output "$1.html" "${captures[@]}" &&
    "$heaphint" lines --json "${captures[@]}" >"$1.lines.json" &&
    "$heaphint" stats --json -n 10 "${captures[@]}" >"$1.stats.json" || exit 1
}
record subject
record forking
record hostile

# A full record, and what the command line says of its halves.
"$heaphint" run --quiet --record --output moments.heaphint moments.py &&
  "$heaphint" flamegraph --output moments.html moments.heaphint &&
  "$heaphint" stats --json moments.heaphint >moments.stats.json || exit 1
half=$(python3 -c 'import json; print(json.load(open("moments.stats.json"))["session"]["duration_ms"] // 2)')
"$heaphint" tree --json --to "${half}ms" moments.heaphint >moments.early.json &&
  "$heaphint" tree --json --from "$((half + 1))ms" moments.heaphint >moments.late.json &&
  "$heaphint" tree --json --from "$((half + 1))ms" --leaks moments.heaphint >moments.left.json || exit 1

# Two runs of one program, edited in between.
mkdir before
cp earlier.py app.py
"$heaphint" run --quiet --output earlier.heaphint app.py || exit 1
mv app.py before
cp later.py app.py
"$heaphint" run --quiet --output later.heaphint app.py &&
  "$heaphint" diff earlier.heaphint later.heaphint --before-source before --html --output two.html &&
  "$heaphint" diff earlier.heaphint later.heaphint --before-source before --json >two.diff.json || exit 1

mkdir -p "$here/screenshots" && rm -f "$here"/screenshots/*.png
export WORK=$work DRIVER=$cache/page SCREENSHOTS=$here/screenshots
timeout -k 10 600 node "$here/page.mjs"
