"""A provider that answers garbage, lies about itself, is slow or sends elsewhere: an error page, a reason, no session."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode

import pytest

from lib.gateway import host, tcp_route
from lib.hostile import CLI, HostileProvider, Key, assert_refused, b64, explanations, has_session, log_in
from lib.idp import AUTHENTICATE, Place
from lib.login import REDIRECTS, Browser, sign_in_url
from lib.process import eventually
from lib.users import DEMO


@pytest.fixture(scope="module")
def idp(certificate):
    idp = HostileProvider(certificate)
    yield idp
    idp.stop()


@pytest.fixture(scope="module")
def shared(make_shared_gateway, authority, idp, redis):
    """Has asked for discovery and keys before the lies begin."""
    idp.honest()
    gateway = make_shared_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **Place().settings(idp.issuer, authority.ca))
    assert log_in(gateway)[1].status == 302
    return gateway


@pytest.fixture
def fresh(make_gateway, authority, idp, redis):
    """Knows nothing of the provider yet."""
    return make_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **Place().settings(idp.issuer, authority.ca))


@pytest.fixture
def several(make_gateway, authority, certificate, redis):
    """Pairs of a gateway and a provider of its own, for what takes its time."""
    idps = []

    def make(count):
        idps.extend(HostileProvider(certificate) for _ in range(count))
        return [(make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
                              **Place().settings(idp.issuer, authority.ca)), idp) for idp in idps]

    yield make
    for idp in idps:
        idp.stop()


@pytest.fixture(autouse=True)
def honest_afterwards(idp):
    yield
    idp.honest()


GARBAGE = {
    "an error of the server": (500, b"oops", {"Content-Type": "text/plain"}),
    "nothing": (200, b"", {}),
    "a page": (200, b"<html>hello</html>", {"Content-Type": "text/html"}),
    "half a document": (200, b'{"issuer":', {}),
    "a list": (200, b"[]", {}),
    "invalid UTF-8": (200, b'{"access_token":"\xff","sub":"\xff"}', {}),
    "a refusal": (400, b'{"error":"invalid_grant","error_description":"<script>\\u0000"}', {}),
    "not found": (404, b"", {}),
    "very much": (200, b'{"x":"' + b"a" * 4_000_000 + b'"}', {}),
    "very deep": (200, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_token_endpoint(shared, idp, what):
    idp.replies["/token"] = GARBAGE[what]
    assert_refused(shared)


@pytest.mark.parametrize("what", GARBAGE)
def test_userinfo_endpoint(shared, idp, what):
    idp.replies["/me"] = GARBAGE[what]
    assert_refused(shared)


@pytest.mark.parametrize("changes", [
    {"access_token": None}, {"access_token": 7}, {"access_token": ""}, {"id_token": None}, {"id_token": ""},
    {"expires_in": "soon"}, {"expires_in": -5}, {"access_token": "with\r\nline: breaks"}, {"access_token": "x" * 100_000},
], ids=str)
def test_token_response(shared, idp, changes):
    idp.tokens = changes
    assert_refused(shared)


def test_userinfo_of_somebody_else(shared, idp):
    idp.profile = {"sub": "id-of-alice"}
    assert_refused(shared)


def test_userinfo_of_nobody(shared, idp):
    idp.profile = {"sub": None}
    assert_refused(shared)


def test_userinfo_that_is_signed(shared, idp):
    """Some providers can; they are told to send plain JSON, and what comes nevertheless is not taken."""
    idp.replies["/me"] = (200, idp.id_token("n").encode(), {"Content-Type": "application/jwt"})
    assert_refused(shared)


def test_no_userinfo_endpoint(fresh, idp):
    """Not a lie: then the id_token has to do."""
    idp.metadata = {"userinfo_endpoint": None}
    browser, page = log_in(fresh)
    assert page.status == 302 and has_session(browser)
    assert fresh.connect("redis", token=browser.cookies[host("redis")]["_pomerium"]).status == 200
    assert "/me" not in idp.paths()


ADDRESSES = {
    "not verified": {"email_verified": False},
    "not verified, as text": {"email_verified": "false"},
    "two of them": {"email": "demo@example.com@evil.example.com"},
    "two of them in a row": {"email": "demo@example.com, evil@example.com"},
    "a line break": {"email": "demo@example.com\r\nx: y"},
    "a NUL": {"email": "demo@example.com\0"},
    "a blank": {"email": " demo@example.com"},
    "only a name": {"email": "demo"},
    "a list of two": {"email": ["evil@example.com", "demo@example.com"]},
    "with a display name": {"email": "Demo <demo@example.com>"},
}


@pytest.mark.parametrize("what", ADDRESSES)
def test_an_address_that_is_none_opens_nothing(shared, idp, what):
    idp.claims = idp.profile = ADDRESSES[what]
    count = len(shared.log.find("authorize check", method="CONNECT"))
    browser, page = log_in(shared)
    if page.status == 302:
        token = browser.cookies[host("redis")]["_pomerium"]
        assert shared.connect("redis", token=token).status == 403
        check = eventually(lambda: shared.log.find("authorize check", method="CONNECT")[count:], "the decision is logged")
        assert not check[0].get("email") and check[0]["allow"] is False
    else:
        assert 400 <= page.status < 600 and not has_session(browser)


def test_a_name_of_markup_stays_text(shared, idp):
    idp.claims = idp.profile = {"name": "<script>alert(1)</script>\u202e\u0007"}
    browser, page = log_in(shared)
    assert page.status == 302
    text = browser.get(shared.url("redis", "/.pomerium/")).text
    assert "<script>" not in text and "&lt;script&gt;" in text


# ---- discovery and keys ----

@pytest.mark.parametrize("what", [what for what in GARBAGE if what != "a refusal"])
def test_discovery_is_garbage(fresh, idp, what):
    idp.replies["/.well-known/openid-configuration"] = GARBAGE[what]
    assert_refused(fresh)


METADATA = {
    "another issuer": {"issuer": "https://other.example.com"},
    "no issuer": {"issuer": None},
    "an issuer with a slash more": {"issuer": "{issuer}/"},
    "no authorization endpoint": {"authorization_endpoint": None},
    "no token endpoint": {"token_endpoint": None},
    "no keys": {"jwks_uri": None},
    "keys over plain http": {"jwks_uri": "http://127.0.0.1:1/jwks"},
    "tokens over plain http": {"token_endpoint": "http://127.0.0.1:1/token"},
    "a file": {"jwks_uri": "file:///etc/passwd"},
    "an endpoint with a password": {"token_endpoint": "https://user:password@127.0.0.1:1/token"},
    "an endpoint that is a script": {"authorization_endpoint": "javascript:alert(1)"},
    "an endpoint with a line break": {"authorization_endpoint": "https://127.0.0.1/\r\nSet-Cookie: a=b"},
    "an endpoint that is a number": {"token_endpoint": 7},
    "only HMAC": {"id_token_signing_alg_values_supported": ["HS256", "none"]},
}


@pytest.mark.parametrize("what", METADATA)
def test_discovery_lies(fresh, idp, what):
    idp.metadata = {
        name: value.format(issuer=idp.issuer) if isinstance(value, str) else value
        for name, value in METADATA[what].items()
    }
    assert_refused(fresh)


KEYS = {
    "none": [],
    "a secret": [{"kty": "oct", "k": b64(b"x" * 32), "kid": "key-1", "alg": "HS256"}],
    "for encryption": [Key().jwk(use="enc")],
    "a point that is not on the curve": [Key().jwk(x=b64(b"\1" * 32))],
    "another curve": [Key().jwk(crv="P-384")],
    "no numbers": [{"kty": "EC", "kid": "key-1"}],
    "very many": [Key(f"key-{number}").jwk() for number in range(200)],
    "a list": [[], 7, None, "key"],
}


@pytest.mark.parametrize("what", KEYS)
def test_keys(fresh, idp, what):
    idp.keys = KEYS[what]
    assert_refused(fresh)


@pytest.mark.parametrize("what", ["an error of the server", "nothing", "a list", "very much", "very deep"])
def test_keys_are_garbage(fresh, idp, what):
    idp.replies["/jwks"] = GARBAGE[what]
    assert_refused(fresh)


def recover(gateway, idp, path):
    idp.replies[path] = GARBAGE["an error of the server"]
    assert_refused(gateway)
    idp.honest()
    eventually(lambda: log_in(gateway)[1].status == 302, f"logins work again after {path}", 20, 0.5)


def test_once_well_again_logins_work(several):
    """No restart, no wait of minutes."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(recover, *zip(*several(2)), ["/.well-known/openid-configuration", "/jwks"]))


def test_keys_are_not_asked_for_at_every_lie(shared, idp):
    """Tokens with keys nobody knows must not become a flood of requests to the provider."""
    idp.header = {"kid": "unknown"}
    for _ in range(10):
        log_in(shared)
    assert idp.paths().count("/token") == 10
    assert idp.paths().count("/jwks") <= 2


@pytest.fixture
def elsewhere(certificate):
    trap = HostileProvider(certificate)
    yield trap
    trap.stop()


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token", "/me"])
def test_redirected_elsewhere(fresh, idp, elsewhere, path):
    idp.redirect(path, f"{elsewhere.issuer}{path}")
    assert_refused(fresh)
    assert elsewhere.requests == []


# ---- slow ----

def try_slow(gateway, idp, path):
    """Nobody waits for ever, and nobody else waits at all."""
    idp.drip(path, 40)
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as other:
        login = other.submit(assert_refused, gateway, (502, 503, 504))
        while not login.done():
            asked = time.monotonic()
            assert gateway.is_serving() and time.monotonic() - asked < 3
            time.sleep(0.5)
        login.result()
    assert time.monotonic() - begun < 16, path


def test_slow(several):
    paths = ["/.well-known/openid-configuration", "/jwks", "/token", "/me"]
    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(try_slow, *zip(*several(len(paths))), paths))


# ---- the callback ----

def callback(gateway, browser=None, **changes):
    """Goes as far as the provider's redirect and changes its parameters."""
    browser = browser or Browser(gateway.ca)
    page = browser.follow(browser.get(sign_in_url(gateway, "redis", CLI)), stop_at=gateway_callback(gateway))
    base, _, query = page.location.partition("?")
    values = {**dict(parse_qsl(query)), **changes}
    return browser, browser.get(f"{base}?" + urlencode({name: value for name, value in values.items() if value is not None}))


def gateway_callback(gateway):
    return f"https://{AUTHENTICATE}:{gateway.port}/oauth2/callback"


@pytest.mark.parametrize("error, status", [
    ("access_denied", 401), ("unauthorized_client", 401), ("server_error", 400), ("login_required", 400),
    ("<script>alert(1)</script>", 400), ("x" * 5000, 400), ("a\r\nb", 400),
])
def test_the_provider_says_no(shared, error, status):
    known = len(explanations(shared))
    browser, page = callback(shared, code=None, error=error, error_description="<script>alert(2)</script>")
    assert page.status == status and "<script" not in page.text
    assert not has_session(browser)
    said = eventually(lambda: explanations(shared)[known:], "a reason in the log")[0]
    assert len(said.text) < 1000


@pytest.mark.parametrize("changes", [
    {"code": None}, {"code": ""}, {"state": None}, {"state": ""}, {"state": "AAAA"}, {"state": "A" * 10000},
    {"state": "%00"}, {"iss": "https://other.example.com"}, {"code": "x" * 10000},
], ids=lambda changes: str(changes)[:40])
def test_callback_parameters(shared, changes):
    browser, page = callback(shared, **changes)
    assert 400 <= page.status < 600
    assert not has_session(browser)


def test_the_code_twice(shared):
    """The second use of a callback address, in the same browser, gives nothing new."""
    browser = Browser(shared.ca)
    page = browser.follow(browser.get(sign_in_url(shared, "redis", CLI)), stop_at=gateway_callback(shared))
    assert browser.get(page.location).status in REDIRECTS
    first = browser.cookies[AUTHENTICATE]["_pomerium_authenticate"]
    again = browser.get(page.location)
    assert again.status >= 400 or browser.cookies[AUTHENTICATE].get("_pomerium_authenticate") in (None, first)
