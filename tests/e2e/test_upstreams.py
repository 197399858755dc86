"""What a route's target may be, and how its failures are told apart."""

import socket
import threading
import time

import pytest

from lib.gateway import host, tcp_route
from lib.net import connect_bytes, free_port
from lib.process import eventually
from lib.services import Upstream

PUBLIC = {"allow_public_unauthenticated_access": True}


def echoes(gateway, name, data=b"hello"):
    with gateway.tunnel(name) as connection:
        connection.send(data)
        return connection.read_exactly(len(data)) == data


@pytest.mark.parametrize("to", ["tcp://localhost:{}", "tcp://127.0.0.1:{}", "tcp://LOCALHOST:{}"])
def test_names_of_this_machine(make_gateway, upstream, to):
    gateway = make_gateway({**tcp_route("x", 1, **PUBLIC), "to": to.format(upstream.port)})
    assert echoes(gateway, "x")


def has_ip6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_ip6_literal(make_gateway):
    """Where there is no IPv6, the same target is unreachable, and says so."""
    upstream = Upstream(family=socket.AF_INET6, host="::1") if has_ip6() else None
    port = upstream.port if upstream else 1
    gateway = make_gateway({**tcp_route("x", 1, **PUBLIC), "to": f"tcp://[::1]:{port}"})
    if upstream:
        assert echoes(gateway, "x")
        upstream.stop()
    else:
        assert gateway.connect("x").header("x-pomerium-reason") == "upstream-unreachable"


def test_the_port_of_the_name_does_not_matter(make_gateway, upstream):
    gateway = make_gateway(tcp_route("x", upstream.port, 9, **PUBLIC))
    with gateway.tunnel("x", 9) as connection:
        connection.send(b"x")
        assert connection.read_exactly(1) == b"x"


def named(letter):
    def serve(connection):
        connection.sendall(letter)

    return Upstream(serve)


def test_several_targets_take_turns(make_gateway):
    servers = [named(b"a"), named(b"b")]
    gateway = make_gateway(
        {**tcp_route("x", 1, **PUBLIC), "to": [f"tcp://127.0.0.1:{server.port}" for server in servers]}, workers=1
    )
    got = []
    for _ in range(10):
        with gateway.tunnel("x") as connection:
            got.append(connection.read_exactly(1))
    assert got.count(b"a") == got.count(b"b") == 5
    for server in servers:
        server.stop()


def test_weights(make_gateway):
    servers = [named(b"a"), named(b"b")]
    targets = [f"tcp://127.0.0.1:{server.port},{weight}" for server, weight in zip(servers, (3, 1))]
    gateway = make_gateway({**tcp_route("x", 1, **PUBLIC), "to": targets}, workers=1)
    got = []
    for _ in range(16):
        with gateway.tunnel("x") as connection:
            got.append(connection.read_exactly(1))
    assert (got.count(b"a"), got.count(b"b")) == (12, 4)
    for server in servers:
        server.stop()


def test_an_upstream_that_closes_at_once(make_gateway):
    upstream = Upstream(lambda connection: None)
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC))
    for _ in range(20):
        with gateway.tunnel("x") as connection:
            assert connection.read_to_end() == b""
    upstream.stop()


def test_refused(make_gateway):
    gateway = make_gateway(tcp_route("x", free_port(), **PUBLIC))
    response = gateway.connect("x")
    assert (response.status, response.header("x-pomerium-reason")) == (503, "upstream-refused")
    line = gateway.log.wait("upstream not reachable")
    assert line["request-id"] == response.header("x-request-id") and "127.0.0.1" in line["error"]


@pytest.mark.timeout(60)
def test_timeout(make_gateway):
    """A server whose queue is full does not answer: the attempt ends after 10 s."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        time.sleep(0.2)
        gateway = make_gateway(tcp_route("x", port, **PUBLIC))
        begin = time.monotonic()
        response = gateway.connect("x")
        assert (response.status, response.header("x-pomerium-reason")) == (503, "upstream-timeout")
        assert 9 < time.monotonic() - begin < 15
        for filler in fillers:
            filler.close()


def test_a_client_that_leaves_while_the_upstream_is_being_dialed(make_gateway):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        gateway = make_gateway(tcp_route("x", port, **PUBLIC))
        before = gateway.descriptors()
        connections = [gateway.open("x") for _ in range(10)]
        for connection in connections:
            connection.send(connect_bytes(f"{host('x')}:6379"))
        time.sleep(0.3)
        for connection in connections:
            connection.close()
        eventually(lambda: gateway.descriptors() <= before, "what belonged to them is released", 5)
        for filler in fillers:
            filler.close()


def test_many_tunnels_at_the_same_moment(make_gateway, upstream):
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC), workers=4)
    failures = []

    def use():
        try:
            for _ in range(5):
                assert echoes(gateway, "x", b"z" * 50_000)
        except Exception as e:  # noqa: BLE001 - told by the test
            failures.append(e)

    threads = [threading.Thread(target=use) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
