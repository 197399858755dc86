"""Everything a peer should not send: refused with 400 or 431 or a closed connection, and nothing else is disturbed."""

import socket
import ssl
import time

import pytest

from lib.gateway import host, tcp_route
from lib.login import obtain_token
from lib.net import Connection, connect_bytes, tls_context
from lib.users import DEMO

TARGET = f"{host('redis')}:6379"
LINE = f"CONNECT {TARGET} HTTP/1.1\r\n".encode()
HOST = f"Host: {TARGET}\r\n".encode()
END = b"\r\n"


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, redis):
    return make_shared_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True))


@pytest.fixture(autouse=True)
def still_serving(gateway):
    yield
    assert gateway.is_serving()


def connect_to(target, host_header=None):
    return f"CONNECT {target} HTTP/1.1\r\nHost: {host_header or target}\r\n\r\n".encode("latin-1")


MALFORMED = {
    # the request line
    "empty line": END,
    "only a word": b"CONNECT\r\n\r\n",
    "no version": f"CONNECT {TARGET}\r\n".encode() + HOST + END,
    "empty version": f"CONNECT {TARGET} \r\n".encode() + HOST + END,
    "HTTP/2.0": f"CONNECT {TARGET} HTTP/2.0\r\n".encode() + HOST + END,
    "HTTP/1.2x": f"CONNECT {TARGET} HTTP/1.2x\r\n".encode() + HOST + END,
    "http in lower case": f"CONNECT {TARGET} http/1.1\r\n".encode() + HOST + END,
    "two blanks": f"CONNECT  {TARGET} HTTP/1.1\r\n".encode() + HOST + END,
    "tab": f"CONNECT\t{TARGET}\tHTTP/1.1\r\n".encode() + HOST + END,
    "blank in front": b" " + LINE + HOST + END,
    "blank behind": f"CONNECT {TARGET} HTTP/1.1 \r\n".encode() + HOST + END,
    "four words": f"CONNECT {TARGET} x HTTP/1.1\r\n".encode() + HOST + END,
    "method with colon": f"CON:NECT {TARGET} HTTP/1.1\r\n".encode() + HOST + END,
    "NUL in the line": f"CONNECT {TARGET}\0 HTTP/1.1\r\n".encode() + HOST + END,
    "high byte in the target": b"CONNECT redis\xff.demo.localhost:6379 HTTP/1.1\r\n" + HOST + END,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS inside TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    # the target
    "no port": connect_to(host("redis")),
    "empty port": connect_to(host("redis") + ":"),
    "port 0": connect_to(host("redis") + ":0"),
    "port 65536": connect_to(host("redis") + ":65536"),
    "port 99999999999999999999": connect_to(host("redis") + ":99999999999999999999"),
    "port -1": connect_to(host("redis") + ":-1"),
    "port +6379": connect_to(host("redis") + ":+6379"),
    "port 0x18eb": connect_to(host("redis") + ":0x18eb"),
    "port with letters": connect_to(host("redis") + ":6379a"),
    "no host": connect_to(":6379"),
    "userinfo": connect_to(f"user:password@{TARGET}"),
    "empty userinfo": connect_to(f"@{TARGET}"),
    "path": connect_to(f"{TARGET}/"),
    "query": connect_to(f"{TARGET}?x"),
    "fragment": connect_to(f"{TARGET}#x"),
    "scheme": connect_to(f"https://{TARGET}"),
    "two ports": connect_to(f"{TARGET}:1"),
    "IPv6 without brackets": connect_to("::1:6379"),
    "IPv6 bracket not closed": connect_to("[::1:6379"),
    "something behind the bracket": connect_to("[::1]x:6379"),
    "asterisk": connect_to("*"),
    # header lines
    "bare LF": f"CONNECT {TARGET} HTTP/1.1\nHost: {TARGET}\n\n".encode() + END + END,
    "bare LF in a header": LINE + HOST + b"X: a\nY: b\r\n" + END,
    "bare CR in a header": LINE + HOST + b"X: a\rY: b\r\n" + END,
    "bare CR at the end": LINE + HOST + b"X: a\r\r\n" + END,
    "NUL in a value": LINE + HOST + b"X: a\0b\r\n" + END,
    "NUL in a name": LINE + HOST + b"X\0Y: a\r\n" + END,
    "control byte in a value": LINE + HOST + b"X: a\x01b\r\n" + END,
    "DEL in a value": LINE + HOST + b"X: a\x7fb\r\n" + END,
    "folded with blank": LINE + HOST + b"X: a\r\n b\r\n" + END,
    "folded with tab": LINE + HOST + b"X: a\r\n\tb\r\n" + END,
    "folded first line": LINE + b" X: a\r\n" + HOST + END,
    "no colon": LINE + HOST + b"X\r\n" + END,
    "empty name": LINE + HOST + b": a\r\n" + END,
    "blank before the colon": LINE + HOST + b"X : a\r\n" + END,
    "blank inside a name": LINE + HOST + b"X Y: a\r\n" + END,
    "underscore": LINE + HOST + b"X_Y: a\r\n" + END,
    "name in brackets": LINE + HOST + b"X(Y): a\r\n" + END,
    # Host and length
    "no Host": LINE + END,
    "two Hosts": LINE + HOST + HOST + END,
    "two different Hosts": LINE + HOST + b"Host: other:1\r\n" + END,
    "two Hosts, other case": LINE + HOST + b"hOST: other:1\r\n" + END,
    "Host with a blank": LINE + b"Host: a b\r\n" + END,
    "Host with userinfo": LINE + f"Host: x@{TARGET}\r\n".encode() + END,
    "two Content-Lengths": LINE + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n" + END,
    "the same twice": LINE + HOST + b"Content-Length: 0\r\nContent-Length: 0\r\n" + END,
    "list of Content-Lengths": LINE + HOST + b"Content-Length: 0, 0\r\n" + END,
    "negative Content-Length": LINE + HOST + b"Content-Length: -1\r\n" + END,
    "Content-Length with a plus": LINE + HOST + b"Content-Length: +1\r\n" + END,
    "Content-Length too large": LINE + HOST + b"Content-Length: 99999999999999999999\r\n" + END,
    "empty Content-Length": LINE + HOST + b"Content-Length: \r\n" + END,
    "both framings": LINE + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" + END,
    "unknown transfer coding": b"GET /ping HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n" + END,
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(gateway, what):
    with gateway.open("redis") as connection:
        connection.send(MALFORMED[what])
        response = connection.read_response()
        assert response is not None, "closed without an answer"
        assert response.status == 400, response
        assert response.body == b""
        assert response.header("x-pomerium-reason") == "bad-request"
        assert connection.is_at_end()


@pytest.mark.parametrize("piece", [
    connect_bytes(TARGET)[:-2], connect_bytes(TARGET)[:10], b"C", connect_bytes(TARGET)[:-1], LINE + HOST + b"X: ",
], ids=["before the blank line", "in the line", "first byte", "before the last byte", "in a value"])
@pytest.mark.parametrize("how", ["closed", "reset", "half-closed"])
def test_cut_off(gateway, piece, how):
    connection = gateway.open("redis")
    connection.send(piece)
    if how == "half-closed":
        connection.socket.shutdown(socket.SHUT_WR)
        answer = connection.read_to_end()
        assert b" 200 " not in answer and b" 302 " not in answer
    if how == "reset":
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def test_a_byte_at_a_time(gateway):
    with gateway.open("redis") as connection:
        for byte in connect_bytes(TARGET):
            connection.send(bytes([byte]))
        assert connection.read_response().status == 302


def test_a_tunnel_opened_a_byte_at_a_time(gateway):
    token = obtain_token(gateway, "redis", DEMO)
    with gateway.open("redis") as connection:
        for byte in connect_bytes(TARGET, token) + b"PING\r\n":
            connection.send(bytes([byte]))
        assert connection.read_head().status == 200
        assert connection.read_exactly(7) == b"+PONG\r\n"


# ---- sizes ----

def padded(size):
    """A good CONNECT whose head has that many bytes."""
    head = LINE + HOST
    while size - len(head) - len(END) > 60000:
        head += b"X-Pad: " + b"x" * 30000 + END
    head += b"X-Pad: " + b"x" * (size - len(head) - len(b"X-Pad: ") - 2 * len(END)) + END
    return head + END


@pytest.mark.parametrize("size, status", [(100 << 10, 302), (128 << 10, 302), ((128 << 10) + 1, 431), (1 << 20, 431)])
def test_size_of_the_head(gateway, size, status):
    request = padded(size)
    assert len(request) == size
    with gateway.open("redis") as connection:
        try:
            connection.send(request)
        except (ConnectionError, ssl.SSLError):
            pass  # refused before the end
        response = connection.read_response()
        assert response is not None and response.status in (status, 400 if status == 431 else status)


@pytest.mark.parametrize("count, status", [(999, 302), (1000, 302), (1001, 431), (20000, 431)])
def test_number_of_headers(gateway, count, status):
    request = LINE + HOST + b"X: y\r\n" * (count - 1) + END
    with gateway.open("redis") as connection:
        try:
            connection.send(request)
        except (ConnectionError, ssl.SSLError):
            pass
        response = connection.read_response()
        assert response is not None and response.status in (status, 400 if status == 431 else status)


def test_a_header_without_end(gateway):
    """Is refused when the limit is reached, not kept until memory ends."""
    with gateway.open("redis") as connection:
        connection.send(LINE + HOST + b"X: ")
        sent = 0
        try:
            while sent < 8 << 20:
                connection.send(b"x" * 16384)
                sent += 16384
        except (ConnectionError, ssl.SSLError):
            pass
        answer = connection.read_to_end()
        assert sent < 8 << 20 or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), answer[:100]


@pytest.mark.parametrize("length", [1 << 17, 1 << 30, 1 << 62])
def test_a_body_too_large(gateway, length):
    head = f"POST /.pomerium/local/sign_in HTTP/1.1\r\nHost: {host('redis')}\r\nContent-Length: {length}\r\n\r\n"
    with gateway.open("redis") as connection:
        connection.send(head.encode() + b"x" * 1000)
        response = connection.read_response()
        assert response is not None and response.status in (400, 413)


# ---- below HTTP ----

def raw(gateway):
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=20)


def read_to_end(connection):
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def test_plain_http(gateway):
    with raw(gateway) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"https" in answer.lower()


@pytest.mark.parametrize("data", [
    b"\0" * 1000, b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 70000, b"\x16\x03\x01\x00\x00",
    b"\x15\x03\x01\x00\x02\x02\x28", b"\x80\x2e\x01\x00\x02", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n",
], ids=["zeros", "ssh", "long record", "empty record", "alert", "SSLv2", "PROXY"])
def test_what_is_no_tls(gateway, data):
    with raw(gateway) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # closed already
        answer = read_to_end(connection)
    assert len(answer) < 200


def test_no_common_version(gateway):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with raw(gateway) as connection:
        with pytest.raises(ssl.SSLError, match="(?i)version|alert"):
            context.wrap_socket(connection, server_hostname=host("redis"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_good(gateway, version):
    context = tls_context(gateway.ca)
    context.minimum_version = context.maximum_version = version
    with raw(gateway) as connection, context.wrap_socket(connection, server_hostname=host("redis")) as secure:
        secure.sendall(connect_bytes(TARGET))
        assert secure.recv(100).startswith(b"HTTP/1.1 302 ")
        assert secure.selected_alpn_protocol() == "http/1.1"


def client_hello(context=None):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = (context or tls_context()).wrap_bio(incoming, outgoing, server_hostname=host("redis"))
    with pytest.raises(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()


def test_stalled_handshakes_hold_up_nobody(gateway):
    hello = client_hello()
    stalled = [raw(gateway) for _ in range(300)]
    try:
        for number, connection in enumerate(stalled):
            connection.sendall(hello[:number % len(hello)])
        begin = time.monotonic()
        for _ in range(5):
            assert gateway.is_serving()
        assert time.monotonic() - begin < 10
    finally:
        for connection in stalled:
            connection.close()


def test_a_handshake_a_byte_at_a_time(gateway):
    with raw(gateway) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in client_hello():
            connection.sendall(bytes([byte]))
        assert connection.recv(5)[:2] == b"\x16\x03"


def test_a_client_that_never_reads(gateway):
    token = obtain_token(gateway, "redis", DEMO)
    connections = []
    for _ in range(20):
        connection = gateway.tunnel("redis", token=token)
        connection.send(b"PING\r\n" * 20000)
        connections.append(connection)
    assert gateway.is_serving()
    for connection in connections:
        connection.close()


def test_an_unknown_server_name(gateway):
    context = tls_context()
    with raw(gateway) as connection, context.wrap_socket(connection, server_hostname="other.example.com") as secure:
        secure.sendall(connect_bytes("other.example.com:1"))
        assert secure.recv(100).startswith(b"HTTP/1.1 404 ")


def test_no_server_name_and_no_alpn(gateway):
    with raw(gateway) as connection, tls_context(alpn=()).wrap_socket(connection) as secure:
        secure.sendall(connect_bytes(TARGET))
        assert secure.recv(100).startswith(b"HTTP/1.1 302 ")


def test_only_an_unknown_protocol_is_offered(gateway):
    """Either refused in the handshake, or ignored and treated as HTTP/1.1."""
    try:
        with Connection(gateway.port, host("redis"), gateway.ca, alpn=("spdy/3",)) as connection:
            assert connection.ask(connect_bytes(TARGET)).status == 302
    except ssl.SSLError as e:
        assert "NO_APPLICATION_PROTOCOL" in str(e)
