#!/usr/bin/env bash
# tools/build.sh DIRECTORY [meson options...]: configure once, then build what changed.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=$1
shift

# A directory that Meson did not finish configuring is made anew.
if [ ! -f "$directory/build.ninja" ]; then
	rm -rf "$directory"
	meson setup "$directory" "$@" >"/tmp/meson-setup.$$" 2>&1 || {
		cat "/tmp/meson-setup.$$" >&2
		rm -f "/tmp/meson-setup.$$"
		exit 1
	}
	rm -f "/tmp/meson-setup.$$"
fi
printf 'build: %s\n' "$directory"
exec ninja --quiet -C "$directory"
