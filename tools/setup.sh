#!/usr/bin/env bash
# Installs what this repository needs from Debian packages, the test tools into ./.venv, and the identity provider of the
# end-to-end tests into tests/e2e/idp/node_modules.
#
#   tools/setup.sh GROUP...        groups: build demo test bench fuzz cross format
#
# Runs as root or with sudo, asks nothing, says what it does, and does nothing (and needs no network) when
# everything is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

packages_build="build-essential meson ninja-build pkg-config libuv1-dev libssl-dev libc-ares-dev libjansson-dev
  libcjose-dev libfyaml-dev libsodium-dev libcrypt-dev libcurl4-openssl-dev libsqlite3-dev libpq-dev libpcre2-dev libglib2.0-dev libnghttp2-dev
  tzdata libcmocka-dev python3"
packages_demo="redis-server redis-tools python3"
packages_test="redis-server redis-tools openssh-server openssh-client postgresql postgresql-client chromium
  chromium-driver python3-venv curl procps util-linux nodejs npm tinyproxy squid dante-server iproute2 haproxy nginx-light libnginx-mod-stream nghttp2-client
  dnsmasq-base bind9-dnsutils zsh fish mariadb-server-core mariadb-client-core tigervnc-standalone-server
  softhsm2 opensc opensc-pkcs11 p11-kit p11-kit-modules libengine-pkcs11-openssl"
packages_fuzz="clang libclang-rt-14-dev"
packages_cross="gcc-arm-linux-gnueabihf libc6-dev-armhf-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static"
packages_format="clang-format"
packages_bench="haproxy nginx-light libnginx-mod-stream stunnel4 apache2-bin socat valgrind python3 python3-venv openssl"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

is_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_packages() {
	local package
	for package in "$@"; do
		# Any flavour of nginx will do; the packages exclude each other.
		[ "$package" = nginx-light ] && command -v /usr/sbin/nginx >/dev/null && continue
		# So will any npm: a Node.js from elsewhere brings its own and excludes Debian's.
		[ "$package" = nodejs ] && command -v node >/dev/null && continue
		[ "$package" = npm ] && command -v npm >/dev/null && continue
		is_installed "$package" || printf '%s ' "$package"
	done
}

as_root=()
need_root() {
	[ "$(id -u)" = 0 ] && return
	command -v sudo >/dev/null || die "packages are missing; run this as root or install sudo"
	as_root=(sudo)
}

# Debian starts services when they are installed. Ours are started by the tests, on ports of their own,
# so a policy refuses it meanwhile; a policy that is there already stays.
policy=/usr/sbin/policy-rc.d
made_policy=
refuse_service_starts() {
	[ -e "$policy" ] && return
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
	"${as_root[@]}" chmod 755 "$policy"
	made_policy=yes
}
restore_service_policy() {
	[ -z "$made_policy" ] || "${as_root[@]}" rm -f "$policy"
}
trap restore_service_policy EXIT

install_packages() {
	local log
	command -v apt-get >/dev/null || die "these packages are missing, and there is no apt-get: $*"
	need_root
	log=$(mktemp)
	say "installing Debian packages: $*"
	"${as_root[@]}" apt-get update -q >"$log" 2>&1 ||
		{ tail -n 5 "$log" >&2; die "apt-get update failed (is there a network?)"; }
	refuse_service_starts
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >"$log" 2>&1 ||
		{ tail -n 15 "$log" >&2; die "apt-get could not install: $*"; }
	restore_service_policy
	made_policy=
	rm -f "$log"
}

# The virtual environment carries a copy of the list it was made from: it is made anew only when that changed.
install_test_tools() {
	local list=tests/e2e/requirements.txt
	cmp -s "$list" .venv/requirements.installed && [ -x .venv/bin/pytest ] &&
		.venv/bin/python -c '' 2>/dev/null && return
	say "making .venv with the test tools of $list"
	rm -rf .venv
	/usr/bin/python3 -m venv .venv || die "cannot make a virtual environment in $PWD/.venv"
	.venv/bin/pip install --quiet --disable-pip-version-check -r "$list" ||
		die "cannot install the test tools of $list (is there a network?)"
	cp "$list" .venv/requirements.installed
}

# Envoy, which is in no Debian release; without it the benchmarks leave it out.
install_bench_tools() {
	local list=bench/requirements.txt where=build/bench-venv
	cmp -s "$list" $where/requirements.installed && return
	say "making $where with what $list names"
	rm -rf $where
	if /usr/bin/python3 -m venv $where &&
		$where/bin/pip install --quiet --disable-pip-version-check -r "$list"; then
		cp "$list" $where/requirements.installed
	else
		say "cannot install what $list names; the benchmarks do without it"
	fi
}

# Likewise for what npm installs.
install_identity_provider() {
	local directory=tests/e2e/idp log
	cmp -s $directory/package-lock.json $directory/node_modules/package-lock.installed && return
	node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || die "the tests need Node.js 18 or newer"
	say "installing the identity provider of the tests into $directory/node_modules"
	log=$(mktemp)
	npm ci --prefix $directory --ignore-scripts --no-audit --no-fund >"$log" 2>&1 ||
		{ tail -n 15 "$log" >&2; die "npm could not install what $directory names (is there a network?)"; }
	rm -f "$log"
	cp $directory/package-lock.json $directory/node_modules/package-lock.installed
}

main() {
	local group wanted=() missing
	[ $# -gt 0 ] || die "which groups? build demo test bench fuzz cross format"
	for group in "$@"; do
		case $group in
		build) wanted+=($packages_build) ;;
		demo) wanted+=($packages_demo) ;;
		test) wanted+=($packages_test) ;;
		bench) wanted+=($packages_bench) ;;
		fuzz) wanted+=($packages_fuzz) ;;
		cross) wanted+=($packages_cross) ;;
		format) wanted+=($packages_format) ;;
		*) die "unknown group: $group (build demo test bench fuzz cross format)" ;;
		esac
	done
	missing=$(missing_packages $(printf '%s\n' "${wanted[@]}" | sort -u))
	# shellcheck disable=SC2086
	[ -z "$missing" ] || install_packages $missing
	case " $* " in
	*" bench "*) install_bench_tools ;;
	esac
	case " $* " in
	*" test "*)
		install_test_tools
		install_identity_provider
		;;
	esac
}

main "$@"
