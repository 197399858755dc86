"""Targets that are proxies themselves: CONNECT goes on, inside TLS if they want it."""

import base64
import socket
import ssl

import pytest

from lib.certs import Authority
from lib.forward_proxy import NameProxy, TinyProxy
from lib.gateway import host, tcp_route
from lib.net import connect_bytes
from lib.services import Upstream
from lib.upstreams import PUBLIC


def proxy_route(to, **settings):
    return {**tcp_route("x", 1, **PUBLIC), "to": to, **settings}


def echoes(gateway, data=b"z" * 100_000):
    with gateway.tunnel("x") as connection:
        connection.send(data)
        return connection.read_exactly(len(data)) == data


def pem(path):
    return base64.b64encode(path.read_bytes()).decode()


class ScriptedProxy(Upstream):
    """Keeps the head of a CONNECT and answers with given bytes; then it echoes. With a context it wants TLS."""

    def __init__(self, answer=b"HTTP/1.1 200 OK\r\n\r\n", context=None):
        self.answer = answer
        self.context = context
        self.heads = []
        self.peer_certificates = []
        super().__init__(self._serve)

    def _serve(self, connection):
        if not self.context:
            self._answer(connection)
            return
        with self.context.wrap_socket(connection, server_side=True) as secure:
            self.peer_certificates.append(secure.getpeercert())
            self._answer(secure)

    def _answer(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            if not piece:
                return
            head += piece
        self.heads.append(head)
        connection.sendall(self.answer)
        self.echo(connection)


@pytest.fixture
def other_authority(tmp_path):
    directory = tmp_path / "other"
    directory.mkdir()
    return Authority(directory, "another CA")


def server_context(certificate, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def reason(gateway):
    response = gateway.connect("x")
    assert response.status == 503
    return response.header("x-pomerium-reason")


def test_a_real_proxy(make_gateway, tmp_path, upstream):
    names = NameProxy(".demo.localhost")
    tinyproxy = TinyProxy(tmp_path / "tinyproxy", ".localhost", names.port)
    gateway = make_gateway({**proxy_route(f"http://127.0.0.1:{tinyproxy.port}"),
                            "from": f"tcp+https://{host('x')}:{upstream.port}"})
    with gateway.tunnel("x", upstream.port) as connection:
        connection.send(b"hello")
        assert connection.read_exactly(5) == b"hello"
    assert names.asked == [host("x")]  # what the client asked for
    tinyproxy.stop()
    names.stop()


def test_what_is_sent(make_gateway):
    proxy = ScriptedProxy()
    gateway = make_gateway(proxy_route(f"http://127.0.0.1:{proxy.port}"))
    with gateway.open("x") as connection:
        sent = [("User-Agent", "someone/1"), ("Cookie", "a=b"), ("Proxy-Authorization", "Basic eDp5"),
                ("X-Forwarded-For", "192.0.2.66")]
        answer = connection.ask(connect_bytes(f"{host('x')}:6379", "not-a-token", sent), has_body=False)
        assert answer.status in (200, 401)  # whatever it is, it is not passed on
    response = gateway.connect("x", headers=sent)
    assert response.status == 200
    lines = proxy.heads[-1].decode().split("\r\n")
    target = f"{host('x')}:6379"
    assert lines[:2] == [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    assert sorted(line.lower() for line in lines[2:] if line) == sorted([
        "user-agent: someone/1", "x-forwarded-for: 127.0.0.1",
        f"x-request-id: {response.header('x-request-id')}",
    ])
    gateway.connect("x")
    assert b"user-agent" not in proxy.heads[-1].lower()  # who says nothing is nobody
    proxy.stop()


def test_bytes_right_behind_its_answer(make_gateway):
    proxy = ScriptedProxy(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n220 welcome\r\n")
    gateway = make_gateway(proxy_route(f"http://127.0.0.1:{proxy.port}"))
    with gateway.tunnel("x") as connection:
        assert connection.read_exactly(13) == b"220 welcome\r\n"
        connection.send(b"HELO")
        assert connection.read_exactly(4) == b"HELO"
    line = gateway.log.wait("http-request")
    assert (line["bytes-sent"], line["bytes-received"]) == (17, 4)
    proxy.stop()


@pytest.mark.parametrize("answer, word, told", [
    (b"HTTP/1.1 403 Forbidden\r\nX-Pomerium-Reason: denied\r\n\r\n", "upstream-refused", "answered 403 denied"),
    (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "upstream-refused", "answered 407"),
    (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "upstream-timeout", "answered 504"),
    (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "upstream-refused", "answered 302"),
    (b"SSH-2.0-what\r\n\r\n\r\n", "upstream-refused", ""),
])
def test_refusals_of_the_proxy(make_gateway, answer, word, told):
    proxy = ScriptedProxy(answer)
    gateway = make_gateway(proxy_route(f"http://127.0.0.1:{proxy.port}"))
    assert reason(gateway) == word
    line = gateway.log.wait("upstream not reachable")
    assert told in line["error"] and f"127.0.0.1:{proxy.port}" in line["error"]
    proxy.stop()


def test_a_proxy_that_ends_without_an_answer(make_gateway):
    proxy = Upstream(lambda connection: connection.recv(10))
    gateway = make_gateway(proxy_route(f"http://127.0.0.1:{proxy.port}"))
    assert reason(gateway) == "upstream-refused"
    proxy.stop()


def test_tls_with_a_ca_and_a_certificate(make_gateway, other_authority):
    """The CA of the route alone is trusted; the proxy sees who asks."""
    context = server_context(other_authority.issue("proxy", "proxy.internal"), other_authority.ca)
    certificate, key = _client_certificate(other_authority)
    proxy = ScriptedProxy(context=context)
    gateway = make_gateway(proxy_route(
        f"https://127.0.0.1:{proxy.port}", tls_custom_ca=pem(other_authority.ca), tls_server_name="proxy.internal",
        tls_client_cert_file=str(certificate), tls_client_key_file=str(key)))
    assert echoes(gateway)
    assert proxy.peer_certificates[-1]["subject"] == ((("commonName", "gateway"),),)
    proxy.stop()


def _client_certificate(authority):
    """Like one for a server, but for clients."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from lib import certs

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority._sign(certs._name("gateway"), key.public_key(), [
        (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), False)])
    paths = authority.directory / "client.pem", authority.directory / "client.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    certs._write_key(paths[1], key)
    return paths


@pytest.mark.parametrize("settings, works", [
    ({}, False),  # nobody knows that CA
    ({"tls_skip_verify": True}, True),
    ({"ca": "other"}, True),
    ({"ca": "ours"}, False),
    ({"ca": "other", "tls_server_name": "wrong.internal"}, False),
    ({"ca": "other", "tls_upstream_server_name": "proxy.internal", "tls_server_name": "wrong.internal"}, True),
])
def test_trust(make_gateway, authority, other_authority, settings, works):
    proxy = ScriptedProxy(context=server_context(other_authority.issue("proxy", "proxy.internal", "127.0.0.1")))
    settings = dict(settings)
    ca = {"other": other_authority, "ours": authority}.get(settings.pop("ca", None))
    if ca:
        settings["tls_custom_ca_file"] = str(ca.ca)
    gateway = make_gateway(proxy_route(f"https://127.0.0.1:{proxy.port}", **settings))
    if works:
        assert echoes(gateway)
    else:
        assert reason(gateway) == "upstream-tls"
        assert "certificate" in gateway.log.wait("upstream not reachable")["error"]
    proxy.stop()


def test_the_ca_of_a_route_takes_the_place_of_all_others(make_gateway, authority, other_authority):
    """certificate_authority is for the routes that have none of their own."""
    proxy = ScriptedProxy(context=server_context(other_authority.issue("proxy", "127.0.0.1")))
    to = f"https://127.0.0.1:{proxy.port}"
    settings = {"certificate_authority_file": str(other_authority.ca)}
    assert echoes(make_gateway(proxy_route(to), **settings))
    assert reason(make_gateway(proxy_route(to, tls_custom_ca_file=str(authority.ca)), **settings)) == "upstream-tls"
    proxy.stop()


def test_a_proxy_without_tls_where_tls_is_wanted(make_gateway):
    plain = Upstream(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    gateway = make_gateway(proxy_route(f"https://127.0.0.1:{plain.port}", tls_skip_verify=True))
    assert reason(gateway) == "upstream-tls"
    plain.stop()


def test_a_proxy_that_says_nothing(make_gateway):
    """The time limit holds for TLS and CONNECT as well."""
    with socket.create_server(("127.0.0.1", 0), backlog=10) as silent:
        port = silent.getsockname()[1]
        for scheme in ("http", "https"):
            gateway = make_gateway(proxy_route(f"{scheme}://127.0.0.1:{port}"))
            assert reason(gateway) == "upstream-timeout"


def test_through_another_gateway(make_gateway, authority, upstream):
    """Ours behind ours, over TLS: it finds the route by the same name, and sees the client's address."""
    inner = make_gateway(tcp_route("x", upstream.port, **PUBLIC), xff_num_trusted_hops=1)
    settings = {"tls_custom_ca_file": str(authority.ca), "tls_server_name": host("x")}
    outer = make_gateway(proxy_route(f"https://127.0.0.1:{inner.port}", **settings))
    assert echoes(outer)
    opened = inner.log.wait("tunnel opened")
    assert opened["ip"] == "127.0.0.1" and opened["authority"] == f"{host('x')}:6379"

    refusing = make_gateway(tcp_route("x", upstream.port, allowed_users=["nobody@example.com"]))
    outer = make_gateway(proxy_route(f"https://127.0.0.1:{refusing.port}", **settings))
    assert reason(outer) == "upstream-refused"
    error = outer.log.wait("upstream not reachable")["error"]
    assert "this proxy answered 302" in error or "this proxy answered 401" in error


def test_through_another_gateway_that_wants_a_certificate(make_gateway, authority, other_authority, upstream):
    """The inner one asks for a client certificate in the handshake: it is ours, and nobody else gets in."""
    inner = make_gateway(tcp_route("x", upstream.port, **PUBLIC), downstream_mtls={
        "ca_file": str(other_authority.ca), "enforcement": "reject_connection"})
    certificate, key = _client_certificate(other_authority)
    settings = {"tls_custom_ca_file": str(authority.ca), "tls_server_name": host("x")}
    shown = {"tls_client_cert_file": str(certificate), "tls_client_key_file": str(key)}
    to = f"https://127.0.0.1:{inner.port}"
    assert echoes(make_gateway(proxy_route(to, **settings, **shown)))
    outer = make_gateway(proxy_route(to, **settings))
    assert reason(outer) in ("upstream-tls", "upstream-refused")
    assert f"127.0.0.1:{inner.port}" in outer.log.wait("upstream not reachable")["error"]


def test_one_proxy_of_two_is_out_of_order(make_gateway):
    good, bad = ScriptedProxy(), ScriptedProxy(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    gateway = make_gateway(proxy_route([f"http://127.0.0.1:{proxy.port}" for proxy in (bad, good)]))
    for _ in range(4):
        assert echoes(gateway, b"hello")
    assert "answered 503" in gateway.log.wait("upstream not reachable")["error"]
    good.stop()
    bad.stop()
