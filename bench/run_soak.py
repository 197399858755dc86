"""Lets tunnels come and go, people log in and configurations be read, for long; draws the memory of the gateway over time.

    .venv/bin/python bench/run_soak.py BUILD-DIRECTORY [--minutes N] [--quick] [--no-write] [--note TEXT]

What is measured and how: bench/README.md. Writes bench/soak.svg and its part of bench/RESULTS.md.
"""

import pathlib
import statistics
import subprocess
import sys
import time

import preloaded
from drawing import Frame, line, text
from measures import MIB
from program import arguments, scratch, server, write
from results import today

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True

PICTURE = pathlib.Path(__file__).resolve().parent / "soak.svg"
PERIOD = 5          # seconds between two samples
RATE = 20           # new tunnels per second
RELOADS = 2         # a reload each so many samples
WARM_PART = 0.2     # of the time, which is not in the slope
KINDS = {"heap": ("heap in use", "#c0392b"), "rss": ("resident set", "#2471a3")}


def start_load(build, gateway, tokens):
    """Tunnels with a handshake each, with sessions that take turns; bulk that comes and goes; some that stay."""
    from lib.gateway import host

    flags = ["--port", gateway.port, "--name", host("redis"), "--connect", f"{host('redis')}:6379", "--token"]
    orders = [("--rate", RATE // len(tokens), "open", 4, 1 << 30), ("idle", 100)]
    commands = [[build / "bench" / "bench-load", *flags, token, *orders[0]] for token in tokens]
    commands.append([build / "bench" / "bench-load", *flags, tokens[0], *orders[1]])
    return [subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            for command in commands], [build / "bench" / "bench-load", *flags, tokens[0], "down", 64 << 20, 4]


def come_and_go(gateway, user):
    """A login and its end: sessions that stay would take memory, as they should."""
    from lib.gateway import host
    from lib.login import Browser, obtain_token

    browser = Browser(gateway.ca)
    browser.cookies[host("redis")] = {"_pomerium": obtain_token(gateway, "redis", user)}
    page = browser.follow(browser.get(gateway.url("redis", "/.pomerium/sign_out")))
    if "<form" in page.text:
        browser.follow(browser.submit(page))


def churn(gateway, config, users, number):
    """What happens between two samples, beside the load: logins, a reload now and then."""
    from lib.gateway import write_config
    from lib.operator import reload

    for user in users:
        come_and_go(gateway, user)
    if number % RELOADS:
        return
    config["routes"][-1]["allowed_users"] = [f"user{number}@example.com"]
    write_config(gateway.config_path, config)
    code, answer = reload(gateway)
    if code != 200:
        raise SystemExit(f"bench: the reload failed: {answer}")


def sample(gateway, directory, begun):
    return {"s": time.monotonic() - begun, "heap": preloaded.ask(directory)[0], "rss": gateway.resident_bytes()}


def run(build, seconds):
    """A sample for each period, and how many tunnels there were."""
    from lib.certs import Authority
    from lib.gateway import Gateway, base_config, tcp_route, write_config
    from lib.login import obtain_token
    from lib.users import ALICE, DEMO

    users = [DEMO, ALICE]
    emails = [user.email for user in users]
    with scratch() as directory, server(build) as port:
        authority = Authority(directory)
        config = base_config(*authority.issue("server", "*.demo.localhost"), users, [
            tcp_route("redis", port, allowed_users=emails), tcp_route("other", 1, allowed_users=emails)])
        config["runtime_flags"] = {"config_hot_reload": False}
        gateway = Gateway(write_config(directory / "pomerium.yaml", config), authority.ca,
                          env=preloaded.environment(build, directory))
        load, bulk = start_load(build, gateway, [obtain_token(gateway, "redis", user) for user in users])
        samples, begun = [], time.monotonic()
        try:
            while samples == [] or samples[-1]["s"] < seconds:
                churn(gateway, config, users, len(samples))
                subprocess.run([str(part) for part in bulk], check=True, stdout=subprocess.DEVNULL)
                time.sleep(max(0.0, begun + len(samples) * PERIOD - time.monotonic()))
                samples.append(sample(gateway, directory, begun))
                print(f"{samples[-1]['s']:.0f} s  " + "  ".join(f"{kind} {samples[-1][kind]:,}" for kind in KINDS), flush=True)
                if any(process.poll() is not None for process in load):
                    raise SystemExit("bench: the load ended")
            return samples, len(gateway.log.find("tunnel opened"))
        finally:
            for process in load:
                process.kill()
                process.wait()
            gateway.stop()


def slope(samples, kind):
    """Bytes per minute, once it is warm."""
    warm = [each for each in samples if each["s"] >= WARM_PART * samples[-1]["s"]]
    return statistics.linear_regression([each["s"] / 60 for each in warm], [each[kind] for each in warm]).slope


def table(samples):
    warm = next(each for each in samples if each["s"] >= WARM_PART * samples[-1]["s"])
    lines = ["| KiB | at the start | after a fifth of the time | at the end | most | per minute, of the line through the last four fifths |",
             "|---|---:|---:|---:|---:|---:|"]
    for kind, (title, _) in KINDS.items():
        values = [samples[0][kind], warm[kind], samples[-1][kind], max(each[kind] for each in samples)]
        lines.append(f"| {title} | " + " | ".join(f"{value / 1024:,.0f}" for value in values) +
                     f" | {slope(samples, kind) / 1024:+,.1f} |")
    return "\n".join(lines)


def picture(samples):
    last = samples[-1]["s"]
    frame = Frame(f"Memory of the gateway in MiB, while all comes and goes, by minutes ({today()})",
                  max(each[kind] for each in samples for kind in KINDS) * 1.1 / MIB)
    for part in range(5):
        frame.mark(part / 4, f"{last * part / 240:.1f}")
    for kind, (title, colour) in KINDS.items():
        points = [(frame.x_of(each["s"] / last), frame.y_of(each[kind] / MIB)) for each in samples]
        frame.parts += [line(points, colour, 2), text(points[-1][0] + 8, points[-1][1], title, "start", colour)]
    return frame.finish()


def main():
    options = arguments("Watches the memory of the gateway over time.", minutes=30)
    samples, tunnels = run(options.build, 30 if options.quick else options.minutes * 60)
    if options.writes:
        PICTURE.write_text(picture(samples))
    write("Soak", f"{samples[-1]['s'] / 60:.0f} minutes with {tunnels:,} tunnels that came and went, two logins each {PERIOD} s and a reload each "
          f"{PERIOD * RELOADS} s: see [soak.svg](soak.svg).\n\n" + table(samples), options)


main()
