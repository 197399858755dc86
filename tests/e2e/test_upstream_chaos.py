"""Everything at once: reloads, targets that come, go and say nothing, clients that leave in between. Nothing is left behind."""

import json
import random
import threading
import time

from lib.gateway import host, tcp_route, write_config
from lib.net import connect_bytes, free_port
from lib.operator import ask, reload
from lib.process import eventually
from lib.upstreams import PUBLIC, Full, named

POLICIES = ["round_robin", "least_request", "random", "ring_hash", "maglev"]
CHECK = {"timeout": "0.2s", "interval": "0.05s", "tcp_health_check": {}}
SECONDS = 8


class Visitors:
    """They open tunnels, use them and leave, at any moment."""

    def __init__(self, gateway, count):
        self.gateway = gateway
        self.ending = threading.Event()
        self.problems = []
        self.opened = 0
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, seed):
        numbers = random.Random(seed)
        while not self.ending.is_set():
            try:
                self._visit(numbers)
            except (OSError, ValueError):
                pass  # cut, or the time was up: what it is here for
            except AssertionError as e:
                if "ended after" not in str(e):
                    self.problems.append(e)

    def _visit(self, numbers):
        with self.gateway.open("x", timeout=numbers.choice([0.05, 0.5, 3])) as connection:
            connection.send(connect_bytes(f"{host('x')}:6379"))
            if numbers.random() < 0.2:
                return
            response = connection.read_response()
            if response is None or response.status != 200:
                if response is not None and response.status != 503:
                    self.problems.append(response)
                return
            self.opened += 1
            assert connection.read_exactly(1) in (b"a", b"b", b"c")
            connection.send(b"hello")
            assert connection.read_exactly(5) == b"hello"

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()


def change(numbers, urls):
    """A route as somebody might edit it."""
    route = {**tcp_route("x", 1, **PUBLIC), "to": numbers.sample(urls, numbers.randrange(1, len(urls) + 1)),
             "load_balancing_policy": numbers.choice(POLICIES)}
    if numbers.random() < 0.5:
        route["health_checks"] = [CHECK]
    if numbers.random() < 0.5:
        route["max_tunnels"] = numbers.randrange(1, 10)
    if numbers.random() < 0.3:
        route["circuit_breaker_thresholds"] = {"max_pending_requests": numbers.randrange(1, 4)}
    return route


def test_nothing_is_left_behind(make_gateway):
    numbers = random.Random(5)
    servers = [named(letter) for letter in (b"a", b"b", b"c")]
    with Full() as full:
        urls = [f"tcp://127.0.0.1:{port}" for port in
                [*(server.port for server in servers), full.port, free_port()]]
        gateway = make_gateway(change(numbers, urls), runtime_flags={"config_hot_reload": False}, workers=2)
        config = json.loads(gateway.config_path.read_text())
        descriptors = gateway.descriptors()
        visitors = Visitors(gateway, 8)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            write_config(gateway.config_path, {**config, "routes": [change(numbers, urls)]})
            assert reload(gateway)[0] == 200
            time.sleep(numbers.random() / 10)
        visitors.end()
        assert visitors.problems == [] and visitors.opened > 20

        route = {**tcp_route("x", 1, **PUBLIC), "to": urls[:3], "max_tunnels": 4}
        write_config(gateway.config_path, {**config, "max_tunnels": 4, "routes": [route]})
        assert reload(gateway)[0] == 200
        eventually(lambda: _tunnels(gateway) == 0, "no tunnel is counted any more", 12)
        tunnels = []
        for _ in range(4):  # all four places of the route and of the gateway are there
            tunnels.append(eventually(lambda: _try_tunnel(gateway), "a place", 12))
        assert gateway.connect("x").header("x-pomerium-reason") == "overloaded"
        for tunnel in tunnels:
            tunnel.close()
        eventually(lambda: gateway.descriptors() <= descriptors + 20, lambda: f"{gateway.descriptors()} descriptors", 12)
    for server in servers:
        server.stop()


def _tunnels(gateway):
    [route] = ask(gateway, "GET", "/routes")[1]["routes"]
    return route["tunnels"]


def _try_tunnel(gateway):
    connection = gateway.open("x")
    if connection.ask(connect_bytes(f"{host('x')}:6379"), has_body=False).status == 200:
        return connection
    connection.close()
    return None
