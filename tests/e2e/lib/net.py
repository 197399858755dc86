"""Sockets: free ports, TLS to the gateway, and reading HTTP/1.1 heads byte-exactly."""

import itertools
import os
import pathlib
import random
import re
import socket
import ssl
import traceback
import warnings
from dataclasses import dataclass, field

PORTS_FROM = 10000  # services of this machine are below


def _own_ports():
    """Those that neither outgoing connections are given nor the tests that run beside these take, each once."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = list(range(PORTS_FROM + worker, end, workers))
    random.shuffle(ports)
    return itertools.chain(ports, itertools.repeat(0))


_ports = _own_ports()


def free_port():
    """One that nobody else is given: who ends and starts again finds it free, whatever goes on meanwhile."""
    for port in _ports:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return s.getsockname()[1]


def is_listening(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Response:
    status: int
    reason: str
    headers: list  # of (lower-case name, value), in order
    body: bytes = b""
    raw_head: bytes = b""
    extra: bytes = field(default=b"")  # what came after a head that has no body

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    def all(self, name):
        return [value for other, value in self.headers if other == name.lower()]

    @property
    def text(self):
        return self.body.decode()


def parse_head(head):
    first, *rest = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.1 (\d{3}) ?(.*)", first)
    assert match, f"not a response: {first!r}"
    headers = []
    for line in filter(None, rest):
        name, colon, value = line.partition(":")
        assert colon and name == name.strip(), f"not a header: {line!r}"
        headers.append((name.lower(), value.strip()))
    return Response(int(match[1]), match[2], headers, raw_head=head)


def tls_context(ca=None, alpn=("http/1.1",)):
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _wrap(context, raw, host):
    try:
        return context.wrap_socket(raw, server_hostname=host)
    except OSError as e:
        # The module forgets to close a socket whose other end was gone already: it is let go of here, without a warning.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            traceback.clear_frames(e.__traceback__)
        raise


class Connection:
    """A TLS connection to the gateway on loopback, whatever the host name."""

    def __init__(self, port, host, ca, timeout=20, alpn=("http/1.1",), context=None, preface=b""):
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if preface:  # in one segment with the first bytes of TLS
            raw.send(preface, socket.MSG_MORE)
        self.socket = _wrap(context or tls_context(ca, alpn), raw, host)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def close_orderly(self):
        """Says that nothing more comes, and waits for the other side to say the same."""
        self.socket.unwrap()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, size=65536):
        """Some bytes; nothing at the end, however abrupt."""
        try:
            return self.socket.recv(size)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    def read_to_end(self):
        data, self.buffer = self.buffer, b""
        while True:
            piece = self.receive()
            if not piece:
                return data
            data += piece

    def read_exactly(self, count):
        while len(self.buffer) < count:
            piece = self.receive()
            assert piece, f"ended after {len(self.buffer)} of {count} bytes: {self.buffer[:200]!r}"
            self.buffer += piece
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_head(self):
        """The head of a response, or None if the connection ended without one."""
        while b"\r\n\r\n" not in self.buffer:
            piece = self.receive()
            if not piece:
                assert not self.buffer, f"cut off inside a head: {self.buffer!r}"
                return None
            self.buffer += piece
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return parse_head(head + b"\r\n")

    def read_response(self, has_body=True):
        response = self.read_head()
        if response is None:
            return None
        length = response.header("content-length")
        if has_body and length is not None:
            response.body = self.read_exactly(int(length))
        return response

    def ask(self, request, has_body=True):
        self.send(request)
        response = self.read_response(has_body)
        assert response is not None, "the gateway closed the connection without an answer"
        return response

    def is_at_end(self):
        """True if nothing more comes and the connection has ended."""
        return not self.buffer and self.receive() == b""


class PlainConnection(Connection):
    """The same without TLS."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""


def request_bytes(method, target, host, headers=(), body=b""):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def connect_bytes(target, token=None, headers=()):
    headers = list(headers)
    if token is not None:
        headers.append(("Authorization", f"Pomerium {token}"))
    return request_bytes("CONNECT", target, target, headers)
