"""Two gateways on one PostgreSQL: what is revoked at one ends the tunnels of the other, and what was revoked while the
database was away ends them when it is back."""

import json
import time

import pytest

from lib.database import Database, name_of
from lib.gateway import host, run_gateway, tcp_route
from lib.login import Browser, obtain_token
from lib.process import environment, eventually
from lib.tokens import token_claims
from lib.traffic import Traffic
from lib.users import ALICE, DEMO

WITHIN = 2.0  # seconds, by the promise
MARGIN = 3.0  # what a sanitizer, a busy machine and Python may add


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("postgres"))
    yield database
    database.stop()


@pytest.fixture
def traffic():
    with Traffic() as traffic:
        yield traffic


class Scene:
    """Tunnels of two owners at the second gateway; what happens, happens at the first."""

    def __init__(self, here, there, traffic, where):
        self.here = here
        self.there = there
        self.traffic = traffic
        self.where = where

    def open(self, ending, staying):
        self.ending = self.traffic.open(self.there, ending, 2)
        self.staying = self.traffic.open(self.there, staying, 2)
        self.traffic.check()

    def expect(self, reason, within=WITHIN + MARGIN):
        eventually(lambda: all(flow.failure for flow in self.ending), f"tunnels end with {reason}", within)
        self.there.log.wait("http-request", count=2, end_reason=reason)
        ended = [line["end-reason"] for line in self.there.log.find("http-request") if line.get("tunnel-id")]
        assert ended == [reason] * 2
        self.traffic.check(self.staying)

    def operate(self, *words):
        done = run_gateway(*words, "--json", env=environment(STATE_DIRECTORY=self.here.state))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def scene(make_gateway, database, traffic):
    where = database.create()
    here, there = (make_gateway(
        tcp_route("redis", traffic.port, allow_any_authenticated_user=True),
        databroker_storage_type="postgres", databroker_storage_connection_string=where) for _ in range(2))
    scene = Scene(here, there, traffic, where)
    scene.token = obtain_token(here, "redis", DEMO)
    scene.open(scene.token, obtain_token(there, "redis", ALICE))
    return scene


def test_revoked_at_the_other(scene):
    answer = scene.operate("sessions", "revoke", token_claims(scene.token)["jti"])
    assert answer == {"revoked": 1, "tunnels_closed": 0}  # none were open here
    scene.expect("session-revoked")


def test_signed_out_at_the_other(scene):
    browser = Browser(scene.here.ca)
    browser.cookies[host("redis")] = {"_pomerium": scene.token}
    page = browser.follow(browser.get(scene.here.url("redis", "/.pomerium/sign_out")))
    browser.submit(page)
    scene.expect("session-revoked")


def test_a_service_account_is_revoked_at_the_other(make_gateway, database, traffic, scene):
    made = scene.operate("service-account", "create", "--user", "bot")
    scene.ending += traffic.open(scene.there, made["token"], 2)
    scene.ending, demo = scene.ending[2:], scene.ending[:2]
    scene.operate("service-account", "revoke", made["id"])
    scene.expect("session-revoked")
    traffic.check(demo)


def test_without_a_database_known_tunnels_live(database, scene):
    database.stop_at_once()
    try:
        scene.there.log.wait("session store is away: known sessions go on, others are refused")
        time.sleep(WITHIN)
        scene.traffic.check()
    finally:
        database.start()
    scene.there.log.wait("session store is available", count=2)
    scene.traffic.check()
    scene.operate("sessions", "revoke", token_claims(scene.token)["jti"])
    scene.expect("session-revoked")


def test_revoked_while_the_line_was_cut(database, scene):
    """Nobody said that the record is gone: the gateways look for themselves when they are back."""
    session = token_claims(scene.token)["jti"]
    database.query(
        name_of(scene.where), f"delete from pomerium.records where id = '{session}'",
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
        "and datname = current_database()")
    scene.expect("session-revoked", 5 + MARGIN)
