"""Measures what a start of the client costs, from exec to the CONNECT at a gateway here; writes its part of bench/RESULTS.md.

    .venv/bin/python bench/run_client_start.py BUILD-DIRECTORY [--quick] [--no-write] [--note TEXT]

What is measured and how: bench/README.md.
"""

import pathlib
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from program import arguments, write
from results import text_of
from run import range_text, table

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True

from lib.certs import Authority  # noqa: E402

STARTS = 50


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
    """(milliseconds, CPU milliseconds, how many sessions were resumed)"""
    walls, cpus, resumed = [], [], 0
    with tempfile.TemporaryDirectory() as shared:
        for _ in range(count):
            with tempfile.TemporaryDirectory() as fresh:
                wall, cpu, is_resumed = start_once(client, gateway, shared if keeps else fresh, [])
            walls.append(wall)
            cpus.append(cpu)
            resumed += is_resumed
    return walls, cpus, resumed


def stripped_size(program, directory):
    copy = directory / program.name
    subprocess.run(["strip", "-o", copy, program], check=True)
    return copy.stat().st_size / (1 << 20)


def main():
    options = arguments("Measures what a start of the client costs.")
    client = options.build / "src" / "cli" / "pomerium-cli"
    count = 3 if options.quick else STARTS
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        gateway = Gateway(pathlib.Path(directory))
        for name, keeps in (("nothing kept from before", False), ("a TLS session kept from before", True)):
            walls, cpus, resumed = measure(client, gateway, count, keeps)
            rows.append([name, range_text(walls), range_text(cpus), f"{resumed} of {count}"])
        size = text_of([stripped_size(client, pathlib.Path(directory))])
    columns = ["from exec to CONNECT, ms: minimum / median / maximum", "CPU ms of the client, to its end", "resumed"]
    write("Start of the client", f"{count} starts each. The client without symbols has {size} MiB.\n\n" + table(columns, rows), options)


if __name__ == "__main__":
    main()
