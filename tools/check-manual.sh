#!/bin/sh
# tools/check-manual.sh DIRECTORY GENERATOR [--write]: fails, with the difference, unless the pages of pomerium-cli in that
# directory are exactly those that the generator prints. With --write they are written instead.
directory=$1
generator=$2
failed=0

pages=$(${MESON_EXE_WRAPPER:-} "$generator") || exit 1
for page in $pages; do
	if [ "${3:-}" = --write ]; then
		${MESON_EXE_WRAPPER:-} "$generator" "$page" >"$directory/$page" || exit 1
	else
		${MESON_EXE_WRAPPER:-} "$generator" "$page" | diff -u "$directory/$page" - || failed=1
	fi
done
for file in "$directory"/pomerium-cli*.1; do
	case "
$pages
" in *"
$(basename "$file")
"*) ;; *) echo "$file is the page of no command" >&2; failed=1 ;; esac
done
[ "$failed" = 0 ] || echo "'make manual' writes the pages anew" >&2
exit "$failed"
