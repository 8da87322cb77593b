#!/bin/bash
# CPython versions that this machine has not, for the tests: from Debian's packages, without touching the system.
#
#   tests/setup/pythons.sh [--tests] VERSION...      for example 3.14 3.15; into tests/.cache/pythons/VERSION
#
# With `--tests`, CPython's own tests are among its modules (`python -m test`).
#
# Each version is taken with its own C library from the Debian release that has it, out of the mirror that this machine
# already uses, and its program is told to use that C library. Nothing is installed. Says what was skipped and why;
# ends with 77 when anything was.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
pythons=$PWD/tests/.cache/pythons
tests=
if [ "${1:-}" = --tests ]; then
  tests=yes
  shift
fi
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
skipped=0

skip() {
  echo "SKIPPED Python $1: $2"
  skipped=77
}

# The Debian release that has a version.
suite() {
  case $1 in
  3.11) echo bookworm ;;
  3.13) echo trixie ;;
  *) echo sid ;;
  esac
}

# fetch VERSION FOLDER MIRROR: an apt of its own, which knows nothing of what is installed.
fetch() {
  local version=$1 folder=$2 mirror=$3 root=$2/root deb loader libraries patchelf
  mkdir -p "$folder"/{lists/partial,cache/archives/partial,state,root}
  echo "deb [signed-by=$keyring] $mirror $(suite "$version") main" >"$folder/sources.list"
  touch "$folder/state/status"
  cat >"$folder/apt.conf" <<CONF
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "$folder/state";
Dir::State::Lists "$folder/lists";
Dir::State::status "$folder/state/status";
Dir::Cache "$folder/cache";
Debug::NoLocking "true";
APT::Sandbox::User "root";
CONF
  local -x APT_CONFIG=$folder/apt.conf
  timeout 300 apt-get update -qq || return
  timeout 600 apt-get install -y -qq --no-install-recommends --download-only "python$version" \
    ${tests:+"libpython$version-testsuite"} patchelf >/dev/null || return
  for deb in "$folder"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$root" || return; done
  loader=$(echo "$root"/usr/lib/*-linux-gnu/ld-linux-*.so.*)
  libraries=${loader%/*}
  patchelf=("$loader" --library-path "$libraries" "$root/usr/bin/patchelf")
  # One after the other and in this order: at once, patchelf 0.18 damages a program that is not position-independent.
  "${patchelf[@]}" --force-rpath --set-rpath "\$ORIGIN/../lib/${libraries##*/}" "$root/usr/bin/python$version" &&
    "${patchelf[@]}" --set-interpreter "$pythons/$version/${loader#"$root"/}" "$root/usr/bin/python$version"
}

# Why no package can be fetched here; nothing if it can.
obstacle() {
  local command
  for command in apt-get dpkg-deb; do
    command -v "$command" >/dev/null || { echo "it comes from Debian's packages, and there is no $command"; return; }
  done
  [ -r "$keyring" ] || { echo "it comes from Debian's packages, and $keyring is missing"; return; }
}

mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
  awk '$1 !~ /security|updates|backports/ { print $2; exit }')
for version in "$@"; do
  if [ -z "$tests" ] && "python$version" --version 2>/dev/null; then continue; fi
  program=$pythons/$version/usr/bin/python$version
  if ! "$program" -c "import sys${tests:+, test.test_list}" >/dev/null 2>&1; then
    reason=$(obstacle)
    [ -n "$reason" ] || [ -n "$mirror" ] || reason="apt-get names no mirror of Debian"
    if [ -n "$reason" ]; then
      skip "$version" "$reason"
      continue
    fi
    mkdir -p "$pythons" && work=$(mktemp -d "$pythons/.new-XXXXXX") || exit 1
    if fetch "$version" "$work" "$mirror" 2>"$work/errors"; then
      rm -rf "${pythons:?}/$version" && mv "$work/root" "$pythons/$version"
    else
      skip "$version" "Debian's packages could not be fetched: $(tail -n 1 "$work/errors")"
    fi
    rm -rf "$work"
  fi
  if [ -e "$program" ]; then
    "$program" --version || skip "$version" "what was fetched does not run here"
  fi
done
exit "$skipped"
