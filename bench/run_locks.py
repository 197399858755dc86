"""Counts the locks that a gateway with two workers takes while it moves bytes; writes its part of bench/RESULTS.md.

    .venv/bin/python bench/run_locks.py BUILD-DIRECTORY [--quick] [--no-write] [--note TEXT]

What is counted and how: bench/README.md.
"""

import pathlib
import subprocess
import time

import preloaded
from measures import Measures
from program import arguments, make_certificate, running, scratch, server, write
from proxies import Pomerium

TUNNELS = 8
ENDLESS = 1 << 50
LOADS = {"nothing to do": None, "bulk to the client": ("down", ENDLESS, TUNNELS),
         "bulk to the server": ("up", ENDLESS, TUNNELS), "echoes of 64 bytes": ("echo", TUNNELS, 3600)}


class Asked(Pomerium):
    def command(self):
        settings = preloaded.environment(self.program.parents[2], self.directory)
        return ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items()), *super().command()]


def count(gateway, measures, order, seconds):
    """Locks taken, its CPU seconds, and how many of its threads were busy; the tunnels are open before."""
    load = order and subprocess.Popen(measures.command(gateway, *order), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    time.sleep(1)
    locks, times = preloaded.ask(gateway.directory)[1], thread_seconds(gateway)
    time.sleep(seconds)
    locks = preloaded.ask(gateway.directory)[1] - locks
    spent = [now - times.get(task, 0) for task, now in thread_seconds(gateway).items()]
    if load:
        load.kill()
        load.wait()
        time.sleep(1)
    return locks, sum(spent), sum(each > seconds / 20 for each in spent)


def thread_seconds(gateway):
    tasks = pathlib.Path(f"/proc/{gateway.process.pid}/task").iterdir()
    return {task.name: int((task / "schedstat").read_text().split()[0]) / 1e9 for task in tasks}


def table(build, quick):
    measures = Measures(build / "bench" / "bench-load", quick)
    seconds = 2 if quick else 10
    lines = [f"| two workers, {seconds} s | locks taken | CPU time, s | threads that were busy |", "|---|---:|---:|---:|"]
    with scratch() as directory, server(build) as port:
        with running([Asked], directory, make_certificate(directory), port, 2) as (gateway,):
            for title, order in LOADS.items():
                locks, cpu, busy = count(gateway, measures, order, seconds)
                where = f" on {TUNNELS} tunnels" if order else ""
                lines.append(f"| {title}{where} | {locks:,} | {cpu:.2f} | {busy} |")
    return "\n".join(lines)


def main():
    options = arguments("Counts the locks taken on the way of the bytes.")
    write("Two workers", table(options.build, options.quick), options)


main()
