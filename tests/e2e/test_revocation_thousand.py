"""A thousand tunnels with checksummed traffic: of ten owners one after the other loses what allowed him, each in another way;
exactly his tunnels end, in time, and all others lose no byte."""

import json
import resource
import time

import pytest

from lib.database import Database
from lib.gateway import run_gateway, tcp_route, write_config
from lib.login import obtain_token
from lib.operator import ask, reload
from lib.process import environment, eventually
from lib.sessions import CheapUser
from lib.tokens import token_claims
from lib.traffic import Traffic

EACH = 100  # tunnels of one owner
WITHIN = 2.0  # seconds, by the promise
TICK = 1.0  # moments are whole seconds of a clock that the test reads as well
MARGIN = 4.0  # what a sanitizer, a busy machine and a thousand tunnels in Python may add
USERS = [CheapUser(f"owner{number}@example.com", "cheap password") for number in range(8)]


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def traffic(many_descriptors):
    with Traffic(pause=1.0, block_max=4000) as traffic:
        yield traffic


def is_cut(flow):
    """Also if nobody has tried to use it since."""
    return flow.failure or flow.reader.at_eof() or flow.reader.exception()


class Scene:
    """operated: the gateway whose operator acts, if that is another one."""

    def __init__(self, gateway, traffic, operated=None):
        self.gateway = gateway
        self.operated = operated or gateway
        self.traffic = traffic
        self.config = json.loads(gateway.config_path.read_text())
        self.alive = {}
        self.ended = 0

    def open(self, owner, token, name="redis"):
        self.alive[owner] = self.traffic.open(self.gateway, token, EACH, name)

    def edit(self, **changes):
        self.config.update(changes)
        write_config(self.gateway.config_path, self.config)
        code, answer = reload(self.gateway)
        assert code == 200, answer

    def operate(self, *words):
        done = run_gateway(*words, "--json", env=environment(STATE_DIRECTORY=self.operated.state))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def expect(self, owner, reason, within=WITHIN + MARGIN):
        """Exactly this owner's end, with that reason."""
        begun = time.monotonic()
        flows = self.alive.pop(owner)
        eventually(lambda: all(is_cut(flow) for flow in flows), f"tunnels of {owner} end", within)
        took = time.monotonic() - begun
        eventually(lambda: all(flow.failure for flow in flows), "those who use them have noticed")
        self.ended += EACH
        ids = {line["tunnel-id"] for line in self.gateway.log.find("tunnel opened") if self.belongs(line, owner)}
        eventually(lambda: len(self.ends()) >= self.ended, "they are in the log")
        ends = self.ends()
        assert len(ends) == self.ended
        assert {line["tunnel-id"] for line in ends[-EACH:]} == ids
        assert {line["end-reason"] for line in ends[-EACH:]} == {reason}
        self.traffic.check([flow for flows in self.alive.values() for flow in flows])
        print(f"{owner}: {EACH} tunnels ended with {reason} in {took:.2f} s")

    def ends(self):
        return [line for line in self.gateway.log.find("http-request") if line.get("tunnel-id")]

    @staticmethod
    def belongs(line, owner):
        return owner in (line["email"], line["user"]) or line["authority"].startswith(f"{owner}.")


@pytest.mark.timeout(240)
def test_a_thousand_tunnels(make_gateway, traffic):
    owners = [user.email for user in USERS]
    route = tcp_route("redis", traffic.port, allow_any_authenticated_user=True)
    other = tcp_route("other", traffic.port, allow_any_authenticated_user=True)
    gateway = make_gateway(route, other, users=USERS, runtime_flags={"config_hot_reload": False})
    scene = Scene(gateway, traffic)
    bots = {name: scene.operate("service-account", "create", "--user", name) for name in ("bot", "day-bot")}
    for name, account in bots.items():
        scene.open(name, account["token"])
    tokens = {email: obtain_token(gateway, "redis", user) for email, user in zip(owners, USERS)}
    for email in owners[:7]:
        scene.open(email, tokens[email])
    scene.open("other", obtain_token(gateway, "other", USERS[7]), "other")
    assert sum(map(len, scene.alive.values())) == 10 * EACH
    traffic.check()

    ask(gateway, "DELETE", f"/sessions/{token_claims(tokens[owners[0]])['jti']}")
    scene.expect(owners[0], "session-revoked")
    assert scene.operate("sessions", "revoke", "--user", owners[1]) == {"revoked": 1, "tunnels_closed": EACH}
    scene.expect(owners[1], "session-revoked")
    users = {user.email: user.entry() for user in USERS}
    users[owners[2]]["disabled"] = True
    scene.edit(local_users=list(users.values()))
    scene.expect(owners[2], "session-revoked")
    del users[owners[3]]
    scene.edit(local_users=list(users.values()))
    scene.expect(owners[3], "session-revoked")
    users[owners[4]] = CheapUser(owners[4], "another password").entry()
    scene.edit(local_users=list(users.values()))
    scene.expect(owners[4], "session-revoked")
    scene.operate("service-account", "revoke", bots["bot"]["id"])
    scene.expect("bot", "session-revoked")
    night = int(time.time()) + 6
    del route["allow_any_authenticated_user"]
    route["policy"] = [
        {"allow": {"or": [{"authenticated_user": 1}]}},
        {"deny": {"or": [{"email": {"is": owners[5]}}]}},
        {"deny": {"and": [{"user": {"is": "day-bot"}}, {"date": {"after": time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(night))}}]}},
    ]
    scene.edit(routes=[route, other])
    scene.expect(owners[5], "policy-denied")
    scene.expect("day-bot", "policy-denied", night - time.time() + TICK + WITHIN + MARGIN)
    scene.edit(routes=[route])
    scene.expect("other", "route-removed")
    account = scene.operate("service-account", "create", "--user", "short-lived", "--expires", "12s")
    expires = time.monotonic() + 12
    scene.open("short-lived", account["token"])
    scene.expect("short-lived", "session-expired", expires - time.monotonic() + TICK + WITHIN + MARGIN)
    assert list(scene.alive) == [owners[6]]
    traffic.check(scene.alive[owners[6]])


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "postgres")
    yield database
    database.stop()


@pytest.mark.timeout(240)
def test_a_thousand_tunnels_of_another_gateway(make_gateway, traffic, database):
    """What their owners lose is taken from them at a gateway that has none of these tunnels."""
    where = database.create()
    owners = [user.email for user in USERS[:2]]
    route = tcp_route("redis", traffic.port, allow_any_authenticated_user=True)
    gateway, elsewhere = (
        make_gateway(route, users=USERS, databroker_storage_type="postgres", databroker_storage_connection_string=where)
        for _ in range(2))
    scene = Scene(gateway, traffic, operated=elsewhere)
    tokens = {email: obtain_token(gateway, "redis", user) for email, user in zip(owners, USERS)}
    bots = {name: scene.operate("service-account", "create", "--user", name) for name in ("bot", "other-bot")}
    for owner, token in [*tokens.items(), *((name, bot["token"]) for name, bot in bots.items())]:
        scene.open(owner, token)
    scene.alive["stays"] = traffic.open(gateway, obtain_token(gateway, "redis", USERS[2]), 6 * EACH)
    traffic.check()

    ask(elsewhere, "DELETE", f"/sessions/{token_claims(tokens[owners[0]])['jti']}")
    scene.expect(owners[0], "session-revoked")
    assert scene.operate("sessions", "revoke", "--user", owners[1])["revoked"] == 1
    scene.expect(owners[1], "session-revoked")
    for name in bots:
        scene.operate("service-account", "revoke", bots[name]["id"])
        scene.expect(name, "session-revoked")
    assert list(scene.alive) == ["stays"]
    traffic.check(scene.alive["stays"])
