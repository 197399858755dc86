"""What an attacker would try with links that the gateway signs for anybody who asks."""

from urllib.parse import urlencode, urlsplit

import pytest

from lib.gateway import DOMAIN, host, tcp_route
from lib.login import Browser, obtain_token, sign_in_url
from lib.net import free_port, request_bytes
from lib.users import ALICE, DEMO

CLI = "http://127.0.0.1:1"
AUTHENTICATE = f"authenticate.{DOMAIN}"


@pytest.fixture
def gateway(make_gateway, redis):
    port = free_port()
    return make_gateway(
        tcp_route("redis", redis.port, allow_any_authenticated_user=True),
        address=f"127.0.0.1:{port}", authenticate_service_url=f"https://{AUTHENTICATE}:{port}",
    )


@pytest.fixture
def victim(gateway):
    browser = Browser(gateway.ca)
    browser.log_in(sign_in_url(gateway, "redis", CLI), DEMO, stop_at=CLI)
    return browser


@pytest.mark.parametrize("stranger", ["evil.example.com", "evil.example.com:443", f"{DOMAIN}.evil.example.com", "[2001:db8::1]"])
def test_a_link_with_a_strangers_host_does_not_carry_the_login_there(gateway, victim, stranger):
    path = "/.pomerium/api/v1/login?" + urlencode({"pomerium_redirect_uri": CLI})
    with gateway.open("redis") as connection:
        link = connection.ask(request_bytes("GET", path, stranger)).text
    assert urlsplit(link).hostname == AUTHENTICATE
    page = victim.get(link)
    while page.location and not page.location.startswith(CLI):
        assert urlsplit(page.location).hostname in (AUTHENTICATE, host("redis"))
        page = victim.get(page.location)
    assert page.location.startswith(f"{CLI}?pomerium_jwt=")


def test_links_signed_for_somebody_else_log_nobody_out(gateway, victim):
    token = victim.cookies[host("redis")]["_pomerium"]
    attacker = Browser(gateway.ca)
    attacker.log_in(sign_in_url(gateway, "redis", CLI), ALICE, stop_at=CLI)
    links = [Browser(gateway.ca).get(gateway.url("redis", "/.pomerium/sign_out")).location]
    links.append(attacker.get(gateway.url("redis", "/.pomerium/sign_out")).location)
    links.append(attacker.get(links[-1]).form()[1])
    for link in links:
        assert "pomerium_signature=" in link
        victim.get(link)
        victim.request("POST", link, b"")
        assert gateway.connect("redis", token=token).status == 200


def test_a_form_from_another_origin_is_refused(gateway):
    browser = Browser(gateway.ca)
    form = browser.open_login(sign_in_url(gateway, "redis", CLI))
    fields = {"email": DEMO.email, "password": DEMO.password}
    assert browser.submit(form, [("Origin", "https://evil.example.com")], **fields).status == 400
    here = "https://" + urlsplit(form.url).netloc
    assert browser.submit(form, [("Origin", here)], **fields).status == 303


def test_nobody_hides_from_the_log_behind_a_long_header(gateway):
    token = obtain_token(gateway, "redis", DEMO)
    tunnel = gateway.connect("redis", token=token, headers=[("User-Agent", "x" * 9300)])
    assert tunnel.status == 200
    access = dict(gateway.log.wait("http-request", request_id=tunnel.header("x-request-id")).pairs)
    assert access["email"] == DEMO.email and access["session-id"] and "truncated" not in access
