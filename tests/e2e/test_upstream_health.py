"""Health checks: who is down gets nobody, and gets them again when it is up."""

import collections
import socket
import threading

from lib.gateway import tcp_route
from lib.net import free_port
from lib.operator import ask
from lib.services import Redis, Upstream
from lib.upstreams import PUBLIC, letter_of, named, targets

QUICK = {"timeout": "1s", "interval": "0.1s", "unhealthy_threshold": 2, "healthy_threshold": 2}


def hexadecimal(text):
    return text.encode().hex()


def route(to, **settings):
    return {**tcp_route("x", 1, **PUBLIC), "to": to, **settings}


def test_down(make_gateway, tmp_path):
    """A Redis that answers PING."""
    check = {**QUICK, "tcp_health_check": {
        "send": {"text": hexadecimal("PING\r\n")}, "receive": [{"text": hexadecimal("+PONG")}]}}
    redises = [Redis(tmp_path / f"redis{number}") for number in range(2)]
    gateway = make_gateway(route(targets(redises), health_checks=[check]))

    def ping():
        with gateway.tunnel("x") as connection:
            connection.send(b"PING\r\n")
            return connection.read_exactly(7) == b"+PONG\r\n"

    assert all(ping() for _ in range(4))
    redises[1].stop()
    down = gateway.log.wait("target is down")
    assert down["target"] == f"127.0.0.1:{redises[1].port}" and "refused" in down["error"]
    assert all(ping() for _ in range(10))
    assert gateway.log.find("upstream not reachable") == []  # nobody was sent there
    redises[0].stop()


def test_it_comes_back(make_gateway):
    port = free_port()
    other = named(b"a")
    gateway = make_gateway(route([f"tcp://127.0.0.1:{port}", *targets([other])],
                                 health_checks=[{**QUICK, "tcp_health_check": {}}]))
    gateway.log.wait("target is down", target=f"127.0.0.1:{port}")
    assert {letter_of(gateway, "x") for _ in range(6)} == {b"a"}
    [listed] = ask(gateway, "GET", "/routes")[1]["routes"]
    assert listed["down"] == f"127.0.0.1:{port}"
    back = Upstream.__new__(Upstream)
    back.serve = lambda connection: (connection.sendall(b"b"), back.echo(connection))
    back.listener = socket.create_server(("127.0.0.1", port), backlog=100)
    back.port, back.received, back.connections, back.ends = port, bytearray(), [], []
    threading.Thread(target=back._accept, daemon=True).start()
    gateway.log.wait("target is up again", target=f"127.0.0.1:{port}")
    assert collections.Counter(letter_of(gateway, "x") for _ in range(6)) == {b"a": 3, b"b": 3}
    back.stop()
    other.stop()


def test_who_does_not_say_what_it_should_is_down(make_gateway):
    """It takes connections, and that is all."""
    silent, server = Upstream(lambda connection: connection.recv(1)), named(b"a")
    check = {**QUICK, "tcp_health_check": {"receive": [{"text": hexadecimal("a")}]}}
    gateway = make_gateway(route(targets([silent, server]), health_checks=[check]))
    gateway.log.wait("target is down", target=f"127.0.0.1:{silent.port}")
    assert {letter_of(gateway, "x") for _ in range(6)} == {b"a"}
    silent.stop()
    server.stop()


def test_panic(make_gateway):
    """One of three is well: fewer than half, so all count; and with the threshold lowered, they do not."""
    server = named(b"a")
    dead = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    check = [{**QUICK, "tcp_health_check": {}}]
    for threshold, tries in ((50, True), (30, False)):
        gateway = make_gateway(route([*dead, *targets([server])], health_checks=check,
                                     healthy_panic_threshold=threshold), workers=1)
        gateway.log.wait("target is down", count=2)
        assert {letter_of(gateway, "x") for _ in range(6)} == {b"a"}
        assert bool(gateway.log.find("upstream not reachable")) == tries
    server.stop()


def test_nobody_is_well(make_gateway):
    gateway = make_gateway(route([f"tcp://127.0.0.1:{free_port()}"], healthy_panic_threshold=0,
                                 health_checks=[{**QUICK, "tcp_health_check": {}}]))
    gateway.log.wait("target is down")
    response = gateway.connect("x")
    assert (response.status, response.header("x-pomerium-reason")) == (503, "upstream-unreachable")


def test_no_checks_no_connections(make_gateway):
    server = named(b"a")
    gateway = make_gateway(route(targets([server])))
    assert letter_of(gateway, "x") == b"a"
    assert len(server.connections) == 1
    server.stop()
