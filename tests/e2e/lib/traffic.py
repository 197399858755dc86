"""Tunnels in which bytes go to and fro all the time and are compared: whatever is lost, altered or cut off is noticed."""

import asyncio
import hashlib
import random
import ssl
import threading

from lib.gateway import host
from lib.net import connect_bytes, tls_context
from lib.process import eventually

OPENING = 32  # handshakes at a time
BLOCK_MAX = 20_000


async def _echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


class Flow:
    """One tunnel: a block up, the same block down, a pause; and so on until it is told to stop."""

    def __init__(self, number, pause, block_max):
        self.number = number
        self.pause = pause
        self.block_max = block_max
        self.choice = random.Random(number)
        self.rounds = 0
        self.sent = hashlib.sha256()
        self.received = hashlib.sha256()
        self.failure = None
        self.is_stopping = False

    async def open(self, port, name, context, token, from_port, gate):
        async with gate:
            self.reader, self.writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname=host(name), ssl_handshake_timeout=120)
            self.writer.write(connect_bytes(f"{host(name)}:{from_port}", token))
            head = await self.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head

    async def open_local(self, port, gate):
        """Through a client of ours that listens there; that it is open shows when something comes back."""
        async with gate:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)

    @property
    def is_cut(self):
        """Also if nobody has tried to use it since."""
        return bool(self.failure or self.reader.at_eof() or self.reader.exception())

    async def run(self):
        try:
            while not self.is_stopping:
                await self.exchange(self.choice.randbytes(self.choice.randrange(1, self.block_max)))
                await asyncio.sleep(self.choice.uniform(0, 2 * self.pause))
        except (OSError, EOFError, ssl.SSLError) as e:
            self.failure = f"tunnel {self.number} after {self.rounds} rounds: {e!r}"

    async def exchange(self, block):
        self.writer.write(block)
        await self.writer.drain()
        self.sent.update(block)
        self.received.update(await self.reader.readexactly(len(block)))
        if self.sent.digest() != self.received.digest():
            raise OSError("what came back is not what was sent")
        self.rounds += 1


class Traffic:
    """An upstream that echoes (port), and flows through gateways to it, on a thread of its own."""

    def __init__(self, pause=0.01, block_max=BLOCK_MAX):
        self.pause = pause
        self.block_max = block_max
        self.flows = []
        self.tasks = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = self._call(self._serve())
        self.port = self.server.sockets[0].getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._call(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _call(self, coroutine, timeout=200):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    async def _serve(self):
        return await asyncio.start_server(_echo, "127.0.0.1", 0, backlog=4096)

    def open(self, gateway, token, count=1, name="redis", from_port=6379):
        """Opens so many tunnels and begins to use them; returns their flows."""
        context = tls_context(gateway.ca)
        return self._open(count, lambda flow, gate: flow.open(gateway.port, name, context, token, from_port, gate))

    def open_local(self, port, count):
        """The same through a client of ours that listens on that port."""
        return self._open(count, lambda flow, gate: flow.open_local(port, gate))

    def _open(self, count, open_flow):
        flows = [Flow(len(self.flows) + i, self.pause, self.block_max) for i in range(count)]

        async def begin():
            gate = asyncio.Semaphore(OPENING)
            await asyncio.gather(*(open_flow(flow, gate) for flow in flows))
            self.tasks += [asyncio.create_task(flow.run()) for flow in flows]

        self._call(begin())
        self.flows += flows
        return flows

    async def _end(self):
        for flow in self.flows:
            flow.is_stopping = True
        await asyncio.wait_for(asyncio.gather(*self.tasks), 60)
        for flow in self.flows:
            flow.writer.transport.abort()
        self.server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=10)
        await asyncio.sleep(0)  # what was closed just now is let go of by the next turn

    def hang_up(self, flows):
        """The clients of those go, in the middle of what they do."""
        async def hang_up():
            for flow in flows:
                flow.is_stopping = True
                flow.writer.transport.abort()

        failed = len(self.failures)
        self._call(hang_up())
        eventually(lambda: all(self.tasks[self.flows.index(flow)].done() for flow in flows), "they are gone")
        assert len(self.failures) <= failed + len(flows)
        for flow in flows:
            flow.failure = None

    @property
    def failures(self):
        return [flow.failure for flow in self.flows if flow.failure]

    @staticmethod
    def rounds(flows):
        return [flow.rounds for flow in flows]

    def check(self, flows=None, timeout=30, since=None):
        """Every tunnel (or those) is open, and something has gone to and fro since now (or since it had made those rounds)."""
        flows = flows or self.flows
        before = since or self.rounds(flows)

        def all_have_moved():
            assert not any(flow.failure for flow in flows), self.failures[:5]
            return all(flow.rounds > rounds for flow, rounds in zip(flows, before))

        eventually(all_have_moved, "every tunnel carries bytes", timeout)
