#!/bin/bash
# Fuzzes the decoder (`decode`), the merge of captures and events (`merge`) or the files of full records (`events`) with
# libFuzzer, on a stable toolchain.
#
#   tests/fuzz/run.sh decode|merge|events [INPUTS] [OPTION...]     10 million inputs, and further options of libFuzzer
#
# An input that panics or needs more than 64 MB ends it, and is kept in tests/fuzz/artifacts. `cargo fuzz run TARGET`
# from the folder `tests` does the same where cargo-fuzz and a nightly toolchain are installed.
set -euo pipefail
cd "$(dirname "$0")"
target=${1:?the target: decode, merge or events}
inputs=${2:-10000000}
shift $(($# < 2 ? $# : 2))
host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes to the compiler, without the sanitizers that need a nightly one.
flags=(--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
export RUSTFLAGS="${flags[*]}"
cargo build --release --quiet --target "$host" --target-dir ../../target/fuzz --bin "$target"
# Files of inputs are small and many.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
mkdir -p "corpus/$target" "artifacts/$target"
exec "../../target/fuzz/$host/release/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" \
  -runs="$inputs" -timeout=10 -max_len=65536 -print_final_stats=1 "$@"
