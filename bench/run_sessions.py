"""Measures logins and looked-up sessions on each store, on this machine; writes its part of bench/RESULTS.md.

    .venv/bin/python bench/run_sessions.py BUILD-DIRECTORY [--quick] [--no-write] [--note TEXT]

What is measured and how: bench/README.md.
"""

from program import arguments, scratch, write
from results import text_of


def table(values, rows):
    stores = list(values)
    lines = ["| | " + " | ".join(stores) + " |", "|---|" + "---:|" * len(stores)]
    for row, title in rows.items():
        lines.append("| " + " | ".join([title, *(text_of(values[store].get(row)) for store in stores)]) + " |")
    return "\n".join(lines)


def measure(options):
    from sessions import ROWS, Bench

    with scratch() as directory:
        bench = Bench(directory, options.quick)
        try:
            bench.start()
            return table(bench.collect(), ROWS)
        finally:
            bench.stop()


def main():
    options = arguments("Measures logins and looked-up sessions.")
    write("Logins and sessions", "Numbers per second count the clients as well, which share the processors; CPU times are "
          "the gateway's alone.\n\n" + measure(options), options)


main()
