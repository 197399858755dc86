"""Statuses, headers and bodies as clients of the protocol expect them."""

import json
import re
import time

import pytest

from lib.gateway import SHARED_KEY, host, tcp_route
from lib.login import obtain_token
from lib.net import free_port
from lib.tokens import is_signed, make_token, parameters, token_claims
from lib.users import DEMO, MALLORY

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
JSON = [("Accept", "application/json")]
TEXT = [("Accept", "text/plain")]
HTML = "text/html; charset=UTF-8"


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, redis):
    return make_shared_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        tcp_route("dead", free_port(), allowed_users=[DEMO.email]),
        {"from": f"tcp+https://{host('noname')}:6379", "to": "tcp://no-such-name.invalid:6379",
         "allowed_users": [DEMO.email]},
    )


@pytest.fixture(scope="module")
def token(gateway):
    return obtain_token(gateway, "redis", DEMO)


@pytest.fixture(scope="module")
def other_token(gateway):
    return obtain_token(gateway, "redis", MALLORY)


def assert_common(response):
    assert UUID4.fullmatch(response.header("x-request-id"))
    assert len(response.all("x-request-id")) == 1
    age = time.time() - time.mktime(time.strptime(response.header("date"), "%a, %d %b %Y %H:%M:%S GMT")) + time.timezone
    assert abs(age) < 60
    assert response.header("server")


# ---- 200 ----

def test_200(gateway, token):
    response = gateway.connect("redis", token=token)
    assert (response.status, response.reason) == (200, "OK")
    assert_common(response)
    for absent in ("content-length", "transfer-encoding", "connection", "alt-svc", "x-pomerium-reason"):
        assert response.header(absent) is None, absent


@pytest.mark.parametrize("headers", [
    lambda t: [("Authorization", f"Pomerium {t}")],
    lambda t: [("Authorization", f"Bearer Pomerium-{t}")],
    lambda t: [("X-Pomerium-Authorization", t)],
    lambda t: [("X-Pomerium-Authorization", t), ("Authorization", "Basic eDp5")],
    lambda t: [("Cookie", f"_pomerium={t}")],
    lambda t: [("Cookie", f"_pomerium={t}"), ("Authorization", "Pomerium a.b.c")],
], ids=["authorization", "bearer", "own header", "own header first", "cookie", "cookie first"])
def test_where_a_token_may_be(gateway, token, headers):
    assert gateway.connect("redis", headers=headers(token)).status == 200


@pytest.mark.parametrize("headers, status", [
    (lambda t: [("Authorization", f"pomerium {t}")], 302),
    (lambda t: [("Authorization", f"Bearer {t}")], 302),
    (lambda t: [("Authorization", f"Pomerium  {t}")], 401),
    (lambda t: [("Cookie", "_pomerium=a.b.c"), ("Authorization", f"Pomerium {t}")], 401),
    (lambda t: [("X-Pomerium-Authorization", "a.b.c"), ("Authorization", f"Pomerium {t}")], 401),
], ids=["other case", "plain bearer", "two blanks", "stale cookie hides it", "stale own header hides it"])
def test_where_it_may_not(gateway, token, headers, status):
    assert gateway.connect("redis", headers=headers(token)).status == status


# ---- 302 and 401 ----

def test_302(gateway):
    response = gateway.connect("redis")
    assert (response.status, response.reason) == (302, "Found")
    assert_common(response)
    assert response.header("content-type") == HTML
    assert response.header("x-pomerium-intercepted-response") == "true"
    assert response.header("x-pomerium-reason") == "login-required"
    assert int(response.header("content-length")) == len(response.body) > 0
    location = response.header("location")
    assert is_signed(SHARED_KEY, location)
    assert "/.pomerium/sign_in?" in location
    assert parameters(location)["pomerium_redirect_uri"] == f"https://{host('redis')}:6379"
    assert parameters(location).keys() == {
        "pomerium_redirect_uri", "pomerium_idp_id", "pomerium_issued", "pomerium_expiry", "pomerium_signature"
    }


def test_a_stale_cookie_is_302(gateway):
    response = gateway.connect("redis", headers=[("Cookie", "_pomerium=a.b.c")])
    assert (response.status, response.header("x-pomerium-reason")) == (302, "session-unknown")


def bad_tokens(token):
    claims = token_claims(token)
    good_header, _, rest = token.partition(".")
    yield "no JWS", "x"
    yield "no signature", token.rpartition(".")[0] + "."
    yield "cut", token[:-4]
    yield "changed payload", make_token(b"z" * 32, claims)
    yield "another key", make_token(b"\0" * 32, claims)
    yield "alg none", make_token(SHARED_KEY, claims, {"alg": "none", "typ": "JWT"}).rpartition(".")[0] + "."
    yield "alg none, signed", make_token(SHARED_KEY, claims, {"alg": "none", "typ": "JWT"})
    yield "alg RS256", make_token(SHARED_KEY, claims, {"alg": "RS256", "typ": "JWT"})
    yield "unknown session", make_token(SHARED_KEY, {**claims, "jti": "0f2d6a1e-7b2c-4c52-9e0e-0d9a5d1f7c11"})
    yield "other provider", make_token(SHARED_KEY, {**claims, "idp_id": "other"})
    yield "no session id", make_token(SHARED_KEY, {k: v for k, v in claims.items() if k != "jti"})
    yield "session id is a number", make_token(SHARED_KEY, {**claims, "jti": 1})
    yield "payload is a list", make_token(SHARED_KEY, [claims])
    yield "four parts", token + ".x"
    yield "long", "A" * 60000
    yield "header is no JSON", "AAAA." + rest
    yield "padding", token + "="


def test_401(gateway, token):
    for what, bad in bad_tokens(token):
        response = gateway.connect("redis", token=bad)
        assert response.status == 401, f"{what}: {response.status}"
        assert response.reason == "Unauthorized"
        assert_common(response)
        assert response.header("content-type") == HTML
        assert response.header("x-pomerium-intercepted-response") == "true"
        assert response.header("cache-control") == "no-cache, must-revalidate"
        assert response.header("x-pomerium-reason") == "session-unknown", what


def test_a_token_resigned_with_the_right_key_works(gateway, token):
    assert gateway.connect("redis", token=make_token(SHARED_KEY, token_claims(token))).status == 200


def test_401_as_json(gateway):
    response = gateway.connect("redis", token="a.b.c", headers=JSON)
    assert response.status == 401
    assert response.header("content-type") == "application/json"
    assert response.text == f'{{"error":"Unauthenticated","request_id":"{response.header("x-request-id")}"}}'


@pytest.mark.parametrize("accept, status", [
    ("application/json", 401), ("text/plain", 401), ("*/*", 302), ("text/html", 302), ("", 302),
    ("text/html;q=0.5, application/json", 401), ("text/html, application/json;q=0.5", 302), ("application/*", 401),
    ("image/png", 302), (";;;", 302),
])
def test_302_or_401_without_credentials(gateway, accept, status):
    response = gateway.connect("redis", headers=[("Accept", accept)])
    assert (response.status, response.header("x-pomerium-reason")) == (status, "login-required")


# ---- 403 ----

def test_403(gateway, other_token):
    response = gateway.connect("redis", token=other_token)
    assert (response.status, response.reason) == (403, "Forbidden")
    assert_common(response)
    assert response.header("content-type") == HTML
    assert response.header("x-pomerium-intercepted-response") == "true"
    assert response.header("cache-control") == "no-cache, must-revalidate"
    assert response.header("x-pomerium-reason") == "denied"


def test_403_as_json(gateway, other_token):
    response = gateway.connect("redis", token=other_token, headers=JSON)
    assert response.header("content-type") == "application/json"
    assert response.text == f'{{"error":"Forbidden","request_id":"{response.header("x-request-id")}"}}'


def test_403_for_kubernetes(gateway, other_token):
    agent = [("User-Agent", "kubectl/v1.30 (linux/amd64) kubernetes/abc")]
    response = gateway.connect("redis", token=other_token, headers=agent)
    assert (response.status, response.header("content-type")) == (403, "application/json")
    assert response.text == (
        '{"apiVersion":"v1","code":403,"kind":"Status","message":"Forbidden","reason":"Forbidden","status":"Failure"}'
    )


# ---- 404 and 503 ----

def local_reply(response, status, details):
    return (
        "{\n"
        f'  "requestId": "{response.header("x-request-id")}",\n'
        f'  "status": "{status}",\n'
        f'  "statusText": "{details}"\n'
        "}"
    )


REFUSED = "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"
LOCAL = [("unknown", 404, "route-not-found", "route_not_found"), ("dead", 503, "upstream-refused", REFUSED),
         ("noname", 503, "upstream-dns", "no_healthy_upstream")]


@pytest.mark.parametrize("name, status, reason, details", LOCAL)
@pytest.mark.parametrize("accept, content_type", [
    (JSON, "application/json; charset=UTF-8"), (TEXT, "text/plain; charset=UTF-8"),
])
def test_local_reply(gateway, token, name, status, reason, details, accept, content_type):
    response = gateway.connect(name, token=token, headers=accept)
    assert (response.status, response.header("x-pomerium-reason")) == (status, reason)
    assert_common(response)
    assert response.header("content-type") == content_type
    assert response.text == local_reply(response, status, details)


@pytest.mark.parametrize("name, status, reason, details", LOCAL)
def test_local_reply_as_page(gateway, token, name, status, reason, details):
    response = gateway.connect(name, token=token)
    assert (response.status, response.header("content-type")) == (status, HTML)
    assert response.text.lower().startswith("<!doctype html>")


def test_the_connection_ends_after_a_refusal(gateway):
    from lib.net import connect_bytes

    with gateway.open("redis") as connection:
        assert connection.ask(connect_bytes(f"{host('redis')}:6379")).status == 302
        assert connection.is_at_end()


# ---- other requests ----

def test_the_probe_of_the_client(gateway):
    response = gateway.get("redis", "/")
    assert response.status == 404
    assert response.header("alt-svc") is None
    assert_common(response)


@pytest.mark.parametrize("path", ["/ping", "/healthz"])
def test_health(gateway, path):
    response = gateway.get("redis", path)
    assert (response.status, response.body) == (200, b"OK\n")
    assert response.header("content-type").startswith("text/plain")
    head = gateway.get("redis", path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    response = gateway.get("redis", path, method="POST")
    assert (response.status, response.body) == (405, b"Method Not Allowed\n")
    assert response.header("content-type").startswith("text/plain")


def test_health_with_credentials_and_on_any_host(gateway, token):
    for name in ("redis", "unknown", "dead"):
        assert gateway.get(name, "/healthz", [("Authorization", f"Bearer Pomerium-{token}")]).status == 200


LOGIN = "/.pomerium/api/v1/login"


@pytest.mark.parametrize("name", ["redis", "unknown"])
def test_login_api(gateway, name):
    response = gateway.get(name, f"{LOGIN}?pomerium_redirect_uri=http%3A%2F%2Flocalhost%3A1")
    assert response.status == 200
    assert response.header("content-type") == "text/plain; charset=utf-8"
    assert response.text.startswith(f"https://{host(name)}:{gateway.port}/.pomerium/sign_in?")
    assert not response.text.endswith("\n")


def test_login_api_refusals(gateway):
    response = gateway.get("redis", LOGIN, method="POST")
    assert (response.status, response.body) == (405, b"Method Not Allowed\n")
    response = gateway.get("redis", LOGIN)
    assert (response.status, response.body) == (404, b"Not Found\n")
    bad = f"{LOGIN}?pomerium_redirect_uri=http%3A%2F%2Fevil.example.com"
    response = gateway.get("redis", bad, JSON)
    assert response.status == 400
    assert response.header("content-type") == "application/json"
    assert response.header("x-content-type-options") == "nosniff"
    assert response.header("x-pomerium-intercepted-response") == "true"
    assert json.loads(response.text) == {"Status": 400, "RequestID": response.header("x-request-id")}
    assert response.text.endswith("}\n")
    response = gateway.get("redis", bad)
    assert (response.status, response.header("content-type")) == (400, HTML)


def test_other_api_paths(gateway):
    for path in ("/.pomerium/api/v1/nothing", "/.pomerium/api/", f"{LOGIN}/"):
        response = gateway.get("redis", path)
        assert (response.status, response.body) == (404, b"Not Found\n"), path


def test_paths_that_differ_by_a_slash(gateway):
    for path, target in [("/.pomerium", "/.pomerium/"), ("/.pomerium/sign_out/", "/.pomerium/sign_out")]:
        response = gateway.get("redis", path)
        assert response.status == 301, path
        assert response.header("location").endswith(target)


def test_well_known(gateway):
    for path in ("/.well-known/pomerium", "/.well-known/pomerium/"):
        response = gateway.get("redis", path)
        if response.status == 301:
            continue
        authority = f"{host('redis')}:{gateway.port}"
        assert response.status == 200
        assert response.header("content-type") == "application/json"
        assert response.header("x-content-type-options") == "nosniff"
        assert response.text.count("\n") == 1 and response.text.endswith("}\n")
        document = json.loads(response.text)
        assert document["issuer"] == f"https://{authority}/"
        assert document["frontchannel_logout_uri"] == f"https://{authority}/.pomerium/sign_out"
        assert document["authentication_callback_endpoint"] == f"https://{authority}/oauth2/callback"


def test_several_requests_on_one_connection(gateway):
    from lib.net import request_bytes

    authority = f"{host('redis')}:{gateway.port}"
    with gateway.open("redis") as connection:
        ids = set()
        for path in ["/ping", "/", "/.pomerium/", "/ping"]:
            ids.add(connection.ask(request_bytes("GET", path, authority)).header("x-request-id"))
        assert len(ids) == 4
        connection.send(request_bytes("GET", "/ping", authority) * 20)
        assert [connection.read_response().body for _ in range(20)] == [b"OK\n"] * 20


def test_an_id_sent_by_the_client_is_replaced(gateway):
    sent = "0f2d6a1e-7b2c-4c52-9e0e-0d9a5d1f7c11"
    response = gateway.get("redis", "/ping", [("X-Request-Id", sent)])
    assert response.header("x-request-id") != sent
