"""Where sessions live, and what is left of them after the gateway was stopped or killed."""

import os
import stat

import pytest

from lib.database import STORES, Database, store_settings
from lib.gateway import run_gateway, tcp_route, write_config
from lib.idp import World
from lib.idp import obtain_token as obtain_oidc_token
from lib.login import obtain_token
from lib.process import eventually
from lib.sessions import CHEAP_USERS, Minter, refused
from lib.users import DEMO, EVERYBODY

DURABLE = ["file", "postgres"]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("postgres"))
    yield database
    database.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory, authority, certificate):
    world = World(tmp_path_factory.mktemp("provider"), authority, certificate)
    yield world
    world.stop()


@pytest.fixture
def start(make_gateway, redis, database, tmp_path):
    def start(kind, users=EVERYBODY, **settings):
        return make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True), users=users,
                            **store_settings(kind, tmp_path, database), **settings)

    return start


@pytest.fixture
def again(make_gateway):
    return make_gateway.again


# ---- the same on each ----

@pytest.mark.parametrize("kind", STORES)
def test_a_session_ends_on_time(start, kind):
    gateway = start(kind, cookie_expire="2s")
    token = obtain_token(gateway, "redis", DEMO)
    eventually(lambda: gateway.connect("redis", token=token).status == 401, "the session expires", interval=0.1)


# ---- after a restart ----

def test_a_memory_is_lost(start, again):
    gateway = start("memory")
    token = obtain_token(gateway, "redis", DEMO)
    assert gateway.stop() == 0
    answer = again(gateway).connect("redis", token=token)
    assert (answer.status, answer.header("x-pomerium-reason")) == (401, "session-unknown")


@pytest.mark.parametrize("kind", DURABLE)
def test_sessions_outlive_a_restart(start, again, world, kind):
    gateway = start(kind, **world.settings())
    token = obtain_oidc_token(gateway)
    assert gateway.stop() == 0
    after = again(gateway)
    assert after.connect("redis", token=token).status == 200


def test_unset_means_a_file_in_the_state_directory(make_gateway, redis, again):
    gateway = make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True))
    token = obtain_token(gateway, "redis", DEMO)
    assert gateway.stop() == 0
    after = again(gateway)
    assert after.connect("redis", token=token).status == 200
    for root, _, files in os.walk(after.state):
        assert stat.S_IMODE(os.stat(root).st_mode) == 0o700
        for file in files:
            assert stat.S_IMODE(os.stat(os.path.join(root, file)).st_mode) & 0o077 == 0, file


@pytest.mark.parametrize("kind", DURABLE)
def test_sessions_outlive_a_kill(start, again, kind):
    """Killed in the middle of logins, with a thousand sessions: whatever it acknowledged is there."""
    gateway = start(kind, users=CHEAP_USERS)
    minter = Minter(gateway)
    eventually(lambda: minter.problem or len(minter.tokens) >= 1000,
               lambda: f"a thousand sessions, not {len(minter.tokens)}: {minter.problem}", 90, 0.05)
    assert minter.problem is None, minter.problem
    tunnels = [gateway.tunnel("redis", token=token) for token in minter.tokens[:5]]
    gateway.kill()
    minter.stop()
    for tunnel in tunnels:
        tunnel.close()
    assert len(minter.tokens) >= 1000
    after = again(gateway)
    assert refused(after, minter.tokens) == []
    assert after.connect("redis", token=minter.tokens[-1]).status == 200
    assert after.connect("redis", token=obtain_token(after, "redis", CHEAP_USERS[0])).status == 200


@pytest.mark.parametrize("kind", DURABLE)
def test_killed_over_and_over(start, again, kind):
    gateway = start(kind)
    tokens = []
    for _ in range(4):
        tokens.append(obtain_token(gateway, "redis", DEMO))
        gateway.kill()
        gateway = again(gateway)
    assert refused(gateway, tokens) == []


# ---- what cannot be opened ----

def run_with(make_gateway, tmp_path, redis, **settings):
    path = write_config(tmp_path / "bad.yaml", make_gateway.config(
        [tcp_route("redis", redis.port, allow_any_authenticated_user=True)], **settings))
    return run_gateway("--config", path, timeout=30)


def test_a_store_that_is_no_database(make_gateway, tmp_path, redis):
    directory = tmp_path / "sessions"
    directory.mkdir(mode=0o700)
    for name in ("sessions.db", "pomerium.db", "store.db", "databroker.db"):
        (directory / name).write_bytes(b"this is no database, but some notes of mine" * 100)
    (tmp_path / "notes").write_bytes(b"this is no database, but some notes of mine" * 100)
    done = run_with(make_gateway, tmp_path, redis, databroker_storage_type="file",
                    databroker_storage_connection_string=str(tmp_path / "notes"))
    assert done.returncode != 0
    assert "notes" in done.stdout + done.stderr
    assert (tmp_path / "notes").read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize("text", ["not a connection string", "postgresql://demo@127.0.0.1:port/x", "postgresql://[::1/x"])
def test_a_connection_string_that_is_none(make_gateway, tmp_path, redis, text):
    done = run_with(make_gateway, tmp_path, redis, databroker_storage_type="postgres",
                    databroker_storage_connection_string=text)
    assert done.returncode != 0 and done.stdout + done.stderr


def test_postgres_without_a_connection_string(make_gateway, tmp_path, redis):
    done = run_with(make_gateway, tmp_path, redis, databroker_storage_type="postgres")
    assert done.returncode != 0
    assert "databroker_storage_connection_string" in done.stdout + done.stderr


# ---- what is in it ----

def test_tokens_of_the_provider_are_sealed(start, world, tmp_path, database):
    """Neither in the file nor in the database can they be read."""
    for kind in DURABLE:
        gateway = start(kind, **world.settings())
        obtain_oidc_token(gateway)
        gateway.stop()
    secrets = [secret.encode() for secret in world.provider.secrets()]
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "provider" not in str(path)]
    name = f"gateways{database.count}"
    texts.append(database.query(name, "select row_to_json(r)::text from pomerium.records r").encode())
    texts.append(database.query(name, "select encode(body::bytea, 'escape') from pomerium.records").encode())
    assert any(b"id-of-demo" in text for text in texts)
    for secret in secrets:
        assert not any(secret in text for text in texts)
