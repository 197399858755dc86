"""Tunnels in WebSockets: other people's clients at our gateway, our client at other people's servers, and both of ours."""

import contextlib
import json
import os
import socket
import struct

import pytest
import websocket
from websocket import ABNF
from websockets.exceptions import ConnectionClosedError
from wsproto import events

from lib.gateway import host, tcp_route, write_config
from lib.http2 import Http2
from lib.login import obtain_token
from lib.operator import reload
from lib.process import eventually
from lib.services import Upstream
from lib.users import ALICE, DEMO
from lib.websocket import WebSocketServer, open_by_websockets, open_websocket, path_to

MASK = b"\x11\x22\x33\x44"


def masked(opcode, data):
    assert len(data) < 126
    return bytes([0x80 | opcode, 0x80 | len(data)]) + MASK + bytes(c ^ MASK[i % 4] for i, c in enumerate(data))


def read_all(connection):
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    return bytes(data)


def answer_after_end(connection):
    request = read_all(connection)
    connection.sendall(b"%d bytes " % len(request) + request[::-1])


@pytest.fixture
def upstream_of():
    started = []

    def start(serve=None):
        started.append(Upstream(serve))
        return started[-1]

    yield start
    for upstream in started:
        upstream.stop()


@pytest.fixture
def gateway_to(make_gateway):
    return lambda upstream, **settings: make_gateway(
        tcp_route("redis", upstream.port, **(settings or {"allow_public_unauthenticated_access": True})))


@pytest.fixture
def gateway(gateway_to, upstream_of):
    return gateway_to(upstream_of())


def receive(peer, size):
    data = b""
    while len(data) < size:
        data += peer.recv()
    return data


def ended(gateway, reason):
    line = gateway.log.wait("http-request", end_reason=reason)
    return line


# ---- websocket-client at our gateway ----


def test_messages_are_bytes(gateway):
    peer = open_websocket(gateway)
    headers = {name.lower(): value for name, value in peer.getheaders().items()}
    assert peer.getstatus() == 101
    assert headers["x-pomerium-half-close"] == "?1"
    assert "content-length" not in headers and "transfer-encoding" not in headers
    for size in [1, 125, 126, 65535, 65536, 1 << 20]:
        data = os.urandom(size)
        peer.send_binary(data)
        assert receive(peer, size) == data
    peer.shutdown()


def test_the_log_calls_it_a_tunnel(gateway):
    peer = open_websocket(gateway)
    peer.send_binary(b"hello")
    assert receive(peer, 5) == b"hello"
    peer.close()
    line = ended(gateway, "client-closed")
    assert (line["method"], line["path"], line["authority"]) == ("CONNECT", "", f"{host('redis')}:6379")
    assert line["response-code"] == 200
    assert (line["bytes-received"], line["bytes-sent"]) == (5, 5)
    assert line["tunnel-id"] == peer.getheaders()["x-request-id"]


def test_fragments_with_a_ping_between_them(gateway):
    peer = open_websocket(gateway)
    peer.send_frame(ABNF.create_frame(b"hel", ABNF.OPCODE_BINARY, fin=0))
    peer.ping(b"there?")
    peer.send_frame(ABNF.create_frame(b"", ABNF.OPCODE_CONT, fin=0))
    peer.send_frame(ABNF.create_frame(b"lo", ABNF.OPCODE_CONT, fin=1))
    data, pong = b"", None
    while len(data) < 5 or not pong:
        opcode, piece = peer.recv_data(control_frame=True)
        if opcode == ABNF.OPCODE_PONG:
            pong = piece
        else:
            data += piece
    assert (data, pong) == (b"hello", b"there?")
    peer.shutdown()


def test_a_close_ends_one_direction(gateway_to, upstream_of):
    gateway = gateway_to(upstream_of(answer_after_end))
    peer = open_websocket(gateway)
    peer.send_binary(b"question")
    peer.send_close()
    assert receive(peer, 16) == b"8 bytes noitseuq"
    opcode, data = peer.recv_data(control_frame=True)
    assert (opcode, struct.unpack("!H", data[:2])[0]) == (ABNF.OPCODE_CLOSE, 1000)
    peer.shutdown()
    ended(gateway, "client-closed")


def test_the_upstream_ends_first(gateway_to, upstream_of):
    gateway = gateway_to(upstream_of(lambda connection: connection.sendall(b"bye")))
    peer = open_websocket(gateway)
    assert receive(peer, 3) == b"bye"
    opcode, data = peer.recv_data(control_frame=True)
    assert (opcode, struct.unpack("!H", data[:2])[0]) == (ABNF.OPCODE_CLOSE, 1000)
    peer.shutdown()
    ended(gateway, "upstream-closed")


def test_who_goes_without_a_close_was_cut_off(gateway):
    peer = open_websocket(gateway)
    peer.send_binary(b"x")
    assert receive(peer, 1) == b"x"
    peer.shutdown()
    ended(gateway, "client-reset")


@pytest.mark.parametrize("raw, code", [
    (b"\x82\x01x", 1002),  # not masked
    (masked(1, b"text"), 1003),
    (masked(0, b"no message"), 1002),
    (masked(0x42, b"reserved bit"), 1002),
    (masked(8, b"\x03"), 1002),
    (masked(8, struct.pack("!H", 1005)), 1002),
])
def test_who_breaks_the_rules_is_told(gateway, raw, code):
    peer = open_websocket(gateway)
    peer.sock.sendall(raw)
    opcode, data = peer.recv_data(control_frame=True)
    assert (opcode, struct.unpack("!H", data[:2])[0]) == (ABNF.OPCODE_CLOSE, code)
    peer.shutdown()
    ended(gateway, "protocol-error")


def refusal(*arguments, **options):
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        open_websocket(*arguments, **options)
    return caught.value


def test_who_may_not_gets_what_connect_gets(gateway_to, upstream_of):
    gateway = gateway_to(upstream_of(), allowed_users=[DEMO.email])
    alice = obtain_token(gateway, "redis", ALICE)
    asks = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
    assert gateway.get("redis", path_to("redis"), headers=asks).status == gateway.connect("redis").status
    for options in [{"token": alice}, {"name": "elsewhere", "token": alice}]:
        name = options.pop("name", "redis")
        wanted = gateway.connect(name, **options)
        got = refusal(gateway, name, **options)
        assert got.status_code == wanted.status
        assert got.resp_headers["x-pomerium-reason"] == wanted.header("x-pomerium-reason")
    peer = open_websocket(gateway, token=obtain_token(gateway, "redis", DEMO))
    peer.send_binary(b"hello")
    assert receive(peer, 5) == b"hello"
    peer.shutdown()


def test_no_web_page_opens_one(gateway):
    got = refusal(gateway, origin="https://evil.example")
    assert (got.status_code, got.resp_headers["x-pomerium-reason"]) == (403, "bad-request")


def test_what_is_no_destination_is_a_page(gateway):
    assert refusal(gateway, path="/.well-known/masque/tcp/x/y/z/").status_code == 404


KEY = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")


def ask(gateway, *fields):
    return gateway.get("redis", path_to("redis"), headers=[("Connection", "Upgrade"), ("Upgrade", "websocket"), *fields])


@pytest.mark.parametrize("fields", [[], [("Sec-WebSocket-Key", "c2hvcnQ=")], [KEY, KEY]])
def test_requests_that_cannot_be(gateway, fields):
    assert ask(gateway, ("Sec-WebSocket-Version", "13"), *fields).status == 400


@pytest.mark.parametrize("fields", [[], [("Sec-WebSocket-Version", "8")]])
def test_another_version_is_told_ours(gateway, fields):
    answer = ask(gateway, KEY, *fields)
    assert answer.status == 426
    assert answer.header("sec-websocket-version") == "13"
    assert answer.header("upgrade") == "websocket"
    with Http2(gateway) as peer:
        answer = peer.answer(peer.request(over_http2(*fields), end=False))
        assert (answer[":status"], answer["sec-websocket-version"]) == ("426", "13")
        assert "upgrade" not in answer


VERSION = ("sec-websocket-version", "13")


def over_http2(*fields):
    return [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", host("redis")),
            (":path", path_to("redis")), *((name.lower(), value) for name, value in fields)]


def test_over_http2(gateway):
    with Http2(gateway) as peer:
        stream = peer.request(over_http2(VERSION), end=False)
        answer = peer.answer(stream)
        assert answer[":status"] == "200"
        assert "sec-websocket-accept" not in answer and "upgrade" not in answer
        peer.send(stream, masked(2, b"hello") + masked(9, b"x"))
        assert peer.read(stream, 3) == b"\x8a\x01x"  # at once, the other by way of the upstream
        assert peer.read(stream, 7) == b"\x82\x05hello"
        peer.send(stream, masked(8, b"\x03\xe8"))
        assert peer.read(stream, 4) == b"\x88\x02\x03\xe8"
    ended(gateway, "client-closed")


def test_a_page_over_http2_opens_none(gateway):
    with Http2(gateway) as peer:
        stream = peer.request(over_http2(VERSION, ("origin", "https://evil.example")), end=False)
        assert peer.answer(stream)[":status"] == "403"


# ---- websockets at our gateway ----


def test_another_client(gateway):
    with open_by_websockets(gateway) as peer:
        for size in [1, 126, 65536, 1 << 20]:
            data = os.urandom(size)
            peer.send([data[:size // 2], data[size // 2:]])  # a message of two frames
            got = b""
            while len(got) < size:
                got += peer.recv(timeout=20)
            assert got == data
        assert peer.ping(b"there?").wait(20)
    assert (peer.close_code, peer.protocol.close_rcvd_then_sent) == (1000, False)
    ended(gateway, "client-closed")


def test_another_client_that_sends_text(gateway):
    with open_by_websockets(gateway) as peer:
        peer.send("text")
        with pytest.raises(ConnectionClosedError) as caught:
            peer.recv(timeout=20)
    assert caught.value.rcvd.code == 1003
    ended(gateway, "protocol-error")


# ---- our client ----

WS = ("--transport", "ws")


def configure(gateway, *users):
    config = json.loads(gateway.config_path.read_text())
    config["routes"][0]["allowed_users"] = [user.email for user in users]
    write_config(gateway.config_path, config)
    code, answer = reload(gateway)
    assert code == 200, answer


def test_a_reload_ends_what_it_revokes_and_says_why(gateway_to, upstream_of, make_client):
    gateway = gateway_to(upstream_of(), allowed_users=[DEMO.email, ALICE.email])
    tokens = [obtain_token(gateway, "redis", user) for user in (DEMO, ALICE)]
    client = make_client(gateway).listen("redis", browser=False, extra=["--service-account", tokens[0], *WS])
    with client.dial() as local, open_by_websockets(gateway, tokens[0]) as ending, \
            open_by_websockets(gateway, tokens[1]) as staying:

        def check(*peers):
            for peer in peers:
                peer.send(b"hello")
                assert peer.recv(timeout=20) == b"hello"

        local.sendall(b"hello")
        assert local.recv(5) == b"hello"
        check(ending, staying)
        configure(gateway, ALICE, DEMO)
        check(ending, staying)
        local.sendall(b"again")
        assert local.recv(5) == b"again"
        assert not gateway.log.find("http-request", end_reason="policy-denied")

        configure(gateway, ALICE)
        with pytest.raises(ConnectionClosedError) as caught:
            ending.recv(timeout=20)
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1008, "policy-denied")
        with contextlib.suppress(ConnectionResetError):
            assert local.recv(1) == b""
        [line] = eventually(lambda: [line for line in client.json_lines() if line.message == "disconnected"],
                            lambda: f"the client says why:\n{client.stderr_text()}")
        assert line["error"].startswith("the gateway closed the tunnel: ") and "(policy-denied, request " in line["error"]
        gateway.log.wait("http-request", count=2, end_reason="policy-denied")
        check(staying)
    client.stop()


def test_over_http2_the_revoked_is_told_why(gateway_to, upstream_of):
    gateway = gateway_to(upstream_of(), allowed_users=[DEMO.email])
    token = obtain_token(gateway, "redis", DEMO)
    with Http2(gateway) as peer:
        stream = peer.request(over_http2(VERSION, ("authorization", f"Pomerium {token}")), end=False)
        assert peer.answer(stream)[":status"] == "200"
        configure(gateway, ALICE)
        assert peer.read(stream, 17) == b"\x88\x0f" + struct.pack("!H", 1008) + b"policy-denied"


def test_the_end_of_the_gateway_is_told(gateway):
    with open_by_websockets(gateway) as peer:
        gateway.stop()
        with pytest.raises(ConnectionClosedError) as caught:
            peer.recv(timeout=20)
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1012, "shutdown")


def test_the_upstream_is_reset(gateway_to, upstream_of):
    def cut(connection):
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    gateway = gateway_to(upstream_of(cut))
    with open_by_websockets(gateway) as peer:
        peer.send(b"x")
        with pytest.raises(ConnectionClosedError) as caught:
            peer.recv(timeout=20)
    assert caught.value.rcvd.code == 1011
    ended(gateway, "upstream-reset")


@pytest.mark.parametrize("size", [0, 5, 3 << 20])
def test_our_client_and_half_close(gateway_to, upstream_of, make_client, size):
    gateway = gateway_to(upstream_of(answer_after_end), allowed_users=[DEMO.email])
    data = b"abcdefghijklmnop" * (size // 16) + b"x" * (size % 16)
    assert make_client(gateway).pipe("redis", data, extra=WS).stdout.encode() == b"%d bytes " % size + data[::-1]
    ended(gateway, "client-closed")


class Played:
    """What Client wants of a gateway."""

    def __init__(self, authority, server):
        self.ca = authority.ca
        self.port = server.port

    def url(self, name, path=""):
        return f"https://{host(name)}:{self.port}{path}"


@pytest.fixture
def played(authority, certificate, make_client):
    started = []

    def play(accept=None):
        server = WebSocketServer(certificate, accept)
        started.append(server)
        return server, make_client(Played(authority, server))

    yield play
    for server in started:
        server.stop()


def test_our_client_at_another_server(played):
    server, client = played()
    result = client.pipe("redis", b"secret words", extra=WS)
    assert result.stdout == "sdrow terces"
    [(target, headers)] = server.requests
    assert target == path_to("redis")
    assert "origin" not in headers
    assert b"secret words" not in server.raw  # masked


@pytest.mark.parametrize("accept, words", [
    (lambda request: events.RejectConnection(status_code=403), "not allowed"),
    (lambda request: events.RejectConnection(status_code=200), "a page, not a WebSocket"),
])
def test_our_client_is_refused(played, accept, words):
    _, client = played(accept)
    result = client.pipe("redis", b"x", extra=WS)
    assert result.returncode != 0
    assert words in result.stderr
