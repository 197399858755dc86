"""Who stalls before a request is complete is sent away after 30 s; who has a tunnel may be silent as long as he likes."""

import socket
import ssl
import time

import pytest

from lib.gateway import host, tcp_route
from lib.net import connect_bytes, tls_context

LIMIT = 30


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        tls_context().wrap_bio(incoming, outgoing, server_hostname=host("redis")).do_handshake()
    return outgoing.read()


def raw(gateway, data=b""):
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT + 20)
    connection.sendall(data)
    return connection


def has_ended(connection):
    """Without waiting: whether it has ended; what came before that is thrown away."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def begin_request(gateway, data):
    connection = gateway.open("redis")
    connection.send(data)
    return connection.socket


def tls_has_ended(secure):
    secure.setblocking(False)
    try:
        while secure.recv(65536):
            pass
        return True
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True


@pytest.mark.timeout(120)
def test_everybody_who_stalls(make_gateway, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allow_public_unauthenticated_access=True))
    hello = client_hello()
    request = connect_bytes(f"{host('redis')}:6379")
    tunnel = gateway.tunnel("redis")

    stalled = {
        "says nothing": raw(gateway),
        "half a hello": raw(gateway, hello[:len(hello) // 2]),
        "no finish": raw(gateway, hello),
    }
    stalled_tls = {
        "no request": begin_request(gateway, b""),
        "half a request": begin_request(gateway, request[:30]),
        "no end": begin_request(gateway, request[:-2]),
    }
    drip = begin_request(gateway, request[:10])
    begin = time.monotonic()
    position = 10
    while time.monotonic() - begin < LIMIT - 5:
        time.sleep(1)
        if position < len(request) - 10:
            drip.send(request[position:position + 1])
            position += 1
    assert [what for what, connection in stalled.items() if has_ended(connection)] == []
    assert [what for what, connection in stalled_tls.items() if tls_has_ended(connection)] == []
    assert gateway.is_serving()

    # A byte now and then buys no more time.
    stalled_tls["a byte a second"] = drip
    deadline = begin + LIMIT + 10
    while time.monotonic() < deadline:
        left = [w for w, c in stalled.items() if not has_ended(c)]
        left += [w for w, c in stalled_tls.items() if not tls_has_ended(c)]
        if not left:
            break
        time.sleep(0.5)
    assert left == []

    tunnel.send(b"PING\r\n")
    assert tunnel.read_exactly(7) == b"+PONG\r\n"
    tunnel.close()
    for connection in [*stalled.values(), *stalled_tls.values()]:
        connection.close()
