"""Measures what a start of the client costs: from exec to the CONNECT at a gateway on this machine, and its CPU time.

    .venv/bin/python bench/run_client_start.py BUILD-DIRECTORY [--count N]

The gateway is a few lines of Python, whose own share (accept, handshake) is in the first figure and not in the second.
"""

import argparse
import os
import pathlib
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True

from lib.certs import Authority  # noqa: E402


class Gateway:
    def __init__(self, directory):
        authority = Authority(directory)
        self.ca = authority.ca
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.load_cert_chain(*authority.issue("server", "localhost"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def wait_for_connect(self):
        """When it came, and whether the session was resumed; then the tunnel is refused."""
        connection, _ = self.listener.accept()
        with self.context.wrap_socket(connection, server_side=True) as tls:
            assert tls.recv(4096).startswith(b"CONNECT ")
            at = time.perf_counter()
            tls.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return at, tls.session_reused


def start_once(client, gateway, cache, flags):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        [client, "tcp", "--listen", "-", "--pomerium-url", f"https://localhost:{gateway.port}", "--alternate-ca-path",
         gateway.ca, *flags, "db.example.com:5432"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"HOME": str(cache), "XDG_CACHE_HOME": str(cache), "BROWSER": "none"})
    came, is_resumed = gateway.wait_for_connect()
    process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (came - began) * 1000, cpu * 1000, is_resumed


def measure(client, gateway, count, keeps):
    walls, cpus, resumed = [], [], 0
    with tempfile.TemporaryDirectory() as shared:
        for _ in range(count):
            with tempfile.TemporaryDirectory() as fresh:
                wall, cpu, is_resumed = start_once(client, gateway, shared if keeps else fresh, [])
            walls.append(wall)
            cpus.append(cpu)
            resumed += is_resumed
    return statistics.median(walls), min(walls), statistics.median(cpus), resumed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args()
    client = options.build.resolve() / "src" / "cli" / "pomerium-cli"
    with tempfile.TemporaryDirectory() as directory:
        gateway = Gateway(pathlib.Path(directory))
        for name, keeps in (("first", False), ("with what earlier ones left", True)):
            wall, best, cpu, resumed = measure(client, gateway, options.count, keeps)
            print(f"{name}: exec to CONNECT {wall:.1f} ms (best {best:.1f}), CPU time {cpu:.1f} ms, "
                  f"{resumed} of {options.count} resumed")
    print(f"program: {os.path.getsize(client) / 1e6:.1f} MB with symbols")


if __name__ == "__main__":
    main()
