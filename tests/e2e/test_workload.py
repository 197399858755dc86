"""Programs that show a token of somebody else's: of Kubernetes, of a CI system, of a cloud; of the identity provider."""

import http.server
import json
import ssl
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lib.gateway import host, tcp_route
from lib.login import obtain_token
from lib.net import connect_bytes
from lib.process import eventually
from lib.tokens import _b64 as b64
from lib.users import DEMO

AUDIENCE = "https://gateway.demo.localhost"
POD = "system:serviceaccount:shop:cart"
BRANCH = "repo:org/app:ref:refs/heads/main"
ROBOT = "robot@project.iam.example.com"


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class RsaKey:
    algorithm = "RS256"

    def __init__(self, kid):
        self.kid = kid
        self.private = rsa.generate_private_key(65537, 2048)

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": number(numbers.n), "e": number(numbers.e)}

    def sign(self, data):
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


class EcKey:
    algorithm = "ES256"

    def __init__(self, kid):
        self.kid = kid
        self.private = ec.generate_private_key(ec.SECP256R1())

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        x, y = (b64(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": x, "y": y}

    def sign(self, data):
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class EdKey:
    algorithm = "EdDSA"

    def __init__(self, kid):
        self.kid = kid
        self.private = ed25519.Ed25519PrivateKey.generate()

    def jwk(self):
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": b64(self.private.public_key().public_bytes_raw())}

    def sign(self, data):
        return self.private.sign(data)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        issuer = self.server.issuer
        issuer.requests.append(self.path)
        answers = {
            "/.well-known/openid-configuration": {
                "issuer": issuer.url, "jwks_uri": f"{issuer.url}/openid/v1/jwks",
                "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            },
            "/openid/v1/jwks": {"keys": [key.jwk() for key in issuer.published]},
        }
        body = compact(answers.get(self.path, {}))
        self.send_response(200 if self.path in answers else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Issuer:
    """Publishes a discovery document and keys, and signs what a test wants."""

    def __init__(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.key = key
        self.published = [key]
        self.requests = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.issuer = self
        self.url = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def token(self, sub, header=None, key=None, **claims):
        """Claims and header members that are None are left out."""
        key = key or self.key
        now = int(time.time())
        claims = {"iss": self.url, "sub": sub, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 600, **claims}
        header = {"alg": key.algorithm, "kid": key.kid, "typ": "JWT", **(header or {})}
        parts = ({name: value for name, value in part.items() if value is not None} for part in (header, claims))
        signed = ".".join(b64(compact(part)) for part in parts)
        return f"{signed}.{b64(key.sign(signed.encode()))}"


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


def jwt_route(name, port, providers, **settings):
    return tcp_route(name, port, bearer_token_format="jwt", identity_providers=providers, **settings)


@pytest.fixture
def gateway(make_gateway, authority, issuers, redis):
    return make_gateway(
        jwt_route("redis", redis.port, ["cluster", "ci", "cloud"],
                  allowed_users=[f"cluster/{POD}", f"ci/{BRANCH}", ROBOT, DEMO.email]),
        jwt_route("ci-only", redis.port, ["ci"], allow_any_authenticated_user=True),
        tcp_route("people", redis.port, allow_any_authenticated_user=True),
        certificate_authority_file=str(authority.ca), identity_providers=issuers.settings(),
    )


def bearer(token, scheme="Bearer"):
    return [("Authorization", f"{scheme} {token}")]


def ask(gateway, token, name="redis", **options):
    return gateway.connect(name, headers=bearer(token, **options))


def assert_tunnel(gateway, token, name="redis"):
    with gateway.open(name) as connection:
        request = connect_bytes(f"{host(name)}:6379", headers=bearer(token))
        response = connection.ask(request, has_body=False)
        assert response.status == 200, f"{response}\n{gateway.stdout_text()[-3000:]}"
        connection.send(b"PING\r\n")
        assert connection.read_exactly(7) == b"+PONG\r\n"


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
