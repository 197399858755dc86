"""Measures tunnels that share an HTTP/2 connection beside tunnels with a connection each; writes its part of bench/RESULTS.md.

    .venv/bin/python bench/run_h2.py BUILD-DIRECTORY [--quick] [--no-write] [--note TEXT]

What is measured and how: bench/README.md.
"""

import pathlib
import sys
import time

import preloaded
from program import arguments, scratch, write
from proxies import cpu_seconds

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True

TUNNELS = 1000
WARM = 10
BULK = 1 << 30
PIECE = 1 << 20
TRANSPORTS = ["h1", "h2"]


def proportional_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("bench: no smaps_rollup")


def make_gateway(directory, port, build):
    from lib.certs import Authority
    from lib.gateway import Gateway, base_config, tcp_route, write_config

    authority = Authority(directory)
    config = base_config(*authority.issue("server", "*.demo.localhost"), [], [
        tcp_route("redis", port, allow_public_unauthenticated_access=True)])
    config["workers"] = 1
    return Gateway(write_config(directory / "pomerium.yaml", config), authority.ca,
                   env=preloaded.environment(build, directory))


def echo(connection, data):
    connection.sendall(data)
    left = len(data)
    while left > 0:
        piece = connection.recv(left)
        if not piece:
            raise SystemExit("bench: a tunnel ended")
        left -= len(piece)


def move(connection, total):
    """Bytes up and the same back, as fast as they go."""
    import threading

    def send():
        for _ in range(total // PIECE):
            connection.sendall(bytes(PIECE))

    sender = threading.Thread(target=send)
    sender.start()
    left = total
    while left > 0:
        left -= len(connection.recv(PIECE))
    sender.join()


def open_tunnels(listener, count):
    """Each has carried something, and is idle."""
    opened = [listener.dial() for _ in range(count)]
    for connection in opened:
        echo(connection, b"x" * 1024)
    time.sleep(1)
    return opened


def memory_of(gateway):
    """Bytes: the heap in use, and all memory of the process."""
    return preloaded.ask(gateway.config_path.parent)[0], proportional_bytes(gateway.pid)


def measure(gateway, client, transport, tunnels, bulk):
    """(bytes a tunnel costs the gateway's heap, bytes of all memory, CPU seconds of the gateway and of the client for the bulk)."""
    listener = client.listen("redis", extra=["--transport", transport])
    opened = open_tunnels(listener, WARM)
    before = memory_of(gateway)
    opened += open_tunnels(listener, tunnels)
    memory = [(now - then) / tunnels for now, then in zip(memory_of(gateway), before, strict=True)]
    times = cpu_seconds(gateway.pid), cpu_seconds(listener.pid)
    move(opened[0], bulk)
    costs = cpu_seconds(gateway.pid) - times[0], cpu_seconds(listener.pid) - times[1]
    for connection in opened:
        connection.close()
    listener.stop()
    return *memory, *costs


def run(build, transport, quick):
    from lib.client import Client
    from lib.services import Upstream
    from lib.users import DEMO

    upstream = Upstream()
    with scratch() as directory:
        gateway = make_gateway(directory, upstream.port, build)
        try:
            client = Client(directory / "client", gateway, DEMO)
            return measure(gateway, client, transport, 100 if quick else TUNNELS, BULK // (32 if quick else 1))
        finally:
            gateway.stop()
            upstream.stop()


def table(build, quick):
    lines = ["| | gateway per idle tunnel, bytes: heap in use | proportional set size | "
             "CPU time per GiB up and the same down, s: gateway | client |", "|---|---:|---:|---:|---:|"]
    names = {"h1": "a connection of HTTP/1.1 for each tunnel", "h2": "one HTTP/2 connection for all"}
    scale = 32 if quick else 1
    for transport in TRANSPORTS:
        heap, memory, gateway, client = run(build, transport, quick)
        lines.append(f"| {names[transport]} | {heap:,.0f} | {memory:,.0f} | {gateway * scale:.2f} | "
                     f"{client * scale:.2f} |")
    return "\n".join(lines)


def main():
    options = arguments("Measures tunnels over HTTP/2.")
    write("HTTP/2", f"{TUNNELS:,} tunnels of our client, opened one after the other.\n\n" +
          table(options.build, options.quick), options)


if __name__ == "__main__":
    main()
