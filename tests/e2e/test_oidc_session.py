"""The life of a session whose provider is real: renewed, revoked, without its provider, signed out."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.gateway import host, tcp_route
from lib.idp import AUTHENTICATE, ProviderBrowser, World, log_in, obtain_token, send_to_provider
from lib.login import sign_in_url
from lib.net import free_port
from lib.process import eventually
from lib.services import Upstream
from lib.users import ALICE, DEMO, MALLORY

ACCESS_TOKEN_S = 15  # so short that a refresh is due as soon as one is allowed
REFRESH_INTERVAL_S = 10
SIGNED_OUT = "https://after.demo.localhost/bye"
CLI = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def world(tmp_path_factory, authority, certificate):
    world = World(tmp_path_factory.mktemp("provider"), authority, certificate, sign_out_to=[SIGNED_OUT],
                  ttl={"AccessToken": ACCESS_TOKEN_S})
    yield world
    world.stop()


@pytest.fixture(scope="module")
def upstream_for_all():
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def gateway(world, make_shared_gateway, upstream_for_all):
    return make_shared_gateway(
        tcp_route("redis", upstream_for_all.port, allow_any_authenticated_user=True), **world.settings())


@pytest.fixture
def provider(world):
    yield world.provider
    world.provider.thaw()
    world.provider.mend()


def status(gateway, token):
    return gateway.connect("redis", token=token).status


def wait_until_refused(gateway, token, timeout=REFRESH_INTERVAL_S + 10):
    refused = eventually(
        lambda: (answer := gateway.connect("redis", token=token)).status == 401 and answer,
        "the session ends", timeout, 0.2)
    return refused.header("x-pomerium-reason")


# ---- renewal ----

def test_tokens_are_renewed_once_in_an_interval(gateway, provider):
    tokens = [obtain_token(gateway) for _ in range(3)]
    provider.reset_counts()
    begun = time.monotonic()
    while time.monotonic() < begun + 2 * REFRESH_INTERVAL_S + 3:
        assert [status(gateway, token) for token in tokens] == [200] * 3
        time.sleep(0.5)
    refreshes = provider.count("grant:refresh_token")
    assert 3 <= refreshes <= 3 * 2, refreshes
    assert provider.count("refused:refresh_token") == 0


def test_who_is_revoked_or_disabled_at_the_provider_is_out(gateway, provider):
    kept, revoked, disabled = (obtain_token(gateway, user=user) for user in (DEMO, ALICE, MALLORY))
    tunnel = gateway.tunnel("redis", token=kept)
    provider.revoke(ALICE)
    provider.change(MALLORY, disabled=True)
    try:
        with ThreadPoolExecutor(2) as pool:
            reasons = list(pool.map(lambda token: wait_until_refused(gateway, token), [revoked, disabled]))
    finally:
        provider.change(MALLORY, disabled=False)
    assert reasons == ["session-unknown"] * 2
    assert status(gateway, kept) == 200
    tunnel.send(b"hello")
    assert tunnel.read_exactly(5) == b"hello"
    tunnel.close()


def test_changed_claims_are_seen_after_a_refresh_or_not_at_all(gateway, provider):
    """Whatever the provider says of somebody in a refresh never makes two people of one."""
    token = obtain_token(gateway)
    provider.reset_counts()
    provider.change(DEMO, name="Another Name")
    try:
        eventually(lambda: provider.count("grant:refresh_token") >= 1, "a refresh", REFRESH_INTERVAL_S + 10, 0.2)
        assert status(gateway, token) == 200
    finally:
        provider.change(DEMO, name=DEMO.name)


def test_without_a_refresh_token_a_session_ends_with_its_access_token(
        tmp_path, authority, certificate, make_gateway, upstream_for_all):
    world = World(tmp_path / "provider", authority, certificate, refresh_tokens=False, ttl={"AccessToken": 4})
    gateway = make_gateway(
        tcp_route("redis", upstream_for_all.port, allow_any_authenticated_user=True), **world.settings())
    token = obtain_token(gateway)
    assert status(gateway, token) == 200
    assert wait_until_refused(gateway, token) in ("session-expired", "session-unknown")
    world.stop()


# ---- a provider that is away ----

def begin_login(gateway):
    """As far as the provider's redirect back: what is left is the gateway's own call."""
    browser = ProviderBrowser(gateway.ca)
    callback = f"https://{AUTHENTICATE}:{gateway.port}/oauth2/callback"
    page = browser.log_in(sign_in_url(gateway, "redis", CLI), DEMO, stop_at=callback)
    assert page.location.startswith(callback), f"{page.status} {page.text[:300]}"
    return browser, page.location


def assert_clear_page(page):
    assert page.status in (502, 503, 504), f"{page.status} {page.text[:300]}"
    assert page.header("x-pomerium-reason")
    assert "provider" in page.text.lower()


def end_login(browser, callback, within):
    begun = time.monotonic()
    page = browser.get(callback)
    assert time.monotonic() - begun < within
    assert_clear_page(page)
    assert "_pomerium_authenticate" not in browser.cookies[AUTHENTICATE]


def test_a_provider_that_is_killed(gateway, provider):
    token = obtain_token(gateway)
    tunnel = gateway.tunnel("redis", token=token)
    login = begin_login(gateway)
    provider.kill()
    killed = time.monotonic()
    end_login(*login, within=15)
    # Longer than its access token is good for, and longer than two renewals are apart.
    while time.monotonic() < killed + ACCESS_TOKEN_S + REFRESH_INTERVAL_S:
        assert status(gateway, token) == 200
        time.sleep(0.5)
    tunnel.send(b"hello")
    assert tunnel.read_exactly(5) == b"hello"
    tunnel.close()
    provider.start()
    assert status(gateway, obtain_token(gateway)) == 200
    # The old session is renewed again, with the token it has kept.
    eventually(lambda: provider.count("grant:refresh_token") >= 1, "a refresh", 60, 0.2)
    assert provider.count("refused:refresh_token") == 0
    assert status(gateway, token) == 200


def test_a_provider_that_hangs(gateway, provider):
    token = obtain_token(gateway)
    logins = [begin_login(gateway) for _ in range(5)]
    provider.freeze()
    with ThreadPoolExecutor(len(logins)) as pool:
        ends = [pool.submit(end_login, *login, within=15) for login in logins]
        while not all(end.done() for end in ends):
            asked = time.monotonic()
            assert status(gateway, token) == 200 and time.monotonic() - asked < 3
            time.sleep(0.3)
        for end in ends:
            end.result()
    provider.thaw()
    assert status(gateway, obtain_token(gateway)) == 200


def test_a_provider_with_an_upset_stomach(gateway, provider):
    """Temporary errors are not the end of a session."""
    token = obtain_token(gateway)
    provider.reset_counts()
    for endpoint in ("token", "userinfo"):
        provider.break_endpoint(endpoint, status=503)
    eventually(lambda: provider.count("token") >= 1, "a refresh is tried", REFRESH_INTERVAL_S + 10, 0.2)
    assert status(gateway, token) == 200
    browser, page = log_in(gateway)
    assert_clear_page(page)
    provider.mend()
    assert status(gateway, obtain_token(gateway)) == 200
    assert status(gateway, token) == 200


def test_a_gateway_whose_provider_is_not_there_yet(world, make_gateway, upstream_for_all):
    """It starts, says so when somebody logs in, and needs no restart later."""
    settings = world.settings(1, idp_provider_url=f"https://idp.demo.localhost:{free_port()}")
    gateway = make_gateway(tcp_route("redis", upstream_for_all.port, allow_any_authenticated_user=True), **settings)
    assert gateway.is_serving()
    browser, page = log_in(gateway)
    assert_clear_page(page)


# ---- keys ----

def test_keys_that_change(gateway, provider):
    obtain_token(gateway)
    # Whoever fetches the new keys is counted: it may be the renewal of an earlier test's session.
    provider.reset_counts()
    provider.rotate_keys()
    assert status(gateway, obtain_token(gateway)) == 200
    assert provider.count("jwks") == 1
    assert status(gateway, obtain_token(gateway)) == 200
    assert provider.count("jwks") == 1


# ---- sign-out ----

def sign_out(gateway, browser, stop_at=None):
    """Presses every button on the way, ours and the provider's."""
    page = browser.follow(browser.get(gateway.url("redis", "/.pomerium/sign_out")), stop_at)
    for _ in range(3):
        if page.status != 200 or "<form" not in page.text:
            break
        page = browser.follow(browser.submit(page), stop_at)
    return page


def test_sign_out_ends_it_everywhere(gateway, provider, make_client):
    client = send_to_provider(make_client(gateway))
    assert client.pipe("redis", b"hello").stdout == "hello"
    browser, _ = log_in(gateway)
    token = browser.cookies[host("redis")]["_pomerium"]
    provider.reset_counts()

    page = sign_out(gateway, browser)
    assert page.status == 200 and page.url.endswith("/.pomerium/signed_out")
    assert "_pomerium" not in browser.cookies[host("redis")]
    assert "_pomerium_authenticate" not in browser.cookies[AUTHENTICATE]
    answer = gateway.connect("redis", token=token)
    assert (answer.status, answer.header("x-pomerium-reason")) == (401, "session-unknown")
    # The provider has been told to forget the tokens, and has ended its own session.
    eventually(lambda: provider.count("revocation") >= 1, "the tokens are revoked")
    assert provider.count("signed_out") == 1
    assert "revocation.error" not in provider.stdout_text()
    form = browser.follow(browser.get(sign_in_url(gateway, "redis", CLI)), stop_at=CLI)
    assert "Log in at the provider" in form.text
    # Another login of the same person is another session.
    assert status(gateway, client.token_files()[0].read_text()) == 200


def test_sign_out_goes_where_the_operator_wants(world, make_gateway, upstream_for_all):
    gateway = make_gateway(tcp_route("redis", upstream_for_all.port, allow_any_authenticated_user=True),
                           **world.settings(1, signout_redirect_url=SIGNED_OUT))
    browser, _ = log_in(gateway)
    page = sign_out(gateway, browser, stop_at=SIGNED_OUT)
    assert page.location.startswith(SIGNED_OUT)


def test_sign_out_without_the_provider(gateway, provider):
    """Nobody stays logged in here because the provider cannot be reached."""
    browser, _ = log_in(gateway)
    token = browser.cookies[host("redis")]["_pomerium"]
    provider.kill()
    begun = time.monotonic()
    try:
        sign_out(gateway, browser, stop_at=provider.issuer)
    finally:
        provider.start()
    assert time.monotonic() - begun < 15
    assert status(gateway, token) == 401
