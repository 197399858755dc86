"""Measures our client beside stunnel's and socat, in turns, on this machine; writes its part of bench/RESULTS.md.

    bench/run_clients.py BUILD-DIRECTORY [--quick] [--no-write]

What is measured and how: bench/README.md.
"""

import argparse
import pathlib
import socket
import subprocess
import tempfile
import time

from clients import PomeriumCli, Socat, StunnelClient
from measures import Measures
from peers import available
from proxies import HAProxy, Pomerium
from results import machine, today, write_part
from run import collect, make_certificate, raise_descriptor_limit, ratio_table, value_table

KINDS = (PomeriumCli, StunnelClient, Socat)
ECHO_ORDER = b"E" + bytes(8)
LESS = {
    "down: CPU": "bulk to the client: CPU s per GiB",
    "up: CPU": "bulk to the server: CPU s per GiB",
    "echo-1: CPU": "echo of 64 bytes, 1 tunnel: CPU s per million",
    **{f"echo-1: {p}": f"· latency {p}, µs" for p in ("p50", "p99", "p99.9")},
    "first: ms": "from exec to listening, and to the first byte back: ms",
    "start: MiB": "memory at the start: MiB",
}
MORE = {
    "down: MiB/s": "bulk to the client: MiB/s",
    "up: MiB/s": "bulk to the server: MiB/s",
    "echo-1: messages/s": "echo of 64 bytes, 1 tunnel: messages/s",
}


def first_byte(client):
    """Another one of the same kind; the time of its start and of one byte there and back."""
    other = type(client)(client.directory / "other", client.certificate, client.upstream_port)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", other.port)) as connection:
        connection.sendall(ECHO_ORDER + b"x")
        assert connection.recv(1) == b"x"
        seconds = time.monotonic() - begun + other.start_seconds
    other.stop()
    return {"first: ms": seconds * 1e3, "start: MiB": other.memory_at_start / (1 << 20)}


def things(measures):
    yield "start", measures.rounds, first_byte
    yield "bulk to the client", measures.rounds, lambda client: measures.bulk(client, "down", "down")
    yield "bulk to the server", measures.rounds, lambda client: measures.bulk(client, "up", "up")
    yield "echo on one tunnel", measures.rounds, lambda client: measures.echo(client, 1)


def measure(build, directory, measures, kinds):
    server = subprocess.Popen([build / "bench" / "bench-server"], stdout=subprocess.PIPE, text=True)
    running = []
    try:
        port = int(server.stdout.readline())
        certificate = make_certificate(directory)
        (directory / "other").mkdir()
        ends = {kind.name: kind(directory, certificate, port) for kind in (Pomerium, HAProxy)}
        running += ends.values()
        clients = []
        for kind in kinds:
            clients.append(kind(directory, certificate, ends[kind.server].port))
            running.append(clients[-1])
        return collect(clients, things(measures))
    finally:
        for process in reversed(running):
            process.stop()
        server.kill()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description="Measures our client beside others.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--no-write", action="store_true", help="do not write RESULTS.md")
    options = parser.parse_args()
    build = options.build.resolve()
    Pomerium.program = build / "src" / "proxy" / "pomerium"
    PomeriumCli.program = build / "src" / "cli" / "pomerium-cli"
    raise_descriptor_limit()
    kinds = [kind for kind in KINDS if available(kind)]
    with tempfile.TemporaryDirectory(prefix="pomerium-bench.") as name:
        results = measure(build, pathlib.Path(name), Measures(build / "bench" / "bench-load", options.quick), kinds)
    results = {"pomerium" if name == PomeriumCli.name else name: values for name, values in results.items()}
    text = "\n\n".join([value_table(results, LESS), ratio_table(results, LESS), "More is better:",
                        value_table(results, MORE)])
    print("\n" + text)
    if not options.no_write and not options.quick:
        versions = "; ".join(kind.version() for kind in kinds)
        write_part("Clients", f"{text}\n\n* {versions}\n* {machine()}\n* {today()}, `make bench`")


if __name__ == "__main__":
    main()
