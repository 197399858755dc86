#!/bin/sh
# tools/check-flags.sh PAGE PROGRAM COMMAND...: fails unless the page (manual in mdoc, or markdown) names every long flag that
# the help of the commands has, and the manual no other; in a manual only items count. A command of "-" is the program alone.
page=$1
program=$2
shift 2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

for command; do
	[ "$command" = - ] && command=
	${MESON_EXE_WRAPPER:-} "$program" $command --help || exit 1
done | grep -oE -- '--[a-z][a-z-]+' | sort -u >"$work/has"
[ -s "$work/has" ] || { echo "$program has no flags?" >&2; exit 1; }

case $page in
*.md) grep -oE -- '--[a-z][a-z-]+' "$page" | sort -u | comm -12 - "$work/has" >"$work/says" ;;
*) grep -E '^\.It ' "$page" | grep -oE -- '(Fl|,) -[a-z][a-z-]+' | sed -E 's/^(Fl|,) -/--/' | sort -u >"$work/says" ;;
esac
# Every command has --help: markdown need not say so.
case $page in *.md) sed -i '/^--help$/d; /^--version$/d' "$work/has" "$work/says" ;; esac

diff "$work/has" "$work/says" >"$work/difference" && exit 0
echo "$page (>) and the help of $(basename "$program") (<) name different flags:" >&2
cat "$work/difference" >&2
exit 1
