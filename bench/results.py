"""RESULTS.md has parts, each written by a program of its own; the others stay as they are."""

import datetime
import os
import pathlib
import platform
import re
import statistics

RESULTS = pathlib.Path(__file__).resolve().parent / "RESULTS.md"
TITLE = "# Results of the benchmarks"
INTRODUCTION = "Written by `make bench`. What is measured and how: [README.md](README.md)."
PARTS = ["Beside other proxies", "Fairness", "Two workers", "Soak", "Clients", "Start of the client", "HTTP/2", "Logins and sessions",
         "Policy and routing", "Reload"]


def _read_parts():
    text = RESULTS.read_text() if RESULTS.exists() else ""
    found = {}
    for piece in text.split("\n## ")[1:]:
        heading, _, body = piece.partition("\n")
        found[heading] = body.strip()
    return found


def write_part(heading, body):
    assert heading in PARTS
    parts = {**_read_parts(), heading: body.strip()}
    sections = [f"## {name}\n\n{parts[name]}" for name in PARTS if name in parts]
    RESULTS.write_text("\n\n".join([TITLE, INTRODUCTION, *sections]) + "\n")
    print(f"\nwritten to {RESULTS}")


def text_of(values):
    """The median, with as many digits as it is good for."""
    median = statistics.median(values) if values else None
    if median is None:
        return ""
    return f"{median:,.0f}" if median >= 100 else f"{median:.3g}"


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    match = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    return f"Linux {platform.release()}, {os.cpu_count()} × {match[1] if match else platform.machine()}"


def today():
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"
