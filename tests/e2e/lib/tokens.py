"""Signed URLs and session tokens made independently of the product (its wire formats, from their description)."""

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import parse_qsl, quote_plus, urlsplit

LIFETIME = 300


def canonical_query(params):
    """Sorted by name, values of one name in order, everything but A-Z a-z 0-9 - _ . ~ escaped."""
    pairs = sorted(params, key=lambda pair: pair[0].encode())
    return "&".join(f"{quote_plus(name, safe='~')}={quote_plus(value, safe='~')}" for name, value in pairs)


def _signature(key, unsigned, issued, expiry):
    digest = hmac.new(key, f"{unsigned}{issued} {expiry}".encode(), lambda data=b"": hashlib.new("sha512_256", data))
    return base64.urlsafe_b64encode(digest.digest()).decode()


def sign_url(key, url, issued=None, expiry=None):
    """The signed form of a URL."""
    issued = int(time.time()) if issued is None else issued
    expiry = issued + LIFETIME if expiry is None else expiry
    parts = urlsplit(url)
    params = parse_qsl(parts.query, keep_blank_values=True)
    params += [("pomerium_issued", str(issued)), ("pomerium_expiry", str(expiry))]
    base = f"{parts.scheme}://{parts.netloc}{parts.path}"
    signature = _signature(key, f"{base}?{canonical_query(params)}", issued, expiry)
    return f"{base}?{canonical_query([*params, ('pomerium_signature', signature)])}"


def is_signed(key, url):
    """True if the URL carries a signature made with that key, whatever the time."""
    parts = urlsplit(url)
    params = parse_qsl(parts.query, keep_blank_values=True)
    values = dict(params)
    unsigned = [(name, value) for name, value in params if name != "pomerium_signature"]
    base = f"{parts.scheme}://{parts.netloc}{parts.path}?{canonical_query(unsigned)}"
    wanted = _signature(key, base, values["pomerium_issued"], values["pomerium_expiry"])
    return hmac.compare_digest(wanted, values["pomerium_signature"])


def parameters(url):
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make_token(key, claims, header=None, algorithm="sha256"):
    """A compact JWS under a key; header and algorithm can be made wrong on purpose."""
    header = {"alg": "HS256", "typ": "JWT"} if header is None else header
    body = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{body}.{_b64(hmac.new(key, body.encode(), algorithm).digest())}"


def token_claims(token):
    return json.loads(_unb64(token.split(".")[1]))


def token_header_text(token):
    return _unb64(token.split(".")[0]).decode()


def token_is_signed(key, token):
    body, _, signature = token.rpartition(".")
    return hmac.compare_digest(_b64(hmac.new(key, body.encode(), "sha256").digest()), signature)
