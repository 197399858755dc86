#!/usr/bin/env bash
# tools/fuzz.sh SECONDS: runs every fuzz target of tests/fuzz for that long, beginning with its corpus. New inputs are
# kept in build/fuzz/found, crashes in build/fuzz/crashes.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=$1
export CC=clang
sources=(tests/fuzz/fuzz_*.c)
targets=("${sources[@]%.c}")
tools/build.sh build/fuzz -Dfuzz=true -Db_lundef=false -Db_sanitize=address,undefined \
	-Dc_args=-fsanitize=fuzzer-no-link -- "${targets[@]}"
mkdir -p build/fuzz/crashes

for target in "${targets[@]}"; do
	name=${target##*/fuzz_}
	mkdir -p "build/fuzz/found/$name"
	printf 'fuzz: %s for %s s\n' "$name" "$seconds"
	"build/fuzz/$target" -max_total_time="$seconds" -print_final_stats=1 \
		-artifact_prefix="build/fuzz/crashes/$name-" \
		"build/fuzz/found/$name" "tests/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1 || {
		tail -n 40 "build/fuzz/$name.log" >&2
		exit 1
	}
	grep -E 'number_of_executed_units|new_units_added' "build/fuzz/$name.log"
done
