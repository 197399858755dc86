"""Issuers of tokens that programs show, as a cluster, a CI system or a cloud has one."""

import http.server
import ssl
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lib.gateway import host, tcp_route
from lib.hostile import b64, compact
from lib.net import connect_bytes

AUDIENCE = "https://gateway.demo.localhost"


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


def jwt_route(name, port, providers, **settings):
    return tcp_route(name, port, bearer_token_format="jwt", identity_providers=providers, **settings)


def bearer(token, scheme="Bearer"):
    return [("Authorization", f"{scheme} {token}")]


def ping(gateway, token, name="redis"):
    """What Redis answers to somebody who shows that token."""
    with gateway.open(name) as connection:
        request = connect_bytes(f"{host(name)}:6379", headers=bearer(token))
        response = connection.ask(request, has_body=False)
        assert response.status == 200, f"{response}\n{gateway.stdout_text()[-3000:]}"
        connection.send(b"PING\r\nQUIT\r\n")
        return connection.read_to_end().decode()
