"""Draws how the cost of a message grows with the number of tunnels; writes bench/growth.svg.

    bench/run_growth.py BUILD-DIRECTORY [--quick] [--no-write]

What is measured and how: bench/README.md.
"""

import math
import pathlib
import statistics
import tempfile

from drawing import Frame, line, text
from measures import Measures
from peers import Envoy
from program import arguments, make_certificate, running, scratch, server
from proxies import HAProxy, Nginx, Pomerium, descriptor_limit
from results import today
from run import collect

KINDS = (Pomerium, Envoy, HAProxy, Nginx)
COLOURS = {"pomerium": "#c0392b", "envoy": "#8e44ad", "haproxy": "#2471a3", "nginx": "#1e8449"}
COUNTS = (1, 10, 100, 1000, 10000)
PICTURE = pathlib.Path(__file__).resolve().parent / "growth.svg"
TITLE = "CPU time of the proxy per echo of 64 bytes, µs, by the number of tunnels that echo"


def part_of(count):
    """Of the width."""
    return math.log10(count) / math.log10(COUNTS[-1])


def picture(values):
    """values: name of the proxy -> number of tunnels -> µs"""
    step = 10 ** math.floor(math.log10(max(max(of.values()) for of in values.values())))
    top = step * math.ceil(max(max(of.values()) for of in values.values()) / step)
    frame = Frame(f"{TITLE} ({today()})", top)
    for count in COUNTS:
        frame.mark(part_of(count), f"{count:,}")
    labels = []
    for name, of in sorted(values.items(), key=lambda item: -item[1][max(item[1])]):
        points = [(frame.x_of(part_of(count)), frame.y_of(value)) for count, value in sorted(of.items())]
        labels.append(max(points[-1][1] + 4, labels[-1] + 15 if labels else 0))
        frame.parts += [line(points, COLOURS[name], 2),
                        text(points[-1][0] + 8, labels[-1], name, "start", COLOURS[name])]
    return frame.finish()


def measure(build, measures, counts):
    things = [(f"echo on {count} tunnels", measures.rounds, lambda proxy, count=count: measures.echo(proxy, count))
              for count in counts]
    with scratch() as directory, server(build) as port:
        with running(KINDS, directory, make_certificate(directory), port) as proxies:
            found = collect(proxies, things)
    return {name: {count: statistics.median(of[f"echo-{count}: CPU"]) for count in counts}
            for name, of in found.items()}


def main():
    options = arguments("Draws the cost of a message by the number of tunnels.")
    # Two descriptors of the proxy for each tunnel.
    most = min(COUNTS[-1], (descriptor_limit() - 1000) // 2000 * 1000)
    counts = COUNTS[:-1] if options.quick else [*COUNTS[:-1], most]
    drawn = picture(measure(options.build, Measures(options.build / "bench" / "bench-load", options.quick), counts))
    path = PICTURE if options.writes else pathlib.Path(tempfile.gettempdir(), "growth.svg")
    path.write_text(drawn)
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
