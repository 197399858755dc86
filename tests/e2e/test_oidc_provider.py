"""The provider of the tests itself, asked by a relying party of a few lines: what the other tests may rely on."""

import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from lib.idp import CLIENT_ID, CLIENT_SECRET, ProviderBrowser, World
from lib.users import ALICE, DEMO


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class RelyingParty:
    """Authorization code with PKCE, by hand."""

    def __init__(self, world):
        self.world = world
        self.browser = ProviderBrowser(world.ca)
        self.callback = f"{world.places[0].url}/oauth2/callback"
        self.metadata = self.get_json(f"{world.provider.issuer}/.well-known/openid-configuration")

    def get_json(self, url, **headers):
        page = self.browser.get(url, headers=headers.items())
        assert page.status == 200, f"{page.status} {page.text}"
        return json.loads(page.text)

    def authorization(self, verifier):
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return self.metadata["authorization_endpoint"] + "?" + urlencode({
            "client_id": CLIENT_ID, "redirect_uri": self.callback, "response_type": "code",
            "scope": "openid profile email offline_access", "state": "s", "nonce": "n",
            "code_challenge": challenge, "code_challenge_method": "S256",
        })

    def post(self, endpoint, **fields):
        basic = base64.b64encode(f"{quote(CLIENT_ID, safe='')}:{quote(CLIENT_SECRET, safe='')}".encode()).decode()
        page = self.browser.request(
            "POST", self.metadata[endpoint], urlencode(fields).encode(),
            [("Authorization", f"Basic {basic}"), ("Accept", "application/json")])
        return page.status, json.loads(page.text or "{}")

    def log_in(self, user):
        verifier = secrets.token_urlsafe(40)
        page = self.browser.log_in(self.authorization(verifier), user, stop_at=self.callback)
        assert page.status in (302, 303), f"{page.status} {page.text}"
        code = parse_qs(urlsplit(page.location).query)["code"][0]
        return self.post("token_endpoint", grant_type="authorization_code", code=code, redirect_uri=self.callback,
                         code_verifier=verifier)

    def refresh(self, token):
        return self.post("token_endpoint", grant_type="refresh_token", refresh_token=token)

    def verified(self, id_token):
        """The claims, if the ES256 signature is right."""
        signed, _, signature = id_token.rpartition(".")
        kid = json.loads(unb64(id_token.split(".")[0]))["kid"]
        key = next(key for key in self.get_json(self.metadata["jwks_uri"])["keys"] if key["kid"] == kid)
        x, y = (int.from_bytes(unb64(key[part]), "big") for part in "xy")
        r, s = (int.from_bytes(half, "big") for half in (unb64(signature)[:32], unb64(signature)[32:]))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        public.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
        return json.loads(unb64(signed.split(".")[1]))


@pytest.fixture(scope="module")
def world(tmp_path_factory, authority, certificate):
    world = World(tmp_path_factory.mktemp("provider"), authority, certificate)
    yield world
    world.stop()


@pytest.fixture
def party(world):
    return RelyingParty(world)


def test_login_with_consent(party):
    status, tokens = party.log_in(DEMO)
    assert status == 200 and {"access_token", "refresh_token", "id_token"} <= tokens.keys()
    claims = party.verified(tokens["id_token"])
    assert (claims["sub"], claims["nonce"], claims["aud"]) == ("id-of-demo", "n", CLIENT_ID)
    profile = party.get_json(party.metadata["userinfo_endpoint"], Authorization=f"Bearer {tokens['access_token']}")
    assert profile == {"sub": "id-of-demo", "email": DEMO.email, "email_verified": True, "name": DEMO.name,
                       "groups": DEMO.groups}


def test_a_refresh_token_is_good_once(party, world):
    token = party.log_in(DEMO)[1]["refresh_token"]
    world.provider.reset_counts()
    status, tokens = party.refresh(token)
    assert status == 200 and tokens["refresh_token"] != token
    assert party.refresh(token) == (400, {"error": "invalid_grant", "error_description": "grant request is invalid"})
    # Whoever uses one twice loses them all.
    assert party.refresh(tokens["refresh_token"])[0] == 400
    assert world.provider.count("grant:refresh_token") == 1 and world.provider.count("refused:refresh_token") == 2


def test_revoked_by_the_provider(party, world):
    token = party.log_in(ALICE)[1]["refresh_token"]
    assert world.provider.revoke(ALICE) >= 1
    assert party.refresh(token)[1]["error"] == "invalid_grant"


def test_disabled_account(party, world):
    token = party.log_in(ALICE)[1]["refresh_token"]
    world.provider.change(ALICE, disabled=True)
    assert party.refresh(token)[1]["error"] == "invalid_grant"
    world.provider.change(ALICE, disabled=False)


def test_killed_and_back_it_knows_its_grants(party, world):
    token = party.log_in(DEMO)[1]["refresh_token"]
    world.provider.restart()
    status, tokens = party.refresh(token)
    assert status == 200 and party.verified(tokens["id_token"])["sub"] == "id-of-demo"


def test_rotated_keys(party, world):
    old = party.get_json(party.metadata["jwks_uri"])["keys"]
    world.provider.rotate_keys()
    new = party.get_json(party.metadata["jwks_uri"])["keys"]
    assert not {key["kid"] for key in old} & {key["kid"] for key in new}
    assert party.verified(party.log_in(DEMO)[1]["id_token"])


def test_broken_endpoint(party, world):
    world.provider.break_endpoint("jwks", status=500, times=1)
    assert party.browser.get(party.metadata["jwks_uri"]).status == 500
    assert party.browser.get(party.metadata["jwks_uri"]).status == 200


def test_logout(party):
    tokens = party.log_in(DEMO)[1]
    target = f"{party.world.places[0].url}/.pomerium/signed_out"
    page = party.browser.get(party.metadata["end_session_endpoint"] + "?" + urlencode(
        {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": target}))
    page = party.browser.submit(page)
    assert page.location == target
    assert party.refresh(tokens["refresh_token"])[0] == 200  # until the tokens are revoked
    assert party.post("revocation_endpoint", token=party.log_in(DEMO)[1]["refresh_token"])[0] == 200


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_other_algorithms(tmp_path, authority, certificate, algorithm):
    world = World(tmp_path, authority, certificate, algorithms=[algorithm])
    status, tokens = RelyingParty(world).log_in(DEMO)
    assert status == 200
    assert json.loads(unb64(tokens["id_token"].split(".")[0]))["alg"] == algorithm
    world.stop()
