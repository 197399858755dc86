"""Routes with rules in the policy language: who gets through, who has to log in, and who is refused."""

import datetime

import pytest

from lib.gateway import run_gateway, tcp_route
from lib.login import obtain_token
from lib.process import eventually
from lib.services import Upstream
from lib.users import ALICE, DEMO, MALLORY

PEOPLE = [DEMO, ALICE, MALLORY]
HERE = "127.0.0.0/8"
ELSEWHERE = "10.0.0.0/8"


def utc(**from_now):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**from_now)


def clock(**from_now):
    """A time of day, so many hours from now."""
    return f"{utc(**from_now):%H:%M}"


def date(**from_now):
    return f"{utc(**from_now):%Y-%m-%dT%H:%M:%SZ}"


def allow(*criteria, operator="or"):
    return {"allow": {operator: list(criteria)}}


def deny(*criteria, operator="or"):
    return {"deny": {operator: list(criteria)}}


EVERYBODY = allow({"authenticated_user": True})

# The policy of each route, whom it lets in, and what somebody is told who is not logged in.
ROUTES = {
    "email": (allow({"email": {"in": [DEMO.email, "x@y.test"]}}), [DEMO], 302),
    "domain": (allow({"domain": {"ends_with": "example.com"}}), PEOPLE, 302),
    "groups": (allow({"groups": "ops@example.com"}), [DEMO], 302),
    "two-groups": (allow({"groups": "ops@example.com"}, {"groups": "datascience@example.com"}, operator="and"), [], 302),
    "claim": (allow({"claim/name": "Alice"}), [ALICE], 302),
    "claim-boolean": (allow({"claim/email_verified": True}), PEOPLE, 302),
    "claim-list": (allow({"claim/groups": {"has": "datascience@example.com", "exclude": "ops@example.com"}}), [ALICE], 302),
    "claim-missing": (allow({"claim/nothing": "x"}), [], 302),
    "here": (allow({"source_ip": [HERE, "::1"]}), PEOPLE, 200),
    "elsewhere": (allow({"source_ip": ELSEWHERE}), [], 403),
    "here-and-groups": (allow({"source_ip": HERE}, {"groups": "ops@example.com"}, operator="and"), [DEMO], 302),
    "connect": (allow({"http_method": "CONNECT"}, {"http_path": ""}, {"http_host": {"ends_with": ":6379"}}, operator="and"),
                PEOPLE, 200),
    "deny-beats-allow": ([deny({"email": ALICE.email}), EVERYBODY], [DEMO, MALLORY], 302),
    "deny-here": ([EVERYBODY, deny({"source_ip": HERE})], [], 302),
    "deny-elsewhere": ([EVERYBODY, deny({"source_ip": ELSEWHERE})], PEOPLE, 302),
    "not": (allow({"groups": "ops@example.com"}, {"domain": "corp.example.com"}, operator="not"), [MALLORY], 302),
    "nor": (allow({"groups": "ops@example.com"}, {"domain": "example.com"}, operator="nor"), [ALICE, MALLORY], 302),
    "not-somebody": (allow({"email": {"not": "x@y.test"}}), PEOPLE, 302),
    "public-but-one": ([allow({"accept": True}), deny({"email": MALLORY.email})], [DEMO, ALICE], 302),
    "open": (allow({"time_of_day": {"timezone": "UTC", "after": clock(hours=-2), "before": clock(hours=2)}}), PEOPLE, 200),
    "closed": (allow({"time_of_day": {"timezone": "UTC", "after": clock(hours=2), "before": clock(hours=4)}}), [], 403),
    "open-in-tokyo": (allow({"time_of_day": {"timezone": "Asia/Tokyo", "after": clock(hours=7), "before": clock(hours=11)}}),
                      PEOPLE, 200),
    "closed-in-tokyo": (allow({"time_of_day": {"timezone": "Asia/Tokyo", "after": clock(hours=-2), "before": clock(hours=2)}}),
                        [], 403),
    "every-day": (allow({"day_of_week": "mon-sun"}), PEOPLE, 200),
    "before": (allow({"date": {"before": date(days=1)}}), PEOPLE, 200),
    "expired": (allow({"date": {"before": date(days=-1)}}), [], 403),
    "empty": ([], [], 403),
}


@pytest.fixture(scope="module")
def echo():
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, echo):
    routes = [tcp_route(name, echo.port, policy=policy) for name, (policy, _, _) in ROUTES.items()]
    mixed = tcp_route("mixed", echo.port, allowed_users=[MALLORY.email], allowed_idp_claims={"name": ["Alice"]},
                      policy=allow({"groups": "ops@example.com"}))
    return make_shared_gateway(*routes, mixed)


@pytest.fixture(scope="module")
def tokens(gateway):
    return {user.email: obtain_token(gateway, "email", user) for user in PEOPLE}


@pytest.mark.parametrize("name", ROUTES)
def test_who_may(gateway, tokens, name):
    _, allowed, anonymous = ROUTES[name]
    got = {user.name: gateway.connect(name, token=tokens[user.email]).status for user in PEOPLE}
    assert got == {user.name: 200 if user in allowed else 403 for user in PEOPLE}
    assert gateway.connect(name).status == anonymous


def test_lists_and_rules_are_alternatives(gateway, tokens):
    assert [gateway.connect("mixed", token=tokens[user.email]).status for user in PEOPLE] == [200, 200, 200]
    assert gateway.connect("mixed").status == 302


def test_a_tunnel_by_a_rule_carries_bytes(gateway, tokens):
    with gateway.tunnel("groups", token=tokens[DEMO.email]) as connection:
        connection.send(b"hello")
        assert connection.read_exactly(5) == b"hello"


def test_time_passes(make_gateway, echo):
    """Allowed until a moment that comes during the test."""
    gateway = make_gateway(tcp_route("soon", echo.port, policy=allow({"date": {"before": date(seconds=5)}})))
    assert gateway.connect("soon").status == 200
    eventually(lambda: gateway.connect("soon").status == 403, "the time of the rule is over")


def test_mistakes_are_named_with_their_places(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("""\
address: 127.0.0.1:0
routes:
  - from: tcp+https://a.example.com:1
    to: tcp://127.0.0.1:1
    policy:
      - allow:
          and:
            - emails: a@b.test
            - device: {type: any}
            - claim/x: {starts_with: y}
  - from: tcp+https://b.example.com:1
    to: tcp://127.0.0.1:1
    policy:
      deny: {or: [{source_ip: localhost}]}
""")
    done = run_gateway("--config", path)
    assert done.returncode == 1
    for place, sentence in {
        "8:15: routes[0].policy[0].allow.and[0].emails": "\"emails\" is not a criterion; did you mean email?",
        "9:15: routes[0].policy[0].allow.and[1].device": "device is not supported by this gateway",
        "10:25: routes[0].policy[0].allow.and[2].claim/x": "\"starts_with\" is not an operator here (has, is, exclude)",
        "14:31: routes[1].policy.deny.or[0].source_ip":
            "\"localhost\" is not an IP address or a range like 10.0.0.0/8",
    }.items():
        assert f"{path}:{place}: {sentence}" in done.stderr
