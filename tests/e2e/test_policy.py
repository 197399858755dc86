"""Who may use what, and what the others are told."""

import pytest

from lib.gateway import host, tcp_route
from lib.login import obtain_token
from lib.net import free_port
from lib.services import Upstream
from lib.users import ALICE, DEMO, MALLORY


@pytest.fixture(scope="module")
def echo():
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, echo):
    return make_shared_gateway(
        tcp_route("users", echo.port, allowed_users=[DEMO.email]),
        tcp_route("domains", echo.port, allowed_domains=["corp.example.com"]),
        tcp_route("groups", echo.port, allowed_groups=["datascience@example.com", "nobody"]),
        tcp_route("mixed", echo.port, allowed_users=[MALLORY.email], allowed_groups=["ops@example.com"]),
        tcp_route("everybody", echo.port, allow_any_authenticated_user=True),
        tcp_route("public", echo.port, allow_public_unauthenticated_access=True),
        tcp_route("nobody", echo.port),
        tcp_route("dead", free_port(), allowed_users=[DEMO.email]),
        {"from": f"tcp+https://{host('anyport')}", "to": f"tcp://127.0.0.1:{echo.port}",
         "allow_any_authenticated_user": True},
        {"from": f"tcp+https://{host('path')}:443/inside.internal:1/other.internal:2",
         "to": f"tcp://127.0.0.1:{echo.port}", "allow_any_authenticated_user": True},
    )


@pytest.fixture(scope="module")
def tokens(gateway):
    return {user.email: obtain_token(gateway, "users", user) for user in (DEMO, ALICE, MALLORY)}


ALLOWED = {
    "users": [DEMO],
    "domains": [ALICE],
    "groups": [ALICE],
    "mixed": [DEMO, MALLORY],
    "everybody": [DEMO, ALICE, MALLORY],
    "public": [DEMO, ALICE, MALLORY],
    "nobody": [],
}


@pytest.mark.parametrize("user", [DEMO, ALICE, MALLORY], ids=lambda user: user.name)
@pytest.mark.parametrize("route", ALLOWED)
def test_who_may(gateway, tokens, route, user):
    response = gateway.connect(route, token=tokens[user.email])
    assert response.status == (200 if user in ALLOWED[route] else 403)


@pytest.mark.parametrize("route", ALLOWED)
def test_nobody_logged_in(gateway, route):
    assert gateway.connect(route).status == {"public": 200, "nobody": 403}.get(route, 302)


def test_a_public_route_needs_no_login(gateway):
    with gateway.tunnel("public") as connection:
        connection.send(b"hello")
        assert connection.read_exactly(5) == b"hello"


def test_a_refusal_names_who_and_what(gateway, tokens):
    response = gateway.connect("users", token=tokens[MALLORY.email])
    assert (response.status, response.header("x-pomerium-reason")) == (403, "denied")
    assert f"{MALLORY.email} is not allowed to use {host('users')}:6379" in response.text
    assert response.header("x-request-id") in response.text


@pytest.mark.parametrize("name, port", [("unknown", 6379), ("users", 6380), ("users", 443)])
def test_unknown_route(gateway, tokens, name, port):
    response = gateway.connect(name, port, tokens[DEMO.email])
    assert (response.status, response.header("x-pomerium-reason")) == (404, "route-not-found")


def test_dead_upstream(gateway, tokens):
    response = gateway.connect("dead", token=tokens[DEMO.email])
    assert (response.status, response.header("x-pomerium-reason")) == (503, "upstream-refused")


def test_a_dead_upstream_is_not_shown_to_who_may_not_use_it(gateway, tokens):
    assert gateway.connect("dead", token=tokens[MALLORY.email]).status == 403
    assert gateway.connect("dead").status == 302


def test_names_are_compared_without_regard_to_case(gateway, tokens):
    with gateway.tunnel("USERS", token=tokens[DEMO.email]) as connection:
        connection.send(b"x")
        assert connection.read_exactly(1) == b"x"


@pytest.mark.parametrize("port", [1, 22, 443, 65535])
def test_a_route_without_port_takes_any(gateway, tokens, port):
    assert gateway.connect("anyport", port, tokens[DEMO.email]).status == 200


@pytest.mark.parametrize("target, status", [
    ("inside.internal:1", 200), ("other.internal:2", 200), ("inside.internal:2", 404), (f"{host('path')}:443", 404),
])
def test_names_in_the_path_of_a_route(gateway, tokens, target, status):
    from lib.net import connect_bytes

    with gateway.open("path") as connection:
        assert connection.ask(connect_bytes(target, tokens[DEMO.email])).status == status


def test_a_more_exact_name_wins(make_gateway, echo):
    gateway = make_gateway(
        {"from": f"tcp+https://{host('both')}", "to": f"tcp://127.0.0.1:{echo.port}"},
        tcp_route("both", echo.port, 22, allow_public_unauthenticated_access=True),
    )
    assert gateway.connect("both", 22).status == 200
    assert gateway.connect("both", 23).status == 403


def test_the_list_called_policy_comes_first(make_gateway, echo):
    gateway = make_gateway(
        tcp_route("twice", free_port(), allow_public_unauthenticated_access=True),
        policy=[tcp_route("twice", echo.port, allowed_users=[ALICE.email])],
    )
    assert gateway.connect("twice").status == 302


def test_a_disabled_user_cannot_log_in(make_gateway, echo):
    from lib.login import Browser, sign_in_url

    entry = DEMO.entry(disabled=True)
    gateway = make_gateway(tcp_route("users", echo.port, allowed_users=[DEMO.email]), local_users=[entry])
    page = Browser(gateway.ca).log_in(sign_in_url(gateway, "users"), DEMO, stop_at="http://127.0.0.1")
    assert page.status != 302
    assert not page.all("set-cookie") or "_pomerium=" not in str(page.headers)
