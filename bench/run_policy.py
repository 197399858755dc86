"""Measures decisions and the look-up of routes; writes its part of bench/RESULTS.md.

    bench/run_policy.py BUILD-DIRECTORY [--quick] [--no-write]

What is measured and how: bench/README.md.
"""

import subprocess

from program import arguments, write
from results import text_of


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
    options = arguments("Measures decisions and the look-up of routes.")
    write("Policy and routing", measure(options.build), options)


main()
