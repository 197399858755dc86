"""Two gateways on one PostgreSQL: one memory, one revocation, and what happens when the database is away."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.database import Database, name_of
from lib.gateway import SHARED_KEY, Gateway, host, tcp_route, write_config
from lib.idp import World, log_in, obtain_token
from lib.login import Browser
from lib.net import free_port
from lib.process import eventually
from lib.services import Upstream
from lib.tokens import make_token, token_claims
from lib.users import DEMO

WITHIN = 2.0  # seconds in which the other gateway has to know


@pytest.fixture(scope="module")
def world(tmp_path_factory, authority, certificate):
    world = World(tmp_path_factory.mktemp("provider"), authority, certificate, ttl={"AccessToken": 15})
    yield world
    world.stop()


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("postgres"))
    yield database
    database.stop()


@pytest.fixture(scope="module")
def upstream_for_both():
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def where(database):
    return database.create()


@pytest.fixture(scope="module")
def both(make_shared_gateway, world, where, upstream_for_both):
    """Started at the same moment on an empty database."""

    def start(place):
        port = free_port()
        config = make_shared_gateway.config(
            [tcp_route("redis", upstream_for_both.port, allow_any_authenticated_user=True)],
            **world.settings(place, databroker_storage_type="postgres", databroker_storage_connection_string=where,
                             health_check_addr=f"127.0.0.1:{port}"))
        path = write_config(make_shared_gateway.directory / f"gateway{place}.yaml", config)
        gateway = Gateway(path, make_shared_gateway.authority.ca)
        gateway.health_port = port
        make_shared_gateway.started.append(gateway)
        return gateway

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(start, range(2)))


@pytest.fixture
def running_database(database, both):
    """Whatever a test does to it, it is there again afterwards, and both gateways have noticed."""
    yield database
    if not database.is_running():
        database.start()
    for gateway in both:
        eventually(lambda: ready(gateway)[0] == 200, "the gateway is ready again", 20)


def ready(gateway):
    page = Browser(gateway.ca).get(f"http://127.0.0.1:{gateway.health_port}/readyz")
    return page.status, json.loads(page.text)


def status(gateway, token):
    return gateway.connect("redis", token=token).status


def sign_out(gateway, token):
    """As our own pages do it; the provider's part is not waited for."""
    browser = Browser(gateway.ca)
    browser.cookies[host("redis")] = {"_pomerium": token}
    page = browser.follow(browser.get(gateway.url("redis", "/.pomerium/sign_out")), stop_at="https://idp.")
    if page.status == 200 and "<form" in page.text:
        browser.submit(page)
    return time.monotonic()


def test_a_session_of_one_is_one_of_the_other(both):
    for here, there in (both, reversed(both)):
        token = obtain_token(here)
        assert status(there, token) == 200
        about = [json.loads(gateway.get("redis", "/.pomerium/user", [
            ("Authorization", f"Pomerium {token}"), ("Accept", "application/json")]).text) for gateway in (here, there)]
        assert about[0] == about[1] and about[0]["email"] == DEMO.email


def test_signed_out_at_one_is_refused_by_the_other(both):
    for here, there in (both, reversed(both)):
        token = obtain_token(here)
        assert status(there, token) == 200
        begun = sign_out(here, token)
        assert status(here, token) == 401
        eventually(lambda: status(there, token) == 401, "the other gateway knows", WITHIN, 0.02)
        assert time.monotonic() - begun < WITHIN + 1
        answer = there.connect("redis", token=token)
        assert answer.header("x-pomerium-reason") == "session-unknown"


def test_a_session_that_was_never_seen_by_the_other(both):
    here, there = both
    token = obtain_token(here)
    sign_out(here, token)
    assert status(there, token) == 401


def test_a_refresh_token_is_used_once(both, world, database, where):
    """The provider notices when a refresh token is used twice, and ends everything then."""
    tokens = [obtain_token(gateway) for gateway in both for _ in range(2)]
    alive = int(database.query(name_of(where), "select count(*) from pomerium.records"))
    world.provider.reset_counts()
    begun = time.monotonic()
    while time.monotonic() < begun + 23:
        assert [status(gateway, token) for gateway in both for token in tokens] == [200] * 8
        time.sleep(0.5)
    counts = world.provider.counts()
    assert counts.get("refused:refresh_token", 0) == 0
    # Sessions of other tests may still live as well. Each is renewed at most once in ten seconds.
    assert len(tokens) <= counts["grant:refresh_token"] <= 3 * alive
    assert counts["grant:refresh_token"] == counts["token"]


def test_a_change_while_the_line_was_cut(both, database, where):
    """Nobody said that the record is gone: they look for themselves when they are back."""
    token = obtain_token(both[0])
    assert [status(gateway, token) for gateway in both] == [200, 200]
    session = token_claims(token)["jti"]
    database.query(
        name_of(where),
        f"delete from pomerium.records where id = '{session}'",
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
        "and datname = current_database()",
    )
    for gateway in both:
        eventually(lambda: status(gateway, token) == 401, "the gateway looks again", 5)


def test_the_database_is_away(both, running_database):
    here, there = both
    known = obtain_token(here)
    assert status(there, known) == 200
    only_here = obtain_token(here)
    tunnel = there.tunnel("redis", token=known)
    assert [ready(gateway)[0] for gateway in both] == [200, 200]

    running_database.stop_at_once()
    for gateway in both:
        eventually(lambda: ready(gateway)[0] == 503, "the gateway has noticed", 10)
    code, checks = ready(there)
    assert "storage.backend" in checks and checks["storage.backend"].get("error")
    # What is known goes on.
    assert status(here, known) == status(there, known) == 200
    tunnel.send(b"hello")
    assert tunnel.read_exactly(5) == b"hello"
    # Of what is not known nothing is said: neither yes nor no.
    for token in (only_here, make_token(SHARED_KEY, {**token_claims(known), "jti": str(uuid.uuid4())})):
        answer = there.connect("redis", token=token)
        assert answer.status == 503
        assert answer.header("x-pomerium-reason") in ("overloaded", "internal")
    # A login ends with a page, not with a session nobody has kept.
    browser, page = log_in(here)
    assert page.status == 503 and "_pomerium" not in browser.cookies.get(host("redis"), {})
    assert here.is_serving()

    running_database.start()
    for gateway in both:
        eventually(lambda: ready(gateway)[0] == 200, "the gateway is ready again", 15)
    assert status(there, only_here) == 200
    unknown = make_token(SHARED_KEY, {**token_claims(known), "jti": str(uuid.uuid4())})
    assert status(there, unknown) == 401
    token = obtain_token(there)
    assert status(here, token) == 200
    tunnel.send(b"still")
    assert tunnel.read_exactly(5) == b"still"
    tunnel.close()
    for gateway in both:
        assert "password-of-the-database" not in gateway.stdout_text() + gateway.stderr_text()


def test_a_database_that_is_not_there_yet(make_gateway, world, database, running_database, upstream_for_both):
    """The gateway starts, is not ready, and needs no restart."""
    where = database.create()
    database.stop_at_once()
    port = free_port()
    gateway = make_gateway(
        tcp_route("redis", upstream_for_both.port, allow_any_authenticated_user=True),
        **world.settings(0, address="127.0.0.1:0", databroker_storage_type="postgres",
                         databroker_storage_connection_string=where, health_check_addr=f"127.0.0.1:{port}"))
    gateway.health_port = port
    assert ready(gateway)[0] == 503
    token = make_token(SHARED_KEY, {"jti": str(uuid.uuid4()), "sub": "x", "iss": "x", "aud": [], "iat": 1})
    assert status(gateway, token) == 503
    database.start()
    eventually(lambda: ready(gateway)[0] == 200, "the gateway is ready", 15)
    assert status(gateway, token) == 401
