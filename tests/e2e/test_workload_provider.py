"""Programs that show a token of the identity provider itself."""

import pytest

from lib.gateway import tcp_route
from lib.hostile import HostileProvider
from lib.idp import Place
from lib.users import DEMO

ACCESS_TOKEN = "hostile-access-token"


@pytest.fixture
def idp(certificate):
    idp = HostileProvider(certificate)
    yield idp
    idp.stop()


@pytest.fixture
def gateway_for(make_gateway, authority, idp, redis):
    def make(bearer_format, **settings):
        return make_gateway(
            tcp_route("redis", redis.port, allowed_users=[DEMO.email], **settings), bearer_token_format=bearer_format,
            **Place().settings(idp.issuer, authority.ca))

    return make


def status(gateway, token):
    return gateway.connect("redis", headers=[("Authorization", f"Bearer {token}")]).status


def test_id_token(idp, gateway_for):
    gateway = gateway_for("idp_identity_token")
    token = idp.id_token(None)
    assert [status(gateway, token) for _ in range(3)] == [200] * 3
    assert idp.paths() == ["/.well-known/openid-configuration", "/jwks"]
    for lie in ({"aud": "someone-else"}, {"iss": "https://elsewhere.example"}, {"exp": 1}, {"exp": None}):
        idp.claims = lie
        assert status(gateway, idp.id_token(None)) == 403, lie
    idp.claims = {"email": "other@demo.localhost"}
    assert status(gateway, idp.id_token(None)) == 403
    idp.claims = {}
    idp.sign_with_client_secret()
    assert status(gateway, idp.id_token(None)) == 403
    assert token not in gateway.stdout_text()


def test_access_token(idp, gateway_for):
    gateway = gateway_for("idp_access_token")
    assert [status(gateway, ACCESS_TOKEN) for _ in range(3)] == [200] * 3
    assert idp.paths().count("/me") == 1
    idp.replies["/me"] = (401, b"{}", {})
    assert status(gateway, "another") == 403
    idp.replies["/me"] = (500, b"", {})
    assert status(gateway, "a-third") == 503
    assert ACCESS_TOKEN not in gateway.stdout_text()


def test_access_token_for_an_audience(idp, gateway_for):
    gateway = gateway_for("idp_access_token", idp_access_token_allowed_audiences=["gate"])
    assert status(gateway, ACCESS_TOKEN) == 403
    idp.claims = {"aud": "other"}
    assert status(gateway, idp.id_token(None)) == 403
    assert "/me" not in idp.paths()
    idp.claims = {"aud": ["other", "gate"]}
    assert status(gateway, idp.id_token(None)) == 200


def test_provider_down(idp, gateway_for):
    gateway = gateway_for("idp_identity_token")
    token = idp.id_token(None)
    idp.stop()
    assert status(gateway, token) == 503
