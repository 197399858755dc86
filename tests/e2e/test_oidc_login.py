"""Logins at a real OpenID provider: with our client, with a browser, with every algorithm; and what a login gives."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from lib.chromium import address_script, start_chromium, submit, wait_for_text
from lib.gateway import SHARED_KEY, host, tcp_route
from lib.idp import (AUTHENTICATE, CLI, CLIENT_ID, ProviderBrowser, World, client, log_in, obtain_token,
                     send_to_provider)
from lib.login import Browser, sign_in_url
from lib.process import eventually
from lib.tokens import token_claims, token_is_signed
from lib.users import ALICE, DEMO, MALLORY

PING = b"PING\r\nQUIT\r\n"
PONG = "+PONG\r\n+OK\r\n"
SECOND = "second client"


@pytest.fixture(scope="module")
def world(tmp_path_factory, authority, certificate):
    # A client of its own for some routes; its places are told after the world has chosen them.
    world = World(tmp_path_factory.mktemp("provider"), authority, certificate,
                  more_clients=lambda places: [client(places, SECOND, "another secret")])
    yield world
    world.stop()


@pytest.fixture(scope="module")
def gateway(world, make_shared_gateway, redis):
    return make_shared_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        tcp_route("groups", redis.port, allowed_groups=DEMO.groups),
        tcp_route("second", redis.port, allowed_users=[DEMO.email], idp_client_id=SECOND,
                  idp_client_secret="another secret"),
        {"from": f"tcp+https://{host('bare')}", "to": f"tcp://127.0.0.1:{redis.port}", "allowed_users": [DEMO.email],
         "idp_client_id": SECOND, "idp_client_secret": "another secret"},
        **world.settings(jwt_claims_headers=["email", "email_verified"]),
    )


@pytest.fixture
def provider(world):
    world.provider.reset_counts()
    return world.provider


@pytest.fixture
def chromium(tmp_path):
    driver = start_chromium(tmp_path)
    yield driver
    driver.quit()


# ---- the client ----

def test_the_whole_way_of_the_client(gateway, make_client):
    client = send_to_provider(make_client(gateway))
    for _ in range(2):
        assert client.pipe("redis", PING).stdout == PONG
    assert client.visit_count() == 1


def test_somebody_who_is_not_allowed(gateway, make_client):
    client = send_to_provider(make_client(gateway, MALLORY))
    refused = client.pipe("redis", PING)
    assert refused.returncode != 0 and refused.stdout == ""


def test_groups_of_the_provider_decide(gateway):
    assert gateway.connect("groups", token=obtain_token(gateway, "groups", DEMO)).status == 200
    assert gateway.connect("groups", token=obtain_token(gateway, "groups", ALICE)).status == 403


def test_login_of_the_client_in_chromium(chromium, gateway, make_client, tmp_path):
    """A person types the password, gives consent, and the waiting connection goes on."""
    opened = tmp_path / "opened"
    script = address_script(tmp_path / "note", opened)
    listener = make_client(gateway).listen("redis", browser=script)
    with listener.dial(60) as connection:
        connection.sendall(b"PING\r\n")
        eventually(opened.exists, "the client opens a browser")
        chromium.get(opened.read_text())
        wait_for_text(chromium, "Log in at the provider")
        submit(chromium, DEMO)
        wait_for_text(chromium, "May it know who you are?")
        submit(chromium)
        wait_for_text(chromium, "login complete, you may close this page")
        assert connection.recv(100) == b"+PONG\r\n"


def test_refused_consent_in_chromium(chromium, gateway):
    chromium.get(sign_in_url(gateway, "redis", CLI))
    submit(chromium, DEMO)
    wait_for_text(chromium, "May it know who you are?")
    chromium.find_element("link text", "Refuse").click()
    wait_for_text(chromium, "denied")
    assert chromium.get_cookie("_pomerium_authenticate") is None
    assert urlsplit(chromium.current_url).hostname == AUTHENTICATE


# ---- what is asked of the provider ----

def authorization(gateway, name="redis"):
    browser = ProviderBrowser(gateway.ca)
    page = browser.follow(browser.get(sign_in_url(gateway, name, CLI)), stop_at="https://idp.")
    return browser, page


def test_the_authorization_request(gateway, provider):
    _, page = authorization(gateway)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(page.location).query).items()}
    assert page.location.startswith(f"{provider.issuer}/auth?")
    assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
    assert asked["redirect_uri"] == f"https://{AUTHENTICATE}:{gateway.port}/oauth2/callback"
    assert set(asked["scope"].split()) == {"openid", "profile", "email", "offline_access"}
    assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 40 and len(asked["nonce"]) >= 20


def test_each_login_has_values_of_its_own(gateway):
    asked = [parse_qs(urlsplit(authorization(gateway)[1].location).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name], name


def test_cookies_of_a_login(gateway):
    browser = ProviderBrowser(gateway.ca)
    page = browser.get(sign_in_url(gateway, "redis", CLI))
    lines = page.all("set-cookie")
    assert any(line.startswith("_pomerium_pkce_") and "; Path=/oauth2/callback" in line for line in lines), lines
    assert all("; HttpOnly" in line and "; Secure" in line for line in lines), lines


def test_scopes_and_parameters_of_the_operator(make_gateway, world, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **world.settings(
        1, idp_scopes=["openid", "email"],
        idp_request_params={"prompt": "login", "max_age": "60", "state": "forged", "redirect_uri": "https://evil/"}))
    page = authorization(gateway)[1]
    asked = parse_qs(urlsplit(page.location).query)
    assert asked["scope"] == ["openid email"] and asked["prompt"] == ["login"] and asked["max_age"] == ["60"]
    assert len(asked["state"]) == len(asked["redirect_uri"]) == 1
    assert asked["state"] != ["forged"] and asked["redirect_uri"][0].startswith(f"https://{AUTHENTICATE}")


# ---- what a login gives ----

def test_claims_of_the_session(gateway):
    browser, page = log_in(gateway)
    assert page.status == 302
    about = json.loads(browser.get(gateway.url("redis", "/.pomerium/user")).text)
    token = token_claims(browser.cookies[host("redis")]["_pomerium"])
    assert about["email"] == DEMO.email and about["name"] == DEMO.name and about["groups"] == DEMO.groups
    assert about["sub"] == about["user"] == token["sub"] == "id-of-demo"
    assert about["sid"] == token["jti"]
    assert about["email_verified"] == "true"
    assert not about.keys() & {"iss", "aud", "exp", "iat", "jti"}


def test_the_session_token(gateway):
    token = obtain_token(gateway)
    claims = token_claims(token)
    assert token_is_signed(SHARED_KEY, token)
    assert claims["iss"].startswith(AUTHENTICATE) and claims["idp_id"] and claims["databroker_record_version"] > 0
    assert "exp" not in claims and len(token) < 1500


def test_who_am_i_without_a_session(gateway):
    page = Browser(gateway.ca).get(gateway.url("redis", "/.pomerium/user"), headers=[("Accept", "application/json")])
    assert page.status == 401


def test_a_second_login_asks_the_provider_nothing(gateway, provider):
    browser, _ = log_in(gateway)
    provider.reset_counts()
    assert obtain_token(gateway, "groups", DEMO, browser)
    assert provider.counts() == {}


def test_two_logins_at_once_in_one_browser(gateway):
    """Two tabs: both began before either ended, and both end well."""
    browser = ProviderBrowser(gateway.ca)
    first, second = (browser.follow(browser.get(sign_in_url(gateway, name, CLI)), stop_at="https://idp.").location
                     for name in ("redis", "groups"))
    for location in (first, second):
        page = browser.log_in(location, DEMO, stop_at=CLI)
        assert page.status == 302 and "pomerium_jwt=" in page.location, f"{page.status} {page.text[:300]}"


def test_two_logins_finishing_at_once(gateway):
    from concurrent.futures import ThreadPoolExecutor

    def token(_):
        return obtain_token(gateway)

    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(token, range(8)))
    assert len({token_claims(token)["jti"] for token in tokens}) == 8
    assert all(gateway.connect("redis", token=token).status == 200 for token in tokens)


# ---- a route with a client of its own ----

def test_a_route_with_a_client_of_its_own(gateway, make_client):
    client = send_to_provider(make_client(gateway))
    assert client.pipe("second", PING).stdout == PONG
    assert client.visit_count() == 1
    # A session of one client is none of the other.
    token = client.token_files()[0].read_text()
    assert gateway.connect("second", token=token).status == 200
    assert gateway.connect("redis", token=token).status == 401
    assert gateway.connect("second", token=obtain_token(gateway, "redis")).status == 401


def test_the_same_for_a_route_without_a_port(gateway, make_client):
    client = send_to_provider(make_client(gateway))
    assert client.pipe("bare", PING, port=6379).stdout == PONG
    assert client.visit_count() == 1


def test_it_is_that_client_the_provider_is_asked_as(gateway):
    page = authorization(gateway, "second")[1]
    assert parse_qs(urlsplit(page.location).query)["client_id"] == [SECOND]


# ---- other providers ----

@pytest.mark.parametrize("settings", [
    {"algorithms": ["RS256"]}, {"algorithms": ["PS256"]}, {"algorithms": ["EdDSA"]}, {"userinfo": False},
    {"refresh_tokens": False}, {"revocation": False, "end_session": False},
], ids=str)
def test_providers_that_differ(tmp_path, authority, certificate, make_gateway, redis, settings):
    world = World(tmp_path / "provider", authority, certificate, **settings)
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **world.settings())
    assert gateway.connect("redis", token=obtain_token(gateway)).status == 200
    world.stop()


def test_secret_in_the_body(tmp_path, authority, certificate, make_gateway, redis):
    """A client that is registered for client_secret_post, at a provider that offers nothing else."""
    world = World(tmp_path / "provider", authority, certificate, auth_method="client_secret_post")
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **world.settings())
    assert gateway.connect("redis", token=obtain_token(gateway)).status == 200
    world.stop()


def test_client_secret_of_a_file(tmp_path, make_gateway, world, redis):
    path = tmp_path / "secret"
    path.write_text(world.settings()["idp_client_secret"] + "\n")
    path.chmod(0o600)
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
                           **world.settings(1, idp_client_secret=None, idp_client_secret_file=str(path)))
    assert gateway.connect("redis", token=obtain_token(gateway)).status == 200


def test_wrong_client_secret(make_gateway, world, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
                           **world.settings(1, idp_client_secret="not the secret"))
    browser, page = log_in(gateway)
    assert page.status >= 400 and "_pomerium" not in browser.cookies.get(host("redis"), {})
    assert "invalid_client" in gateway.log.wait("login refused")["error"]
    assert "not the secret" not in page.text + gateway.stdout_text()
