"""An identity provider that lies as a test wants it to. It asks nothing: whoever comes is logged in."""

import base64
import hashlib
import http.server
import json
import ssl
import threading
import time
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lib.gateway import host
from lib.idp import AUTHENTICATE, CLIENT_ID, CLIENT_SECRET, HOST
from lib.login import Browser, sign_in_url
from lib.process import eventually
from lib.users import DEMO

CLI = "http://127.0.0.1:1"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


class Key:
    """P-256, as ES256 has it."""

    def __init__(self, kid="key-1"):
        self.kid = kid
        self.private = ec.generate_private_key(ec.SECP256R1())

    def jwk(self, **changes):
        numbers = self.private.public_key().public_numbers()
        key = {
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big")), **changes,
        }
        return {name: value for name, value in key.items() if value is not None}

    def sign_der(self, data):
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))

    def sign(self, data):
        r, s = decode_dss_signature(self.sign_der(data))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def hs256(secret, data):
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(data)
    return mac.finalize()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _handle(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.idp.answer(self, body)

    do_GET = do_POST = _handle

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=()):
        body = body if isinstance(body, bytes) else compact(body)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **dict(headers)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        """Whoever is served lies may well hang up."""


class HostileProvider:
    """Honest until told otherwise: honest() takes every lie back."""

    authorize_path = "/auth"

    def __init__(self, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.idp = self
        self.port = self.server.server_address[1]
        self.issuer = f"https://{HOST}:{self.port}"
        self.key = Key()
        self.requests = []
        self.nonces = {}
        self.honest()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def honest(self):
        self.claims = {}         # changes to the id_token; None takes a claim away
        self.header = {}         # likewise
        self.payload = None      # bytes instead of the claims, or a function of them
        self.header_bytes = None
        self.sign = self.key.sign
        self.token = None        # text instead of the id_token, or a function of it
        self.profile = {}        # changes to what the user-info endpoint says
        self.tokens = {}         # changes to the token response
        self.metadata = {}       # changes to the discovery document
        self.keys = [self.key.jwk()]
        self.replies = {}        # path -> (status, body, headers), or a function of the handler
        self.callback = {}       # changes to the parameters of the callback
        self.requests.clear()

    def paths(self):
        return [path for path, _ in list(self.requests)]

    # ---- the honest answers, with the changes ----

    def answer(self, handler, body):
        parts = urlsplit(handler.path)
        self.requests.append((parts.path, parts.query or body.decode("latin-1")))
        reply = self.replies.get(parts.path)
        if callable(reply):
            reply(handler)
        elif reply:
            handler.reply(*reply)
        elif parts.path == self.authorize_path:
            self._authorize(handler, parse_qs(parts.query))
        else:
            known = self.answers(handler, body).get(parts.path)
            handler.reply(200 if known else 404, known() if known else {})

    def answers(self, handler, body):
        """path -> a function that gives the honest JSON"""
        return {
            "/.well-known/openid-configuration": self._discovery, "/jwks": lambda: {"keys": self.keys},
            "/token": lambda: self._token(parse_qs(body.decode())), "/me": self._userinfo, "/revoke": dict,
        }

    def _changed(self, honest, changes):
        return {name: value for name, value in {**honest, **changes}.items() if value is not None}

    def _discovery(self):
        return self._changed({
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token", "userinfo_endpoint": f"{self.issuer}/me",
            "jwks_uri": f"{self.issuer}/jwks", "revocation_endpoint": f"{self.issuer}/revoke",
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256"],
        }, self.metadata)

    def _authorize(self, handler, asked):
        code = hashlib.sha256(asked["state"][0].encode()).hexdigest()
        self.nonces[code] = asked.get("nonce", [None])[0]
        target = asked["redirect_uri"][0] + "?" + urlencode(
            self._changed({"code": code, "state": asked["state"][0]}, self.callback))
        handler.reply(302, b"", {"Location": target})

    def _userinfo(self):
        return self._changed(
            {"sub": "id-of-demo", "email": DEMO.email, "email_verified": True, "name": DEMO.name}, self.profile)

    def _token(self, asked):
        return self._changed({
            "access_token": "hostile-access-token", "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": "hostile-refresh-token", "id_token": self.id_token(self.nonces.get(asked["code"][0])),
        }, self.tokens)

    def id_token(self, nonce):
        now = int(time.time())
        claims = self._changed({
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "id-of-demo", "iat": now, "exp": now + 3600, "nonce": nonce,
            "email": DEMO.email, "email_verified": True, "name": DEMO.name,
        }, self.claims)
        header = self.header_bytes or compact(self._changed({"alg": "ES256", "kid": self.key.kid}, self.header))
        payload = self.payload(claims) if callable(self.payload) else self.payload or compact(claims)
        signed = f"{b64(header)}.{b64(payload)}"
        token = f"{signed}.{b64(self.sign(signed.encode()))}"
        return self.token(token) if callable(self.token) else self.token or token

    # ---- what takes more than a changed value ----

    def sign_with_client_secret(self):
        self.header = {"alg": "HS256", "kid": None}
        self.sign = lambda data: hs256(CLIENT_SECRET.encode(), data)

    def redirect(self, path, target):
        self.replies[path] = (302, b"", {"Location": target})

    def drip(self, path, seconds):
        """An answer that comes one byte a second, for so long."""

        def reply(handler):
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.end_headers()
            handler.close_connection = True
            end = time.monotonic() + seconds
            try:
                while time.monotonic() < end:
                    handler.wfile.write(b" ")
                    handler.wfile.flush()
                    time.sleep(1)
            except OSError:
                pass

        self.replies[path] = reply


# ---- logins at it ----

def log_in(gateway, browser=None):
    browser = browser or Browser(gateway.ca)
    return browser, browser.follow(browser.get(sign_in_url(gateway, "redis", CLI)), stop_at=CLI)


def has_session(browser):
    return "_pomerium" in browser.cookies.get(host("redis"), {}) or (
        "_pomerium_authenticate" in browser.cookies.get(AUTHENTICATE, {}))


def explanations(gateway):
    """Log lines of logins that went wrong, with the reason."""
    return [line for line in gateway.log.lines() if line.get("service") == "authenticate" and line.get("error")]


def assert_refused(gateway, statuses=range(400, 600)):
    """A login fails with a page, and leaves no session and a line in the log."""
    known = len(explanations(gateway))
    browser, page = log_in(gateway)
    assert page.status in statuses, f"{page.status} {page.text[:300]}"
    assert "text/html" in page.header("content-type") and "<script" not in page.text
    assert page.header("x-pomerium-reason")
    assert not has_session(browser)
    eventually(lambda: len(explanations(gateway)) > known, "a reason in the log")
    for secret in (CLIENT_SECRET, "hostile-access-token", "hostile-refresh-token"):
        assert secret not in page.text and secret not in gateway.stdout_text()
