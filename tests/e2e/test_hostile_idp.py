"""A provider whose id_tokens are wrong: an error page, a reason in the log, and no session."""

import time

import pytest

from lib.gateway import tcp_route
from lib.hostile import HostileProvider, Key, assert_refused, b64, compact, hs256, log_in
from lib.idp import CLIENT_ID, Place
from lib.users import DEMO

NOW = int(time.time())


@pytest.fixture(scope="module")
def idp(certificate):
    idp = HostileProvider(certificate)
    yield idp
    idp.stop()


@pytest.fixture(scope="module")
def shared(make_shared_gateway, authority, idp, redis):
    """Has asked for discovery and keys before the lies begin."""
    idp.honest()
    gateway = make_shared_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **Place().settings(idp.issuer, authority.ca))
    assert log_in(gateway)[1].status == 302
    return gateway


@pytest.fixture(autouse=True)
def honest_afterwards(idp):
    yield
    idp.honest()


# ---- the id_token ----

CLAIMS = {
    "another issuer": {"iss": "https://other.example.com"},
    "no issuer": {"iss": None},
    "an issuer that is a list": {"iss": ["https://other.example.com"]},
    "another audience": {"aud": "someone-else"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "audiences without us": {"aud": ["a", "b"]},
    "several audiences and no azp": {"aud": [CLIENT_ID, "other"]},
    "another azp": {"azp": "someone-else"},
    "several audiences and another azp": {"aud": [CLIENT_ID, "other"], "azp": "other"},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "a nonce that is a number": {"nonce": 1},
    "expired": {"exp": NOW - 600},
    "no expiry": {"exp": None},
    "an expiry that is text": {"exp": "tomorrow"},
    "no time": {"iat": None},
    "made in the future": {"iat": NOW + 3600},
    "good only later": {"nbf": NOW + 3600},
    "nobody": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
}


@pytest.mark.parametrize("what", CLAIMS)
def test_claims(shared, idp, what):
    idp.claims = CLAIMS[what]
    assert_refused(shared)


def repeat(name, value):
    return lambda claims: compact(claims)[:-1] + f',"{name}":{value}}}'.encode()


def with_claim(text):
    return lambda claims: compact(claims)[:-1] + b"," + text + b"}"


PAYLOADS = {
    "the subject twice": repeat("sub", '"id-of-alice"'),
    "the issuer twice": repeat("iss", '"https://other.example.com"'),
    "the e-mail twice": repeat("email", '"alice@corp.example.com"'),
    "deeply nested lists": with_claim(b'"x":' + b"[" * 3000 + b"]" * 3000),
    "deeply nested objects": with_claim(b'"x":' + b'{"y":' * 1000 + b"1" + b"}" * 1000),
    "a number without end": with_claim(b'"x":1' + b"0" * 400),
    "an exponent without end": with_claim(b'"x":1e999999'),
    "an expiry beyond all time": lambda claims: compact({**claims, "exp": None}).replace(b'"exp":null', b'"exp":1e400'),
    "invalid UTF-8": with_claim(b'"x":"\xff\xfe"'),
    "half a surrogate pair": with_claim(b'"x":"\\ud800"'),
    "a NUL in a name": with_claim(b'"x\\u0000y":1'),
    "a list": b"[]",
    "text": b'"hello"',
    "nothing": lambda claims: b" ",
    "two objects": lambda claims: compact(claims) + compact(claims),
    "not JSON": b"{iss:1}",
    "larger than allowed": with_claim(b'"x":"' + b"a" * 40000 + b'"'),
}


@pytest.mark.parametrize("what", PAYLOADS)
def test_payload(shared, idp, what):
    idp.payload = PAYLOADS[what]
    assert_refused(shared)


HEADERS = {
    "no algorithm": {"alg": None},
    "none": {"alg": "none"},
    "None": {"alg": "None"},
    "an algorithm of another kind of key": {"alg": "RS256"},
    "an algorithm of another curve": {"alg": "ES384"},
    "EdDSA": {"alg": "EdDSA"},
    "an algorithm in small letters": {"alg": "es256"},
    "an algorithm that is a number": {"alg": 256},
    "an algorithm in a list": {"alg": ["ES256"]},
    "an unknown key": {"kid": "unknown"},
    "a key in the header": {"kid": None, "jwk": Key().jwk()},
    "something critical": {"crit": ["x"], "x": 1},
    "an unencoded payload": {"b64": False, "crit": ["b64"]},
}


@pytest.mark.parametrize("what", HEADERS)
def test_header(shared, idp, what):
    idp.header = HEADERS[what]
    if "jwk" in HEADERS[what]:
        idp.sign = Key().sign
    assert_refused(shared)


def test_the_algorithm_twice(shared, idp):
    idp.header_bytes = b'{"alg":"none","alg":"ES256","kid":"key-1"}'
    assert_refused(shared)


def without_signature(token):
    return token.rpartition(".")[0] + "."


TOKENS = {
    "no signature": without_signature,
    "two parts": lambda token: token.rpartition(".")[0],
    "four parts": lambda token: token + ".AAAA",
    "a signature of zeros": lambda token: without_signature(token) + b64(bytes(64)),
    "a signature too short": lambda token: without_signature(token) + b64(bytes(63)),
    "padding": lambda token: token + "==",
    "blanks": lambda token: token.replace(".", ". "),
    "other base64": lambda token: without_signature(token) + "+" * 86,
    "one character": "x",
    "only dots": "..",
    "no text": lambda token: 7,
}


@pytest.mark.parametrize("what", TOKENS)
def test_token(shared, idp, what):
    idp.token = TOKENS[what]
    assert_refused(shared)


def test_signed_by_another_key(shared, idp):
    idp.sign = Key().sign
    assert_refused(shared)


def test_signature_in_another_form(shared, idp):
    idp.sign = idp.key.sign_der
    assert_refused(shared)


def test_signed_with_the_client_secret(shared, idp):
    idp.sign_with_client_secret()
    assert_refused(shared)


def test_signed_with_the_public_key_as_a_secret(shared, idp):
    from cryptography.hazmat.primitives import serialization

    pem = idp.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    idp.header = {"alg": "HS256"}
    idp.sign = lambda data: hs256(pem, data)
    assert_refused(shared)


def test_a_token_without_a_signature_that_says_so(shared, idp):
    idp.header = {"alg": "none", "kid": None}
    idp.token = without_signature
    assert_refused(shared)
