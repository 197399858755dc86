#!/bin/sh
# tools/check-output.sh FILE COMMAND...: fails, with the difference, unless FILE is what the command prints.
file=$1
shift
${MESON_EXE_WRAPPER:-} "$@" | diff -u "$file" - && exit 0
echo "$file is not what $(basename "$1") prints; 'make reference' writes it anew" >&2
exit 1
