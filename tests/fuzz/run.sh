#!/bin/sh
# Builds the fuzz targets and runs each for some seconds, from the kept corpus; then says how many inputs each took.
#
#   tests/fuzz/run.sh SECONDS [TARGET...]
#
# New inputs go to target/fuzz/corpus, what fails to target/fuzz/finds. FUZZ_JOBS runs so many targets at a time.
set -eu

cd "$(dirname "$0")/../.."
seconds=$1
shift
out=${CARGO_TARGET_DIR:-target}/fuzz
# An absolute path, for cargo starts elsewhere.
mkdir -p "$out/corpus" "$out/finds" "$out/logs"
out=$(cd "$out" && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')

# What cargo-fuzz gives to rustc, but for the sanitizers, which stable has not: nothing here is unsafe code of ours.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
export RUSTFLAGS
cargo build --quiet --locked --release --target "$host" --target-dir "$out" --manifest-path tests/fuzz/Cargo.toml
binary=$out/$host/release/fuzz

[ $# -gt 0 ] || set -- $(ls tests/fuzz/corpus)

one='
target=$1
mkdir -p "$out/corpus/$target"
begun=$(date +%s)
SEALBOOK_FUZZ=$target "$binary" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix="$out/finds/$target-" \
    "$out/corpus/$target" "tests/fuzz/corpus/$target" >"$out/logs/$target" 2>&1 && said=sound || said=FAILED
ran=$(sed -n "s/^stat::number_of_executed_units: *//p" "$out/logs/$target")
kept=$(ls "$out/corpus/$target" | wc -l)
printf "%-12s %12s inputs %5s s %6s kept  %s\n" "$target" "${ran:-0}" "$(($(date +%s) - begun))" "$kept" "$said"
'
export out binary seconds
report=$out/report.txt
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-1}" -I{} sh -c "$one" one {} | tee "$report"
! grep -q FAILED "$report"
