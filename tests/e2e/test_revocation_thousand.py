"""A thousand tunnels with checksummed traffic: half of them are one owner's, who loses what allowed him, one owner after the
other, each in another way; exactly his tunnels end, in time and with the reason everywhere, and all others lose no byte."""

import json
import resource
import time
import urllib.request

import pytest

from lib.database import Database
from lib.gateway import run_gateway, tcp_route, write_config
from lib.login import obtain_token
from lib.logs import Tail
from lib.net import free_port
from lib.operator import ask, reload
from lib.process import environment, eventually
from lib.sessions import CheapUser
from lib.tokens import token_claims
from lib.traffic import Traffic

EACH = 500  # tunnels of one owner
WITHIN = 2.0  # seconds, by the promise
TICK = 1.0  # moments are whole seconds of a clock that the test reads as well
MARGIN = 4.0  # what a sanitizer, a busy machine and a thousand tunnels in Python may add
LIFE = 12  # seconds of an account that runs out: more than it takes to open its tunnels
USERS = [CheapUser(f"owner{number}@example.com", "cheap password") for number in range(9)]


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def traffic(many_descriptors):
    with Traffic(pause=1.5, block_max=4000) as traffic:
        yield traffic


class Scene:
    """operated: the gateway whose operator acts, if that is another one."""

    def __init__(self, gateway, traffic, make_client, operated=None):
        self.gateway = gateway
        self.operated = operated or gateway
        self.traffic = traffic
        self.make_client = make_client
        self.config = json.loads(gateway.config_path.read_text())
        self.metrics = f"http://{self.config['metrics_address']}/metrics"
        self.log = Tail(gateway.log.path)
        self.opened = []  # of the owner whose turn it is
        self.ended = []
        self.said = []
        self.totals = {}  # by reason
        self.staying = traffic.open(gateway, obtain_token(gateway, "redis", USERS[0]), EACH)
        self.rounds = traffic.rounds(self.staying)
        self.read_log(EACH)

    def read_log(self, opened):
        """Takes note of what was opened and what has ended."""

        def is_complete():
            for line in self.log.lines():
                if line.message == "tunnel opened":
                    self.opened.append(line["tunnel-id"])
                elif line.message == "http-request" and line.get("tunnel-id"):
                    self.ended.append((line["tunnel-id"], line["end-reason"]))
            return len(self.opened) >= opened

        eventually(is_complete, "they are in the log")
        assert len(self.opened) == opened

    def open(self, token, name="redis", transport="h2"):
        """By our client, which says what becomes of them. Meanwhile the others go on."""
        self.opened, self.said = [], []
        self.client = self.make_client(self.gateway).listen(
            name, browser=False, extra=["--service-account", token, "--transport", transport])
        self.client_log = Tail(self.client.stderr_path)
        self.flows = self.traffic.open_local(self.client.port, EACH)
        self.traffic.check(self.flows, since=[0] * EACH)
        self.traffic.check(self.staying, since=self.rounds)
        self.rounds = self.traffic.rounds(self.staying)
        self.read_log(EACH)
        assert not self.ended

    def edit(self, **changes):
        self.config.update(changes)
        write_config(self.gateway.config_path, self.config)
        code, answer = reload(self.gateway)
        assert code == 200, answer

    def operate(self, *words):
        done = run_gateway(*words, "--json", env=environment(STATE_DIRECTORY=self.operated.state))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def expect(self, how, reason, within=WITHIN + MARGIN):
        """Exactly the end of those that were opened last, with that reason."""
        begun = time.monotonic()
        eventually(lambda: all(flow.is_cut for flow in self.flows), f"tunnels end: {how}", within)
        took = time.monotonic() - begun
        assert not any(flow.is_cut for flow in self.staying)
        eventually(lambda: self.read_log(EACH) or len(self.ended) >= EACH, "they are in the log")
        assert sorted(self.ended) == sorted((tunnel_id, reason) for tunnel_id in self.opened)
        self.expect_words(reason)
        self.totals[reason] = self.totals.get(reason, 0) + EACH
        assert self.closed_totals() == self.totals
        self.client.stop()
        self.ended = []
        print(f"{how}: {EACH} tunnels ended with {reason} in {took:.2f} s, the client had said why after "
              f"{time.monotonic() - begun:.2f} s")

    def expect_words(self, reason):
        """What the client prints, of each tunnel."""

        def is_complete():
            self.said += [line["error"] for line in self.client_log.lines() if line.message == "disconnected"]
            return len(self.said) >= EACH

        eventually(is_complete, "the client has said of each tunnel why it ended")
        parts = [text.partition(f" ({reason}, request ") for text in self.said]
        assert all(start.startswith("the gateway closed the tunnel: ") for start, _, _ in parts), self.said
        assert sorted(rest.rstrip(")") for _, _, rest in parts) == sorted(self.opened)

    def closed_totals(self):
        """What the metric says."""
        name = "pomerium_tunnels_closed_total"
        with urllib.request.urlopen(self.metrics, timeout=10) as answer:
            lines = [line.split() for line in answer.read().decode().splitlines() if line.startswith(name)]
        return {line[0].split('"')[1]: int(line[1]) for line in lines if int(line[1])}


@pytest.fixture
def make_gateway(make_gateway):
    """Its metrics are looked at as well."""

    def make(*routes, **settings):
        settings.setdefault("metrics_address", f"127.0.0.1:{free_port()}")
        return make_gateway(*routes, users=USERS, runtime_flags={"config_hot_reload": False}, **settings)

    return make


def sign_out(gateway, token):
    answer = gateway.get("redis", "/.pomerium/api/v1/sign_out", [("Authorization", f"Pomerium {token}")], "POST")
    assert answer.status == 204, answer


def edit_of_users(scene, email, entry):
    """That one's entry of the list is another one, or gone."""
    users = [user for user in scene.config["local_users"] if user["email"] != email]
    scene.edit(local_users=[*users, *([entry] if entry else [])])


@pytest.mark.timeout(240)
def test_a_thousand_tunnels(make_gateway, make_client, traffic):
    route = tcp_route("redis", traffic.port, allow_any_authenticated_user=True)
    other = tcp_route("other", traffic.port, allow_any_authenticated_user=True)
    gateway = make_gateway(route, other)
    scene = Scene(gateway, traffic, make_client)
    tokens = [obtain_token(gateway, "redis", user) for user in USERS]

    scene.open(tokens[1])
    ask(gateway, "DELETE", f"/sessions/{token_claims(tokens[1])['jti']}")
    scene.expect("a session revoked by id", "session-revoked")

    scene.open(tokens[2])
    assert scene.operate("sessions", "revoke", "--user", USERS[2].email) == {"revoked": 1, "tunnels_closed": EACH}
    scene.expect("a user's sessions revoked", "session-revoked")

    scene.open(tokens[3], transport="h1")
    sign_out(gateway, tokens[3])
    scene.expect("signed out", "session-revoked")

    scene.open(tokens[4])
    edit_of_users(scene, USERS[4].email, USERS[4].entry(disabled=True))
    scene.expect("a user disabled", "session-revoked")

    scene.open(tokens[5])
    edit_of_users(scene, USERS[5].email, None)
    scene.expect("a user removed", "session-revoked")

    scene.open(tokens[6])
    edit_of_users(scene, USERS[6].email, CheapUser(USERS[6].email, "another password").entry())
    scene.expect("another password", "session-revoked")

    bot = scene.operate("service-account", "create", "--user", "bot")
    scene.open(bot["token"])
    scene.operate("service-account", "revoke", bot["id"])
    scene.expect("a service account revoked", "session-revoked")

    account = scene.operate("service-account", "create", "--user", "short-lived", "--expires", f"{LIFE}s")
    expires = time.monotonic() + LIFE
    scene.open(account["token"])
    scene.expect("a service account run out", "session-expired", expires - time.monotonic() + TICK + WITHIN + MARGIN)

    del route["allow_any_authenticated_user"]
    route["policy"] = [
        {"allow": {"or": [{"authenticated_user": 1}]}},
        {"deny": {"or": [{"email": {"is": USERS[7].email}}]}},
    ]
    scene.open(tokens[7])
    scene.edit(routes=[route, other])
    scene.expect("another policy", "policy-denied")

    scene.open(tokens[8])
    night = int(time.time()) + 3
    route["policy"].append({"deny": {"and": [{"email": {"is": USERS[8].email}}, {"date": {"after": time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(night))}}]}})
    scene.edit(routes=[route, other])
    scene.expect("a date gone by", "policy-denied", night - time.time() + TICK + WITHIN + MARGIN)

    scene.open(obtain_token(gateway, "other", USERS[0]), "other")
    scene.edit(routes=[route])
    scene.expect("a route removed", "route-removed")
    traffic.check(scene.staying)


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "postgres")
    yield database
    database.stop()


@pytest.mark.timeout(240)
def test_a_thousand_tunnels_of_another_gateway(make_gateway, make_client, traffic, database):
    """What their owners lose is taken from them at a gateway that has none of these tunnels."""
    where = database.create()
    route = tcp_route("redis", traffic.port, allow_any_authenticated_user=True)
    gateway, elsewhere = (
        make_gateway(route, databroker_storage_type="postgres", databroker_storage_connection_string=where)
        for _ in range(2))
    scene = Scene(gateway, traffic, make_client, operated=elsewhere)
    tokens = [obtain_token(gateway, "redis", user) for user in USERS[:4]]

    scene.open(tokens[1])
    ask(elsewhere, "DELETE", f"/sessions/{token_claims(tokens[1])['jti']}")
    scene.expect("a session revoked by id", "session-revoked")

    scene.open(tokens[2])
    assert scene.operate("sessions", "revoke", "--user", USERS[2].email)["revoked"] == 1
    scene.expect("a user's sessions revoked", "session-revoked")

    scene.open(tokens[3])
    sign_out(elsewhere, tokens[3])
    scene.expect("signed out", "session-revoked")

    bot = scene.operate("service-account", "create", "--user", "bot")
    scene.open(bot["token"], transport="h1")
    scene.operate("service-account", "revoke", bot["id"])
    scene.expect("a service account revoked", "session-revoked")
    traffic.check(scene.staying)
