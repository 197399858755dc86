"""The login by plain HTTP requests: the form, what protects it, and what a login gives."""

import re
import time
from urllib.parse import quote, urlencode, urlsplit

import pytest

from lib.gateway import SHARED_KEY, host, tcp_route
from lib.login import Browser, obtain_token, sign_in_url
from lib.process import eventually
from lib.tokens import is_signed, parameters, sign_url, token_claims, token_header_text, token_is_signed
from lib.users import ALICE, DEMO, MALLORY, User

CLI = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def shared(make_shared_gateway, redis):
    return make_shared_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True))


@pytest.fixture
def own(make_gateway, redis):
    """For tests that upset the guard against guessing, or sign out."""
    return make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True))


def log_in(gateway, user, browser=None):
    browser = browser or Browser(gateway.ca)
    return browser.log_in(sign_in_url(gateway, "redis", CLI), user, stop_at=CLI)


def fill_form(gateway, browser=None, **fields):
    """The answer to a form sent with these fields."""
    browser = browser or Browser(gateway.ca)
    form = browser.open_login(sign_in_url(gateway, "redis", CLI))
    return browser.submit(form, **fields)


def set_no_session(page):
    return not any(line.startswith("_pomerium=") for line in page.all("set-cookie"))


# ---- the form ----

def test_the_form(shared):
    page = Browser(shared.ca).open_login(sign_in_url(shared, "redis"))
    method, action, fields = page.form()
    assert page.status == 200 and page.header("content-type").lower() == "text/html; charset=utf-8"
    assert urlsplit(page.url).path == "/.pomerium/local/sign_in"
    assert (method, urlsplit(action).path) == ("post", "/.pomerium/local/sign_in")
    assert {"email", "password", "csrf", "next"} <= fields.keys()
    assert "<script" not in page.text.lower()
    assert "type=\"password\"" in page.text


def test_the_form_is_kept_out_of_frames_and_caches(shared):
    page = Browser(shared.ca).open_login(sign_in_url(shared, "redis"))
    policy = page.header("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy or page.header("x-frame-options") in ("DENY", "SAMEORIGIN")
    assert "no-" in page.header("cache-control")


def test_a_login_with_strange_characters(shared):
    assert log_in(shared, ALICE).status == 302


def test_e_mail_without_regard_to_case(shared):
    assert log_in(shared, User(DEMO.email.upper(), DEMO.password)).status == 302


@pytest.mark.parametrize("csrf", [None, "", "wrong", "A" * 43, "A" * 5000])
def test_csrf_token_missing_or_wrong(shared, csrf):
    browser = Browser(shared.ca)
    form = browser.open_login(sign_in_url(shared, "redis", CLI))
    _, action, fields = form.form()
    fields.update(email=DEMO.email, password=DEMO.password, csrf=csrf)
    body = urlencode({name: value for name, value in fields.items() if value is not None}).encode()
    page = browser.request("POST", action, body)
    assert page.status in (400, 403)
    assert set_no_session(page)


def test_csrf_token_of_another_browser(shared):
    form = Browser(shared.ca).open_login(sign_in_url(shared, "redis", CLI))
    other = Browser(shared.ca)
    other.open_login(sign_in_url(shared, "redis", CLI))
    page = other.submit(form, email=DEMO.email, password=DEMO.password)
    assert page.status in (400, 403)
    assert set_no_session(page)


def test_csrf_without_a_cookie(shared):
    form = Browser(shared.ca).open_login(sign_in_url(shared, "redis", CLI))
    page = Browser(shared.ca).submit(form, email=DEMO.email, password=DEMO.password)
    assert page.status in (400, 403)


@pytest.mark.parametrize("email, password", [
    (DEMO.email, "wrong"), (DEMO.email, ""), ("nobody@example.com", DEMO.password), ("", ""), ("x" * 300, "y" * 2000),
    ("<script>alert(1)</script>@x", "x"),
])
def test_wrong_password(own, email, password):
    page = fill_form(own, email=email, password=password)
    assert page.status in (400, 401, 403)
    assert set_no_session(page)
    assert "<script" not in page.text
    page.form()  # the form again


def test_known_and_unknown_addresses_are_answered_alike(own):
    known = fill_form(own, email=DEMO.email, password="wrong")
    unknown = fill_form(own, email="nobody@example.com", password="wrong")
    assert known.status == unknown.status

    def without_what_differs(page):
        fields = page.form()[2]
        text = page.text
        for value in (DEMO.email, "nobody@example.com", fields["csrf"]):
            text = text.replace(value, "")
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", text)
        return re.sub(r'name="next"[^>]*', "", text)

    assert without_what_differs(known) == without_what_differs(unknown)


@pytest.mark.parametrize("body", [b"", b"&&&", b"%zz=%", b"email=a", b"x" * 10000, b"email=%00&password=%ff&csrf=&next="])
def test_a_form_that_is_none(own, body):
    url = own.url("redis", "/.pomerium/local/sign_in")
    page = Browser(own.ca).request("POST", url, body)
    assert page.status in (400, 403, 413)
    assert own.is_serving()


def test_guessing_is_slowed(own):
    def guess():
        return fill_form(own, email=DEMO.email, password="wrong")

    statuses = []
    while 429 not in statuses and len(statuses) < 12:
        statuses.append(guess().status)
    assert 4 <= statuses.index(429), statuses
    # Each further guess doubles the time, until there is enough of it to be seen.
    page = eventually(
        lambda: (slowed := guess()).status == 429 and int(slowed.header("retry-after")) >= 4 and slowed,
        "a delay of some seconds", 60)
    assert int(page.header("retry-after")) <= 300
    # Not even the right password is looked at until then.
    page = fill_form(own, email=DEMO.email, password=DEMO.password)
    assert page.status == 429 and set_no_session(page)


def test_many_guesses_at_once_are_slowed(own):
    from concurrent.futures import ThreadPoolExecutor

    def guess(number):
        return fill_form(own, email=DEMO.email, password=f"guess {number}").status

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(guess, range(20)))
    assert statuses.count(429) >= 10, statuses
    assert own.is_serving()


# ---- signed addresses ----

def test_the_login_api_signs_what_it_was_asked(shared):
    url = sign_in_url(shared, "redis", "http://127.0.0.1:45678")
    values = parameters(url)
    authority = f"{host('redis')}:{shared.port}"
    assert url.startswith(f"https://{authority}/.pomerium/sign_in?")
    assert is_signed(SHARED_KEY, url)
    assert values["pomerium_redirect_uri"] == "http://127.0.0.1:45678"
    assert values["pomerium_programmatic"] == "true"
    assert values["pomerium_callback_uri"] == (
        f"https://{authority}/.pomerium/callback/?pomerium_redirect_uri=http%3A%2F%2F127.0.0.1%3A45678"
    )
    assert int(values["pomerium_expiry"]) - int(values["pomerium_issued"]) == 300
    assert abs(int(values["pomerium_issued"]) - time.time()) < 30


@pytest.mark.parametrize("redirect", [
    "http://evil.example.com/", "https://evil.example.com:443/x", "http://127.0.0.1.evil.example.com/",
    "http://localhost.evil.example.com/", "http://localhost@evil.example.com/", "http://evil.example.com#@localhost/",
    "http://evil.example.com\\@localhost/", "//evil.example.com/", "javascript:alert(1)", "ftp://localhost/", "",
    "http://", "http:///x", "/x", "localhost", "http://[::1", "http://localhost\r\nx: y/", "data:text/html,x",
    "http://LOCALHOST.evil.com/",
])
def test_open_redirects_are_refused(shared, redirect):
    response = shared.get("redis", "/.pomerium/api/v1/login?pomerium_redirect_uri=" + quote(redirect, safe=""))
    assert response.status == 400
    assert b"pomerium_signature" not in response.body


@pytest.mark.parametrize("redirect", ["http://localhost:1/", "http://127.0.0.1:1", "http://127.9.8.7/", "http://[::1]:80/x"])
def test_loopback_is_allowed(shared, redirect):
    assert sign_in_url(shared, "redis", redirect)


def tamperings(url):
    values = parameters(url)
    yield "no signature", url.rpartition("&pomerium_signature")[0]
    yield "other signature", url[:-6] + ("AAAA" if url[-6:-2] != "AAAA" else "BBBB") + url[-2:]
    yield "empty signature", url.rpartition("=")[0]
    yield "signature is no base64", url + "!!!"
    yield "other redirect", url.replace(quote(CLI, safe=""), quote("http://127.0.0.1:2", safe=""))
    yield "later expiry", url.replace(values["pomerium_expiry"], str(int(values["pomerium_expiry"]) + 1))
    yield "expiry is no number", url.replace(values["pomerium_expiry"], "soon")
    yield "another parameter", url + "&x=y"
    yield "a parameter twice", url + "&pomerium_redirect_uri=http%3A%2F%2F127.0.0.1%3A2"
    yield "not programmatic any more", url.replace("pomerium_programmatic=true", "pomerium_programmatic=false")
    yield "other key", sign_url(b"x" * 32, url.partition("?")[0] + "?pomerium_redirect_uri=http%3A%2F%2F127.0.0.1")
    yield "no parameters", url.partition("?")[0]
    yield "other path", url.replace("/.pomerium/sign_in", "/.pomerium/callback/")


def test_tampered_addresses(shared):
    url = sign_in_url(shared, "redis", CLI)
    for what, bad in tamperings(url):
        page = Browser(shared.ca).get(bad)
        assert page.status == 400, f"{what}: {page.status}"
        assert set_no_session(page), what


def unsigned(url):
    return re.sub(r"&?pomerium_(issued|expiry|signature)=[^&]*", "", url)


@pytest.mark.parametrize("age, is_good", [(0, True), (300, True), (355, True), (370, False), (-55, True), (-70, False)])
def test_time_of_a_signed_address(shared, age, is_good):
    url = sign_url(SHARED_KEY, unsigned(sign_in_url(shared, "redis", CLI)), issued=int(time.time()) - age)
    page = Browser(shared.ca).get(url)
    assert (page.status != 400) == is_good


def test_parameter_order_and_escaping_do_not_matter(shared):
    base, _, query = sign_in_url(shared, "redis", CLI).partition("?")
    shuffled = "&".join(reversed(query.split("&"))).replace("%3A", ":").replace("-", "%2d")
    assert Browser(shared.ca).get(f"{base}?{shuffled}").status != 400


def test_an_address_signed_for_another_host(shared):
    url = sign_in_url(shared, "redis", CLI).replace(host("redis"), host("other"), 1)
    assert Browser(shared.ca).get(url).status == 400


@pytest.mark.parametrize("sealed", ["", "AAAA", "A" * 64, "!!!", "A" * 20000])
def test_a_callback_with_a_session_that_cannot_be_opened(shared, sealed):
    base = shared.url("redis", "/.pomerium/callback/")
    url = sign_url(SHARED_KEY, f"{base}?" + urlencode(
        {"pomerium_redirect_uri": CLI, "pomerium_session_encrypted": sealed, "pomerium_programmatic": "true"}
    ))
    page = Browser(shared.ca).get(url)
    assert 400 <= page.status < 500
    assert set_no_session(page)


# ---- what a login gives ----

def test_token(shared):
    token = obtain_token(shared, "redis", DEMO)
    claims = token_claims(token)
    assert token_header_text(token) == '{"alg":"HS256","typ":"JWT"}'
    assert token_is_signed(SHARED_KEY, token)
    assert list(claims) == sorted(claims)
    assert {"aud", "databroker_record_version", "databroker_server_version", "iat", "idp_id", "iss", "jti",
            "sub"} == claims.keys()
    authority = f"{host('redis')}:{shared.port}"
    assert claims["aud"] == [authority, "127.0.0.1:1", authority] or claims["aud"][1:] == ["127.0.0.1:1", authority]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", claims["jti"])
    assert abs(claims["iat"] - time.time()) < 30


def test_session_cookie(shared):
    browser = Browser(shared.ca)
    page = log_in(shared, DEMO, browser)
    cookie = next(line for line in page.all("set-cookie") if line.startswith("_pomerium="))
    match = re.fullmatch(
        r"_pomerium=([\w.-]+); Path=/; Expires=(\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT); HttpOnly; Secure", cookie
    )
    assert match, cookie
    assert token_is_signed(SHARED_KEY, match[1])
    expires = time.strptime(match[2], "%a, %d %b %Y %H:%M:%S GMT")
    import calendar

    assert abs(calendar.timegm(expires) - time.time() - 14 * 3600) < 60


def test_every_cookie_is_protected(shared):
    browser = Browser(shared.ca)
    page = browser.get(sign_in_url(shared, "redis", CLI))
    lines = list(page.all("set-cookie"))
    while page.status in (302, 303):
        page = browser.get(page.location)
        lines += page.all("set-cookie")
    page = browser.submit(page, email=DEMO.email, password=DEMO.password)
    lines += page.all("set-cookie")
    while page.status in (302, 303) and not page.location.startswith(CLI):
        page = browser.get(page.location)
        lines += page.all("set-cookie")
    assert any(line.startswith("_pomerium_csrf=") for line in lines)
    assert any(line.startswith("_pomerium=") for line in lines)
    for line in lines:
        assert "; HttpOnly" in line and "; Secure" in line and "Domain" not in line, line


def test_cookie_works_on_a_connect(shared):
    token = obtain_token(shared, "redis", DEMO)
    assert shared.connect("redis", headers=[("Cookie", f"a=b; _pomerium={token}; c=d")]).status == 200


def test_a_second_login_in_the_same_browser_asks_nothing(shared):
    browser = Browser(shared.ca)
    log_in(shared, DEMO, browser)
    page = browser.follow(browser.get(sign_in_url(shared, "redis", CLI)), stop_at=CLI)
    assert page.status == 302 and "pomerium_jwt=" in page.location


def test_each_login_has_its_own_session(shared):
    ids = {token_claims(obtain_token(shared, "redis", user))["jti"] for user in (DEMO, DEMO, MALLORY)}
    assert len(ids) == 3


def test_who_am_i(shared):
    browser = Browser(shared.ca)
    url = shared.url("redis", "/.pomerium/")
    assert DEMO.email not in browser.get(url).text
    log_in(shared, DEMO, browser)
    page = browser.get(url)
    assert page.status == 200
    assert DEMO.email in page.text and DEMO.name in page.text and DEMO.groups[0] in page.text


def sign_out(gateway, browser):
    page = browser.follow(browser.get(gateway.url("redis", "/.pomerium/sign_out")))
    if "<form" in page.text:
        page = browser.follow(browser.submit(page))
    return page


def test_sign_out_ends_the_session_everywhere(own, make_client):
    client = make_client(own)
    assert client.pipe("redis", b"PING\r\nQUIT\r\n").stdout == "+PONG\r\n+OK\r\n"
    token = client.token_files()[0].read_text()
    assert own.connect("redis", token=token).status == 200

    browser = Browser(own.ca)
    browser.cookies[host("redis")] = {"_pomerium": token}
    assert sign_out(own, browser).status == 200
    assert "_pomerium" not in browser.cookies[host("redis")]

    response = own.connect("redis", token=token)
    assert (response.status, response.header("x-pomerium-reason")) == (401, "session-unknown")
    # The client notices, logs in again, and goes on.
    assert client.pipe("redis", b"PING\r\nQUIT\r\n").stdout == "+PONG\r\n+OK\r\n"
    assert client.visit_count() == 2


def test_sign_out_by_get_from_elsewhere_does_nothing_alone(own):
    """A picture on some page must not be able to sign anybody out."""
    token = obtain_token(own, "redis", DEMO)
    browser = Browser(own.ca)
    browser.cookies[host("redis")] = {"_pomerium": token}
    browser.follow(browser.get(own.url("redis", "/.pomerium/sign_out")))
    assert own.connect("redis", token=token).status == 200


def test_an_expired_session(make_gateway, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True), cookie_expire="2s")
    token = obtain_token(gateway, "redis", DEMO)
    refused = eventually(
        lambda: (response := gateway.connect("redis", token=token)).status == 401 and response,
        "the session expires", interval=0.1,
    )
    assert refused.header("x-pomerium-reason") in ("session-expired", "session-unknown")


def test_sessions_do_not_survive_another_secret(make_gateway, redis):
    import base64

    route = tcp_route("redis", redis.port, allow_any_authenticated_user=True)
    token = obtain_token(make_gateway(route), "redis", DEMO)
    other = make_gateway(route, shared_secret=base64.b64encode(b"y" * 32).decode())
    assert other.connect("redis", token=token).status == 401
