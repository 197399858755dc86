#!/usr/bin/env python3
"""Checks the budgets: lines of a file and of a function, parameters, fields of a struct."""

import re

from sources import blank_out, finish, functions, read, tracked

FILE_LINES = 500
FUNCTION_LINES = 80
PARAMETERS = 6
STRUCT_FIELDS = 25

# Callbacks whose parameters a library dictates.
DICTATED = {"src/http/h2_stream.c": "provide", "src/http/h2_callbacks.c": "frame_len"}

STRUCT = re.compile(r"^(?:static\s+|const\s+)*struct\s+(\w+)[^;{}()=]*\{$", re.MULTILINE)


def parameters_of(header):
    """How many parameters the last parenthesised list of a function header has."""
    end = header.rfind(")")
    depth = 0
    commas = 0
    for position in range(end, -1, -1):
        character = header[position]
        if character == ")":
            depth += 1
        elif character == "(":
            depth -= 1
            if depth == 0:
                inside = header[position + 1:end].strip()
                return 0 if inside in ("", "void") else commas + 1
        elif character == "," and depth == 1:
            commas += 1
    return 0


def name_of(header):
    match = re.search(r"(\w+)\s*\(", header)
    return match.group(1) if match else "?"


def declared_parameters(blanked):
    """(line, name, count) of prototypes."""
    pattern = re.compile(r"^[a-z][\w\s*]*?\b(\w+)\(([^;{}]*)\)[^;{}()=]*;", re.MULTILINE)
    for match in pattern.finditer(blanked):
        header = f"{match.group(1)}({match.group(2)})"
        yield blanked.count("\n", 0, match.start()) + 1, match.group(1), parameters_of(header)


def struct_fields(blanked):
    """(line, name, fields) of structs; nested ones count as part of the outer one."""
    for match in STRUCT.finditer(blanked):
        depth = 1
        fields = 0
        for character in blanked[match.end():]:
            if character == "{":
                depth += 1
            elif character == "}":
                depth -= 1
                if depth == 0:
                    break
            elif character == ";":
                fields += 1
        yield blanked.count("\n", 0, match.start()) + 1, match.group(1), fields


def check_c(name, text):
    blanked = blank_out(text)
    for start, end, header in functions(blanked):
        where = f"{name}:{start}: {name_of(header)}()"
        if end - start - 1 > FUNCTION_LINES:
            yield f"{where} has {end - start - 1} lines, more than {FUNCTION_LINES}"
        if parameters_of(header) > PARAMETERS and DICTATED.get(name) != name_of(header):
            yield f"{where} has {parameters_of(header)} parameters, more than {PARAMETERS}"
    if name.endswith(".h"):
        for line, function, count in declared_parameters(blanked):
            if count > PARAMETERS:
                yield f"{name}:{line}: {function}() has {count} parameters, more than {PARAMETERS}"
    for line, struct, fields in struct_fields(blanked):
        if fields > STRUCT_FIELDS:
            yield f"{name}:{line}: struct {struct} has {fields} fields, more than {STRUCT_FIELDS}"


def main():
    problems = []
    longest = 0
    names = tracked("*.c", "*.h", "*.py", "*.sh")
    for name in names:
        text = read(name)
        lines = text.count("\n")
        if lines > FILE_LINES:
            problems.append(f"{name}: {lines} lines, more than {FILE_LINES}")
        if name.endswith((".c", ".h")):
            problems.extend(check_c(name, text))
            bodies = [end - start - 1 for start, end, _ in functions(blank_out(text))]
            longest = max([longest, *bodies])
    finish("check-size", problems, f"{len(names)} files, longest function {longest} lines")


main()
