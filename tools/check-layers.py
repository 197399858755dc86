#!/usr/bin/env python3
"""Checks that every #include points downwards: see the table of layers in ARCHITECTURE.md."""

import re

from sources import blank_out, finish, read, tracked

BELOW = {
    "base": set(),
    "io": {"base"},
    "jose": {"base"},
    "config": {"base"},
    "tls": {"base", "io"},
    "http": {"base", "io"},
    "policy": {"base", "config"},
    "identity": {"base", "jose"},
    "session": {"base", "jose", "identity"},
    "proxy": {"base", "io", "jose", "config", "tls", "http", "policy", "identity", "session"},
    "cli": {"base", "io", "tls", "http", "jose", "config"},
}

# Third-party headers, and the modules that may see them.
LIBRARIES = [
    (re.compile(r"openssl/(ssl|x509\w*|bio|pem)\.h"), {"tls"}),
    (re.compile(r"openssl/evp\.h"), {"http", "jose", "tls"}),
    (re.compile(r"openssl/(hmac|sha|core_names|params|rand|crypto)\.h"), {"jose", "tls"}),
    (re.compile(r"openssl/.*"), {"tls", "jose"}),
    (re.compile(r"sodium\.h|sodium/.*"), {"jose"}),
    (re.compile(r"cjose/.*"), {"jose"}),
    (re.compile(r"jansson\.h"), {"jose", "identity", "session", "cli"}),
    (re.compile(r"curl/.*|nghttp2/.*"), {"http"}),
    (re.compile(r"sqlite3\.h|libpq-fe\.h"), {"session"}),
    (re.compile(r"libfyaml\.h"), {"config"}),
    (re.compile(r"glib\.h"), {"policy"}),
    (re.compile(r"uv\.h|uv/.*|ares\.h|ares_.*"), {"io"}),
    (re.compile(r"crypt\.h"), {"identity"}),
    (re.compile(r"pcre2\.h"), {"base"}),
]

# Tests, and what only tests link.
TEST_FILE = re.compile(r"(_test|_?testing|/fake_\w+)\.[ch]$")

# Headers only tests may use, whatever the module.
FOR_TESTS = re.compile(r"cmocka\.h|jansson\.h")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def problem_with(module, is_test, quote, target):
    if ".." in target.split("/"):
        return "climbs out of its folder"
    if quote == "<":
        return problem_with_library(module, is_test, target)
    folder, slash, _ = target.partition("/")
    if not slash:
        return "project headers are included with their folder"
    if folder == "tests":
        return None if is_test else "only tests use the test support"
    if folder not in BELOW:
        return "no such module"
    if folder != module and folder not in BELOW[module]:
        return f"{module} may use {', '.join(sorted(BELOW[module])) or 'nothing else'}"
    return None


def problem_with_library(module, is_test, target):
    if is_test and FOR_TESTS.fullmatch(target):
        return None
    if target == "cmocka.h":
        return "only tests use cmocka"
    for pattern, modules in LIBRARIES:
        if pattern.fullmatch(target):
            allowed = ", ".join(sorted(modules))
            return None if module in modules else f"only {allowed} may use this library"
    return None


def main():
    problems = []
    count = 0
    for name in tracked("src/*.c", "src/*.h"):
        module = name.split("/")[1]
        if module not in BELOW:
            problems.append(f"{name}: src/{module} is not in the table of layers")
            continue
        text = blank_out(read(name), keep_strings=True)
        for match in INCLUDE.finditer(text):
            count += 1
            problem = problem_with(module, bool(TEST_FILE.search(name)), *match.groups())
            if problem:
                line = text.count("\n", 0, match.start(1)) + 1
                problems.append(f"{name}:{line}: #include {match.group(2)}: {problem}")
    finish("check-layers", problems, f"{count} includes point downwards")


main()
