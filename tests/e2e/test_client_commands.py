"""pomerium-cli: the commands around the tunnels."""

import json

import pytest

from lib.gateway import host, tcp_route
from lib.net import free_port
from lib.users import DEMO, MALLORY


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(
        {**tcp_route("redis", redis.port, description="of the shop", allowed_users=[DEMO.email]), "name": "cache"},
        tcp_route("mallory", redis.port, allowed_users=[MALLORY.email]),
        tcp_route("other", redis.port, allowed_users=[DEMO.email]),
    )


@pytest.fixture
def client(gateway, make_client):
    return make_client(gateway)


def flags(client):
    return ["--alternate-ca-path", str(client.gateway.ca), "--browser-cmd", str(client.browser)]


def server(client, name="redis"):
    return client.gateway.url(name)


# ---- routes list ----

def test_routes_list(client):
    listed = client.run("routes", "list", server(client), *flags(client))
    assert listed.returncode == 0, listed.stderr
    blocks = listed.stdout.split("\n\n")
    assert blocks[-1] == "" and len(blocks) == 3
    lines = blocks[0].splitlines()
    assert lines[0] == "Route cache"
    assert lines[1].startswith("id: ") and len(lines[1]) > 10
    assert lines[2:] == [
        "type: tcp",
        f"from: tcp+https://{host('redis')}:6379",
        "description: of the shop",
        f"connect_command: pomerium-cli tcp {host('redis')}:6379",
    ]
    assert blocks[1].startswith(f"Route {host('other')}\n")
    assert "mallory" not in listed.stdout
    assert client.visit_count() == 1


def test_routes_list_uses_the_last_gateway_and_the_login_that_is_there(client):
    without = client.run("routes", "list", *flags(client))
    assert without.returncode == 2 and "no gateway" in without.stderr

    assert "+PONG" in client.pipe("redis", b"PING\r\nQUIT\r\n").stdout
    listed = client.run("routes", "list", "--json", *flags(client))
    assert listed.returncode == 0, listed.stderr
    routes = json.loads(listed.stdout)["routes"]
    assert [route["name"] for route in routes] == ["cache", host("other")]
    assert set(routes[0]) == {"id", "name", "type", "from", "description", "connect_command"}
    assert client.visit_count() == 1


def test_routes_list_off(make_gateway, make_client, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
                           runtime_flags={"routes_portal": False})
    client = make_client(gateway)
    listed = client.run("routes", "list", server(client), *flags(client))
    assert listed.returncode == 1
    assert "has no list of routes (status 404)" in listed.stderr


@pytest.mark.parametrize("arguments", [["routes"], ["routes", "show"], ["routes", "list", "ftp://x"],
                                       ["auth"], ["auth", "a b"]])
def test_usage(client, arguments):
    result = client.run(*arguments)
    assert result.returncode == 2 and result.stdout == "" and "pomerium-cli: " in result.stderr


# ---- auth ----

def test_auth_prints_a_token_that_is_good(client):
    first = client.run("auth", server(client), *flags(client))
    assert first.returncode == 0, first.stderr
    token = first.stdout.rstrip("\n")
    assert client.gateway.get("redis", "/.pomerium/user", [("Authorization", f"Bearer Pomerium-{token}")]).status == 200

    again = client.run("auth", server(client), *flags(client))
    assert again.stdout == first.stdout and client.visit_count() == 1
    assert "+PONG" in client.pipe("redis", b"PING\r\nQUIT\r\n").stdout
    assert client.visit_count() == 1

    client.token_files()[0].write_text("stale")
    fresh = client.run("auth", server(client), *flags(client))
    assert fresh.returncode == 0 and fresh.stdout.strip() not in ("", "stale", token)
    assert client.visit_count() == 2


def test_auth_of_a_refused_service_account_fails_at_once(client):
    result = client.run("auth", server(client), *flags(client), "--service-account", "no.good.token")
    assert result.returncode == 3 and result.stdout == ""
    assert "service account" in result.stderr and "no.good.token" not in result.stderr
    assert client.visit_count() == 0


def test_auth_of_a_gateway_that_is_away(client):
    result = client.run("auth", f"https://{host('redis')}:{free_port()}", *flags(client))
    assert result.returncode == 6 and "cannot use the gateway" in result.stderr
