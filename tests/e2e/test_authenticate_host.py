"""authenticate_service_url: one host for all logins, other hosts for the routes."""

from urllib.parse import urlsplit

import pytest

from lib.gateway import DOMAIN, SHARED_KEY, host, tcp_route
from lib.login import Browser, obtain_token, sign_in_url
from lib.net import free_port
from lib.tokens import is_signed, token_claims
from lib.users import DEMO

CLI = "http://127.0.0.1:1"
AUTHENTICATE = f"authenticate.{DOMAIN}"


@pytest.fixture
def gateway(make_gateway, redis):
    port = free_port()
    return make_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        tcp_route("other", redis.port, allowed_users=[DEMO.email]),
        address=f"127.0.0.1:{port}", authenticate_service_url=f"https://{AUTHENTICATE}:{port}",
    )


def test_the_whole_way_of_the_client(gateway, make_client):
    client = make_client(gateway)
    assert client.pipe("redis", b"PING\r\nQUIT\r\n").stdout == "+PONG\r\n+OK\r\n"
    assert client.visit_count() == 1


def test_where_the_login_happens(gateway):
    browser = Browser(gateway.ca)
    url = sign_in_url(gateway, "redis", CLI)
    assert urlsplit(url).hostname == AUTHENTICATE and is_signed(SHARED_KEY, url)
    page = browser.log_in(url, DEMO, stop_at=CLI)
    assert urlsplit(page.url).hostname == host("redis")
    assert page.location.startswith(f"{CLI}?pomerium_jwt=")
    assert "_pomerium" in browser.cookies[host("redis")]
    assert "_pomerium_authenticate" in browser.cookies[AUTHENTICATE]
    assert "_pomerium" not in browser.cookies[AUTHENTICATE]


def test_a_refused_connect_names_that_host(gateway):
    assert gateway.connect("redis").header("location").startswith(f"https://{AUTHENTICATE}:{gateway.port}/.pomerium/sign_in?")


def test_claims(gateway):
    claims = token_claims(obtain_token(gateway, "redis", DEMO))
    assert claims["iss"] in (AUTHENTICATE, f"{AUTHENTICATE}:{gateway.port}")
    assert claims["aud"] == [claims["iss"], "127.0.0.1:1", f"{host('redis')}:{gateway.port}"]


def test_the_second_route_needs_no_second_password(gateway):
    browser = Browser(gateway.ca)
    browser.log_in(sign_in_url(gateway, "redis", CLI), DEMO, stop_at=CLI)
    page = browser.follow(browser.get(sign_in_url(gateway, "other", CLI)), stop_at=CLI)
    assert page.status == 302 and "pomerium_jwt=" in page.location


def test_sign_out_from_a_route_ends_the_login_too(gateway):
    browser = Browser(gateway.ca)
    browser.log_in(sign_in_url(gateway, "redis", CLI), DEMO, stop_at=CLI)
    token = browser.cookies[host("redis")]["_pomerium"]
    page = browser.follow(browser.get(gateway.url("redis", "/.pomerium/sign_out")))
    if "<form" in page.text:
        browser.follow(browser.submit(page))
    assert gateway.connect("redis", token=token).status == 401
    # The authenticate host has forgotten as well: the form is shown again.
    page = browser.open_login(sign_in_url(gateway, "other", CLI))
    assert page.status == 200 and page.form()


def test_there_is_no_login_form_on_a_route(gateway):
    for path in ("/.pomerium/sign_in", "/.pomerium/local/sign_in"):
        assert gateway.get("redis", path).status in (400, 404)


def test_well_known_names_the_host(gateway):
    import json

    document = json.loads(gateway.get("redis", "/.well-known/pomerium").text)
    assert document["authentication_callback_endpoint"].startswith(f"https://{AUTHENTICATE}")
