"""Very many connections that say nothing, and running out of file descriptors."""

import resource
import socket
import ssl

import pytest

from lib.gateway import tcp_route
from lib.login import obtain_token
from lib.process import eventually
from lib.users import DEMO

SILENT = 10_000


@pytest.fixture
def many_descriptors():
    """As many as this machine allows a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_silent(port, count):
    """Connections from several addresses of this machine, so that ports do not run out."""
    connections = []
    for number in range(count):
        connection = socket.socket()
        connection.bind((f"127.0.1.{number % 4 + 1}", 0))
        connection.connect(("127.0.0.1", port))
        connections.append(connection)
    return connections


def close_all(connections):
    for connection in connections:
        connection.close()


def test_ten_thousand_silent_connections(make_gateway, redis, many_descriptors):
    gateway = make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True))
    token = obtain_token(gateway, "redis", DEMO)
    count = min(SILENT, many_descriptors - 500)
    connections = open_silent(gateway.port, count)
    try:
        eventually(lambda: gateway.descriptors() > count, "all are accepted", 60)
        assert gateway.is_serving()
        with gateway.tunnel("redis", token=token) as connection:
            connection.send(b"PING\r\n")
            assert connection.read_exactly(7) == b"+PONG\r\n"
    finally:
        close_all(connections)
    eventually(lambda: gateway.descriptors() < 100, "all are released", 60)
    assert gateway.is_serving()


def test_descriptors_run_out(make_gateway, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True), descriptors=128)
    token = obtain_token(gateway, "redis", DEMO)
    tunnel = gateway.tunnel("redis", token=token)
    connections = open_silent(gateway.port, 300)
    try:
        line = eventually(
            lambda: [
                line for line in gateway.log.lines()
                if line.get("level") in ("warn", "error") and "descriptor" in line.text.lower()
                or "too many open files" in line.text.lower()
            ],
            lambda: f"it says that descriptors ran out:\n{gateway.stdout_text()[-2000:]}",
        )[0]
        assert line["level"] in ("warn", "error")
        # Who is connected already is not disturbed.
        tunnel.send(b"PING\r\n")
        assert tunnel.read_exactly(7) == b"+PONG\r\n"
        # And the log is not flooded.
        assert len(gateway.log.lines()) < 200
    finally:
        close_all(connections)

    def serves_again():
        try:
            return gateway.is_serving()
        except (ConnectionError, ssl.SSLError, AssertionError, TimeoutError):
            return False

    eventually(serves_again, "it serves again", 30, 0.1)
    assert gateway.connect("redis", token=token).status == 200
    tunnel.close()


def test_no_descriptor_for_the_upstream(make_gateway, redis):
    """A tunnel that cannot be opened for want of descriptors is a 503, and the next one works."""
    gateway = make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True), descriptors=96)
    token = obtain_token(gateway, "redis", DEMO)
    tunnels, statuses = [], []
    from lib.gateway import host
    from lib.net import connect_bytes

    for _ in range(60):
        try:
            connection = gateway.open("redis")
            connection.send(connect_bytes(f"{host('redis')}:6379", token))
            response = connection.read_head()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            break
        if response is None:
            break
        statuses.append(response.status)
        tunnels.append(connection)
    assert statuses.count(200) >= 10
    assert set(statuses) <= {200, 503}
    close_all(tunnels)
    eventually(lambda: gateway.descriptors() < 60, "descriptors are released")
    assert gateway.connect("redis", token=token).status == 200


def test_memory_returns_after_many_tunnels(make_gateway, redis, many_descriptors):
    gateway = make_gateway(tcp_route("redis", redis.port, allow_public_unauthenticated_access=True))
    for _ in range(3):
        tunnels = [gateway.tunnel("redis") for _ in range(200)]
        for tunnel in tunnels:
            tunnel.send(b"PING\r\n")
        for tunnel in tunnels:
            assert tunnel.read_exactly(7) == b"+PONG\r\n"
        close_all(tunnels)
        eventually(lambda: gateway.descriptors() < 60, "descriptors are released")
