"""Several targets of one route: who gets whom, and what happens when one of them is gone."""

import collections
import time

import pytest

from lib.gateway import host, tcp_route
from lib.net import Connection, connect_bytes, free_port
from lib.process import eventually
from lib.services import Redis
from lib.sessions import CHEAP_USERS, Minter
from lib.upstreams import PUBLIC, Full, kill, letter_of, named, targets


@pytest.fixture
def servers():
    made = [named(letter) for letter in (b"a", b"b", b"c")]
    yield made
    for server in made:
        server.stop()


def route(to, **settings):
    return {**tcp_route("x", 1, **PUBLIC), "to": to, **settings}


def letters(gateway, count):
    return collections.Counter(letter_of(gateway, "x") for _ in range(count))


def test_weights_hold_and_one_that_is_killed_is_not_noticed(make_gateway, servers):
    gateway = make_gateway(route(targets(servers, (50, 30, 20))), workers=2)
    assert letters(gateway, 20) == {b"a": 10, b"b": 6, b"c": 4}

    kill(servers[1])
    after = letters(gateway, 20)  # letter_of() fails where a client is refused
    assert after[b"b"] == 0 and after[b"a"] > 0 and after[b"c"] > 0
    line = gateway.log.wait("upstream not reachable")
    assert f"127.0.0.1:{servers[1].port}" in line["error"]
    assert gateway.log.find("http-request", response_code=503) == []


def test_three_real_servers_one_killed_while_in_use(make_gateway, tmp_path):
    redises = [Redis(tmp_path / f"redis{number}") for number in range(3)]
    gateway = make_gateway(route(targets(redises)))

    def ping():
        with gateway.tunnel("x") as connection:
            connection.send(b"PING\r\n")
            return connection.read_exactly(7)

    open_tunnel = gateway.tunnel("x")
    assert [ping() for _ in range(6)] == [b"+PONG\r\n"] * 6
    redises[2].stop()
    assert [ping() for _ in range(9)] == [b"+PONG\r\n"] * 9
    open_tunnel.close()
    redises[0].stop()
    redises[1].stop()
    refused = gateway.connect("x")
    assert (refused.status, refused.header("x-pomerium-reason")) == (503, "upstream-refused")
    request = {"request_id": refused.header("x-request-id")}
    gateway.log.wait("upstream not reachable", count=3, **request)
    failed = gateway.log.find("upstream not reachable", **request)
    assert len(failed) == 3 and len({line["error"] for line in failed}) == 3  # each once, and told


def test_one_that_says_nothing_leaves_time_for_the_other(make_gateway, servers):
    with Full() as full:
        gateway = make_gateway(route(targets([full, servers[0]])), workers=1)
        begin = time.monotonic()
        assert letters(gateway, 2)[b"a"] == 2
        assert time.monotonic() - begin < 9
        assert "no answer within 5 s" in gateway.log.wait("upstream not reachable")["error"]


def test_the_least_busy_of_two(make_gateway, servers):
    gateway = make_gateway(route(targets(servers[:2]), load_balancing_policy="least_request"))
    tunnels = [gateway.tunnel("x") for _ in range(10)]
    got = collections.Counter(tunnel.read_exactly(1) for tunnel in tunnels)
    assert got == {b"a": 5, b"b": 5}
    for tunnel in tunnels:
        tunnel.close()


def test_random(make_gateway, servers):
    gateway = make_gateway(route(targets(servers), load_balancing_policy="random"))
    got = letters(gateway, 60)
    assert set(got) == {b"a", b"b", b"c"}, got  # one is missing once in 10**10 runs


@pytest.mark.parametrize("policy", ["ring_hash", "maglev"])
def test_a_client_stays_where_it_is(make_gateway, servers, policy):
    """Told apart by their addresses; when a server goes, only its own clients move."""
    gateway = make_gateway(route(targets(servers), load_balancing_policy=policy), use_proxy_protocol=True)

    def letter_for(client):
        preface = f"PROXY TCP4 203.0.113.{client} 192.0.2.1 1000 443\r\n".encode()
        with Connection(gateway.port, host("x"), gateway.ca, preface=preface) as connection:
            assert connection.ask(connect_bytes(f"{host('x')}:6379"), has_body=False).status == 200
            return connection.read_exactly(1)

    first = {client: letter_for(client) for client in range(1, 40)}
    assert set(first.values()) == {b"a", b"b", b"c"}
    assert {client: letter_for(client) for client in first} == first
    kill(servers[2])
    then = {client: letter_for(client) for client in first}
    moved = {client for client in first if first[client] != then[client]}
    assert moved == {client for client in first if first[client] == b"c"}


@pytest.mark.parametrize("policy", ["ring_hash", "maglev"])
def test_a_session_stays_where_it_is(make_gateway, servers, policy):
    """Told apart by their logins, though all come from one address."""
    to = {**tcp_route("redis", 1, allow_any_authenticated_user=True), "to": targets(servers),
          "load_balancing_policy": policy}
    gateway = make_gateway(to, users=CHEAP_USERS)
    minter = Minter(gateway, threads=1)
    eventually(lambda: len(minter.tokens) >= 16, lambda: f"sixteen sessions; {minter.problem}")
    minter.stop()
    tokens = minter.tokens[:16]
    first = [letter_of(gateway, "redis", token=token) for token in tokens]
    assert len(set(first)) > 1
    assert [letter_of(gateway, "redis", token=token) for token in tokens] == first


def test_all_are_down(make_gateway):
    gateway = make_gateway(route([f"tcp://127.0.0.1:{free_port()}" for _ in range(3)]))
    response = gateway.connect("x")
    assert (response.status, response.header("x-pomerium-reason")) == (503, "upstream-refused")
