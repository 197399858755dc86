#!/usr/bin/env python3
"""Checks that every header compiles alone, as C17, in parallel."""

import concurrent.futures
import os
import subprocess

from sources import ROOT, finish, tracked

COMMAND = [
    "gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
    "-fsyntax-only", "-Isrc", "-I.", "-include", "src/base/banned.h",
    # What the build defines.
    '-DCLI_VERSION="0"', '-DPOMERIUM_VERSION="0"',
    "-x", "c", "-",
]


def compile_alone(name):
    target = name[len("src/"):] if name.startswith("src/") else name
    result = subprocess.run(
        COMMAND, input=f'#include "{target}"\n', cwd=ROOT, capture_output=True, text=True
    )
    return None if result.returncode == 0 else f"{name} does not compile alone:\n{result.stderr}"


def main():
    headers = tracked("src/*.h", "tests/support/*.h")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [problem for problem in pool.map(compile_alone, headers) if problem]
    finish("check-headers", problems, f"{len(headers)} headers compile alone")


main()
