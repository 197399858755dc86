#!/usr/bin/python3
"""Measures this gateway beside other proxies, in turns, on this machine; writes its part of bench/RESULTS.md.

    bench/run.py BUILD-DIRECTORY [--quick] [--only NAME] [--no-write]

What is measured and how: bench/README.md.
"""

import argparse
import pathlib
import resource
import statistics
import subprocess
import tempfile

from measures import Measures, titles
from peers import Apache, Envoy, HAProxyPlain, Stunnel, available
from proxies import USER, HAProxy, Nginx, NginxTuned, Pomerium
from results import machine, text_of, today, write_part

KINDS = (Pomerium, Envoy, HAProxy, Nginx, NginxTuned, Stunnel, Apache, HAProxyPlain)


def collect(proxies, things):
    """name of the proxy -> row -> a value per round; each round begins with another proxy"""
    values = {proxy.name: {} for proxy in proxies}
    for title, rounds, measure in things:
        for number in range(rounds):
            print(f"{title}, round {number + 1} of {rounds}", flush=True)
            first = number % len(proxies)
            for proxy in proxies[first:] + proxies[:first]:
                measured = measure(proxy) or {}
                for row, value in measured.items():
                    values[proxy.name].setdefault(row, []).append(value)
                if measured:
                    print(f"  {proxy.name:13}", "  ".join(f"{row} {v:.4g}" for row, v in measured.items()), flush=True)
    return values


def ratio(ours, theirs):
    """Of neighbours in time: what else the machine does meanwhile slows down both."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def table(columns, rows):
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def value_table(results, rows):
    return table(list(results), [
        [title, *(text_of(of.get(row)) for of in results.values())]
        for row, title in rows.items() if any(row in of for of in results.values())])


def ratio_text(results, peer, row):
    """The others know no sessions: there they are compared with what they do without."""
    ours = results["pomerium"].get(row)
    theirs = results[peer].get(row, results[peer].get(row.replace("session", "new")))
    return f"{ratio(ours, theirs):.2f}" if ours and theirs and all(theirs) else ""


def ratio_table(results, rows):
    peers = [name for name in results if name != "pomerium"]
    return table([f"/ {peer}" for peer in peers], [
        [title, *(ratio_text(results, peer, row) for peer in peers)]
        for row, title in rows.items() if row in results["pomerium"]])


def range_text(values):
    return " / ".join(text_of([f(values)]) for f in (min, statistics.median, max)) if values else ""


def range_table(results, rows):
    return table(list(results), [
        [title, *(range_text(of.get(row)) for of in results.values())]
        for row, title in rows.items() if any(len(of.get(row, [])) > 1 for of in results.values())])


def report(results, two, measures, missing):
    less, more = titles(measures)
    versions = [kind.version() for kind in KINDS if kind.name in results and kind not in (NginxTuned, HAProxyPlain)]
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.strip()
    absent = f"\n* not installed here, so not in the table: {', '.join(missing)}" if missing else ""
    return f"""\
Medians of {measures.rounds}. Less is better:

{value_table(results, less)}

This gateway's share of each of them, less is better:

{ratio_table(results, less)}

More is better; here the load generator and the server, which share the processors, count as well:

{value_table(results, more)}

### Two workers

{value_table(two, less)}

{ratio_table(two, less)}

More is better:

{value_table(two, more)}

### Minimum / median / maximum

{range_table(results, less)}

* {"; ".join(versions)}
* {openssl.partition(" (")[0]}, {machine()}
* {today()}, `make bench`{absent}
"""


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


def measure_all(kinds, things, directory, certificate, port, workers):
    (directory / "other").mkdir(parents=True)
    directory.chmod(0o711)
    (directory / "other").chmod(0o711)
    proxies = []
    try:
        for kind in kinds:
            proxies.append(kind(directory, certificate, port, workers))
        return collect(proxies, things)
    finally:
        for proxy in proxies:
            proxy.stop()


def measure(build, directory, measures, kinds):
    """(with one worker, with two)"""
    server = subprocess.Popen([build / "bench" / "bench-server"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        certificate = make_certificate(directory)
        one = measure_all(kinds, measures.all(), directory / "one", certificate, port, 1)
        several = [kind for kind in kinds if kind.can_have_workers]
        two = measure_all(several, measures.with_two_workers(), directory / "two", certificate, port, 2)
        return one, two
    finally:
        server.kill()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description="Measures this gateway beside other proxies.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], help="measure one; writes nothing")
    parser.add_argument("--no-write", action="store_true", help="do not write RESULTS.md")
    options = parser.parse_args()
    build = options.build.resolve()
    Pomerium.program = build / "src" / "proxy" / "pomerium"
    raise_descriptor_limit()
    measures = Measures(build / "bench" / "bench-load", options.quick)
    kinds = [kind for kind in KINDS if available(kind) and options.only in (None, kind.name)]
    missing = [kind.name for kind in KINDS if not available(kind)]
    with tempfile.TemporaryDirectory(prefix="pomerium-bench.") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o711)
        one, two = measure(build, directory, measures, kinds)
    if options.only:
        return
    text = report(one, two, measures, missing)
    print("\n" + text)
    if not options.no_write and not options.quick:
        write_part("Beside other proxies", text)


if __name__ == "__main__":
    main()
