#!/bin/bash
# The one test command: the same on every machine and in CI.
#
#   tests/run.sh [PART...]    parts, in this order: format lint boundaries unit pythons blackbox extension editors
#
# Needs Linux with Rust, a C compiler, Python 3.9 or newer and Node 20 or newer; Debian packages that are missing are
# installed when it runs as root. Everything else goes into tests/.cache and target. The network is used for package registries only.
# Goes on after a failure. Ends with a summary whose last line is `N passed, N failed`, and with 1 when anything failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
cache=$PWD/tests/.cache
logs=$cache/logs
all_parts=(format lint boundaries unit pythons blackbox page extension editors)
ruff_version=0.17.6
# A failed assertion says where it stands; the frames around it are noise in a long log.
export RUST_BACKTRACE=0

passed=0 failed=0
summary=()

# step NAME COMMAND...: runs it, shows and keeps its output, and counts the tests it reports (as "2 passed, 1 failed" or
# as cargo writes it). A step that reports none counts as one. One that may
# be skipped (`may_skip=yes step ...`) and ends with 77 says itself why it was.
step() {
  local name=$1 log start=$SECONDS status ok bad word
  log=$logs/${name//[^a-z0-9]/-}.log
  shift
  printf '\n== %s\n' "$name"
  "$@" 2>&1 </dev/null | tee "$log"
  status=${PIPESTATUS[0]}
  read -r ok bad < <(grep -aoE '[0-9]+ passed[,;] [0-9]+ failed' "$log" | awk '{ ok += $1; bad += $3 } END { print ok + 0, bad + 0 }')
  if [ "$status" -eq 0 ]; then
    word=passed
    [ $((ok + bad)) -gt 0 ] || ok=1
  elif [ "$status" -eq 77 ] && [ "${may_skip:-}" = yes ]; then
    word=SKIPPED
  else
    word=FAILED
    [ "$bad" -gt 0 ] || bad=1
  fi
  passed=$((passed + ok)) failed=$((failed + bad))
  summary+=("$(printf '%-7s %5d s  %s (%d passed, %d failed)' "$word" $((SECONDS - start)) "$name" "$ok" "$bad")")
}

# What the tests stand on. Says what is missing and cannot be installed.
prepare() {
  local command missing=()
  for command in cargo python3 node npm; do
    command -v "$command" >/dev/null || missing+=("$command")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    echo "Missing: ${missing[*]}. The tests need Rust (cargo), Python 3.9 or newer (python3), and Node 20 or newer (node, npm)."
    return 1
  fi
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy || return
  cc -x c -o "$cache/compiled" - <<<'int main(void) { return 0; }' 2>/dev/null && command -v readelf >/dev/null ||
    missing+=(gcc libc6-dev binutils)
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  if [ ${#missing[@]} -gt 0 ]; then
    (. tests/editors/setup/debian.sh && install_debian_packages "${missing[@]}") || return
  fi
}

ruff() {
  local venv=$cache/ruff-$ruff_version
  if [ ! -x "$venv/bin/ruff" ]; then
    python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q "ruff==$ruff_version" || return
  fi
  "$venv/bin/ruff" "$@"
}

# The tracer and the format for the other processor; only compiled, since nothing here runs it.
aarch64() {
  local target=aarch64-unknown-linux-gnu
  if ! rustup target add "$target"; then
    echo "Skipped: rustup cannot add $target."
    return 77
  fi
  cargo clippy -q --target "$target" -p heaphint-tracer -p heaphint-format --all-features -- -D warnings
}

# The program inside the package is the debug build: the package is made to be looked at, and thrown away.
package() {
  cargo build -q || return
  HEAPHINT=$PWD/target/debug/heaphint npm --prefix editor-extension run package -- "$cache/heaphint-linux-x64.vsix" &&
    python3 tests/checks/vsix.py "$cache/heaphint-linux-x64.vsix"
}

run_part() {
  case $1 in
  format)
    step "format: Rust" cargo fmt --all --check
    step "format: Python" ruff format --check tests server
    ;;
  lint)
    step "lint: clippy" cargo clippy -q --workspace --all-targets -- -D warnings
    step "lint: clippy, tracer for tests" cargo clippy -q -p heaphint-tracer --all-features -- -D warnings
    may_skip=yes step "lint: clippy, tracer for aarch64" aarch64
    step "lint: documentation" env RUSTDOCFLAGS="-D warnings" cargo doc -q --workspace --no-deps --document-private-items
    ;;
  boundaries) step "boundaries" python3 tests/checks/boundaries.py ;;
  unit) step "unit tests" cargo test -q --workspace --lib --bins ;;
  pythons) may_skip=yes step "interpreters that this machine has not" tests/setup/pythons.sh 3.13 3.14 3.15 ;;
  blackbox) step "black-box tests" cargo test --workspace --test blackbox ;;
  page)
    step "page: the program" cargo build
    step "page" env HEAPHINT="$PWD/target/debug/heaphint" tests/page/run.sh
    ;;
  extension)
    step "extension: packages, bundle, tests" tests/editors/setup/extension.sh
    step "extension: format and lint" npm --prefix editor-extension run lint
    step "extension: types" npm --prefix editor-extension run typecheck
    step "extension: package" package
    ;;
  editors)
    step "editors: the program" cargo build
    step "editors" env HEAPHINT="$PWD/target/debug/heaphint" tests/editors/run.sh
    ;;
  esac
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=("${all_parts[@]}")
for part in "${parts[@]}"; do
  case " ${all_parts[*]} " in
  *" $part "*) ;;
  *)
    echo "There is no part \"$part\"; there are: ${all_parts[*]}." >&2
    exit 2
    ;;
  esac
done

mkdir -p "$logs"
if ! prepare; then
  failed=1
  summary+=("FAILED         preparation")
fi
for part in "${parts[@]}"; do run_part "$part"; done

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
