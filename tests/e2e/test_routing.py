"""Which route a CONNECT reaches: names, wildcards, ports and order."""

from urllib.parse import urlencode, urlsplit

import pytest

from lib.gateway import DOMAIN
from lib.login import Browser, sign_in_url
from lib.net import connect_bytes, free_port, request_bytes
from lib.services import Upstream
from lib.users import DEMO

PUBLIC = {"allow_public_unauthenticated_access": True}


def named(letter):
    """An upstream that says who it is."""
    return Upstream(lambda connection: connection.sendall(letter.encode()))


@pytest.fixture(scope="module")
def upstreams():
    made = {letter: named(letter) for letter in "abcdef"}
    yield made
    for upstream in made.values():
        upstream.stop()


def route(source, upstream, **settings):
    return {"from": f"tcp+https://{source}", "to": f"tcp://127.0.0.1:{upstream.port}", **(settings or PUBLIC)}


def reached(gateway, target):
    """The letter of the upstream, or the reason of the refusal."""
    with gateway.open("x") as connection:
        answer = connection.ask(connect_bytes(target), has_body=False)
        if answer.status != 200:
            return answer.header("x-pomerium-reason")
        return connection.read_exactly(1).decode()


NOWHERE = "route-not-found"

LOOKUPS = {
    f"one.{DOMAIN}:22": "a",
    f"ONE.{DOMAIN.upper()}:22": "a",
    f"one.two.{DOMAIN}:22": "a",
    f"{DOMAIN}:22": NOWHERE,
    f"one.{DOMAIN}:23": NOWHERE,
    f"one.{DOMAIN}.evil.org:22": NOWHERE,
    f"db-7.{DOMAIN}:5432": "b",
    f"web.{DOMAIN}:5432": "c",
    f"own.{DOMAIN}:22": "d",
    f"own.{DOMAIN}:5432": "c",
    f"bare.{DOMAIN}:1": "e",
    f"bare.{DOMAIN}:22": "e",
    f"x.any.{DOMAIN}:4711": "f",
    f"x.any.{DOMAIN}:22": "a",
}


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, upstreams):
    return make_shared_gateway(
        route(f"*.{DOMAIN}:22", upstreams["a"]),
        route(f"db-*.{DOMAIN}:5432", upstreams["b"]),
        route(f"*.{DOMAIN}:5432", upstreams["c"]),
        route(f"own.{DOMAIN}:22", upstreams["d"]),
        route(f"bare.{DOMAIN}", upstreams["e"]),
        route(f"*.any.{DOMAIN}", upstreams["f"]),
    )


@pytest.mark.parametrize("target, expected", LOOKUPS.items())
def test_names_ports_and_order(gateway, target, expected):
    assert reached(gateway, target) == expected


def test_ports_must_be_named_where_the_flag_is_off(make_gateway, upstreams):
    gateway = make_gateway(
        route(f"bare.{DOMAIN}", upstreams["a"]),
        route(f"*.any.{DOMAIN}", upstreams["b"]),
        route(f"*.{DOMAIN}:22", upstreams["c"]),
        runtime_flags={"match_any_incoming_port": False},
    )
    assert reached(gateway, f"bare.{DOMAIN}:1") == NOWHERE
    assert reached(gateway, f"bare.{DOMAIN}:22") == "c"
    assert reached(gateway, f"x.any.{DOMAIN}:1") == NOWHERE
    warnings = [line for line in gateway.log.lines() if "never matched" in (line.get("error") or "")]
    assert len(warnings) == 2 and all(line["level"] == "warn" for line in warnings)


def test_the_client_through_a_wildcard(make_gateway, make_client, redis):
    gateway = make_gateway({"from": f"tcp+https://*.{DOMAIN}:6379", "to": f"tcp://127.0.0.1:{redis.port}",
                            "allowed_users": [DEMO.email]})
    client = make_client(gateway)
    assert client.pipe("first", b"PING\r\nQUIT\r\n").stdout == "+PONG\r\n+OK\r\n"
    assert client.pipe("second", b"PING\r\nQUIT\r\n").stdout == "+PONG\r\n+OK\r\n"


CLI = "http://127.0.0.1:1"
AUTHENTICATE = f"authenticate.{DOMAIN}"


@pytest.mark.parametrize("wildcard, name, delivered_to", [
    (f"*.{DOMAIN}", f"any.{DOMAIN}", f"any.{DOMAIN}"),
    ("*", "evil.example.com", AUTHENTICATE),
    ("*.localhost", "evil.localhost", AUTHENTICATE),
    (f"*{DOMAIN}", f"evil{DOMAIN}", AUTHENTICATE),
])
def test_where_a_login_is_delivered(make_gateway, upstreams, wildcard, name, delivered_to):
    """Never to a name that may be somebody else's, however wide a wildcard is."""
    port = free_port()
    gateway = make_gateway(route(f"{wildcard}:22", upstreams["a"], allowed_users=[DEMO.email]),
                           address=f"127.0.0.1:{port}", authenticate_service_url=f"https://{AUTHENTICATE}:{port}")
    victim = Browser(gateway.ca)
    victim.log_in(sign_in_url(gateway, "redis", CLI), DEMO, stop_at=CLI)
    with gateway.open("redis") as connection:
        path = "/.pomerium/api/v1/login?" + urlencode({"pomerium_redirect_uri": CLI})
        link = connection.ask(request_bytes("GET", path, f"{name}:{port}")).text
    assert urlsplit(link).hostname == AUTHENTICATE
    assert urlsplit(victim.get(link).location).hostname == delivered_to


def test_ten_thousand_routes(make_gateway, upstreams):
    routes = [route(f"r{number}.{DOMAIN}:22", upstreams["abcdef"[number % 6]]) for number in range(10_000)]
    gateway = make_gateway(*routes)
    for number in 0, 1, 4999, 9999:
        assert reached(gateway, f"r{number}.{DOMAIN}:22") == "abcdef"[number % 6]
    assert reached(gateway, f"r10000.{DOMAIN}:22") == NOWHERE
