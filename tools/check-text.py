#!/usr/bin/env python3
"""Checks what the compiler does not: // comments, #if inside functions, typedefs of structs and enums, own header first."""

import pathlib
import re

from sources import ROOT, blank_out, finish, functions, read, tracked

TYPEDEF = re.compile(r"^\s*typedef\s+(struct|enum|union)\b", re.MULTILINE)
CONDITIONAL = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|else)\b")
FIRST_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def slash_comments(name, text):
    blanked = blank_out(re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL),
                        keep_strings=True)
    original = text.splitlines()
    for number, (before, after) in enumerate(zip(original, blanked.splitlines()), 1):
        cut = before[len(after.rstrip()):]
        if cut.lstrip().startswith("//"):
            yield f"{name}:{number}: // comment"


def conditionals_in_functions(name, blanked):
    lines = blanked.splitlines()
    for start, end, _ in functions(blanked):
        for number in range(start, end):
            if CONDITIONAL.match(lines[number - 1]):
                yield f"{name}:{number}: preprocessor conditional inside a function"


def own_header_first(name, text):
    if not name.startswith("src/") or not name.endswith(".c"):
        return
    own = pathlib.Path(name[len("src/"):]).with_suffix(".h")
    if not (ROOT / "src" / own).is_file():
        return
    first = FIRST_INCLUDE.search(blank_out(text, keep_strings=True))
    if first is None or first.group(1) != str(own):
        yield f"{name}: the first include is not {own}"


def main():
    problems = []
    names = tracked("*.c", "*.h")
    for name in names:
        text = read(name)
        blanked = blank_out(text)
        problems.extend(slash_comments(name, text))
        problems.extend(conditionals_in_functions(name, blanked))
        problems.extend(own_header_first(name, text))
        for match in TYPEDEF.finditer(blanked):
            problems.append(f"{name}:{line_of(blanked, match.end())}: typedef of a {match.group(1)}")
        if name.endswith(".h") and "#pragma once" not in text:
            problems.append(f"{name}: no #pragma once")
    finish("check-text", problems, f"{len(names)} files")


main()
