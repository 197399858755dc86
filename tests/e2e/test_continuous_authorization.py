"""Open tunnels are asked again: of two with traffic exactly the one ends that is no longer allowed, in time, and everybody
is told why; the other one loses no byte."""

import contextlib
import json
import time
import urllib.request

import pytest

from lib.gateway import host, run_gateway, tcp_route, write_config
from lib.idp import World
from lib.idp import obtain_token as obtain_token_of_provider
from lib.login import Browser, obtain_token
from lib.net import connect_bytes, free_port
from lib.operator import reload
from lib.process import environment, eventually
from lib.tokens import token_claims
from lib.traffic import Traffic
from lib.users import ALICE, DEMO, EVERYBODY, MALLORY, User
from lib.workload import AUDIENCE, EcKey, Issuer, bearer, jwt_route

WITHIN = 2.0  # seconds, by the promise
MARGIN = 3.0  # what a sanitizer, a busy machine and Python may add
LEEWAY = 60  # of other people's clocks, for tokens of theirs
TICK = 1.0  # moments are whole seconds of a clock that the test reads as well


@pytest.fixture
def make_gateway(make_gateway):
    """Its metrics are looked at as well."""

    def make(*routes, **settings):
        return make_gateway(*routes, metrics_address=f"127.0.0.1:{free_port()}", **settings)

    return make


@pytest.fixture
def traffic():
    with Traffic() as traffic:
        yield traffic


class Scene:
    """Tunnels of two owners on one gateway: those that will end, one of them by our client, and one that will not."""

    def __init__(self, gateway, traffic, make_client, ending, staying):
        self.gateway = gateway
        self.traffic = traffic
        address = json.loads(gateway.config_path.read_text())["metrics_address"]
        self.metrics_port = int(address.rpartition(":")[2])
        self.ending = traffic.open(gateway, ending, 2)
        self.staying = traffic.open(gateway, staying, 2)
        self.client = make_client(gateway).listen("redis", browser=False, extra=["--service-account", ending])
        self.local = self.client.dial()
        self.local.sendall(b"hello")
        assert self.local.recv(5) == b"hello"
        traffic.check()

    def expect(self, reason, begun=None, within=WITHIN + MARGIN):
        """Exactly those of the one owner end, with that reason everywhere."""
        begun = begun or time.monotonic()
        eventually(lambda: all(flow.failure for flow in self.ending), f"tunnels end with {reason}", within)
        took = time.monotonic() - begun
        assert took < within, f"{took:.2f} s"
        self.gateway.log.wait("http-request", count=3, end_reason=reason)
        ended = [line for line in self.gateway.log.find("http-request") if line.get("tunnel-id")]
        assert [line["end-reason"] for line in ended] == [reason] * 3
        self.traffic.check(self.staying)
        self.expect_words(reason, {line["tunnel-id"] for line in ended})
        assert self.closed_total(reason) == 3
        self.traffic.check(self.staying)

    def closed_total(self, reason):
        """What the metric says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            [line] = [line for line in answer.read().decode().splitlines()
                      if line.startswith(f'pomerium_tunnels_closed_total{{reason="{reason}"}}')]
        return int(line.split()[-1])

    def expect_words(self, reason, tunnel_ids):
        """What the client prints."""
        with self.local, contextlib.suppress(ConnectionResetError):
            assert self.local.recv(1) == b""
        [line] = eventually(lambda: [line for line in self.client.json_lines() if line.message == "disconnected"],
                            lambda: f"the client says why:\n{self.client.stderr_text()}")
        start, _, rest = line["error"].partition(f" ({reason}, request ")
        assert start.startswith("the gateway closed the tunnel: "), line
        assert rest.rstrip(")") in tunnel_ids

    def expect_nothing(self):
        """All of them go on, for longer than it would take to end them."""
        self.traffic.check()
        time.sleep(WITHIN)
        self.traffic.check()
        assert not [line for line in self.gateway.log.find("http-request") if line.get("tunnel-id")]


    def close(self):
        self.local.close()
        self.client.stop()


@pytest.fixture
def watch(make_client, traffic):
    """watch(gateway, ending, staying): tunnels of both tokens."""
    scenes = []

    def open_scene(gateway, ending, staying):
        scenes.append(Scene(gateway, traffic, make_client, ending, staying))
        return scenes[-1]

    yield open_scene
    for scene in scenes:
        scene.close()


@pytest.fixture
def make_scene(make_gateway, watch, traffic):
    """DEMO's tunnels will end, ALICE's will not."""

    def make(ending=DEMO, staying=ALICE, **settings):
        route = settings.pop("route", {"allowed_users": [DEMO.email, ALICE.email]})
        settings.setdefault("runtime_flags", {"config_hot_reload": False})
        gateway = make_gateway(tcp_route("redis", traffic.port, **route), **settings)
        tokens = [obtain_token(gateway, "redis", user) for user in (ending, staying)]
        scene = watch(gateway, *tokens)
        scene.token = tokens[0]
        scene.config = json.loads(gateway.config_path.read_text())
        return scene

    return make


@pytest.fixture
def scene(make_scene):
    return make_scene()


def edit(scene, **changes):
    """A new configuration; returns when it began to count."""
    scene.config.update(changes)
    write_config(scene.gateway.config_path, scene.config)
    begun = time.monotonic()
    code, answer = reload(scene.gateway)
    assert code == 200, answer
    return begun


def operate(gateway, *words):
    done = run_gateway(*words, "--json", env=environment(STATE_DIRECTORY=gateway.state))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sign_out(gateway, token):
    browser = Browser(gateway.ca)
    browser.cookies[host("redis")] = {"_pomerium": token}
    page = browser.follow(browser.get(gateway.url("redis", "/.pomerium/sign_out")), stop_at="https://idp.")
    if page.status == 200 and "<form" in page.text:
        browser.submit(page)


# ---- sessions ----


def test_revoked_by_id(scene):
    begun = time.monotonic()
    answer = operate(scene.gateway, "sessions", "revoke", token_claims(scene.token)["jti"])
    assert answer == {"revoked": 1, "tunnels_closed": 3}
    scene.expect("session-revoked", begun)


def test_revoked_by_user(scene):
    begun = time.monotonic()
    answer = operate(scene.gateway, "sessions", "revoke", "--user", DEMO.email)
    assert answer == {"revoked": 1, "tunnels_closed": 3}
    scene.expect("session-revoked", begun)


def test_closed_by_an_operator(scene):
    answer = operate(scene.gateway, "tunnels", "close", "--user", DEMO.email)
    assert answer == {"closed": 3}
    scene.expect("closed-by-operator")


def test_signed_out_in_a_browser(scene):
    begun = time.monotonic()
    sign_out(scene.gateway, scene.token)
    scene.expect("session-revoked", begun)


def test_expired(make_gateway, watch, traffic):
    gateway = make_gateway(tcp_route("redis", traffic.port, allow_any_authenticated_user=True), cookie_expire="6s")
    staying = operate(gateway, "service-account", "create", "--user", "stays")["token"]
    ending = obtain_token(gateway, "redis", DEMO)
    begun = time.monotonic()
    scene = watch(gateway, ending, staying)
    assert not any(flow.failure for flow in scene.ending)
    scene.expect("session-expired", begun, 6 + TICK + WITHIN + MARGIN)
    assert time.monotonic() - begun > 5


# ---- users ----


@pytest.mark.parametrize("users", [
    [DEMO.entry(disabled=True), ALICE.entry()],
    [ALICE.entry()],
    [User(DEMO.email, "another password").entry(), ALICE.entry()],
    [DEMO.entry(id="somebody-else"), ALICE.entry()],
], ids=["disabled", "removed", "password", "id"])
def test_a_user_is_changed(scene, users):
    scene.expect("session-revoked", edit(scene, local_users=users))


def test_a_file_of_users_is_changed(make_scene, tmp_path):
    """By the command, and without anybody telling the gateway."""
    path = tmp_path / "users.yaml"
    path.write_text(json.dumps([user.entry() for user in EVERYBODY]))
    path.chmod(0o600)
    scene = make_scene(local_users=None, local_users_file=str(path), runtime_flags={})
    done = run_gateway("user", "disable", "--file", path, DEMO.email)
    assert done.returncode == 0, done.stderr
    scene.expect("session-revoked", within=2 * WITHIN + MARGIN)  # first the file has to be noticed


def test_a_group_is_taken_away(make_scene):
    """It was his at the login, and the token is still good: for other things."""
    scene = make_scene(route={"allowed_groups": [DEMO.groups[0], ALICE.groups[0]]})
    scene.expect("policy-denied", edit(scene, local_users=[DEMO.entry(groups=["others"]), ALICE.entry()]))
    assert scene.gateway.connect("redis", token=scene.token).status == 403


def test_other_edits_of_users_end_nothing(scene):
    edit(scene, local_users=[DEMO.entry(name="Another Name", groups=["more"]), ALICE.entry()])
    scene.expect_nothing()


# ---- routes and policies ----


def test_a_route_is_removed(make_scene, traffic):
    scene = make_scene()
    other = tcp_route("other", traffic.port, allow_any_authenticated_user=True)
    edit(scene, routes=[*scene.config["routes"], other])
    staying = traffic.open(scene.gateway, scene.token, 1, "other")
    begun = edit(scene, routes=[other])
    eventually(lambda: all(flow.failure for flow in scene.ending + scene.staying), "all of the route end",
               WITHIN + MARGIN)
    assert time.monotonic() - begun < WITHIN + MARGIN
    scene.gateway.log.wait("http-request", count=5, end_reason="route-removed")
    traffic.check(staying)
    scene.staying = staying
    scene.expect_words("route-removed", {line["tunnel-id"] for line in scene.gateway.log.find(
        "http-request", end_reason="route-removed")})


def test_a_route_leads_elsewhere(make_scene, redis):
    scene = make_scene()
    edit(scene, routes=[tcp_route("redis", redis.port, allowed_users=[DEMO.email, ALICE.email])])
    scene.gateway.log.wait("http-request", count=5, end_reason="route-removed")


def test_a_policy_is_changed(scene):
    routes = [tcp_route("redis", scene.traffic.port, allowed_users=[ALICE.email])]
    scene.expect("policy-denied", edit(scene, routes=routes))
    denied = scene.gateway.log.find("authorize check", allow=False, email=DEMO.email)
    assert {line["request-id"] for line in denied} == {line["tunnel-id"] for line in scene.gateway.log.find(
        "http-request", end_reason="policy-denied")}
    # Of those that may go on nothing is said again.
    assert len(scene.gateway.log.find("authorize check", method="CONNECT", email=ALICE.email)) == 2


def test_a_policy_that_allows_the_same_ends_nothing(scene):
    edit(scene, routes=[tcp_route("redis", scene.traffic.port, policy=[{"allow": {"or": [
        {"email": {"is": DEMO.email}}, {"email": {"is": ALICE.email}}]}}])])
    scene.expect_nothing()


def test_a_time_window_ends(make_scene):
    moment = int(time.time()) + 8
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    scene = make_scene(route={"policy": [{"allow": {"or": [
        {"email": {"is": ALICE.email}},
    ]}}, {"allow": {"and": [{"email": {"is": DEMO.email}}, {"date": {"before": until}}]}}]})
    assert time.time() < moment and not any(flow.failure for flow in scene.ending)
    scene.expect("policy-denied", within=moment - time.time() + TICK + WITHIN + MARGIN)
    assert time.time() >= moment


def test_a_tunnel_has_lasted_long_enough(make_scene):
    scene = make_scene(route={"allowed_users": [DEMO.email, ALICE.email], "timeout": "4s"})
    eventually(lambda: all(flow.failure for flow in scene.ending + scene.staying), "all end", 4 + WITHIN + MARGIN)
    scene.gateway.log.wait("http-request", count=5, end_reason="duration-limit")
    scene.expect_words("duration-limit", {line["tunnel-id"] for line in scene.gateway.log.find("http-request")
                                          if line.get("tunnel-id")})


# ---- off ----


def test_where_nobody_is_asked_again(make_scene, traffic):
    scene = make_scene(route={"allowed_users": [DEMO.email, ALICE.email], "tunnel_reauthorization": "off"})
    answer = operate(scene.gateway, "sessions", "revoke", token_claims(scene.token)["jti"])
    assert answer == {"revoked": 1, "tunnels_closed": 0}
    edit(scene, routes=[tcp_route("redis", traffic.port, allowed_users=[MALLORY.email],
                                  tunnel_reauthorization="off")])
    scene.expect_nothing()
    edit(scene, routes=[tcp_route("redis", traffic.port, allowed_users=[DEMO.email, ALICE.email])])
    scene.expect("session-revoked")


# ---- accounts and tokens of programs ----


def test_a_service_account_is_revoked(make_gateway, watch, traffic):
    gateway = make_gateway(tcp_route("redis", traffic.port, allow_any_authenticated_user=True))
    made = [operate(gateway, "service-account", "create", "--user", name) for name in ("ends", "stays")]
    scene = watch(gateway, *(account["token"] for account in made))
    begun = time.monotonic()
    operate(gateway, "service-account", "revoke", made[0]["id"])
    scene.expect("session-revoked", begun)


def test_a_service_account_expires(make_gateway, watch, traffic):
    gateway = make_gateway(tcp_route("redis", traffic.port, allow_any_authenticated_user=True))
    staying = operate(gateway, "service-account", "create", "--user", "stays")["token"]
    made = operate(gateway, "service-account", "create", "--user", "ends", "--expires", "6s")
    begun = time.monotonic()
    scene = watch(gateway, made["token"], staying)
    scene.expect("session-expired", begun, 6 + TICK + WITHIN + MARGIN)


def test_the_provider_confirms_nobody_any_more(make_gateway, watch, traffic, tmp_path, authority, certificate):
    world = World(tmp_path / "provider", authority, certificate, ttl={"AccessToken": 15})
    gateway = make_gateway(tcp_route("redis", traffic.port, allow_any_authenticated_user=True), **world.settings())
    scene = watch(gateway, *(obtain_token_of_provider(gateway, user=user) for user in (DEMO, ALICE)))
    world.provider.revoke(DEMO)
    line = gateway.log.wait("session ended: its identity provider does not confirm it any more", timeout=30)
    assert line["email"] == DEMO.email
    scene.expect("session-revoked")
    world.stop()


class Machines:
    """A gateway with tunnels of two machines that have tokens of two issuers."""

    def __init__(self, gateway, ending, staying):
        self.gateway = gateway
        self.ending, self.staying = (self.open(token) for token in (ending, staying))
        self.config = json.loads(gateway.config_path.read_text())

    def open(self, token):
        connection = self.gateway.open("redis")
        answer = connection.ask(connect_bytes(f"{host('redis')}:6379", headers=bearer(token)), has_body=False)
        assert answer.status == 200, answer
        return connection

    def expect(self, reason):
        self.ending.socket.settimeout(WITHIN + MARGIN)
        assert self.ending.read_to_end() == b""
        self.gateway.log.wait("http-request", end_reason=reason)
        self.staying.send(b"still there")
        assert self.staying.read_exactly(11) == b"still there"
        for connection in (self.ending, self.staying):
            connection.close()


@pytest.fixture
def machines(make_gateway, authority, certificate, traffic):
    issuers = [Issuer(certificate, EcKey(f"key{number}")) for number in range(2)]

    def make(**claims):
        gateway = make_gateway(
            jwt_route("redis", traffic.port, ["one", "two"], allow_any_authenticated_user=True),
            certificate_authority_file=str(authority.ca), runtime_flags={"config_hot_reload": False},
            identity_providers={name: {"issuer": issuer.url, "audiences": [AUDIENCE]}
                                for name, issuer in zip(("one", "two"), issuers)})
        return Machines(gateway, issuers[0].token("ends", **claims), issuers[1].token("stays"))

    yield make
    for issuer in issuers:
        issuer.stop()


def test_an_issuer_is_believed_no_more(machines):
    scene = machines()
    [route] = scene.config["routes"]
    edit(scene, routes=[{**route, "identity_providers": ["two"]}])
    scene.expect("session-revoked")


def test_a_token_is_for_others_now(machines):
    scene = machines()
    providers = scene.config["identity_providers"]
    edit(scene, identity_providers={**providers, "one": {**providers["one"], "audiences": ["https://other.example"]}})
    scene.expect("session-revoked")


def test_a_token_runs_out(machines):
    begun = time.time()
    scene = machines(exp=int(begun) - LEEWAY + 8)
    time.sleep(max(0, begun + 8 + TICK - WITHIN - time.time()))
    scene.expect("session-expired")
    assert time.time() - begun > 7
