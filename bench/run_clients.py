"""Measures our client beside stunnel's and socat, in turns, on this machine; writes its part of bench/RESULTS.md.

    bench/run_clients.py BUILD-DIRECTORY [--quick] [--no-write]

What is measured and how: bench/README.md.
"""

import contextlib
import socket
import time

from clients import PomeriumCli, Socat, StunnelClient
from measures import Measures
from program import arguments, make_certificate, running, scratch, server, write
from proxies import HAProxy, Pomerium
from run import collect, ratio_table, value_table

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


def measure(build, measures):
    with scratch() as directory, server(build) as port:
        certificate = make_certificate(directory)
        with running((Pomerium, HAProxy), directory, certificate, port) as ends, contextlib.ExitStack() as stack:
            ports = {end.name: end.port for end in ends}
            clients = []
            for kind in KINDS:
                clients += stack.enter_context(running([kind], directory, certificate, ports[kind.server]))
            return collect(clients, things(measures))


def main():
    options = arguments("Measures our client beside others.")
    PomeriumCli.program = options.build / "src" / "cli" / "pomerium-cli"
    results = measure(options.build, Measures(options.build / "bench" / "bench-load", options.quick))
    versions = "; ".join(kind.version() for kind in KINDS if kind.name in results)
    results = {"pomerium" if name == PomeriumCli.name else name: values for name, values in results.items()}
    text = "\n\n".join([value_table(results, LESS), ratio_table(results, LESS), "More is better:",
                        value_table(results, MORE)])
    write("Clients", text, options, [versions])


if __name__ == "__main__":
    main()
