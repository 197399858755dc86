"""Measures decisions and the look-up of routes; writes its part of bench/RESULTS.md.

    bench/run_policy.py BUILD-DIRECTORY [--no-write]

What is measured and how: bench/README.md.
"""

import argparse
import pathlib
import subprocess

from results import machine, text_of, today, write_part

def title(name):
    if name.endswith("routes"):
        return f"finding one of {name}: ns"
    return f"a decision with {name}: ns"


def measure(build):
    program = build / "bench" / "bench-policy"
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    rows = (line.split("\t") for line in lines)
    return "\n".join(["| | pomerium |", "|---|---:|",
                      *(f"| {title(name)} | {text_of([float(number)])} |" for name, number in rows)])


def main():
    parser = argparse.ArgumentParser(description="Measures decisions and the look-up of routes.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="writes nothing")
    parser.add_argument("--no-write", action="store_true", help="do not write RESULTS.md")
    options = parser.parse_args()
    text = measure(options.build.resolve())
    print("\n" + text)
    if not options.no_write and not options.quick:
        write_part("Policy and routing", f"{text}\n\n* {machine()}\n* {today()}, `make bench`")


main()
