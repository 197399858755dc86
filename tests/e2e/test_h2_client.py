"""Our client over HTTP/2: one connection for all tunnels, another when that one goes, HTTP/1.1 where it must be."""

import asyncio
import hashlib
import pathlib
import random
import resource
import socket

import pytest

from lib.gateway import host, tcp_route
from lib.http2 import Http2Server
from lib.process import CLIENT, run

TUNNELS = 1000


def connections_to(port):
    """Established ones, as the kernel sees them, by the side of the client."""
    count = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        count += fields[3] == "01" and int(fields[2].split(":")[1], 16) == port
    return count


@pytest.fixture
def played(certificate):
    started = []

    def play(**options):
        started.append(Http2Server(certificate, **options))
        return started[-1]

    yield play
    for server in started:
        server.stop()


def client_arguments(authority, port, *extra):
    return ["tcp", f"{host('redis')}:6379", "--pomerium-url", f"https://{host('redis')}:{port}",
            "--alternate-ca-path", str(authority.ca), *extra]


class Played:
    """What Client wants of a gateway."""

    def __init__(self, authority, port):
        self.ca = authority.ca
        self.port = port

    def url(self, name, path=""):
        return f"https://{host(name)}:{self.port}{path}"


def echo_once(connection, data):
    connection.sendall(data)
    received = b""
    while len(received) < len(data):
        piece = connection.recv(65536)
        assert piece
        received += piece
    assert received == data


def test_a_thousand_tunnels_over_one_connection(make_gateway, make_client, upstream):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    gateway = make_gateway(tcp_route("redis", upstream.port, allow_public_unauthenticated_access=True))
    listener = make_client(gateway).listen("redis")
    arrived = asyncio.Event()

    async def one(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        choice = random.Random(number)
        sent = hashlib.sha256()
        received = hashlib.sha256()
        for size in (1, choice.randrange(1, 70_000), choice.randrange(1, 9000)):
            data = choice.randbytes(size)
            sent.update(data)
            writer.write(data)
            received.update(await reader.readexactly(size))
        ready.append(number)
        await arrived.wait()
        writer.write(b"last")
        writer.write_eof()
        rest = await reader.read()
        writer.close()
        return sent.digest() == received.digest() and rest == b"last"

    async def everybody():
        flows = [asyncio.create_task(one(number)) for number in range(TUNNELS)]
        while len(ready) < TUNNELS and not any(flow.done() for flow in flows):
            await asyncio.sleep(0.05)
        at_once.append(connections_to(gateway.port))
        arrived.set()
        return await asyncio.gather(*flows)

    ready = []
    at_once = []
    assert all(asyncio.run(asyncio.wait_for(everybody(), 200)))
    assert at_once == [1]


@pytest.mark.parametrize("transport", ["auto", "h1", "h2"])
def test_transports(make_gateway, make_client, upstream, transport):
    gateway = make_gateway(tcp_route("redis", upstream.port, allow_public_unauthenticated_access=True))
    listener = make_client(gateway).listen("redis", extra=["--transport", transport])
    dialed = [listener.dial() for _ in range(5)]
    for connection in dialed:
        echo_once(connection, b"hello" * 10000)
    assert connections_to(gateway.port) == (5 if transport == "h1" else 1)
    for connection in dialed:
        connection.close()


def test_silent_fallback_to_a_gateway_without_http2(make_gateway, make_client, upstream):
    gateway = make_gateway(tcp_route("redis", upstream.port, allow_public_unauthenticated_access=True),
                           codec_type="http1")
    client = make_client(gateway)
    done = client.pipe("redis", b"over HTTP/1.1")
    assert done.stdout == "over HTTP/1.1" and "error" not in done.stderr, done.stderr
    refused = client.pipe("redis", b"x", extra=["--transport", "h2"])
    assert refused.returncode != 0 and "does not speak HTTP/2" in refused.stderr, refused.stderr


@pytest.mark.parametrize("how", [{"refuse": True}, {"status": 404}, {"status": 405}])
def test_silent_fallback_where_connect_is_not_understood(authority, played, make_client, how):
    server = played(alpn=("h2", "http/1.1"), **how)
    client = make_client(Played(authority, server.port))
    done = client.pipe("redis", b"question")
    assert done.stdout == "question", done.stderr
    assert server.protocols == ["h2", "http/1.1"]


def test_no_fallback_from_what_was_asked_for(authority, played, make_client):
    server = played(alpn=("h2", "http/1.1"), status=405)
    done = make_client(Played(authority, server.port)).pipe("redis", b"x", extra=["--transport", "h2"])
    assert done.returncode != 0 and server.protocols == ["h2"]


def test_goaway_opens_a_second_connection(authority, played, make_client):
    server = played(goaway_after=1)
    listener = make_client(Played(authority, server.port)).listen("redis")
    with listener.dial() as first, listener.dial() as second:
        echo_once(first, b"one")
        echo_once(second, b"two")
        assert server.protocols == ["h2", "h2"]
        echo_once(first, b"still there" * 100)
        first.shutdown(socket.SHUT_WR)
        assert first.recv(10) == b""
        echo_once(second, b"and there")


def test_the_connection_is_cut(authority, played, make_client):
    """All its tunnels end, and the next one has a new connection."""
    server = played()
    listener = make_client(Played(authority, server.port)).listen("redis")
    with listener.dial() as first, listener.dial() as second:
        echo_once(first, b"x")
        echo_once(second, b"y")
        server.sockets[0].shutdown(socket.SHUT_RDWR)
        for connection in first, second:
            try:
                assert connection.recv(1) == b""
            except ConnectionError:
                pass
    with listener.dial() as again:
        echo_once(again, b"again")
    assert server.protocols == ["h2", "h2"]


def test_unknown_transport(authority, make_client, played):
    done = run(CLIENT, *client_arguments(authority, 1, "--transport", "carrier-pigeon"))
    assert done.returncode == 2 and "--transport is one of auto, h1, h2 and ws" in done.stderr
