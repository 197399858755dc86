#!/usr/bin/python3
"""Measures this gateway beside HAProxy and nginx, in turns, on this machine; writes bench/RESULTS.md.

    bench/run.py BUILD-DIRECTORY [--quick] [--only NAME] [--no-write]

Each proxy has one worker, the same P-256 certificate, TLS 1.3 with AES-128-GCM and X25519, and the same server behind it.
The gateway additionally reads a CONNECT on each connection, finds the route and writes its log. The load generator and
the server take part of the same processors: so what counts is the CPU time of the proxy itself. Every number is the
median of several rounds, in which the proxies take turns.
"""

import argparse
import datetime
import os
import pathlib
import platform
import re
import resource
import statistics
import subprocess
import tempfile
import time

from proxies import HAProxy, NAME, Nginx, Pomerium

HERE = pathlib.Path(__file__).resolve().parent
GIB = 1 << 30


class Measures:
    """How each thing is measured on one proxy: a number for each row of the table."""

    def __init__(self, load, quick):
        self.load = load
        self.bulk_bytes = GIB // 4 if quick else 2 * GIB
        self.seconds = 1 if quick else 5
        self.idle_count = 200 if quick else 2000

    def command(self, proxy, *arguments):
        connect = ["--connect", proxy.connect] if proxy.connect else []
        return [str(a) for a in [self.load, "--port", proxy.port, "--name", NAME, *connect, *arguments]]

    def run(self, proxy, *arguments):
        """(things done, seconds, CPU seconds of the proxy)"""
        before = proxy.cpu_seconds()
        done = subprocess.run(self.command(proxy, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True)
        if done.returncode != 0:
            raise SystemExit(f"bench: {proxy.name}: the load generator failed")
        count, microseconds = map(int, done.stdout.split())
        return count, microseconds / 1e6, proxy.cpu_seconds() - before

    def bulk(self, proxy, direction):
        count, seconds, cpu = self.run(proxy, direction, self.bulk_bytes)
        return {f"{direction}: MiB/s": count / seconds / (1 << 20), f"{direction}: CPU s per GiB": cpu / (count / GIB)}

    def echo(self, proxy):
        count, seconds, cpu = self.run(proxy, "echo", 64, self.seconds)
        return {"echo: messages/s": count / seconds, "echo: CPU µs per message": cpu / count * 1e6}

    def tunnels(self, proxy):
        count, seconds, cpu = self.run(proxy, "open", 8, self.seconds)
        return {"new: tunnels/s": count / seconds, "new: CPU µs per tunnel": cpu / count * 1e6}

    def idle(self, proxy):
        before = proxy.memory_bytes()
        process = subprocess.Popen(self.command(proxy, "idle", self.idle_count), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        if not process.stdout.readline():
            raise SystemExit(f"bench: {proxy.name}: the load generator failed")
        time.sleep(1)
        after = proxy.memory_bytes()
        process.communicate()
        return {"idle: KiB per tunnel": (after - before) / self.idle_count / 1024}

    def all(self):
        yield "bulk to the client", lambda proxy: self.bulk(proxy, "down")
        yield "bulk to the server", lambda proxy: self.bulk(proxy, "up")
        yield "echo on 64 connections", self.echo
        yield "new tunnels", self.tunnels


TITLES = {
    "down: CPU s per GiB": "bulk to the client, CPU s per GiB",
    "up: CPU s per GiB": "bulk to the server, CPU s per GiB",
    "echo: CPU µs per message": "echo of 64 bytes on 64 tunnels, CPU µs per message",
    "new: CPU µs per tunnel": "new tunnels (full handshakes), CPU µs per tunnel",
    "idle: KiB per tunnel": "memory per idle tunnel, KiB",
    "down: MiB/s": "bulk to the client, MiB/s",
    "up: MiB/s": "bulk to the server, MiB/s",
    "echo: messages/s": "echo, messages/s",
    "new: tunnels/s": "new tunnels per second",
}


def collect(proxies, measures, rounds):
    """name of the proxy -> row -> the median of the rounds"""
    values = {proxy.name: {} for proxy in proxies}

    def note(proxy, measured):
        for row, value in measured.items():
            values[proxy.name].setdefault(row, []).append(value)
        print(f"  {proxy.name:9}", "  ".join(f"{row} {value:.4g}" for row, value in measured.items()), flush=True)

    # Memory first: it is compared with that of a process that has not done anything yet.
    print("memory per idle tunnel", flush=True)
    for proxy in proxies:
        note(proxy, measures.idle(proxy))
    for title, measure in measures.all():
        for number in range(rounds):
            print(f"{title}, round {number + 1} of {rounds}", flush=True)
            for proxy in proxies:
                note(proxy, measure(proxy))
    return {name: {row: statistics.median(v) for row, v in rows.items()} for name, rows in values.items()}


def table(results, peers):
    lines = ["| | pomerium | " + " | ".join(peers) + " | " + " | ".join(f"pomerium / {peer}" for peer in peers) + " |"]
    lines.append("|---|" + "---:|" * (1 + 2 * len(peers)))
    ours = results["pomerium"]
    for row, title in TITLES.items():
        cells = [title, f"{ours[row]:.4g}", *(f"{results[peer][row]:.4g}" for peer in peers)]
        cells += [f"{ours[row] / results[peer][row]:.2f}" for peer in peers]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cpu_model():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    match = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    return match[1] if match else platform.machine()


def write_results(path, text, versions):
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.strip()
    path.write_text(f"""\
# Benchmarks

Written by `make bench`. What is measured and how: the top of `bench/run.py`. In the rows about CPU and memory less is
better; the others also depend on the load generator, which shares the processors.

{text}

* {"; ".join(versions)}
* {openssl.partition(" (")[0]}, Linux {platform.release()}, {os.cpu_count()} × {cpu_model()}
* {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, `make bench`
""")


def make_certificate(directory):
    subprocess.run(
        [Pomerium.program, "init", directory / "conf", "--domain", "demo.localhost", "--password-stdin"],
        input="not used\n", text=True, check=True, stdout=subprocess.DEVNULL,
    )
    return directory / "conf" / "server.pem", directory / "conf" / "server-key.pem"


def raise_descriptor_limit():
    """The children inherit it: a tunnel takes two descriptors of its proxy."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    want = 65536
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(want, hard)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def measure_all(build, directory, options):
    """The table as text."""
    server = subprocess.Popen([build / "bench" / "bench-server"], stdout=subprocess.PIPE, text=True)
    proxies = []
    try:
        upstream_port = int(server.stdout.readline())
        certificate = make_certificate(directory)
        for kind in (Pomerium, HAProxy, Nginx):
            if options.only in (None, kind.name):
                proxies.append(kind(directory, certificate, upstream_port))
        results = collect(proxies, Measures(build / "bench" / "bench-load", options.quick), 1 if options.quick else 3)
    finally:
        for proxy in proxies:
            proxy.stop()
        server.kill()
        server.wait()
    if options.only:
        return None
    return table(results, ["haproxy", "nginx"])


def main():
    parser = argparse.ArgumentParser(description="Measures this gateway beside HAProxy and nginx.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--only", choices=["pomerium", "haproxy", "nginx"], help="measure one; writes nothing")
    parser.add_argument("--no-write", action="store_true", help="do not write RESULTS.md")
    options = parser.parse_args()
    build = options.build.resolve()
    raise_descriptor_limit()
    Pomerium.program = build / "src" / "proxy" / "pomerium"
    with tempfile.TemporaryDirectory(prefix="pomerium-bench.") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o711)
        text = measure_all(build, directory, options)
    if text is None:
        return
    print("\n" + text)
    if not options.no_write and not options.quick:
        versions = [kind.version() for kind in (Pomerium, HAProxy, Nginx)]
        write_results(HERE / "RESULTS.md", text, versions)
        print("\nwritten to bench/RESULTS.md")


main()
