"""UDP: servers that echo, and the wire of connect-udp over HTTP/1.1 (RFC 9297, RFC 9298), made independently of the product."""

import socket
import threading

from lib.gateway import host
from lib.net import request_bytes

PACKET_MAX = 65507  # of IPv4


def udp_route(name, to_port, from_port=53, **settings):
    return {"from": f"udp+https://{host(name)}:{from_port}", "to": f"udp://127.0.0.1:{to_port}", **settings}


def udp_socket(timeout=10, size=4 << 20):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    s.bind(("127.0.0.1", 0))
    s.settimeout(timeout)
    return s


class EchoServer:
    """Sends each packet back to where it came from, and remembers from where that was."""

    def __init__(self, answer=lambda packet: [packet]):
        self.answer = answer
        self.socket = udp_socket(timeout=None)
        self.port = self.socket.getsockname()[1]
        self.sources = set()
        self.count = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                packet, source = self.socket.recvfrom(65535)
            except OSError:
                return
            self.count += 1
            self.sources.add(source)
            for piece in self.answer(packet):
                self.socket.sendto(piece, source)

    def stop(self):
        self.socket.close()


def varint(value):
    for log, limit in enumerate((1 << 6, 1 << 14, 1 << 30, 1 << 62)):
        if value < limit:
            data = bytearray(value.to_bytes(1 << log, "big"))
            data[0] |= log << 6
            return bytes(data)
    raise ValueError(value)


def capsule(payload, kind=0, context=0):
    value = varint(context) + payload
    return varint(kind) + varint(len(value)) + value


class Tunnel:
    """Asked for as the reference client does; the answer's body is read as Go's HTTP client reads it."""

    def __init__(self, gateway, name="dns", port=53, token=None, path=None, headers=(), early=b"", target=None):
        self.connection = gateway.open(name)
        target = target or f"{host(name)}:{port}"
        request = request_bytes("GET", path or f"/.well-known/masque/udp/{host(name)}/{port}/", target, [
            ("User-Agent", "Go-http-client/1.1"),
            *([("Authorization", f"Pomerium {token}")] if token else []),
            ("Capsule-Protocol", "?1"), ("Connection", "Upgrade"), ("Upgrade", "connect-udp"), *headers,
        ])
        self.connection.send(request + early)
        self.response = self.connection.read_head()
        self.body = b""

    def send(self, *packets):
        self.connection.send(b"".join(capsule(packet) for packet in packets))

    def _fill(self):
        """One chunk; False at the end of the body."""
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.connection.read_exactly(1)
        size = int(line, 16)
        self.body += self.connection.read_exactly(size)
        assert self.connection.read_exactly(2) == b"\r\n"
        return size > 0

    def _take(self, count):
        while len(self.body) < count:
            assert self._fill(), "the body ended"
        data, self.body = self.body[:count], self.body[count:]
        return data

    def _varint(self):
        first = self._take(1)
        return int.from_bytes(bytes([first[0] & 0x3F]) + self._take((1 << (first[0] >> 6)) - 1), "big")

    def receive(self):
        assert self._varint() == 0, "only datagrams may come"
        value = self._take(self._varint())
        assert value[:1] == b"\0", "of context 0"
        return value[1:]

    def close(self):
        self.connection.close()
