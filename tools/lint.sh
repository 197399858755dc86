#!/usr/bin/env bash
# tools/lint.sh BUILD-DIRECTORY [--format]: every style check; says what is wrong and where, and fails at the end.
set -uo pipefail
cd "$(dirname "$0")/.."

build=$1
python=/usr/bin/python3
failed=0

check() {
	local name=$1
	shift
	if output=$("$@" 2>&1); then
		printf 'lint: %-8s ok  %s\n' "$name" "$(printf '%s' "$output" | tail -n 1)"
	else
		printf 'lint: %-8s FAILED\n%s\n' "$name" "$output"
		failed=1
	fi
}

check_format() {
	git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
}

check layers "$python" tools/check-layers.py
check size "$python" tools/check-size.py
check text "$python" tools/check-text.py
check headers "$python" tools/check-headers.py
check globals "$python" tools/check-globals.py "$build"

if [ "${2:-}" = --format ]; then
	tools/setup.sh format
	check format check_format
fi
exit "$failed"
