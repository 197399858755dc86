"""Hours in seconds: what becomes of sessions when their provider is away, by a clock that the test drives."""

import pytest

from lib.clock import Clock
from lib.database import STORES, Database, store_settings
from lib.gateway import tcp_route
from lib.idp import AUTHENTICATE, CLI, ProviderBrowser, World, obtain_token
from lib.login import sign_in_url
from lib.process import eventually
from lib.users import ALICE, DEMO, MALLORY

HOUR = 3600
TOKEN_LIFE = 300  # of the provider's tokens: many renewals are due in an hour
STATE_LIFE = 300
SESSION_LIFE = 14 * HOUR
NOT_RENEWED = "session not renewed: it goes on, and is tried again"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("postgres"))
    yield database
    database.stop()


class Scene:
    """A gateway and its provider, which live in the same time."""

    def __init__(self, world, gateway, clock):
        self.world = world
        self.provider = world.provider
        self.gateway = gateway
        self.clock = clock
        self.leap = clock.leap

    def status(self, token):
        return self.gateway.connect("redis", token=token).status

    def pass_time(self, seconds, step=5):
        """Step by step; too fast for calls that somebody answers."""
        for _ in range(0, seconds, step):
            self.leap(step)

    def wait_for_renewals(self, count):
        eventually(lambda: self.provider.count("grant:refresh_token") >= count, f"{count} renewals", 10, 0.1)
        # The last answer is on its way. After a leap it would come too late, and with it the next refresh token.
        for _ in range(20):
            assert self.provider.count("refused:refresh_token") == 0
            self.clock.wake()


@pytest.fixture
def start(tmp_path, authority, certificate, database, make_gateway, upstream):
    worlds = []

    def start(kind="file"):
        clock = Clock(tmp_path)
        world = World(tmp_path / "provider", authority, certificate, env=clock.env(),
                      ttl={"AccessToken": TOKEN_LIFE, "IdToken": TOKEN_LIFE})
        worlds.append(world)
        gateway = clock.start(
            make_gateway, tcp_route("redis", upstream.port, allow_any_authenticated_user=True),
            **world.settings(**store_settings(kind, tmp_path, database)))
        return Scene(world, gateway, clock)

    yield start
    for world in worlds:
        world.stop()


@pytest.mark.parametrize("kind", STORES)
def test_a_provider_that_is_down_for_an_hour(start, kind):
    scene = start(kind)
    tokens = [obtain_token(scene.gateway, user=user) for user in (DEMO, ALICE, MALLORY)]
    tunnel = scene.gateway.tunnel("redis", token=tokens[0])
    scene.provider.reset_counts()
    scene.leap(TOKEN_LIFE - 30)
    scene.wait_for_renewals(3)

    scene.provider.kill()
    for _ in range(HOUR // 60):
        scene.pass_time(60)
        assert [scene.status(token) for token in tokens] == [200] * 3
        tunnel.send(b"hello")
        assert tunnel.read_exactly(5) == b"hello"
    # It was tried all the time, and the log was not filled with it.
    assert 40 <= len(scene.gateway.log.find(NOT_RENEWED, level="warn")) <= 60

    scene.provider.start()
    for count in (3, 6):
        scene.leap(TOKEN_LIFE)
        scene.wait_for_renewals(count)
    assert [scene.status(token) for token in tokens] == [200] * 3
    tunnel.send(b"still")
    assert tunnel.read_exactly(5) == b"still"
    tunnel.close()


def test_however_often_it_is_renewed_a_session_ends(start):
    scene = start()
    token = obtain_token(scene.gateway)
    for count in range(1, 4):
        scene.leap(TOKEN_LIFE - 30)
        scene.wait_for_renewals(count)
    scene.provider.kill()
    scene.leap(SESSION_LIFE - 4 * TOKEN_LIFE)
    assert scene.status(token) == 200
    scene.leap(4 * TOKEN_LIFE)
    answer = scene.gateway.connect("redis", token=token)
    assert answer.status == 401 and answer.header("x-pomerium-reason") in ("session-expired", "session-unknown")


def begin_login(scene):
    """As far as the provider's redirect back."""
    browser = ProviderBrowser(scene.gateway.ca)
    callback = f"https://{AUTHENTICATE}:{scene.gateway.port}/oauth2/callback"
    page = browser.log_in(sign_in_url(scene.gateway, "redis", CLI), DEMO, stop_at=callback)
    assert page.location.startswith(callback), f"{page.status} {page.text[:300]}"
    return browser, page.location


def test_a_login_may_take_its_time(start):
    scene = start()
    browser, callback = begin_login(scene)
    scene.leap(STATE_LIFE - 10)
    # The code of the provider is older than it allows, but that the provider has to say.
    page = browser.get(callback)
    assert "invalid_grant" in scene.gateway.log.wait("login refused")["error"], page.text[:300]


def test_a_state_that_has_expired(start):
    scene = start()
    browser, callback = begin_login(scene)
    scene.provider.reset_counts()
    scene.leap(STATE_LIFE + 10)
    page = browser.get(callback)
    assert page.status == 400 and page.header("x-pomerium-reason"), f"{page.status} {page.text[:300]}"
    assert "_pomerium_authenticate" not in browser.cookies[AUTHENTICATE]
    assert "longer than five minutes" in scene.gateway.log.wait("login refused")["error"]
    # Nobody was asked for a token, and the next login is one like any other.
    assert scene.provider.count("token") == 0
    assert scene.status(obtain_token(scene.gateway)) == 200
