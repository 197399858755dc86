"""Measures what a reload costs whoever has a tunnel open: the longest turn of a worker, and how long the reload takes.

    python3 bench/reload.py BUILD [TUNNELS [ROUTES [RELOADS]]]

Every reload changes one route of those that there are; no tunnel is closed by it.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True


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


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    tunnels, routes, reloads = [*map(int, sys.argv[2:]), *[10000, 100, 20][len(sys.argv) - 2:]]
    os.environ["POMERIUM_BUILD"] = str(build)
    from lib.login import obtain_token
    from lib.users import DEMO

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    tunnels = min(tunnels, (most - 1000) // 2000 * 1000)
    with tempfile.TemporaryDirectory() as directory:
        server, port = start_server(build)
        try:
            gateway, config = make_gateway(pathlib.Path(directory), port, routes)
            load = hold_tunnels(build, gateway, obtain_token(gateway, "redis", DEMO), tunnels)
            precedence = "with precedence over all else" if take_precedence(gateway.pid) else "beside all else"
            turns, times = measure(gateway, config, reloads)
            opened = len(gateway.log.find("tunnel opened"))
            ended = len(gateway.log.find("http-request", method="CONNECT"))
            load.communicate()
            gateway.stop()
        finally:
            server.kill()
    print(f"{tunnels} idle tunnels, {routes} routes, {reloads} reloads: opened {opened}, closed {ended}; {precedence}")
    print(f"longest turn of a worker, ms: median {statistics.median(turns):.3f}, most {max(turns):.3f}")
    print(f"reload, ms: median {statistics.median(times):.1f}, most {max(times):.1f}")


if __name__ == "__main__":
    main()
