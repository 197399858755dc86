"""Counts the instructions that fixed scenarios take, and compares with the recorded counts: a guard against getting slower.

    bench/check.py BUILD-DIRECTORY [--record]

What is counted and how: bench/README.md.
"""

import argparse
import json
import pathlib
import re
import subprocess

from program import make_certificate, scratch, server
from proxies import NAME, Pomerium

RECORD = pathlib.Path(__file__).resolve().parent / "instructions.json"
TOLERANCE = 1.05
VALGRIND = ["valgrind", "--tool=callgrind", "--cache-sim=no", "--trace-children=no"]
MIB = 1 << 20
# What the load generator is told; in between nothing is counted but this.
SCENARIOS = {
    "relay 64 MiB to the client": ["down", 64 * MIB, 1],
    "relay 64 MiB to the server": ["up", 64 * MIB, 1],
    "1,000 echoes": ["--count", 1000, "echo", 1, 600],
    "100 handshakes": ["--count", 100, "open", 1, 600],
}


class Counted(Pomerium):
    """The gateway under callgrind; how much it has run is its total at the end."""

    def command(self):
        out = self.directory / f"{self.port}.callgrind"
        return [*VALGRIND, f"--callgrind-out-file={out}", *super().command()]

    def instructions(self):
        self.stop()
        return total((self.directory / f"{self.port}.callgrind").read_text())


def total(text):
    return int(re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)[1])


def count_gateway(load, arguments, *place):
    gateway = Counted(*place)
    if arguments:
        subprocess.run([str(a) for a in [load, "--port", gateway.port, "--name", NAME, "--connect", f"{NAME}:1",
                                         *arguments]], check=True, stdout=subprocess.DEVNULL)
    return gateway.instructions()


def count_decisions(program, directory, number):
    out = directory / "decisions.callgrind"
    subprocess.run([*VALGRIND, f"--callgrind-out-file={out}", program, "--decisions", str(number)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return total(out.read_text())


def count_all(build):
    with scratch() as directory, server(build) as port:
        place = directory, make_certificate(directory), port
        load = build / "bench" / "bench-load"
        at_rest = count_gateway(load, None, *place)
        counts = {name: count_gateway(load, arguments, *place) - at_rest for name, arguments in SCENARIOS.items()}
        policy = build / "bench" / "bench-policy"
        counts["1,000 decisions"] = count_decisions(policy, directory, 1001) - count_decisions(policy, directory, 1)
        return counts


def compare(counts, recorded):
    """Whether all are within bounds."""
    fine = True
    for name, count in counts.items():
        share = count / recorded[name]
        verdict = "slower than allowed" if share > TOLERANCE else "record it" if share < 2 - TOLERANCE else ""
        print(f"bench-check: {name:28} {count:15,d}  {share:.3f} of the recorded  {verdict}".rstrip())
        fine = fine and share <= TOLERANCE
    return fine


def main():
    parser = argparse.ArgumentParser(description="Compares counts of instructions with the recorded ones.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="write instructions.json anew")
    options = parser.parse_args()
    build = options.build.resolve()
    Pomerium.program = build / "src" / "proxy" / "pomerium"
    counts = count_all(build)
    if options.record:
        RECORD.write_text(json.dumps(counts, indent=4) + "\n")
    if not compare(counts, json.loads(RECORD.read_text())):
        raise SystemExit(f"bench-check: more than {TOLERANCE - 1:.0%} slower")


if __name__ == "__main__":
    main()
