#!/usr/bin/env python3
"""Checks that the built libraries and programs own no writable data: check-globals.py BUILD-DIRECTORY.

Reads the symbol tables of the object files: symbols in .data (d, D), .bss (b, B) and common (C) are mutable globals or
function-local statics. Constants that need relocation live in .data.rel.ro, which is read-only at run time: nm
calls those d as well, so the section decides.
"""

import pathlib
import re
import subprocess
import sys

from sources import finish

# Writable data that is wanted, with the reason.
ALLOWED = {}

# The compiler's own: sanitizer bookkeeping, profile counters.
COMPILER = re.compile(r"^(__odr_asan|\.LASAN|__asan|__ubsan|\.Lubsan|__sancov|\.LC|__profc|__profd|\*\.L|\.L)")

WRITABLE = re.compile(r"^\.(data(?!\.rel\.ro)|bss|tdata|tbss|lbss|ldata)(\.|$)|^\*COM\*$")

SYMBOL = re.compile(r"^[0-9a-f]+ (?P<flags>.{7}) (?P<section>\S+)\t[0-9a-f]+ +(?:\.hidden )?(?P<name>\S+)$")


def writable_symbols(path):
    table = subprocess.run(["objdump", "-t", path], check=True, capture_output=True, text=True).stdout
    for line in table.splitlines():
        match = SYMBOL.match(line)
        if not match or match["flags"][-1] != "O":
            continue
        if WRITABLE.match(match["section"]) and not COMPILER.match(match["name"]):
            yield re.sub(r"\.\d+$", "", match["name"]), match["section"]


def main():
    build = pathlib.Path(sys.argv[1])
    objects = [path for path in sorted(build.glob("src/*/*.p/*.o")) if "_test" not in path.parent.name]
    problems = []
    for path in objects:
        for name, section in writable_symbols(path):
            if name not in ALLOWED:
                problems.append(f"{path.parent.name}/{path.name}: {name} is writable ({section})")
    if not objects:
        problems.append(f"{build}: no object files")
    finish("check-globals", problems, f"{len(objects)} object files own no writable data")


main()
