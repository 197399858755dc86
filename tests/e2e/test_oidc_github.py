"""Logins at GitHub, which is no OpenID provider: who somebody is, and when he is not any more."""

import json
from urllib.parse import parse_qs

import pytest

from lib.clock import Clock
from lib.gateway import host, tcp_route
from lib.github import EMAILS_PATH, NODE_ID, NOTIFICATIONS, TOKEN_PATH, USER_PATH, GitHub
from lib.hostile import assert_refused, has_session, log_in
from lib.idp import CLI, Place, send_to_provider
from lib.process import eventually
from lib.tokens import token_claims
from lib.users import DEMO

PING = b"PING\r\nQUIT\r\n"
PONG = "+PONG\r\n+OK\r\n"
USERINFO_INTERVAL = 600


@pytest.fixture(scope="module")
def github(certificate):
    github = GitHub(certificate)
    yield github
    github.stop()


@pytest.fixture(autouse=True)
def honest_afterwards(github):
    yield
    github.honest()


@pytest.fixture
def settings(github, authority):
    return Place().settings(github.issuer, authority.ca, idp_provider="github")


@pytest.fixture
def gateway(make_gateway, settings, redis):
    return make_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        tcp_route("everybody", redis.port, allow_any_authenticated_user=True), **settings)


def about(gateway, browser):
    return json.loads(browser.get(gateway.url("redis", "/.pomerium/user")).text)


def obtain_token(gateway):
    browser, page = log_in(gateway)
    assert page.location.startswith(CLI), f"{page.status} {page.text[:300]}"
    return browser.cookies[host("redis")]["_pomerium"]


def test_the_whole_way_of_the_client(gateway, github, make_client):
    client = send_to_provider(make_client(gateway))
    for _ in range(2):
        assert client.pipe("redis", PING).stdout == PONG
    assert client.visit_count() == 1
    assert github.paths() == [github.authorize_path, TOKEN_PATH, USER_PATH, EMAILS_PATH]
    asked = parse_qs(dict(github.requests)[github.authorize_path])
    assert asked["scope"] == ["user:email read:org"]
    assert not any(token in gateway.stdout_text() for token in github.given)


def test_who_somebody_is(gateway):
    browser, _ = log_in(gateway)
    told = about(gateway, browser)
    assert (told["sub"], told["user"], told["email"], told["name"]) == (NODE_ID, NODE_ID, DEMO.email, DEMO.name)
    assert token_claims(browser.cookies[host("redis")]["_pomerium"])["sub"] == NODE_ID


def test_without_a_name_the_login_will_do(gateway, github):
    github.user["name"] = None
    assert about(gateway, log_in(gateway)[0])["name"] == "demo-login"


@pytest.mark.parametrize("emails", [
    [{"email": DEMO.email, "primary": True, "verified": False}],
    [{"email": DEMO.email, "primary": False, "verified": True}],
    [{"email": NOTIFICATIONS, "primary": True, "verified": True}, {"email": DEMO.email, "primary": False, "verified": True}],
    [{"email": DEMO.email, "primary": "true", "verified": "true"}],
    [{"email": [DEMO.email], "primary": True, "verified": True}],
    [{"email": f"{DEMO.email}@evil.example.com", "primary": True, "verified": True}],
    [],
], ids=str)
def test_only_the_verified_primary_address_counts(gateway, github, emails):
    """Nor does the one a person shows: anybody may show any."""
    github.user["email"] = DEMO.email
    github.emails = emails
    token = obtain_token(gateway)
    assert gateway.connect("redis", token=token).status == 403
    assert gateway.connect("everybody", token=token).status == 200


@pytest.mark.parametrize("user", [{"node_id": None}, {"node_id": ""}, {"node_id": 7}, {"node_id": "a\r\nb"}], ids=str)
def test_nobody(gateway, github, user):
    github.user.update(user)
    assert_refused(gateway)


@pytest.mark.parametrize("path, reply", [
    (TOKEN_PATH, (200, {"error": "bad_verification_code"}, {})), (TOKEN_PATH, (200, {"access_token": ""}, {})),
    (TOKEN_PATH, (200, b"access_token=gho_x&token_type=", {})), (TOKEN_PATH, (500, b"", {})),
    (USER_PATH, (401, {"message": "Bad credentials"}, {})), (USER_PATH, (200, b"[]", {})),
    (USER_PATH, (200, b'{"node_id":"a","node_id":"b"}', {})), (EMAILS_PATH, (404, {"message": "Not Found"}, {})),
    (EMAILS_PATH, (200, {"email": DEMO.email, "primary": True, "verified": True}, {})),
    (EMAILS_PATH, (200, b"[" * 3000, {})),
], ids=str)
def test_answers_that_are_no_login(gateway, github, path, reply):
    github.replies[path] = reply
    assert_refused(gateway)


def test_the_wrong_secret(make_gateway, settings, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
                           **{**settings, "idp_client_secret": "not the secret"})
    browser, page = log_in(gateway)
    assert page.status >= 400 and not has_session(browser)
    assert "incorrect_client_credentials" in gateway.log.wait("login refused")["error"]
    assert "not the secret" not in page.text + gateway.stdout_text()


@pytest.fixture
def driven(make_gateway, settings, redis, tmp_path):
    """(gateway, leap): GitHub says once in ten minutes whether somebody is still who he was."""
    clock = Clock(tmp_path)
    gateway = clock.start(make_gateway, tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **settings)
    return gateway, lambda: clock.leap(USERINFO_INTERVAL + 30)


def test_a_session_that_is_confirmed(driven, github):
    gateway, leap = driven
    token = obtain_token(gateway)
    for count in (2, 3):
        leap()
        eventually(lambda: github.paths().count(EMAILS_PATH) >= count, "GitHub is asked again", 5)
    assert gateway.connect("redis", token=token).status == 200


def test_github_is_away(driven, github):
    gateway, leap = driven
    token = obtain_token(gateway)
    github.replies[USER_PATH] = (502, b"", {})
    for count in (2, 3):
        leap()
        eventually(lambda: github.paths().count(USER_PATH) >= count, "GitHub is asked again", 5)
    assert gateway.connect("redis", token=token).status == 200


@pytest.mark.parametrize("what", ["revoked", "another user", "another address"])
def test_not_who_he_was(driven, github, what):
    gateway, leap = driven
    token = obtain_token(gateway)
    if what == "revoked":
        github.given.clear()
        github.replies[USER_PATH] = (401, {"message": "Bad credentials"}, {})
    elif what == "another user":
        github.user["node_id"] = "MDQ6VXNlcjI="
    else:
        github.emails = [{"email": NOTIFICATIONS, "primary": True, "verified": True}]
    leap()
    status = 403 if what == "another address" else 401
    eventually(lambda: gateway.connect("redis", token=token).status == status, f"status {status}", 5)
