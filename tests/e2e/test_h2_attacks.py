"""Each way of costing an HTTP/2 server more than the client: it ends with ENHANCE_YOUR_CALM, and nobody else notices."""

import struct

import h2.errors
import h2.events
import hpack
import pytest

from lib.gateway import host, tcp_route
from lib.http2 import Http2

CALM = h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def connect_block():
    return hpack.Encoder().encode([(":method", "CONNECT"), (":authority", f"{host('redis')}:6379")])


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, redis):
    return make_shared_gateway(tcp_route("redis", redis.port, allow_public_unauthenticated_access=True))


@pytest.fixture
def bystander(gateway):
    """A tunnel of somebody else, which must not notice."""
    with Http2(gateway) as peer:
        stream = peer.tunnel()
        yield
        peer.send(stream, b"PING\r\n")
        assert peer.read(stream, 7) == b"+PONG\r\n"


def goes_calm(peer, one, count, at_once=100):
    """Sends one(i) so many times, or until the gateway has had enough."""
    for i in range(0, count, at_once):
        if not peer.send_raw(b"".join(one(n) for n in range(i, min(i + at_once, count)))):
            break
    return peer.goaway_code() == CALM


def rapid_reset(n):
    stream = 2 * n + 1
    return (frame(HEADERS, END_HEADERS, stream, connect_block()) +
            frame(RESET, 0, stream, struct.pack("!I", 8)))


FLOODS = {
    "rapid reset": rapid_reset,
    "ping": lambda n: frame(PING, 0, 0, struct.pack("!Q", n)),
    "settings": lambda n: frame(SETTINGS),
    "priority": lambda n: frame(PRIORITY, 0, 2 * n + 1, struct.pack("!IB", 0, 1)),
    "window updates": lambda n: frame(WINDOW, 0, 0, struct.pack("!I", 1)),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods(gateway, bystander, name):
    with Http2(gateway) as peer:
        assert goes_calm(peer, FLOODS[name], 20000)


def test_empty_data(gateway, bystander):
    with Http2(gateway) as peer:
        stream = peer.tunnel()
        assert goes_calm(peer, lambda n: frame(DATA, 0, stream), 1000)


def test_data_of_nothing_but_padding(gateway, bystander):
    with Http2(gateway) as peer:
        stream = peer.tunnel()
        assert goes_calm(peer, lambda n: frame(DATA, 8, stream, b"\x01\x00"), 1000)


def test_broken_frames_that_cost_a_stream_each(gateway, bystander):
    """The gateway is made to reset streams itself: by a window beyond all bounds."""
    def broken(n):
        stream = 2 * n + 1
        return (frame(HEADERS, END_HEADERS, stream, connect_block()) +
                frame(WINDOW, 0, stream, struct.pack("!I", 0x7FFFFFFF)))

    with Http2(gateway) as peer:
        assert goes_calm(peer, broken, 2000)


def test_continuation_without_end(gateway, bystander):
    with Http2(gateway) as peer:
        peer.send_raw(frame(HEADERS, 0, 1, connect_block()))
        assert goes_calm(peer, lambda n: frame(CONTINUATION, 0, 1), 20000)


def test_continuation_full_of_headers(gateway, bystander):
    field = hpack.Encoder().encode([("x-filler", "a" * 15000)], huffman=False)
    with Http2(gateway) as peer:
        peer.send_raw(frame(HEADERS, 0, 1, connect_block()))
        assert goes_calm(peer, lambda n: frame(CONTINUATION, 0, 1, field), 100, at_once=1)


def test_header_bomb(gateway, bystander):
    """A large field in the table, named again and again by one byte."""
    encoder = hpack.Encoder()
    block = encoder.encode([(":method", "CONNECT"), (":authority", f"{host('redis')}:6379"), ("x-bomb", "a" * 3900)])
    again = encoder.encode([("x-bomb", "a" * 3900)])
    assert len(again) == 1
    with Http2(gateway) as peer:
        peer.send_raw(frame(HEADERS, END_HEADERS, 1, block + again * 10000))
        assert peer.goaway_code() == CALM


def test_large_head_is_refused_and_the_connection_goes_on(gateway):
    with Http2(gateway) as peer:
        headers = [(f"x-{n}", "v" * 1000) for n in range(135)]
        answer = peer.ask("/", headers=headers)
        assert answer[":status"] == "431"
        assert peer.ask("/ping")[":status"] == "200"


def test_too_many_streams_are_refused_one_by_one(gateway, bystander):
    with Http2(gateway) as peer:
        peer.wait(h2.events.RemoteSettingsChanged)
        streams = [peer.connect() for _ in range(1000)]
        for stream in streams:
            assert peer.answer(stream)[":status"] == "200"
        extra = 2 * len(streams) + 1
        # h2 would not send it.
        block = peer.h2.encoder.encode([(":method", "CONNECT"), (":authority", f"{host('redis')}:6379")])
        peer.send_raw(frame(HEADERS, END_HEADERS, extra, block))
        data = peer.socket.recv(100)
        assert data[3] in (RESET, GOAWAY)


def test_answers_that_nobody_takes_are_bounded(gateway, bystander):
    """A window of nothing, and pages all the same."""
    before = gateway.resident_bytes()
    with Http2(gateway, window=0) as peer:
        try:
            for _ in range(3000):
                peer.request([(":method", "GET"), (":scheme", "https"), (":authority", host("redis")),
                              (":path", "/.pomerium/")])
        except h2.exceptions.ProtocolError:
            pass  # as many streams as there may be
        assert gateway.resident_bytes() - before < 200 << 20


def test_window_beyond_all_bounds(gateway, bystander):
    with Http2(gateway) as peer:
        peer.send_raw(frame(WINDOW, 0, 0, struct.pack("!I", 0x7FFFFFFF)))
        assert peer.goaway_code() == h2.errors.ErrorCodes.FLOW_CONTROL_ERROR


@pytest.mark.parametrize("size", range(0, 100, 7))
def test_half_a_conversation(gateway, bystander, size):
    whole = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS) +
             frame(HEADERS, END_HEADERS, 1, connect_block()) + frame(DATA, 0, 1, b"PING\r\n"))
    with Http2(gateway, announce=False) as peer:
        peer.send_raw(whole[:size])


def test_what_is_no_http2(gateway, bystander):
    with Http2(gateway, announce=False) as peer:
        peer.send_raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert peer.goaway_code() == h2.errors.ErrorCodes.PROTOCOL_ERROR
