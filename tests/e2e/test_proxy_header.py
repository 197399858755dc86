"""use_proxy_protocol: the header in front of a connection is required, strict, and says who is connected."""

import json
import pathlib
import socket
import struct

import pytest

from lib.device import AUTHORIZATION
from lib.front import HaProxy, Nginx
from lib.gateway import Gateway, host, tcp_route
from lib.login import Browser
from lib.net import Connection, PlainConnection, connect_bytes, free_port, request_bytes, tls_context
from lib.process import eventually
from lib.services import redis_cli
from lib.users import DEMO

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT4 = "192.0.2.7"
CLIENT6 = "2001:db8::7"


def version1(family, source, destination):
    return f"PROXY {family} {source} {destination} 56324 443\r\n".encode()


def version2(command, family, body):
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def addresses4(source=CLIENT4):
    return socket.inet_aton(source) + socket.inet_aton("198.51.100.1") + struct.pack("!HH", 56324, 443)


def addresses6(source=CLIENT6):
    return (socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
            + struct.pack("!HH", 56324, 443))


TLV = b"\x02\0\x05a.com" + b"\x04\0\x03\0\0\0"  # authority, padding

V1 = version1("TCP4", CLIENT4, "198.51.100.1")

GOOD = {
    "v1-tcp4": (V1, CLIENT4),
    "v1-tcp6": (version1("TCP6", CLIENT6, "2001:db8::1"), CLIENT6),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1-unknown-text": (b"PROXY UNKNOWN ffff:: ffff:: 1 2\r\n", "127.0.0.1"),
    "v2-tcp4": (version2(0x21, 0x11, addresses4()), CLIENT4),
    "v2-tcp6": (version2(0x21, 0x21, addresses6()), CLIENT6),
    "v2-tlv": (version2(0x21, 0x11, addresses4() + TLV), CLIENT4),
    "v2-local": (version2(0x20, 0x00, b""), "127.0.0.1"),
    "v2-local-with-addresses": (version2(0x20, 0x11, addresses4()), "127.0.0.1"),
    "v2-unspecified": (version2(0x21, 0x00, b""), "127.0.0.1"),
    "v2-long": (version2(0x21, 0x11, addresses4() + b"\x04" + struct.pack("!H", 4000) + bytes(4000)), CLIENT4),
}

BAD = {
    "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "zeros": bytes(64),
    "v1-lower-case": b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
    "v1-no-line-end": b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n\n\n\n",
    "v1-family": version1("TCP6", CLIENT4, "198.51.100.1"),
    "v1-port": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
    "v1-name": b"PROXY TCP4 localhost 198.51.100.1 1 443\r\n",
    "v1-too-long": b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    "v1-two-spaces": b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n",
    "v2-version": version2(0x11, 0x11, addresses4()),
    "v2-command": version2(0x2F, 0x11, addresses4()),
    "v2-family": version2(0x21, 0x44, addresses4()),
    "v2-short-addresses": version2(0x21, 0x21, addresses4()),
    "v2-cut-tlv": version2(0x21, 0x11, addresses4() + b"\x02\xff"),
    "v2-checksum": version2(0x21, 0x11, addresses4() + b"\x03\0\4abcd"),
    "v2-too-long": SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 65535) + addresses4(),
}


def from_address(ip):
    """A policy that lets in whoever comes from there, without a login."""
    return {"policy": [{"allow": {"and": [{"source_ip": ip}]}}]}


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, redis):
    return make_shared_gateway(
        tcp_route("four", redis.port, **from_address(CLIENT4)),
        tcp_route("six", redis.port, **from_address(CLIENT6)),
        tcp_route("local", redis.port, **from_address("127.0.0.1")),
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        use_proxy_protocol=True,
    )


NAME_OF = {CLIENT4: "four", CLIENT6: "six", "127.0.0.1": "local"}


@pytest.mark.parametrize("header, ip", GOOD.values(), ids=GOOD)
def test_policies_and_logs_see_who_the_header_names(gateway, header, ip):
    for expected, name in NAME_OF.items():
        with gateway.open(name, preface=header) as connection:
            answer = connection.ask(connect_bytes(f"{host(name)}:6379"), has_body=False)
            assert (answer.status == 200) == (expected == ip), answer
            if answer.status == 200:
                connection.send(b"PING\r\nQUIT\r\n")
                assert connection.read_to_end() == b"+PONG\r\n+OK\r\n"
    assert gateway.log.wait("authorize check", ip=ip)


def read_to_end(raw):
    data = b""
    try:
        while piece := raw.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def failures(gateway):
    """Not those of clients that were answered and broke off."""
    return gateway.log.find("connection failed", reason="protocol")


@pytest.mark.parametrize("first", BAD.values(), ids=BAD)
def test_garbage_is_closed_with_one_line(gateway, first):
    before = len(failures(gateway))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        raw.sendall(first)
        assert read_to_end(raw) == b""
    eventually(lambda: len(failures(gateway)) == before + 1, "a line says so")
    line = failures(gateway)[-1]
    assert line["ip"] == "127.0.0.1"
    assert line["error"].startswith("PROXY protocol: ")


def test_no_header_is_no_connection(gateway):
    before = len(failures(gateway))
    with pytest.raises((ConnectionError, OSError)):
        gateway.open("local")
    eventually(lambda: len(failures(gateway)) == before + 1, "a line says so")


def test_whoever_only_looks_is_not_logged(gateway):
    before = len(failures(gateway))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        raw.shutdown(socket.SHUT_WR)
        assert read_to_end(raw) == b""
    with gateway.open("local", preface=GOOD["v2-local"][0]):
        pass
    assert len(failures(gateway)) == before


@pytest.mark.parametrize("header", [V1, GOOD["v2-tlv"][0]], ids=["v1", "v2"])
def test_byte_by_byte(gateway, header):
    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in header:
        raw.sendall(bytes([byte]))
    with tls_context(gateway.ca).wrap_socket(raw, server_hostname=host("four")) as tls:
        tls.sendall(connect_bytes(f"{host('four')}:6379"))
        assert tls.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_slow_header_has_its_time(make_gateway, redis):
    gateway = make_gateway(tcp_route("four", redis.port, **from_address(CLIENT4)), use_proxy_protocol=True,
                           timeout_read="1s")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        raw.sendall(V1[:20])
        assert read_to_end(raw) == b""
    assert gateway.log.wait("connection failed", reason="timeout")["error"].startswith("PROXY protocol: ")
    # The time for header, handshake and request is one.
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        raw.sendall(V1)
        assert read_to_end(raw) == b""
    gateway.log.wait("connection failed", reason="timeout", ip=CLIENT4)


def test_the_page_for_machines_shows_where_one_asked_from(gateway, tmp_path):
    front = HaProxy(tmp_path / "front", gateway, "send-proxy")
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    with gateway.open("redis", preface=V1) as connection:
        answer = connection.ask(request_bytes("POST", AUTHORIZATION, f"{host('redis')}:{front.port}", form,
                                              b"client_name=backup"))
    page = Browser(gateway.ca).log_in(json.loads(answer.text)["verification_uri_complete"], DEMO)
    assert CLIENT4 in page.text and "127.0.0.1" not in page.text
    front.stop()


@pytest.mark.parametrize("server", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
def test_the_client_through_haproxy(gateway, make_client, tmp_path, server):
    front = HaProxy(tmp_path / "front", gateway, server)
    client = make_client(front).listen("redis")
    assert redis_cli(client.port, "set", "by", server) == "OK"
    assert redis_cli(client.port, "get", "by") == server
    assert client.stop() == 0
    front.stop()


def test_haproxy_checks_with_local_headers(gateway, tmp_path):
    """Its health checks say LOCAL, say nothing more, and are no failures."""
    def unfinished():
        return failures(gateway) + [line for line in gateway.log.find("connection failed") if "handshake" in line["error"]]

    before = len(unfinished())
    front = HaProxy(tmp_path / "front", gateway, "send-proxy-v2 check-send-proxy check inter 100ms")
    eventually(lambda: front.process.popen.poll() is None and is_up(front), "the server is up")
    front.stop()
    assert len(unfinished()) == before


def is_up(front):
    with socket.create_connection(("127.0.0.1", front.port), timeout=5) as raw:
        with tls_context(front.ca).wrap_socket(raw, server_hostname=host("local")) as tls:
            tls.sendall(f"GET /ping HTTP/1.1\r\nHost: {host('local')}\r\n\r\n".encode())
            return tls.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_the_example_behind_haproxy(tmp_path):
    text = (ROOT / "examples" / "load-balancer.yaml").read_text()
    port = free_port()
    path = tmp_path / "example.yaml"
    path.write_text(text.replace("address: :8443", "address: 127.0.0.1:0")
                    .replace("http_redirect_addr: :8080", f"http_redirect_addr: 127.0.0.1:{port}"))
    path.chmod(0o600)
    gateway = Gateway(path, None)  # without a certificate of its own
    front = HaProxy(tmp_path / "front", gateway, "send-proxy-v2")
    reasons = {}
    for name in "a.b.corp.example.com", "vault.corp.example.com", "corp.example.com":
        with Connection(front.port, name, None) as connection:
            reasons[name] = connection.ask(connect_bytes(f"{name}:22")).header("x-pomerium-reason")
    assert reasons == {"a.b.corp.example.com": "login-required", "vault.corp.example.com": "login-required",
                       "corp.example.com": "route-not-found"}
    with PlainConnection(port) as connection:
        connection.send(V1)
        answer = connection.ask(request_bytes("GET", "/", "vault.corp.example.com"))
        assert answer.header("location") == "https://vault.corp.example.com/"
    front.stop()
    assert gateway.stop() == 0


def test_a_header_before_plain_http(make_gateway, make_client, redis, certificate, tmp_path):
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]), use_proxy_protocol=True,
                           insecure_server=True)
    front = Nginx(tmp_path / "front", gateway, certificate, with_header=True)
    client = make_client(front).listen("redis")
    assert redis_cli(client.port, "ping") == "PONG"
    assert client.stop() == 0
    front.stop()
