"""Measures what a reload costs whoever has a tunnel open, on this machine; writes its part of bench/RESULTS.md.

    .venv/bin/python bench/run_reload.py BUILD-DIRECTORY [--quick] [--no-write] [--note TEXT]

What is measured and how: bench/README.md.
"""

import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from results import machine, today, write_part

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True

TUNNELS = 10000
ROUTES = [100, 10000]
RELOADS = 20


def start_server(build):
    server = subprocess.Popen([build / "bench" / "bench-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return server, int(server.stdout.readline())


def hold_tunnels(build, gateway, token, count):
    load = subprocess.Popen(
        [build / "bench" / "bench-load", "--port", str(gateway.port), "--name", "redis.demo.localhost",
         "--connect", "redis.demo.localhost:6379", "--token", token, "idle", str(count)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if not load.stdout.readline():
        raise SystemExit("bench: the load generator failed")
    return load


def make_gateway(directory, upstream_port, routes):
    from lib.certs import Authority
    from lib.gateway import Gateway, base_config, tcp_route, write_config
    from lib.users import DEMO

    authority = Authority(directory)
    others = [tcp_route(f"other{i}", 1, allowed_users=[DEMO.email]) for i in range(routes - 1)]
    config = base_config(*authority.issue("server", "*.demo.localhost"), [DEMO], [
        tcp_route("redis", upstream_port, allowed_users=[DEMO.email]), *others])
    config["runtime_flags"] = {"config_hot_reload": False}
    path = write_config(directory / "pomerium.yaml", config)
    return Gateway(path, authority.ca), config


def take_precedence(pid):
    """What else runs on this machine is not what is measured. False if we may not."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))
        return True
    except PermissionError:
        return False


def measure(gateway, config, reloads):
    from lib.gateway import write_config
    from lib.operator import reload, status

    turns, times = [], []
    for number in range(reloads):
        config["routes"][-1]["allowed_users"] = [f"user{number}@example.com"]
        write_config(gateway.config_path, config)
        begun = time.monotonic()
        code, answer = reload(gateway)
        times.append((time.monotonic() - begun) * 1000)
        if code != 200:
            raise SystemExit(f"bench: the reload failed: {answer}")
        time.sleep(0.5)  # tunnels are asked again in slices, for a while
        turns.append(status(gateway)["longest_turn_ms"])
    return turns, times


def run(build, tunnels, routes, reloads):
    """Milliseconds of the longest turns, of the reloads, and whether the gateway had precedence."""
    from lib.login import obtain_token
    from lib.users import DEMO

    with tempfile.TemporaryDirectory(prefix="pomerium-bench.") as directory:
        server, port = start_server(build)
        try:
            gateway, config = make_gateway(pathlib.Path(directory), port, routes)
            load = hold_tunnels(build, gateway, obtain_token(gateway, "redis", DEMO), tunnels)
            has_precedence = take_precedence(gateway.pid)
            turns, times = measure(gateway, config, reloads)
            closed = len(gateway.log.find("http-request", method="CONNECT"))
            load.communicate()
            gateway.stop()
        finally:
            server.kill()
    if closed:
        raise SystemExit(f"bench: {closed} tunnels were closed by reloads")
    return turns, times, has_precedence


def table(build, quick):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    tunnels = 200 if quick else min(TUNNELS, (most - 1000) // 2000 * 1000)
    lines = [f"| {tunnels:,} idle tunnels | longest turn of a worker, ms: median, most | reload, ms: median, most |",
             "|---|---:|---:|"]
    has_precedence = True
    for routes in ROUTES[:1] if quick else ROUTES:
        turns, times, has_precedence = run(build, tunnels, routes, 3 if quick else RELOADS)
        lines.append(f"| {routes:,} routes, one of them changed | {statistics.median(turns):.1f}, {max(turns):.1f} | "
                     f"{statistics.median(times):.0f}, {max(times):.0f} |")
    return "\n".join(lines), has_precedence


def main():
    parser = argparse.ArgumentParser(description="Measures reloads under idle tunnels.")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--no-write", action="store_true", help="do not write RESULTS.md")
    parser.add_argument("--note", help="what else is to be known about this run")
    options = parser.parse_args()
    build = options.build.resolve()
    # What the tests share asks for the programs as soon as it is imported.
    os.environ["POMERIUM_BUILD"] = str(build)
    text, has_precedence = table(build, options.quick)
    print("\n" + text)
    if options.no_write or options.quick:
        return
    notes = [machine(), f"{today()}, `make bench`", *([options.note] if options.note else [])]
    if not has_precedence:
        notes.append("beside everything else that ran: turns count the time that others had the processor")
    write_part("Reload", "\n".join([
        "No tunnel is closed by any of these reloads, and every one is asked again.\n", text, "",
        *(f"* {note}" for note in notes)]))


main()
