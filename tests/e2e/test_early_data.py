"""Bytes sent behind a CONNECT in the same segment: payload once the tunnel is open, nothing at all before."""

import pytest

from lib.gateway import host, tcp_route
from lib.login import obtain_token
from lib.net import connect_bytes, free_port, request_bytes
from lib.users import DEMO, MALLORY

SMUGGLED = request_bytes("GET", "/ping", "smuggled.demo.localhost")


@pytest.fixture
def gateway(make_gateway, upstream):
    return make_gateway(
        tcp_route("redis", upstream.port, allowed_users=[DEMO.email]),
        tcp_route("dead", free_port(), allowed_users=[DEMO.email]),
        tcp_route("open", upstream.port, allow_public_unauthenticated_access=True),
    )


def test_it_is_forwarded_after_the_200(gateway, upstream):
    token = obtain_token(gateway, "redis", DEMO)
    with gateway.open("redis") as connection:
        connection.send(connect_bytes(f"{host('redis')}:6379", token) + b"early ")
        response = connection.read_head()
        assert response.status == 200
        connection.send(b"late")
        assert connection.read_exactly(10) == b"early late"
    assert upstream.received == b"early late"


def test_what_looks_like_a_request_is_payload(gateway, upstream):
    with gateway.open("open") as connection:
        connection.send(connect_bytes(f"{host('open')}:6379") + SMUGGLED)
        assert connection.read_head().status == 200
        assert connection.read_exactly(len(SMUGGLED)) == SMUGGLED
    assert not gateway.log.find("http-request", path="/ping")


def test_more_than_fits_is_neither_lost_nor_reordered(gateway, upstream):
    payload = bytes(range(256)) * 2048
    with gateway.open("open") as connection:
        connection.send(connect_bytes(f"{host('open')}:6379") + payload[:100_000])
        assert connection.read_head().status == 200
        connection.send(payload[100_000:])
        assert connection.read_exactly(len(payload)) == payload


def refusals(gateway):
    yield "login needed", "redis", None, 302
    yield "unknown token", "redis", "a.b.c", 401
    yield "not allowed", "redis", obtain_token(gateway, "redis", MALLORY), 403
    yield "no route", "nowhere", None, 404
    yield "upstream refuses", "dead", obtain_token(gateway, "redis", DEMO), 503


@pytest.mark.parametrize("early", [b"SET stolen 1\r\n", SMUGGLED, SMUGGLED * 3000], ids=["data", "request", "much"])
def test_a_refused_connect_swallows_it(gateway, upstream, early):
    for what, name, token, status in refusals(gateway):
        with gateway.open(name) as connection:
            connection.send(connect_bytes(f"{host(name)}:6379", token) + early)
            response = connection.read_response()
            assert response is not None and response.status == status, what
            assert connection.is_at_end(), f"{what}: something came after the refusal"
    assert upstream.received == b""
    assert not upstream.connections
    assert not gateway.log.find("http-request", path="/ping")
