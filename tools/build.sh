#!/usr/bin/env bash
# tools/build.sh DIRECTORY [meson options...] [-- targets...]: configure once, then build what changed; without
# targets everything, unit tests included.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=$1
shift
options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	options+=("$1")
	shift
done
[ $# -eq 0 ] || shift

# A directory that Meson did not finish configuring is made anew.
if [ ! -f "$directory/build.ninja" ]; then
	rm -rf "$directory"
	log=$(mktemp)
	meson setup "$directory" "${options[@]}" >"$log" 2>&1 || {
		cat "$log" >&2
		rm -f "$log"
		exit 1
	}
	rm -f "$log"
fi
printf 'build: %s\n' "$directory"
exec ninja --quiet -C "$directory" "$@"
