"""unix:///path: servers of this machine that listen at no port."""

import socket
import subprocess

from lib.gateway import tcp_route
from lib.services import Postgres
from lib.upstreams import PUBLIC, UnixRedis


def socket_route(path, **settings):
    return {**tcp_route("x", 1, 6379, **PUBLIC), "to": f"unix://{path}", **settings}


def test_a_real_redis(make_gateway, tmp_path):
    redis = UnixRedis(tmp_path / "redis")
    gateway = make_gateway(socket_route(redis.path))
    value = b"v" * 1_000_000
    with gateway.tunnel("x") as connection:
        connection.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value))
        assert connection.read_exactly(5) == b"+OK\r\n"
        connection.send(b"GET k\r\n")
        assert connection.read_exactly(10 + len(value)) == b"$1000000\r\n" + value
    assert gateway.log.wait("tunnel opened")["upstream-address"] == f"unix:{redis.path}"
    redis.stop()


def test_a_real_postgresql(make_gateway, make_client, postgres):
    """psql, through pomerium-cli, to a server's socket file."""
    path = f"{postgres.directory}/.s.PGSQL.{postgres.port}"
    gateway = make_gateway({**socket_route(path), "from": tcp_route("x", 1, 5432)["from"]})
    client = make_client(gateway).listen("x", 5432)
    done = subprocess.run(
        ["psql", "-h", "127.0.0.1", "-p", str(client.port), "-U", "demo", "-d", "postgres", "-Atc", "select 6 * 7"],
        capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("42\n", "")
    client.stop()


def test_nobody_there(make_gateway, tmp_path):
    path = tmp_path / "nothing"
    gateway = make_gateway(socket_route(path))

    def reason():
        response = gateway.connect("x")
        assert response.status == 503
        return response.header("x-pomerium-reason")

    assert reason() == "upstream-unreachable"
    assert str(path) in gateway.log.wait("upstream not reachable")["error"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    assert reason() == "upstream-refused"


def test_two_paths(make_gateway, tmp_path):
    """One of them is there."""
    redis = UnixRedis(tmp_path / "redis")
    gateway = make_gateway({**socket_route("/"), "to": [f"unix://{tmp_path}/none", f"unix://{redis.path}"]})
    for _ in range(4):
        with gateway.tunnel("x") as connection:
            connection.send(b"PING\r\n")
            assert connection.read_exactly(7) == b"+PONG\r\n"
    redis.stop()
