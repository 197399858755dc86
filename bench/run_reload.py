"""Measures what a reload costs whoever has a tunnel open, on this machine; writes its part of bench/RESULTS.md.

    .venv/bin/python bench/run_reload.py BUILD-DIRECTORY [--quick] [--no-write] [--note TEXT]

What is measured and how: bench/README.md.
"""

import pathlib
import statistics
import subprocess
import sys
import time

from program import arguments, scratch, server, write
from proxies import descriptor_limit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True

TUNNELS = 10000
ROUTES = [100, 10000]
RELOADS = 20


def hold_tunnels(build, listener, count):
    """Through our client, whose tunnels share connections: so the gateway needs one descriptor for each, not two."""
    load = subprocess.Popen(
        [build / "bench" / "bench-load", "--port", str(listener.port), "--plain", "yes", "idle", str(count)],
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


def measure(gateway, config, reloads):
    from lib.gateway import write_config
    from lib.operator import reload, status

    turns, cpu, times = [], [], []
    for number in range(reloads):
        config["routes"][-1]["allowed_users"] = [f"user{number}@example.com"]
        write_config(gateway.config_path, config)
        begun = time.monotonic()
        code, answer = reload(gateway)
        times.append((time.monotonic() - begun) * 1000)
        if code != 200:
            raise SystemExit(f"bench: the reload failed: {answer}")
        time.sleep(0.5)  # tunnels are asked again in slices, for a while
        answer = status(gateway)
        turns.append(answer["longest_turn_ms"])
        cpu.append(answer["longest_recheck_turn_cpu_ms"])
    return turns, cpu, times


def run(build, tunnels, routes, reloads):
    """Milliseconds of the longest turns, the same in CPU time, and of the reloads."""
    from lib.client import Client
    from lib.login import obtain_token
    from lib.users import DEMO

    with scratch() as directory, server(build) as port:
        gateway, config = make_gateway(directory, port, routes)
        token = obtain_token(gateway, "redis", DEMO)
        listener = Client(directory / "client", gateway, DEMO).listen(
            "redis", browser=False, extra=["--service-account", token])
        load = hold_tunnels(build, listener, tunnels)
        gateway.log.wait("tunnel opened", count=tunnels, timeout=60)
        figures = measure(gateway, config, reloads)
        closed = [line for line in gateway.log.find("http-request") if line.get("tunnel-id")]
        load.communicate()
        listener.stop()
        gateway.stop()
    if closed:
        raise SystemExit(f"bench: {len(closed)} tunnels were closed by reloads: {closed[0]}")
    return figures


def table(build, quick):
    tunnels = 200 if quick else min(TUNNELS, (descriptor_limit() - 1000) // 1000 * 1000)
    lines = [f"| {tunnels:,} idle tunnels | longest turn of a worker, ms: median, most | longest turn that asks tunnels again, in CPU time, ms | "
             "reload, ms: median, most |", "|---|---:|---:|---:|"]
    for routes in ROUTES[:1] if quick else ROUTES:
        turns, cpu, times = run(build, tunnels, routes, 3 if quick else RELOADS)
        lines.append(f"| {routes:,} routes, one of them changed | {statistics.median(turns):.1f}, {max(turns):.1f} | "
                     f"{statistics.median(cpu):.1f}, {max(cpu):.1f} | "
                     f"{statistics.median(times):.0f}, {max(times):.0f} |")
    return "\n".join(lines)


def main():
    options = arguments("Measures reloads under idle tunnels.")
    write("Reload", "No tunnel is closed by any of these reloads, and every one is asked again.\n\n" +
          table(options.build, options.quick), options)


main()
