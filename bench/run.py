#!/usr/bin/python3
"""Measures this gateway beside HAProxy and nginx, in turns, on this machine; writes its part of bench/RESULTS.md.

    bench/run.py BUILD-DIRECTORY [--quick] [--only NAME] [--no-write]

What is measured and how: bench/README.md.
"""

import argparse
import pathlib
import resource
import statistics
import subprocess
import tempfile
import time

from proxies import NAME, NAME_SESSION, USER, HAProxy, Nginx, NginxTuned, Pomerium, descriptor_limit
from results import machine, text_of, today, write_part

KINDS = (Pomerium, HAProxy, Nginx, NginxTuned)
PEERS = [kind.name for kind in KINDS[1:]]
GIB = 1 << 30
AES256 = "TLS_AES_256_GCM_SHA384"


class Measures:
    """How each thing is measured on one proxy: a number for each row of the table."""

    def __init__(self, load, quick):
        self.load = load
        self.rounds = 1 if quick else 7
        self.bulk_bytes = GIB // 4 if quick else GIB
        self.seconds = 1 if quick else 2
        most = min(10000, (descriptor_limit() - 1000) // 2000 * 1000)
        self.idle_counts = [200, 1000] if quick else [2000, most]
        self.token = None

    def command(self, proxy, *arguments, name=NAME, token=None):
        flags = ["--port", proxy.port, "--name", name]
        if proxy.has_connect:
            flags += ["--connect", f"{name}:1"]
        if token:
            flags += ["--token", token]
        return [str(a) for a in [self.load, *flags, *arguments]]

    def run(self, proxy, *arguments, **options):
        """(things done, seconds, CPU seconds of the proxy)"""
        before = proxy.cpu_seconds()
        done = subprocess.run(self.command(proxy, *arguments, **options), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"bench: {proxy.name}: the load generator failed")
        time.sleep(0.1)  # what is left to clean up belongs to it
        count, microseconds = map(int, done.stdout.split())
        return count, microseconds / 1e6, proxy.cpu_seconds() - before

    def bulk(self, proxy, direction, suite=None):
        row = f"{direction}-256" if suite else direction
        count, seconds, cpu = self.run(proxy, *(["--suite", suite] if suite else []), direction, self.bulk_bytes)
        return {f"{row}: MiB/s": count / seconds / (1 << 20), f"{row}: CPU": cpu / (count / GIB)}

    def echo(self, proxy):
        count, seconds, cpu = self.run(proxy, "echo", 64, self.seconds)
        return {"echo: messages/s": count / seconds, "echo: CPU": cpu / count * 1e6}

    def tunnels(self, proxy):
        count, seconds, cpu = self.run(proxy, "open", 8, self.seconds)
        return {"new: tunnels/s": count / seconds, "new: CPU": cpu / count * 1e3}

    def tunnels_of_a_session(self, proxy):
        if not proxy.has_connect:
            return None
        self.token = self.token or proxy.session_token()
        count, seconds, cpu = self.run(proxy, "open", 8, self.seconds, name=NAME_SESSION, token=self.token)
        return {"session: tunnels/s": count / seconds, "session: CPU": cpu / count * 1e3}

    def idle(self, proxy, count):
        process = subprocess.Popen(self.command(proxy, "idle", count), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        if not process.stdout.readline():
            raise SystemExit(f"bench: {proxy.name}: the load generator failed")
        time.sleep(0.5)
        used = proxy.memory_bytes() - proxy.memory_at_start
        process.communicate()
        return {f"idle: {count}": used / count / 1024}

    def all(self):
        """(title, number of rounds, function): memory first, compared with a process that has done nothing yet."""
        for count in self.idle_counts:
            yield f"{count} idle tunnels", 1, lambda proxy, count=count: self.idle(proxy, count)
        yield "bulk to the client", self.rounds, lambda proxy: self.bulk(proxy, "down")
        yield "bulk to the server", self.rounds, lambda proxy: self.bulk(proxy, "up")
        yield "bulk to the client, AES-256", self.rounds, lambda proxy: self.bulk(proxy, "down", AES256)
        yield "bulk to the server, AES-256", self.rounds, lambda proxy: self.bulk(proxy, "up", AES256)
        yield "echo on 64 tunnels", self.rounds, self.echo
        yield "new tunnels", self.rounds, self.tunnels
        yield "new tunnels of a session", self.rounds, self.tunnels_of_a_session

    def titles(self):
        """The rows of the table: less is better in the first group, more in the second."""
        return {
            "down: CPU": "bulk to the client, AES-128-GCM: CPU s per GiB",
            "up: CPU": "bulk to the server, AES-128-GCM: CPU s per GiB",
            "down-256: CPU": "bulk to the client, AES-256-GCM: CPU s per GiB",
            "up-256: CPU": "bulk to the server, AES-256-GCM: CPU s per GiB",
            "echo: CPU": "echo of 64 bytes on 64 tunnels: CPU s per million",
            "new: CPU": "new tunnels, full handshakes: CPU s per 1,000",
            "session: CPU": "new tunnels with a session token: CPU s per 1,000",
            **{f"idle: {n}": f"memory per tunnel, {n:,} idle: KiB" for n in self.idle_counts},
        }, {
            "down: MiB/s": "bulk to the client, AES-128-GCM: MiB/s",
            "up: MiB/s": "bulk to the server, AES-128-GCM: MiB/s",
            "down-256: MiB/s": "bulk to the client, AES-256-GCM: MiB/s",
            "up-256: MiB/s": "bulk to the server, AES-256-GCM: MiB/s",
            "echo: messages/s": "echo: messages/s",
            "new: tunnels/s": "new tunnels/s",
            "session: tunnels/s": "new tunnels/s with a session token",
        }


def collect(proxies, measures):
    """name of the proxy -> row -> a value per round; each round begins with another proxy"""
    values = {proxy.name: {} for proxy in proxies}
    for title, rounds, measure in measures.all():
        for number in range(rounds):
            print(f"{title}, round {number + 1} of {rounds}", flush=True)
            first = number % len(proxies)
            for proxy in proxies[first:] + proxies[:first]:
                measured = measure(proxy) or {}
                for row, value in measured.items():
                    values[proxy.name].setdefault(row, []).append(value)
                if measured:
                    print(f"  {proxy.name:11}", "  ".join(f"{row} {v:.4g}" for row, v in measured.items()), flush=True)
    return values


def ratio(ours, theirs):
    """Of neighbours in time: what else the machine does meanwhile slows down both."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def table(results, titles):
    ours = results["pomerium"]
    lines = ["| | pomerium | " + " | ".join(PEERS + [f"pomerium / {peer}" for peer in PEERS]) + " |"]
    lines.append("|---|" + "---:|" * (1 + 2 * len(PEERS)))
    for row, title in titles.items():
        # The others know no sessions: there the row above is what it is compared with.
        theirs = [results[peer].get(row) for peer in PEERS]
        against = [results[peer].get(row, results[peer].get(row.replace("session", "new"))) for peer in PEERS]
        cells = [title, *(text_of(values) for values in [ours[row], *theirs])]
        cells += [f"{ratio(ours[row], values):.2f}" for values in against]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_results(tables):
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.strip()
    versions = [kind.version() for kind in (Pomerium, HAProxy, Nginx)]
    write_part("Beside HAProxy and nginx", f"""\
Less is better:

{tables[0]}

More is better; here the load generator and the server, which share the processors, count as well:

{tables[1]}

* {"; ".join(versions)}
* {openssl.partition(" (")[0]}, {machine()}
* {today()}, `make bench`
""")


def make_certificate(directory):
    """A P-256 certificate, a CA, and a user."""
    subprocess.run(
        [Pomerium.program, "init", directory / "conf", "--domain", "demo.localhost", "--user", USER.email,
         "--password-stdin"],
        input=USER.password + "\n", text=True, check=True, stdout=subprocess.DEVNULL,
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


def measure_all(build, directory, measures, only):
    server = subprocess.Popen([build / "bench" / "bench-server"], stdout=subprocess.PIPE, text=True)
    proxies = []
    try:
        upstream_port = int(server.stdout.readline())
        certificate = make_certificate(directory)
        for kind in KINDS:
            if only in (None, kind.name):
                proxies.append(kind(directory, certificate, upstream_port))
        return collect(proxies, measures)
    finally:
        for proxy in proxies:
            proxy.stop()
        server.kill()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description="Measures this gateway beside HAProxy and nginx.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], help="measure one; writes nothing")
    parser.add_argument("--no-write", action="store_true", help="do not write RESULTS.md")
    options = parser.parse_args()
    build = options.build.resolve()
    Pomerium.program = build / "src" / "proxy" / "pomerium"
    raise_descriptor_limit()
    measures = Measures(build / "bench" / "bench-load", options.quick)
    with tempfile.TemporaryDirectory(prefix="pomerium-bench.") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o711)
        results = measure_all(build, directory, measures, options.only)
    if options.only:
        return
    tables = [table(results, titles) for titles in measures.titles()]
    print("\n" + "\n\n".join(tables))
    if not options.no_write and not options.quick:
        write_results(tables)


main()
