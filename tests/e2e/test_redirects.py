"""Redirects that would lead elsewhere, addresses used for what they were not signed for, other people's state, odd cookies."""

import itertools
import time
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from lib.gateway import DOMAIN, SHARED_KEY, host, tcp_route
from lib.hostile import CLI, HostileProvider, has_session, log_in
from lib.idp import AUTHENTICATE, Place
from lib.login import REDIRECTS, Browser, sign_in_url
from lib.net import request_bytes
from lib.tokens import make_token, sign_url
from lib.users import DEMO

EVIL = "evil.example.com"

PAYLOADS = [
    f"https://{EVIL}/", f"http://{EVIL}/", f"//{EVIL}/", f"///{EVIL}/", f"/\\{EVIL}/", f"\\\\{EVIL}/", f"https:{EVIL}/",
    f"https:/{EVIL}/", f"https:\\\\{EVIL}/", f"https://{EVIL}\\@{host('redis')}/", f"https://{host('redis')}@{EVIL}/",
    f"https://{host('redis')}:80@{EVIL}/", f"https://{EVIL}#@{host('redis')}/", f"https://{EVIL}?@{host('redis')}/",
    f"https://{host('redis')}.{EVIL}/", f"https://{EVIL}%2f@{host('redis')}/", f"http://127.0.0.1@{EVIL}/",
    f"http://localhost.{EVIL}/", f"http://127.0.0.1.{EVIL}/", f"\thttps://{EVIL}/", f" https://{EVIL}/",
    f"ht\ttps://{EVIL}/", f"/\t/{EVIL}/", f"/\r\n/{EVIL}/", f"https://{host('redis')}/\r\nLocation: https://{EVIL}/",
    f"https://{host('redis')}/\r\n\r\n<script>", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x",
    "file:///etc/passwd", f"ftp://{EVIL}/", f"https://{EVIL}\0.{DOMAIN}/", f"https://{EVIL}。/", "https://", "//", "\\",
    "https://[::1", f"https://[{EVIL}]/", "", "x" * 9000,
]


@pytest.fixture(scope="module")
def idp(certificate):
    idp = HostileProvider(certificate)
    yield idp
    idp.stop()


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, authority, idp, redis):
    return make_shared_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **Place().settings(idp.issuer, authority.ca))


@pytest.fixture(scope="module")
def local(make_shared_gateway, redis):
    return make_shared_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]))


def where_a_browser_goes(location, base):
    """The host, by the rules browsers have and not by ours: tabs and line breaks vanish, a backslash is a slash."""
    text = location.strip(" \t\r\n").translate({9: None, 10: None, 13: None}).replace("\\", "/")
    scheme = text.partition(":")[0].lower() if ":" in text.partition("/")[0] else ""
    if scheme and scheme not in ("http", "https"):
        return scheme + ":"
    if scheme:
        text = scheme + "://" + text.partition(":")[2].lstrip("/")
    elif text.startswith("//"):
        text = "https://" + text.lstrip("/")
    else:
        return urlsplit(base).hostname
    return (urlsplit(text.partition("?")[0].partition("#")[0]).hostname or "").rstrip(".")


def is_ours(name):
    return name in ("localhost", "127.0.0.1", "::1", DOMAIN) or name.endswith(f".{DOMAIN}")


def walk(browser, page, limit=12):
    """Follows every redirect, and makes sure that none leaves our hosts, or carries more than an address."""
    for _ in range(limit):
        assert not page.all("x") and "<script" not in page.text
        assert all("\r" not in value and "\n" not in value for _, value in page.headers)
        location = page.header("location")
        if location is None:
            return page
        assert is_ours(where_a_browser_goes(location, page.url)), f"{page.url} leads to {location!r}"
        if page.location.startswith("http:") or page.status not in REDIRECTS:
            return page
        page = browser.get(page.location)
    raise AssertionError(f"more than {limit} redirects")


def address(gateway, name, path, **params):
    base = f"https://{name}:{gateway.port}{path}"
    return f"{base}?{urlencode(params)}" if params else base


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda text: ascii(text)[:50])
def test_redirect_parameters(gateway, payload):
    browser = Browser(gateway.ca)
    redirect = {"pomerium_redirect_uri": payload}
    plain = [
        address(gateway, host("redis"), "/.pomerium/api/v1/login", **redirect),
        address(gateway, host("redis"), "/.pomerium/sign_out", **redirect),
        address(gateway, AUTHENTICATE, "/.pomerium/sign_out", **redirect),
        address(gateway, AUTHENTICATE, "/.pomerium/sign_in", **redirect),
        address(gateway, AUTHENTICATE, "/.pomerium/signed_out", **redirect),
        address(gateway, host("redis"), "/.pomerium/callback/", **redirect),
        address(gateway, AUTHENTICATE, "/oauth2/callback", redirect_uri=payload, state=payload, code=payload),
    ]
    for url in plain:
        walk(browser, browser.get(url))
    # A signature, if somebody could get one over it, does not change what these do.
    for name in (AUTHENTICATE, host("redis")):
        walk(browser, browser.get(sign_url(SHARED_KEY, address(gateway, name, "/.pomerium/sign_out", **redirect))))
    # Nor does what is signed for anybody who asks.
    answer = gateway.get("redis", "/.pomerium/api/v1/login?" + urlencode(redirect))
    assert answer.status in (400, 404) and b"pomerium_signature" not in answer.body


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda text: ascii(text)[:50])
def test_where_the_form_of_local_users_leads(local, payload):
    browser = Browser(local.ca)
    form = browser.open_login(sign_in_url(local, "redis", CLI))
    page = walk(browser, browser.submit(form, email=DEMO.email, password=DEMO.password, next=payload))
    assert "pomerium_jwt" not in (page.location or "")


@pytest.mark.parametrize("path", [
    "//evil.example.com", "/\\evil.example.com", "/%2f/evil.example.com", "/%5cevil.example.com/", "/.pomerium//evil.example.com/",
    "//evil.example.com/.pomerium", "/.pomerium/%0d%0aX:%20y",
])
def test_paths_that_look_like_hosts(gateway, path):
    for name in (host("redis"), AUTHENTICATE):
        browser = Browser(gateway.ca)
        walk(browser, browser.get(f"https://{name}:{gateway.port}{path}"))


# ---- addresses for one purpose only ----

def test_an_address_signed_for_something_else(gateway):
    """The signature is over path and host: no address opens another door."""
    params = {"pomerium_redirect_uri": CLI, "pomerium_programmatic": "true"}
    paths = ["/.pomerium/sign_in", "/.pomerium/sign_out", "/.pomerium/callback/", "/.pomerium/device", "/oauth2/callback"]
    browser, _ = log_in(gateway)
    session = dict(browser.cookies[AUTHENTICATE])
    for path, other in itertools.permutations(paths, 2):
        url = sign_url(SHARED_KEY, address(gateway, AUTHENTICATE, path, **params)).replace(path, other, 1)
        for method in ("GET", "POST"):
            page = browser.request(method, url, b"" if method == "POST" else None)
            assert page.status not in REDIRECTS, f"{path} at {other}: {page.status}"
            assert "pomerium_jwt" not in page.text
    assert browser.cookies[AUTHENTICATE] == session
    assert gateway.connect("redis", token=browser.cookies[host("redis")]["_pomerium"]).status == 200


@pytest.mark.parametrize("age", [-100, 400, 100_000])
def test_an_address_out_of_its_time(gateway, age):
    url = address(gateway, AUTHENTICATE, "/.pomerium/sign_in", pomerium_redirect_uri=CLI)
    page = Browser(gateway.ca).get(sign_url(SHARED_KEY, url, issued=int(time.time()) - age))
    assert page.status == 400


# ---- state ----

def begin(gateway):
    """A browser in the middle of a login, and the address the provider would send it to."""
    browser = Browser(gateway.ca)
    callback = f"https://{AUTHENTICATE}:{gateway.port}/oauth2/callback"
    page = browser.follow(browser.get(sign_in_url(gateway, "redis", CLI)), stop_at=callback)
    return browser, page.location


def test_the_state_of_another_browser(gateway):
    """Else anybody could have somebody else logged in as himself."""
    attacker, url = begin(gateway)
    for victim in (Browser(gateway.ca), begin(gateway)[0], log_in(gateway)[0]):
        before = victim.cookies.get(AUTHENTICATE, {}).get("_pomerium_authenticate")
        page = victim.get(url)
        assert page.status == 400 and page.header("x-pomerium-reason")
        assert victim.cookies.get(AUTHENTICATE, {}).get("_pomerium_authenticate") in (None, before)
    assert attacker.get(url).status in REDIRECTS


@pytest.mark.parametrize("change", [
    lambda state: state[:-4] + ("AAAA" if state[-4:] != "AAAA" else "BBBB"), lambda state: state[:-1],
    lambda state: state[::-1], lambda state: "A" + state[1:], lambda state: state + "A", lambda state: state + "=",
    lambda state: state.swapcase(),
])
def test_a_changed_state(gateway, change):
    browser, url = begin(gateway)
    base, _, query = url.partition("?")
    values = dict(parse_qsl(query))
    page = browser.get(f"{base}?" + urlencode({**values, "state": change(values["state"])}))
    assert page.status == 400
    assert not has_session(browser)


def test_cookies_of_a_login_that_were_exchanged(gateway):
    """State, code and cookie belong together."""
    (first, first_url), (second, second_url) = begin(gateway), begin(gateway)
    jars = first.cookies[AUTHENTICATE], second.cookies[AUTHENTICATE]
    values = [next(value for name, value in jar.items() if "_pkce_" in name) for jar in jars]
    for jar, value in zip(jars, reversed(values)):
        for name in list(jar):
            if "_pkce_" in name:
                jar[name] = value
    for browser, url in ((first, first_url), (second, second_url)):
        assert browser.get(url).status >= 400
        assert not has_session(browser)


# ---- cookies ----

NAMES = ["_pomerium", "_pomerium_authenticate", "_pomerium_csrf", "_pomerium_pkce_" + "A" * 22]
WHERE = [(host("redis"), "/.pomerium/user"), (host("redis"), "/.pomerium/"), (host("redis"), "/.pomerium/sign_out"),
         (AUTHENTICATE, "/oauth2/callback?code=x&state=y"), (AUTHENTICATE, "/.pomerium/sign_out")]


@pytest.mark.parametrize("value", [
    "", "a", "=", "\"", "a\"b", ".", "..", "...", "e30.e30.e30", "A" * 4096, "A" * 16_000, "A." * 20_000, "\x7f", "\xff\xfe",
    "%00", "; ;;", ",,,", make_token(SHARED_KEY, {}), make_token(SHARED_KEY, {"jti": "x" * 5000}),
    make_token(SHARED_KEY, {"jti": "\0"}), make_token(SHARED_KEY, {"jti": ["a"]}),
], ids=lambda value: ascii(value)[:30])
def test_cookies_of_any_kind(gateway, value):
    for name, path in WHERE:
        for cookie in NAMES:
            with gateway.open() as connection:
                answer = connection.ask(request_bytes(
                    "GET", path, f"{name}:{gateway.port}",
                    [("Cookie", f"{cookie}={value}"), ("Accept", "text/html")]))
            assert answer.status < 500, f"{cookie} at {path}: {answer.status}"
            assert DEMO.email not in answer.text
    assert gateway.connect("redis", headers=[("Cookie", f"_pomerium={value}")]).status in (302, 400, 401, 431)
    assert gateway.is_serving()


@pytest.mark.parametrize("count", [50, 1000, 3000])
def test_very_many_cookies(gateway, count):
    many = "; ".join(f"{name}{n}=v" for n in range(count // 2) for name in ("_pomerium_pkce_", "c"))
    answer = gateway.get("redis", "/.pomerium/", [("Cookie", many)])
    assert answer.status in (200, 400, 431)
    assert gateway.is_serving()


def test_a_header_for_a_host_nobody_has(gateway):
    """The address that is signed names the host that was asked for, and nothing is delivered to a strange one."""
    for strange in (EVIL, f"{EVIL}:443", f"{host('redis')}.{EVIL}"):
        with gateway.open() as connection:
            answer = connection.ask(request_bytes(
                "GET", "/.pomerium/api/v1/login?pomerium_redirect_uri=" + quote(CLI, safe=""), strange))
        if answer.status == 200:
            browser = Browser(gateway.ca)
            walk(browser, browser.get(answer.text))
