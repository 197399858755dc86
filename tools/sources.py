"""What the check tools share: the repository's files, and C text without comments and strings."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

_TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
)


def tracked(*patterns):
    """Files git knows or would add, as paths relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return sorted({name for name in listing.splitlines() if (ROOT / name).is_file()})


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blank_out(text, keep_strings=False):
    """The same text, lines and columns, with comments (and the insides of strings) turned into blanks."""

    def blank(match):
        token = match.group()
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        if keep_strings:
            return token
        return token[0] + " " * (len(token) - 2) + token[-1]

    return _TOKEN.sub(blank, text)


def functions(blanked):
    """(first line, last line, header text) of each function: its braces stand in column one."""
    lines = blanked.splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number, _header(lines, start)
            start = None


def _header(lines, brace_line):
    header = []
    for line in reversed(lines[: brace_line - 1]):
        if not line.strip() or line.startswith(("}", "#")) or line.rstrip().endswith(";"):
            break
        header.insert(0, line)
    return " ".join(header)


def finish(tool, problems, summary):
    """Prints the problems, or one line that says what was looked at; ends the program."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{tool}: {len(problems)} problem(s)")
        sys.exit(1)
    print(f"{tool}: {summary}")
