#!/usr/bin/env bash
# tools/cross.sh [ARCHITECTURE...]: builds both programs and every unit test for other kinds of machine, and runs the
# tests under qemu: armhf (32 bits) and s390x (big-endian), which between them find assumptions about the size of
# a word, the order of bytes and the sign of `char`. ARGS="cli/tunnel http/capsule" picks tests.
#
# The foreign libraries are unpacked into build/cross/ARCHITECTURE/sysroot by an apt that has lists and a state of its own:
# the machine's packages stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

libraries="libc6-dev libuv1-dev libssl-dev libc-ares-dev libjansson-dev libcjose-dev libfyaml-dev libsodium-dev libcrypt-dev
  libcurl4-openssl-dev libsqlite3-dev libpq-dev libpcre2-dev libglib2.0-dev libnghttp2-dev libcmocka-dev libubsan1"

say() { printf 'cross: %s\n' "$*"; }
die() { printf 'cross: %s\n' "$*" >&2; exit 1; }

# foreign_apt ARCHITECTURE FOLDER COMMAND...: apt-get as if on a machine of that kind with nothing installed.
foreign_apt() {
	local architecture=$1 folder=$2
	shift 2
	DEBIAN_FRONTEND=noninteractive apt-get -qy -o APT::Architecture="$architecture" \
		-o APT::Architectures="$architecture" -o APT::Install-Recommends=false -o Debug::NoLocking=true \
		-o APT::Update::Post-Invoke= -o Dir::State::Lists="$folder/lists" \
		-o Dir::State::Status="$folder/status" -o Dir::Cache::Archives="$folder/archives" "$@"
}

# What links by name from the root of the foreign machine must not lead into this one's.
relative_links() {
	local sysroot=$1 link
	find "$sysroot" -type l -lname '/*' | while read -r link; do
		ln -sfnr "$sysroot$(readlink "$link")" "$link"
	done
}

fetch_sysroot() {
	local architecture=$1 folder=$2 wanted package log
	wanted=$(printf '%s\n' $libraries)
	[ "$(cat "$folder/sysroot.packages" 2>/dev/null)" = "$wanted" ] && return
	say "fetching the libraries of $architecture into $folder/sysroot"
	rm -rf "$folder/sysroot" "$folder/apt"
	mkdir -p "$folder/sysroot" "$folder/apt/lists/partial" "$folder/apt/archives/partial"
	: >"$folder/apt/status"
	log=$folder/apt/log
	# One list of several may be missing; what matters is whether the packages are to be had.
	foreign_apt "$architecture" "$folder/apt" update >"$log" 2>&1 || say "apt-get update was not content; going on"
	# shellcheck disable=SC2086
	foreign_apt "$architecture" "$folder/apt" --download-only install $libraries >"$log" 2>&1 ||
		{ tail -n 15 "$log" >&2; die "cannot fetch the libraries of $architecture (is there a network?)"; }
	for package in "$folder"/apt/archives/*.deb; do
		dpkg-deb -x "$package" "$folder/sysroot"
	done
	relative_links "$folder/sysroot"
	rm -rf "$folder/apt"
	printf '%s\n' "$wanted" >"$folder/sysroot.packages"
}

# The parts of the cross file that depend on where this is.
write_constants() {
	local launcher=
	command -v ccache >/dev/null && launcher="'ccache'"
	printf "[constants]\nsysroot = '%s'\nlauncher = [%s]\n" "$1/sysroot" "$launcher" >"$1/constants.ini"
}

prepare() {
	local architecture=$1 folder=$2
	mkdir -p "$folder"
	fetch_sysroot "$architecture" "$folder"
	write_constants "$folder"
	tools/build.sh "$folder/build" --cross-file "$folder/constants.ini" \
		--cross-file "tools/cross/$architecture.ini" -Db_sanitize=undefined -Db_lundef=false
}

# An emulated processor is several times slower than a real one.
run_tests() {
	# shellcheck disable=SC2086
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 meson test -C "$1/build" --no-rebuild --print-errorlogs \
		--timeout-multiplier 10 --suite unit --suite fuzz ${ARGS:-}
}

known=$(basename -s .ini tools/cross/*.ini | tr '\n' ' ')
[ $# -gt 0 ] || set -- $known
failed=
for architecture in "$@"; do
	[ -f "tools/cross/$architecture.ini" ] || die "unknown architecture: $architecture (there are: $known)"
	prepare "$architecture" "$PWD/build/cross/$architecture"
	run_tests "$PWD/build/cross/$architecture" || failed="$failed $architecture"
done
[ -z "$failed" ] || die "failed:$failed"
