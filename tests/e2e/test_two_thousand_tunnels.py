"""Two thousand tunnels at the same time with random traffic, each direction ending when it likes; checksums match."""

import asyncio
import hashlib
import random
import resource
import struct

import pytest

from lib.gateway import tcp_route
from lib.users import DEMO

TUNNELS = 2000
# So many are being opened at a time: it is tunnels that are tested, not how long a queue of handshakes may get.
OPENING = 64
HELLO = struct.Struct("!IQI")  # number of the tunnel, seed of what the server sends, how many bytes


def plan(number):
    """What a tunnel does: (bytes up, bytes down, who waits for whom)."""
    choice = random.Random(number)
    sizes = [0, 1, 1000, 16384, 65537, choice.randrange(200_000)]
    if number % 100 == 0:
        sizes = [1 << 20]
    return choice.choice(sizes), choice.choice(sizes), choice.choice(["both", "answer", "server first"])


def content(seed, size):
    return random.Random(seed).randbytes(size)


async def send_in_pieces(writer, data, seed):
    choice = random.Random(seed)
    position = 0
    while position < len(data):
        size = choice.randrange(1, 40_000)
        writer.write(data[position:position + size])
        await writer.drain()
        position += size


class Server:
    """Reads a hello and to the end; sends what the hello asks for, before, while or after reading."""

    def __init__(self):
        self.digests = {}
        self.everybody_is_here = asyncio.Event()

    async def serve(self, reader, writer):
        number, seed, size = HELLO.unpack(await reader.readexactly(HELLO.size))
        writer.write(b"hello")
        await writer.drain()
        await self.everybody_is_here.wait()
        order = plan(number)[2]
        if order == "answer":
            await self.receive(number, reader)
            await self.send(writer, seed, size)
        elif order == "server first":
            await self.send(writer, seed, size)
            await self.receive(number, reader)
        else:
            await asyncio.gather(self.receive(number, reader), self.send(writer, seed, size))
        writer.close()

    async def receive(self, number, reader):
        digest = hashlib.sha256()
        while data := await reader.read(65536):
            digest.update(data)
        self.digests[number] = digest.digest()

    async def send(self, writer, seed, size):
        await send_in_pieces(writer, content(seed, size), seed)
        writer.write_eof()


class Tunnel:
    def __init__(self, number):
        self.number = number
        self.up, self.down, self.order = plan(number)
        self.seed = number * 7919
        self.digest = None

    async def open(self, port, gate):
        async with gate:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
            self.writer.write(HELLO.pack(self.number, self.seed, self.down))
            assert await self.reader.readexactly(5) == b"hello"

    async def run(self):
        if self.order == "server first":
            await self.receive()
            await self.send()
        else:
            await asyncio.gather(self.receive(), self.send())
        self.writer.close()

    async def send(self):
        await send_in_pieces(self.writer, content(self.seed + 1, self.up), self.seed)
        self.writer.write_eof()

    async def receive(self):
        digest = hashlib.sha256()
        while data := await self.reader.read(65536):
            digest.update(data)
        self.digest = digest.digest()

    def check(self, server):
        assert self.digest == hashlib.sha256(content(self.seed, self.down)).digest(), f"down {self.number} {self.order}"
        sent = hashlib.sha256(content(self.seed + 1, self.up)).digest()
        assert server.digests.get(self.number) == sent, f"up {self.number} {self.order}"


async def drive(server, listener, make_port):
    port = make_port()
    tunnels = [Tunnel(number) for number in range(TUNNELS)]
    gate = asyncio.Semaphore(OPENING)
    async with asyncio.timeout(200):
        await asyncio.gather(*(tunnel.open(port, gate) for tunnel in tunnels))
        server.everybody_is_here.set()
        await asyncio.gather(*(tunnel.run() for tunnel in tunnels))
        while len(server.digests) < TUNNELS:
            await asyncio.sleep(0.05)
    listener.close()
    return tunnels


@pytest.mark.timeout(400)
def test_two_thousand_tunnels(make_gateway, make_client):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gateways = []

    async def main():
        server = Server()
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=4096)
        upstream_port = listener.sockets[0].getsockname()[1]

        def make_port():
            gateway = make_gateway(tcp_route("redis", upstream_port, allowed_users=[DEMO.email]))
            gateways.append(gateway)
            return make_client(gateway).listen("redis").port

        return server, await drive(server, listener, make_port)

    server, tunnels = asyncio.run(main())
    for tunnel in tunnels:
        tunnel.check(server)
    lines = gateways[0].log.wait("http-request", TUNNELS, method="CONNECT", response_code=200, timeout=30)
    assert lines["end-reason"] in ("client-closed", "upstream-closed")
    assert len(gateways[0].log.find("tunnel opened")) == TUNNELS
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
