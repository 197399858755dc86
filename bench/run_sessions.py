"""Measures logins and looked-up sessions on each store, on this machine; writes its part of bench/RESULTS.md.

    .venv/bin/python bench/run_sessions.py BUILD-DIRECTORY [--quick] [--no-write] [--note TEXT]

What is measured and how: bench/README.md.
"""

import argparse
import os
import pathlib
import tempfile

from results import machine, text_of, today, write_part


def table(values, rows):
    stores = list(values)
    lines = ["| | " + " | ".join(stores) + " |", "|---|" + "---:|" * len(stores)]
    for row, title in rows.items():
        lines.append("| " + " | ".join([title, *(text_of(values[store].get(row)) for store in stores)]) + " |")
    return "\n".join(lines)


def measure(options):
    # What the tests share asks for the programs as soon as it is imported.
    os.environ["POMERIUM_BUILD"] = str(options.build.resolve())
    from sessions import ROWS, Bench

    with tempfile.TemporaryDirectory(prefix="pomerium-bench.") as name:
        directory = pathlib.Path(name)
        bench = Bench(directory, options.quick)
        try:
            bench.start()
            return table(bench.collect(), ROWS)
        finally:
            bench.stop()


def main():
    parser = argparse.ArgumentParser(description="Measures logins and looked-up sessions.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--no-write", action="store_true", help="do not write RESULTS.md")
    parser.add_argument("--note", help="what else is to be known about this run")
    options = parser.parse_args()
    text = measure(options)
    print("\n" + text)
    if options.no_write or options.quick:
        return
    notes = [machine(), f"{today()}, `bench/run_sessions.py`", *([options.note] if options.note else [])]
    write_part("Logins and sessions", "\n".join([
        "Numbers per second count the clients as well, which share the processors; CPU times are the gateway's alone.\n",
        text, "", *(f"* {note}" for note in notes)]))


main()
