#!/usr/bin/python3
"""Measures how long a small message takes while others keep the one worker busy; writes its part of bench/RESULTS.md.

    bench/run_fairness.py BUILD-DIRECTORY [--quick] [--no-write] [--note TEXT]

What is measured and how: bench/README.md.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time

from measures import Measures
from peers import Envoy, HAProxyPlain
from program import arguments, make_certificate, running, scratch, server_process, write
from proxies import HAProxy, Nginx, Pomerium
from run import collect, value_table

KINDS = (Pomerium, Envoy, HAProxy, Nginx, HAProxyPlain)
ENDLESS = 1 << 50
HANDSHAKES = 200  # per second
SLOW_RUNS, SLOW_SLEEPS = 0.005, 0.095  # seconds: a reader that reads for a twentieth of the time
BULK_DOWN = ("down", ENDLESS, 4)
BULK_UP = ("up", ENDLESS, 4)
OPENING = ("--rate", HANDSHAKES, "open", 8, 3600)
BESIDE = {
    "alone": [],
    "beside 4 tunnels that send as fast as they can": [BULK_UP],
    "beside 4 that receive as fast as they can": [BULK_DOWN],
    f"beside {HANDSHAKES} new tunnels per second": [OPENING],
    "beside 4 whose readers are slow": ["slow"],
    "beside all of these": [BULK_UP, BULK_DOWN, OPENING, "slow"],
}


class EchoMeasures(Measures):
    """There are fewer processors than processes: those on the way of the echo never wait for those of the load."""

    def command(self, proxy, *arguments, **options):
        return ["chrt", "--rr", "1", *super().command(proxy, *arguments, **options)]


def put_first(pid):
    """All threads of a process."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setscheduler(int(task), os.SCHED_RR, os.sched_param(1))


def put_echoes_first(server):
    """But not its second thread, which serves the load."""
    put_first(server)
    os.sched_setscheduler(max(map(int, os.listdir(f"/proc/{server}/task"))), os.SCHED_OTHER, os.sched_param(0))


def dawdle(process, stop):
    """It reads now and then, so that both the proxy and the kernel are full of what it has not read."""
    while not stop.wait(SLOW_RUNS):
        process.send_signal(signal.SIGSTOP)
        stop.wait(SLOW_SLEEPS)
        process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def load_beside(measures, proxy, orders):
    stop = threading.Event()
    processes, threads = [], []
    for order in orders:
        is_slow = order == "slow"
        command = Measures.command(measures, proxy, *(BULK_DOWN if is_slow else order))
        processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        if is_slow:
            threads.append(threading.Thread(target=dawdle, args=(processes[-1], stop)))
            threads[-1].start()
    try:
        time.sleep(0.5)
        yield
        if any(process.poll() is not None for process in processes):
            raise SystemExit(f"bench: {proxy.name}: the load beside ended")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for process in processes:
            process.kill()
            process.wait()
        time.sleep(0.2)


def latency(measures, proxy, name):
    with load_beside(measures, proxy, BESIDE[name]):
        measured = measures.echo(proxy, 1)
    busy = measured["echo-1: CPU"] * measured["echo-1: messages/s"] / 1e6
    return {f"{name}: p50": measured["echo-1: p50"], f"{name}: p99": measured["echo-1: p99"], f"{name}: busy": busy * 100}


def rows():
    for name in BESIDE:
        yield f"{name}: p50", f"{name}: half within, µs"
        yield f"{name}: p99", "· 99 % within, µs"
        yield f"{name}: busy", "· CPU time of the proxy meanwhile, % of one processor"


def main():
    options = arguments("Measures how long a small message takes beside others.")
    if os.geteuid() != 0:
        print("fairness: not measured, it takes the rights of root to put processes before others")
        return
    measures = EchoMeasures(options.build / "bench" / "bench-load", options.quick)
    things = [(f"echo {name}", min(measures.rounds, 5), lambda proxy, name=name: latency(measures, proxy, name))
              for name in BESIDE]
    with scratch() as directory, server_process(options.build) as (port, pid):
        put_echoes_first(pid)
        with running(KINDS, directory, make_certificate(directory), port) as proxies:
            for proxy in proxies:
                for each in proxy.pids():
                    put_first(each)
            text = value_table(collect(proxies, things), dict(rows()))
    write("Fairness", text, options)


if __name__ == "__main__":
    main()
