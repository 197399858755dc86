"""Certificates in their several forms, chosen by the name the client asks for."""

import base64
import socket
import ssl

import pytest
from cryptography import x509

from lib.gateway import tcp_route
from lib.net import tls_context
from lib.users import DEMO


def shown_to(gateway, name, ca):
    """The common name of the certificate shown to who asks for a name, verified."""
    context = tls_context(ca)
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        with context.wrap_socket(raw, server_hostname=name) as secure:
            return common_name(secure.getpeercert(True))


def common_name(der):
    subject = x509.load_der_x509_certificate(der).subject
    return subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value


@pytest.fixture
def pairs(authority):
    return [authority.issue("one", "one.localhost"), authority.issue("wild", "*.two.localhost"),
            authority.issue("exact", "exact.two.localhost")]


@pytest.mark.parametrize("asked, shown", [
    ("one.localhost", "one.localhost"),
    ("ONE.localhost", "one.localhost"),
    ("a.two.localhost", "*.two.localhost"),
    ("exact.two.localhost", "exact.two.localhost"),
    ("a.b.two.localhost", "one.localhost"),
    ("other.example.com", "one.localhost"),
    (None, "one.localhost"),
])
def test_chosen_by_name(make_gateway, authority, pairs, asked, shown):
    gateway = make_gateway(
        tcp_route("redis", 1), certificates=[{"cert": str(cert), "key": str(key)} for cert, key in pairs]
    )
    assert shown_to(gateway, asked, authority.ca) == shown


def test_as_files_and_as_base64(make_gateway, authority, pairs):
    (first_cert, first_key), (second_cert, second_key) = pairs[0], pairs[2]
    gateway = make_gateway(
        tcp_route("redis", 1), certificates=None,
        certificate_file=str(first_cert), certificate_key_file=str(first_key),
        certificate=base64.b64encode(second_cert.read_bytes()).decode(),
        certificate_key=base64.b64encode(second_key.read_bytes()).decode(),
    )
    for name in ("one.localhost", "exact.two.localhost"):
        assert shown_to(gateway, name, authority.ca) == name


def test_without_any_one_is_made_up(make_gateway, make_client, redis):
    gateway = make_gateway(
        tcp_route("redis", redis.port, allow_public_unauthenticated_access=True), certificates=None
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        shown_to(gateway, "redis.demo.localhost", gateway.ca)
    client = make_client(gateway, DEMO)
    done = client.pipe("redis", b"PING\r\nQUIT\r\n", extra=["--disable-tls-verification"])
    assert done.stdout == "+PONG\r\n+OK\r\n", done.stderr


def test_an_expired_certificate_is_refused_by_the_client(make_gateway, make_client, redis, authority):
    cert, key = authority.issue("expired", "*.demo.localhost", age_days=60)
    gateway = make_gateway(
        tcp_route("redis", redis.port, allow_public_unauthenticated_access=True),
        certificates=[{"cert": str(cert), "key": str(key)}],
    )
    done = make_client(gateway, DEMO).pipe("redis", b"PING\r\n")
    assert (done.returncode, done.stdout) == (6, "")
    assert "expired" in done.stderr
