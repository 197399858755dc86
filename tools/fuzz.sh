#!/usr/bin/env bash
# tools/fuzz.sh SECONDS: runs every fuzz target of tests/fuzz for that long, beginning with its corpus. New inputs are
# kept in build/fuzz/found, crashes in build/fuzz/crashes.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=$1
CC=clang tools/build.sh build/fuzz -Dfuzz=true -Db_lundef=false -Db_sanitize=address,undefined
mkdir -p build/fuzz/crashes

for source in tests/fuzz/*_fuzz.c; do
	target=$(basename "$source" .c)
	name=${target%_fuzz}
	program=$(find build/fuzz/tests/fuzz -maxdepth 1 -type f -name "*$name*" -perm -u+x | head -n 1)
	[ -n "$program" ] || { printf 'fuzz: %s was not built\n' "$target" >&2; exit 1; }
	mkdir -p "build/fuzz/found/$name"
	corpus=tests/fuzz/corpus/$name
	[ -d "$corpus" ] || corpus=
	printf 'fuzz: %s for %s s\n' "$name" "$seconds"
	"$program" -max_total_time="$seconds" -artifact_prefix="build/fuzz/crashes/$name-" -print_final_stats=1 \
		"build/fuzz/found/$name" $corpus 2>&1 | tail -n 4
done
