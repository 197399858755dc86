"""One side ends its sending; the other direction goes on until it ends as well."""

import os
import socket
import threading

import pytest

from lib.gateway import tcp_route
from lib.process import eventually
from lib.services import Upstream
from lib.users import DEMO


@pytest.fixture
def gateway_to(make_gateway):
    return lambda upstream: make_gateway(tcp_route("redis", upstream.port, allowed_users=[DEMO.email]))


def read_all(connection):
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    return bytes(data)


@pytest.fixture
def answer_after_end():
    """A server that answers only when it has seen the end of what the client sends."""

    def serve(connection):
        request = read_all(connection)
        connection.sendall(b"%d bytes " % len(request) + request[::-1])

    upstream = Upstream(serve)
    yield upstream
    upstream.stop()


@pytest.mark.parametrize("size", [0, 5, 1 << 20])
def test_the_whole_answer_arrives_after_the_end_of_standard_input(gateway_to, make_client, answer_after_end, size):
    client = make_client(gateway_to(answer_after_end))
    data = b"abcdefghijklmnop" * (size // 16) + b"x" * (size % 16)
    assert client.pipe("redis", data).stdout.encode() == b"%d bytes " % size + data[::-1]


def test_redis_answers_quit_after_the_end_of_input(make_gateway, make_client, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]))
    assert make_client(gateway).pipe("redis", b"PING\r\nQUIT\r\n").stdout == "+PONG\r\n+OK\r\n"


def test_client_half_close_through_a_listening_port(gateway_to, make_client, answer_after_end):
    listener = make_client(gateway_to(answer_after_end)).listen("redis")
    with listener.dial() as connection:
        connection.sendall(b"question")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b"8 bytes noitseuq"


def test_server_half_close_and_the_client_goes_on(gateway_to, make_client):
    got = []

    def serve(connection):
        connection.sendall(b"all I have to say")
        connection.shutdown(socket.SHUT_WR)
        got.append(read_all(connection))

    upstream = Upstream(serve)
    listener = make_client(gateway_to(upstream)).listen("redis")
    payload = os.urandom(300_000)
    with listener.dial() as connection:
        assert read_all(connection) == b"all I have to say"
        connection.sendall(payload)
        connection.shutdown(socket.SHUT_WR)
        eventually(lambda: got, "the upstream sees the end")
    assert got == [payload]
    upstream.stop()


def test_the_tunnel_ends_when_both_sides_have(gateway_to, make_client, answer_after_end):
    gateway = gateway_to(answer_after_end)
    make_client(gateway).pipe("redis", b"x")
    line = gateway.log.wait("http-request", method="CONNECT", response_code=200)
    assert line["bytes-received"] == 1
    assert line["bytes-sent"] == len(b"1 bytes x")
    assert line["end-reason"] in ("client-closed", "upstream-closed")


def test_a_reader_that_pauses_holds_up_the_sender_and_loses_nothing(gateway_to, make_client):
    payload = os.urandom(1 << 20) * 128
    upstream = Upstream(lambda connection: connection.sendall(payload))
    gateway = gateway_to(upstream)
    listener = make_client(gateway).listen("redis")
    with listener.dial(60) as connection:
        connection.recv(1, socket.MSG_PEEK)
        before = gateway.resident_bytes()
        threading.Event().wait(1)  # everything on the way is full by now
        assert not upstream.ends, "the upstream could send everything although nobody reads"
        assert gateway.resident_bytes() - before < 40 << 20  # of 128; sanitizers keep freed memory
        assert read_all(connection) == payload
    upstream.stop()


def test_an_upstream_reset_does_not_look_like_an_end(gateway_to, make_client):
    def serve(connection):
        connection.sendall(b"some")
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    upstream = Upstream(serve)
    gateway = gateway_to(upstream)
    listener = make_client(gateway).listen("redis")
    with listener.dial() as connection:
        assert connection.recv(4) == b"some"
        connection.sendall(b"x")
        with pytest.raises(ConnectionError):
            assert connection.recv(4) != b"", "a reset arrived as an orderly end"
    line = gateway.log.wait("http-request", method="CONNECT", response_code=200)
    assert line["end-reason"] == "upstream-reset"
    upstream.stop()


def test_a_client_reset_reaches_the_upstream(gateway_to, make_client):
    upstream = Upstream()
    gateway = gateway_to(upstream)
    listener = make_client(gateway).listen("redis")
    connection = listener.dial()
    connection.sendall(b"ping")
    assert connection.recv(4) == b"ping"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    eventually(lambda: upstream.ends, "the upstream notices")
    assert upstream.ends == ["reset"]
    upstream.stop()
