"""Draws how the cost of a message grows with the number of tunnels; writes bench/growth.svg.

    bench/run_growth.py BUILD-DIRECTORY [--quick] [--no-write]

What is measured and how: bench/README.md.
"""

import math
import pathlib
import statistics
import tempfile

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
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 420, 70, 40, 120, 50
TITLE = "CPU time of the proxy per echo of 64 bytes, µs, by the number of tunnels that echo"


def x_of(count):
    return LEFT + math.log10(count) / math.log10(COUNTS[-1]) * (WIDTH - LEFT - RIGHT)


def text(x, y, words, anchor="middle", colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def line(points, colour, width):
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def picture(values):
    """values: name of the proxy -> number of tunnels -> µs"""
    step = 10 ** math.floor(math.log10(max(max(of.values()) for of in values.values())))
    top = step * math.ceil(max(max(of.values()) for of in values.values()) / step)

    def y_of(value):
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
             'font-size="13">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
             text(LEFT, 22, f"{TITLE} ({today()})", "start")]
    for part in range(5):
        y = y_of(top * part / 4)
        parts += [line([(LEFT, y), (WIDTH - RIGHT, y)], "#ccc", 1), text(LEFT - 8, y + 4, f"{top * part / 4:g}", "end")]
    parts += [text(x_of(count), HEIGHT - BOTTOM + 20, f"{count:,}") for count in COUNTS]
    labels = []
    for name, of in sorted(values.items(), key=lambda item: -item[1][max(item[1])]):
        points = [(x_of(count), y_of(value)) for count, value in sorted(of.items())]
        labels.append(max(points[-1][1] + 4, labels[-1] + 15 if labels else 0))
        parts += [line(points, COLOURS[name], 2), text(points[-1][0] + 8, labels[-1], name, "start", COLOURS[name])]
    return "\n".join([*parts, "</svg>"]) + "\n"


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
