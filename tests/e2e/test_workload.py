"""Programs that show a token of somebody else's: of Kubernetes, of a CI system, of a cloud; of the identity provider."""

import pytest

from lib.gateway import tcp_route
from lib.login import obtain_token
from lib.process import eventually
from lib.users import DEMO
from lib.workload import AUDIENCE, EcKey, EdKey, Issuer, RsaKey, bearer, jwt_route, ping

POD = "system:serviceaccount:shop:cart"
BRANCH = "repo:org/app:ref:refs/heads/main"
ROBOT = "robot@project.iam.example.com"


class Issuers:
    def __init__(self, certificate):
        self.kubernetes = Issuer(certificate, RsaKey("k1"))
        self.ci = Issuer(certificate, EcKey("c1"))
        self.cloud = Issuer(certificate, EdKey("g1"))
        self.all = [self.kubernetes, self.ci, self.cloud]

    def settings(self):
        return {
            "cluster": {"issuer": self.kubernetes.url, "audiences": [AUDIENCE]},
            "ci": {"issuer": self.ci.url, "audiences": ["other", AUDIENCE], "jwks_url": f"{self.ci.url}/openid/v1/jwks"},
            "cloud": {"issuer": self.cloud.url, "audiences": [AUDIENCE], "supported_algs": ["EdDSA"]},
        }


@pytest.fixture
def issuers(certificate):
    issuers = Issuers(certificate)
    yield issuers
    for issuer in issuers.all:
        issuer.stop()


@pytest.fixture
def gateway(make_gateway, authority, issuers, redis):
    return make_gateway(
        jwt_route("redis", redis.port, ["cluster", "ci", "cloud"],
                  allowed_users=[f"cluster/{POD}", f"ci/{BRANCH}", ROBOT, DEMO.email]),
        jwt_route("ci-only", redis.port, ["ci"], allow_any_authenticated_user=True),
        tcp_route("people", redis.port, allow_any_authenticated_user=True),
        certificate_authority_file=str(authority.ca), identity_providers=issuers.settings(),
    )


def ask(gateway, token, name="redis", **options):
    return gateway.connect(name, headers=bearer(token, **options))


def assert_tunnel(gateway, token, name="redis"):
    assert ping(gateway, token, name) == "+PONG\r\n+OK\r\n"


def assert_refused(gateway, token, name="redis"):
    response = ask(gateway, token, name)
    assert (response.status, response.header("x-pomerium-reason")) == (403, "denied"), (
        f"{response}\n{gateway.stdout_text()[-3000:]}")


def test_kubernetes(gateway, issuers):
    token = issuers.kubernetes.token(POD, **{"kubernetes.io": {"namespace": "shop", "pod": {"name": "cart-1"}}})
    assert_tunnel(gateway, token)
    assert_tunnel(gateway, token)
    # The second time nobody was asked.
    assert issuers.kubernetes.requests == ["/.well-known/openid-configuration", "/openid/v1/jwks"]
    opened = "tunnel opened"
    eventually(lambda: len(gateway.log.find(opened, user=f"cluster/{POD}")) == 2, "two log lines")
    assert len({line["session-id"] for line in gateway.log.find(opened)}) == 1
    assert token not in gateway.stdout_text()


def test_ci(gateway, issuers):
    assert_tunnel(gateway, issuers.ci.token(BRANCH, aud=AUDIENCE))
    assert issuers.ci.requests == ["/openid/v1/jwks"]


def test_cloud(gateway, issuers):
    assert_tunnel(gateway, issuers.cloud.token("1234", email=ROBOT, email_verified=True))
    # Somebody, but not one of those; an e-mail that nobody vouches for is none.
    assert_refused(gateway, issuers.cloud.token("1234", email=ROBOT))
    assert gateway.log.wait("authorize check", user="cloud/1234", email="", allow=False)


def test_the_policy_decides_about_the_others(gateway, issuers):
    assert_refused(gateway, issuers.kubernetes.token("system:serviceaccount:shop:other"))
    assert_refused(gateway, issuers.ci.token(POD))
    assert_refused(gateway, issuers.kubernetes.token(BRANCH))


@pytest.mark.parametrize("changes", [
    {"aud": ["https://elsewhere"]}, {"aud": None}, {"aud": []}, {"iss": None}, {"iss": "https://unknown.example"},
    {"exp": 1}, {"exp": None}, {"nbf": 4000000000}, {"header": {"alg": "none"}}, {"header": {"alg": "HS256"}},
    {"header": {"alg": "ES256"}}, {"header": {"crit": ["b64"], "b64": False}},
], ids=str)
def test_bad_tokens(gateway, issuers, changes):
    assert_tunnel(gateway, issuers.kubernetes.token(POD))
    assert_refused(gateway, issuers.kubernetes.token(POD, **changes))
    refused = eventually(lambda: gateway.log.find("token refused"), "a log line")
    assert refused[0]["error"]


def test_bad_signatures(gateway, issuers):
    good = issuers.kubernetes.token(POD)
    assert_refused(gateway, issuers.kubernetes.token(POD, key=RsaKey("k1")))
    assert_refused(gateway, issuers.kubernetes.token(POD, key=issuers.ci.key))
    assert_refused(gateway, good[:-8] + "AAAAAAAA")
    assert_refused(gateway, good.rpartition(".")[0] + ".")
    for junk in ("x", "a.b.c", "....", "e30.e30.", "x" * 9000):
        assert_refused(gateway, junk)
    assert_tunnel(gateway, good)


def test_only_algorithms_that_were_asked_for(gateway, issuers):
    key = EcKey("g2")
    issuers.cloud.published = [issuers.cloud.key, key]
    assert_refused(gateway, issuers.cloud.token("1234", key=key, email=ROBOT, email_verified=True))


def test_an_issuer_counts_only_where_it_is_named(gateway, issuers):
    token = issuers.kubernetes.token(POD)
    assert_tunnel(gateway, token)
    assert_refused(gateway, token, "ci-only")
    assert_tunnel(gateway, issuers.ci.token("anybody"), "ci-only")


def test_where_no_format_is_set_it_is_not_looked_at(gateway, issuers):
    assert ask(gateway, issuers.kubernetes.token(POD), "people").status == 302
    assert issuers.kubernetes.requests == []


def test_ways_to_write_it(gateway, issuers):
    token = issuers.kubernetes.token(POD)
    for scheme in ("Bearer", "bearer", "BEARER", "Bearer "):
        assert ask(gateway, token, scheme=scheme).status == 200


def test_people_go_on_as_before(gateway, issuers):
    token = obtain_token(gateway, "redis", DEMO)
    for headers in (bearer(f"Pomerium-{token}"), [("Authorization", f"Pomerium {token}")],
                    [("Cookie", f"_pomerium={token}")]):
        assert gateway.connect("redis", headers=headers).status == 200
    both = [("Cookie", f"_pomerium={token}"), *bearer(issuers.kubernetes.token(POD))]
    assert gateway.connect("redis", headers=both).status == 400


def test_rotated_keys(gateway, issuers):
    issuer = issuers.kubernetes
    assert_tunnel(gateway, issuer.token(POD))
    issuer.key = RsaKey("k2")
    issuer.published.append(issuer.key)
    # Keys are not asked for at will: a new one is found after some seconds.
    eventually(lambda: ask(gateway, issuer.token(POD)).status == 200, "the new key is known", 30)
    assert issuer.requests.count("/openid/v1/jwks") == 2


def test_issuer_down(gateway, issuers):
    token = issuers.kubernetes.token(POD)
    issuers.kubernetes.stop()
    assert ask(gateway, token).status == 503
    assert_tunnel(gateway, issuers.ci.token(BRANCH))
    assert eventually(lambda: gateway.log.find("token cannot be verified"), "a log line")


def test_issuer_goes_down_later(gateway, issuers):
    assert_tunnel(gateway, issuers.kubernetes.token(POD))
    issuers.kubernetes.stop()
    assert_tunnel(gateway, issuers.kubernetes.token(POD, jti="another"))
