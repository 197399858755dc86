"""upstream_proxy_protocol: the server learns who the client is, before any byte of his."""

import socket
import struct
import threading

import pytest

from lib.gateway import host, tcp_route
from lib.net import Connection, connect_bytes
from lib.services import Upstream
from lib.upstreams import PUBLIC, HaproxyWithHeader, NginxWithHeader

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.fixture
def server():
    made = Upstream()
    yield made
    made.stop()


def header_route(port, version, **settings):
    return tcp_route("x", port, upstream_proxy_protocol=version, **PUBLIC, **settings)


def read_v1(connection):
    line = b""
    while not line.endswith(b"\r\n"):
        line += connection.read_exactly(1)
    return line.decode()


def test_v1(make_gateway, server):
    gateway = make_gateway(header_route(server.port, "v1"))
    with gateway.tunnel("x") as connection:
        own = connection.socket.getsockname()[1]
        assert read_v1(connection) == f"PROXY TCP4 127.0.0.1 127.0.0.1 {own} {gateway.port}\r\n"
        connection.send(b"then mine")
        assert connection.read_exactly(9) == b"then mine"


def test_v2(make_gateway, server):
    gateway = make_gateway(header_route(server.port, "v2"))
    with gateway.tunnel("x") as connection:
        own = connection.socket.getsockname()[1]
        loopback = socket.inet_aton("127.0.0.1")
        assert connection.read_exactly(28) == (
            SIGNATURE + b"\x21\x11\x00\x0c" + loopback + loopback + struct.pack(">HH", own, gateway.port)
        )


def test_bytes_sent_right_behind_the_request_come_after_it(make_gateway, server):
    gateway = make_gateway(header_route(server.port, "v1"))
    with gateway.open("x") as connection:
        connection.send(connect_bytes(f"{host('x')}:6379") + b"early")
        assert connection.read_response(has_body=False).status == 200
        assert read_v1(connection).startswith("PROXY TCP4 ")
        assert connection.read_exactly(5) == b"early"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_came_in_goes_on(make_gateway, server, version):
    """Behind a balancer: its client, and what that client connected to."""
    gateway = make_gateway(header_route(server.port, version), use_proxy_protocol=True)
    preface = b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 443\r\n"
    with Connection(gateway.port, host("x"), gateway.ca, preface=preface) as connection:
        assert connection.ask(connect_bytes(f"{host('x')}:6379"), has_body=False).status == 200
        if version == "v1":
            assert read_v1(connection).encode() == preface
            return
        expected = SIGNATURE + b"\x21\x21\x00\x24"
        expected += socket.inet_pton(socket.AF_INET6, "2001:db8::7")
        expected += socket.inet_pton(socket.AF_INET6, "2001:db8::1") + struct.pack(">HH", 50000, 443)
        assert connection.read_exactly(len(expected)) == expected


def test_local_sockets(make_gateway, tmp_path):
    path = str(tmp_path / "socket")
    received = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                received.append(connection.recv(1000))
                connection.sendall(b"ok")

        thread = threading.Thread(target=serve)
        thread.start()
        gateway = make_gateway({**header_route(1, "v1"), "to": f"unix://{path}"})
        with gateway.tunnel("x") as connection:
            own = connection.socket.getsockname()[1]
            assert connection.read_exactly(2) == b"ok"
        thread.join()
    assert received == [f"PROXY TCP4 127.0.0.1 127.0.0.1 {own} {gateway.port}\r\n".encode()]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_real_haproxy_reads_it(make_gateway, tmp_path, version):
    haproxy = HaproxyWithHeader(tmp_path / "haproxy")
    gateway = make_gateway(header_route(haproxy.port, version))
    with gateway.tunnel("x") as connection:
        own = connection.socket.getsockname()[1]
        answer = connection.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.text == f"127.0.0.1 {own} 127.0.0.1 {gateway.port}"
    haproxy.stop()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_real_nginx_reads_it(make_gateway, tmp_path, version):
    nginx = NginxWithHeader(tmp_path / "nginx")
    gateway = make_gateway(header_route(nginx.port, version))
    with gateway.tunnel("x") as connection:
        own = connection.socket.getsockname()[1]
        assert connection.read_to_end() == f"127.0.0.1 {own} 127.0.0.1 {gateway.port}".encode()
    nginx.stop()
