"""The same tunnel, with every kind of login, on every store; and once more after the gateway was started anew."""

import pytest

from lib.accounts import ROBOT, create_account
from lib.database import STORES, Database, store_settings
from lib.device import Machine, answer
from lib.idp import Place, ProviderBrowser, World, send_to_provider
from lib.users import DEMO
from lib.workload import AUDIENCE, Issuer, RsaKey, jwt_route, ping

PING = b"PING\r\nQUIT\r\n"
PONG = "+PONG\r\n+OK\r\n"
POD = "system:serviceaccount:shop:cart"
PROVIDER = ("provider", "device")  # whoever is asked at a login; the others do with local users


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


@pytest.fixture(scope="module")
def issuer(certificate):
    issuer = Issuer(certificate, RsaKey("k1"))
    yield issuer
    issuer.stop()


class Person:
    """Somebody with a browser, who logs in once."""

    def __init__(self, client):
        self.client = client

    def ping(self, gateway):
        self.client.gateway = gateway
        done = self.client.pipe("redis", PING)
        assert self.client.visit_count() == 1, done.stderr
        return done.stdout


class Program:
    """Somebody with a token of ours and no browser."""

    def __init__(self, client, token):
        self.client = client
        self.token = token

    def ping(self, gateway):
        self.client.gateway = gateway
        return self.client.pipe("redis", PING, browser=False, extra=["--service-account", self.token]).stdout


class Workload:
    """Somebody with a token of another issuer, which the gateway only verifies."""

    def __init__(self, token):
        self.token = token

    def ping(self, gateway):
        return ping(gateway, self.token)


def log_in_device(client):
    machine = Machine(client.gateway)
    assert machine.is_pending()
    answer(ProviderBrowser(client.gateway.ca), machine, DEMO)
    return machine.token()


LOGINS = {
    "local": lambda client, issuer: Person(client),
    "provider": lambda client, issuer: Person(send_to_provider(client)),
    "device": lambda client, issuer: Program(client, log_in_device(client)),
    "service-account": lambda client, issuer: Program(client, create_account(client.gateway)["token"]),
    "workload": lambda client, issuer: Workload(issuer.token(POD)),
}


@pytest.fixture
def start(make_gateway, authority, database, world, issuer, redis, tmp_path):
    def start(login, store):
        idp = world.settings() if login in PROVIDER else {
            "address": f"127.0.0.1:{Place().port}", "certificate_authority_file": str(authority.ca)}
        route = jwt_route("redis", redis.port, ["cluster"],
                          allowed_users=[DEMO.email, ROBOT, f"cluster/{POD}"])
        return make_gateway(
            route, **idp, **store_settings(store, tmp_path, database),
            identity_providers={"cluster": {"issuer": issuer.url, "audiences": [AUDIENCE]}})

    return start


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("login", LOGINS)
def test_the_same_tunnel(start, make_gateway, make_client, issuer, login, store):
    gateway = start(login, store)
    who = LOGINS[login](make_client(gateway), issuer)
    assert [who.ping(gateway) for _ in range(2)] == [PONG] * 2
    assert gateway.stop() == 0
    opened = gateway.log.find("tunnel opened")
    assert len(opened) == 2 and len({line["user"] for line in opened}) == 1
    if store == "memory" and login != "workload":
        return  # whoever is in no other memory has to log in again
    assert who.ping(make_gateway.again(gateway)) == PONG
