#!/usr/bin/python3
"""Measures this gateway beside other proxies, in turns, on this machine; writes its part of bench/RESULTS.md.

    bench/run.py BUILD-DIRECTORY [--quick] [--only NAME] [--no-write] [--note TEXT]

What is measured and how: bench/README.md.
"""

import statistics
import subprocess

from measures import Measures, titles
from peers import Apache, Envoy, HAProxyPlain, Stunnel, available
from program import arguments, make_certificate, running, scratch, server, write
from proxies import HAProxy, Nginx, NginxTuned, Pomerium
from results import text_of

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


def notes(results):
    versions = [kind.version() for kind in KINDS if kind.name in results and kind not in (NginxTuned, HAProxyPlain)]
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.strip()
    missing = [kind.name for kind in KINDS if not available(kind)]
    absent = [f"not installed here, so not in the table: {', '.join(missing)}"] if missing else []
    return ["; ".join(versions), openssl.partition(" (")[0], *absent]


def report(results, two, measures):
    less, more = titles(measures)
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

{range_table(results, less)}"""


def measure(build, measures, kinds):
    """(with one worker, with two)"""
    with scratch() as directory, server(build) as port:
        certificate = make_certificate(directory)
        with running(kinds, directory / "one", certificate, port, 1) as proxies:
            one = collect(proxies, measures.all())
        several = [kind for kind in kinds if kind.can_have_workers]
        with running(several, directory / "two", certificate, port, 2) as proxies:
            two = collect(proxies, measures.with_two_workers())
        return one, two


def main():
    options = arguments("Measures this gateway beside other proxies.", [kind.name for kind in KINDS])
    measures = Measures(options.build / "bench" / "bench-load", options.quick)
    kinds = [kind for kind in KINDS if options.only in (None, kind.name)]
    one, two = measure(options.build, measures, kinds)
    if not options.only:
        write("Beside other proxies", report(one, two, measures), options, notes(one))


if __name__ == "__main__":
    main()
