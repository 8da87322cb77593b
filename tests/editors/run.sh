#!/bin/bash
# Tests in real editors: VS Code (extension host, then the workbench with screenshots), Neovim, Emacs.
#
#   tests/editors/run.sh [PART...]      parts: extension-host workbench neovim emacs; all of them by default
#
# Installs what it needs into $HEAPHINT_EDITORS_CACHE, default tests/.cache. The program under test is $HEAPHINT, else
# target/debug/heaphint, else target/release/heaphint. Screenshots go to tests/editors/screenshots.
# Ends with 0 when each part passed. A part that cannot run here says why; with CI=true that is a failure too.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
export CACHE=${HEAPHINT_EDITORS_CACHE:-$top/tests/.cache}
export SCREENSHOTS=$here/screenshots
export EDITORS_MD=$top/server/EDITORS.md

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(extension-host workbench neovim emacs)

if [ -z "${HEAPHINT:-}" ]; then
  for candidate in "$top/target/debug/heaphint" "$top/target/release/heaphint"; do
    [ -x "$candidate" ] && HEAPHINT=$candidate && break
  done
fi
if [ ! -x "${HEAPHINT:-}" ]; then
  echo "No heaphint program to test. Build it with \`cargo build\`, or name one in HEAPHINT." >&2
  exit 1
fi
HEAPHINT=$(realpath "$HEAPHINT")
export HEAPHINT

mkdir -p "$CACHE"
scratch=$(mktemp -d)
session=
# Each part runs in a session of its own, and nothing of it outlives the part: an extension host that is left alone
# stays alive for hours.
end_session() {
  local stat id
  [ -n "$session" ] || return 0
  for stat in /proc/[0-9]*/stat; do
    id=$(sed -E 's/^.*\) [^ ]+ [0-9-]+ [0-9-]+ ([0-9-]+) .*$/\1/' "$stat" 2>/dev/null) || continue
    [ "$id" = "$session" ] && kill -KILL "$(basename "$(dirname "$stat")")" 2>/dev/null
  done
  session=
}
trap 'end_session; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# limited SECONDS COMMAND...
limited() {
  local seconds=$1 status
  shift
  setsid timeout -k 10 "$seconds" "$@" &
  session=$!
  wait "$session"
  status=$?
  end_session
  [ "$status" -ne 124 ] || echo "FAIL more than $seconds s were needed; 0 passed, 1 failed"
  return "$status"
}

# Prints a fresh copy of the workspace that the part may write to.
workspace() {
  mkdir -p "$scratch/$1"
  cp -r "$here/workspace" "$scratch/$1/workspace"
  echo "$scratch/$1/workspace"
}

# install SCRIPT: one at a time, because several checkouts may share a cache.
install() {
  limited 1800 flock "$CACHE/lock" "$here/setup/$1.sh" "$CACHE"
}

run_part() {
  local part=$1
  WORKSPACE=$(workspace "$part")
  DATA=$scratch/$part
  export WORKSPACE DATA
  case $part in
  extension-host)
    install vscode && install extension || return
    limited 300 "$CACHE/vscode/node-home/bin/node" "$here/vscode/extension-host.mjs"
    ;;
  workbench)
    install vscode && install extension || return
    mkdir -p "$SCREENSHOTS" && rm -f "$SCREENSHOTS"/*.png
    limited 600 "$CACHE/vscode/node-home/bin/node" "$here/vscode/workbench.mjs"
    ;;
  neovim)
    install unpacked || return
    limited 180 "$CACHE/unpacked/bin/nvim" --headless -u NONE -i NONE -n -l "$here/neovim/profile.lua"
    ;;
  emacs)
    install unpacked || return
    limited 180 "$CACHE/unpacked/bin/emacs" -Q --batch -l "$here/emacs/profile.el"
    ;;
  *)
    echo "There is no part named $part; there are extension-host, workbench, neovim, emacs." >&2
    return 2
    ;;
  esac
}

failed=()
not_run=()
for part in "${parts[@]}"; do
  echo "== $part"
  run_part "$part"
  case $? in
  0) ;;
  77) if [ "${CI:-}" = true ]; then failed+=("$part"); else not_run+=("$part"); fi ;;
  *) failed+=("$part") ;;
  esac
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "== failed: ${failed[*]}"
  exit 1
fi
[ ${#not_run[@]} -eq 0 ] || echo "== not run here: ${not_run[*]}"
[ ${#not_run[@]} -eq ${#parts[@]} ] || echo "== passed: everything that ran"
