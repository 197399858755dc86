"""Gateways, and what stands between, that fail in the middle: one sentence, the right exit status, the login stays, no hang."""

import contextlib
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.clock import Clock
from lib.gateway import host, tcp_route
from lib.process import CLIENT, eventually
from lib.services import Upstream
from lib.upstreams import Full
from lib.users import DEMO
from test_client_check import TlsServer
from test_client_cli import cache_name
from test_many_connections import close_all, many_descriptors, open_silent  # noqa: F401

QUIT = b"PING\r\nQUIT\r\n"
ANSWER = "+PONG\r\n+OK\r\n"
MANY = 10_000
DAY = 86_400


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]))


@pytest.fixture
def client(gateway, make_client):
    """Logged in."""
    made = make_client(gateway)
    assert made.pipe("redis", QUIT).stdout == ANSWER
    return made


class Cut:
    """Passes on what the gateway says, up to a number of bytes."""

    def __init__(self, port, limit):
        self.target = port
        self.limit = limit
        self.passed = 0
        self.server = Upstream(self._serve)
        self.port = self.server.port

    def _serve(self, connection):
        with socket.create_connection(("127.0.0.1", self.target)) as gateway:
            threading.Thread(target=self._forward, args=(connection, gateway), daemon=True).start()
            while self.passed < self.limit and (data := gateway.recv(self.limit - self.passed)):
                connection.sendall(data)
                self.passed += len(data)
            for end in (connection, gateway):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _forward(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
        except OSError:
            pass


def kept_for(client, port):
    """The client's token, as if it had logged in at that port."""
    [path] = client.token_files()
    file = path.with_name(cache_name(f"{host('redis')}:{port}|true") + ".jwt")
    file.write_text(path.read_text())
    file.chmod(0o600)
    return file


def ask(client, port, *flags, **options):
    options.setdefault("stdin", b"PING\r\n")
    return client.run("tcp", f"{host('redis')}:6379", "--pomerium-url", f"https://{host('redis')}:{port}", "--listen", "-",
                      "--alternate-ca-path", client.gateway.ca, "--browser-cmd", "/bin/false", *flags, **options)


def assert_one_sentence(done, statuses):
    """Beside log lines, which are JSON."""
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode in statuses and done.stdout == "", done.stderr
    assert len(said) == 1 and said[0].startswith("pomerium-cli: "), done.stderr


@pytest.mark.parametrize("transport", ["h1", "h2"])
def test_closes_at_each_byte_of_handshake_and_reply(client, gateway, tmp_path, transport):
    """Every byte at first, then every thirteenth; each with a cache that has no TLS session to resume."""
    token = client.token_files()[0].read_text()

    def run(size):
        cut = Cut(gateway.port, size)
        file = tmp_path / f"cache{size}" / "pomerium-cli" / "jwts" / (cache_name(f"{host('redis')}:{cut.port}|true") + ".jwt")
        file.parent.mkdir(parents=True, mode=0o700)
        file.write_text(token)
        file.chmod(0o600)
        done = ask(client, cut.port, "--transport", transport, stdin=QUIT,
                   env={**client.env(), "XDG_CACHE_HOME": str(tmp_path / f"cache{size}")})
        cut.server.stop()
        assert file.read_text() == token
        return done, cut.passed

    done, whole = run(1 << 20)
    assert done.stdout == ANSWER, done.stderr
    answer = len(ANSWER) + 150  # with its frames, and those of the end
    with ThreadPoolExecutor(4) as pool:
        for done, _ in pool.map(run, [*range(100), *range(100, whole - answer, 13)]):
            assert_one_sentence(done, (6,))


@pytest.mark.parametrize("answer, statuses, word", [
    (b"HTTP/1.1 502 Bad Gateway\r\nServer: squid\r\nContent-Type: text/html\r\nContent-Length: 30\r\n\r\n<html>ERR_CONNECT_FAIL</html>\n", (6,), "502"),
    (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5000\r\n\r\n<html>", (6,), ""),
    (b"HTTP/1.1 504 Gateway Timeout\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", (6,), "504"),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", (1, 6), "101"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, (1, 6), ""),
    (b"HTTP/1.1 2", (1, 6), ""),
    (b"\x00\xff" * 500, (1, 6), ""),
])
def test_answers_of_others(client, certificate, answer, statuses, word):
    server = TlsServer(certificate, answer)
    token = kept_for(client, server.port)
    done = ask(client, server.port)
    assert_one_sentence(done, statuses)
    assert word in done.stderr and "<html>" not in done.stderr
    assert token.exists()
    server.stop()


def test_200_with_a_body_is_a_tunnel(client, certificate):
    """A length means nothing behind CONNECT (RFC 9110, 9.3.6): what follows is what the other end says."""
    server = TlsServer(certificate, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello")
    kept_for(client, server.port)
    done = ask(client, server.port)
    assert done.stdout == "hello", done.stderr
    server.stop()


def test_redirects_without_end(client, certificate):
    """A gateway that sends everybody to log in, whatever they show: no second round, no hang."""
    server = TlsServer(certificate, b"HTTP/1.1 302 Found\r\nLocation: https://redis.demo.localhost/\r\nContent-Length: 0\r\n\r\n")
    kept_for(client, server.port)
    done = ask(client, server.port)
    assert_one_sentence(done, (3,))
    assert len(server.connections) <= 6
    server.stop()


@pytest.mark.parametrize("name", ["gateway.invalid", "no-such-name.demo.invalid", "a" * 63 + ".invalid"])
def test_a_name_that_is_not_found(client, name):
    done = client.run("tcp", f"{name}:6379", "--listen", "-", timeout=60)
    assert_one_sentence(done, (6,))
    assert name in done.stderr
    assert len(client.token_files()) == 1


def test_a_sleep(client):
    """Stopped for longer than its timers last: open tunnels go on, and new ones come."""
    listener = client.listen("redis")
    with listener.dial() as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
        os.kill(listener.pid, signal.SIGSTOP)
        connection.sendall(b"PING\r\n")
        connection.settimeout(3)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        os.kill(listener.pid, signal.SIGCONT)
        connection.settimeout(30)
        assert connection.recv(100) == b"+PONG\r\n"
    with listener.dial() as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
    assert listener.stop() == 0
    assert client.visit_count() == 1


@pytest.fixture
def clock(client, tmp_path, monkeypatch):
    """What the client's programs run by; the gateway has its own time."""
    made = Clock(tmp_path)
    plain = client.env()
    monkeypatch.setattr(client, "env", lambda **changes: {**plain, **made.env(CLIENT), **changes})
    return made


def test_a_clock_that_is_fast(client, clock):
    """The gateway decides how long a login is good."""
    clock.advance(DAY)
    assert client.pipe("redis", QUIT).stdout == ANSWER
    assert client.visit_count() == 1


def test_a_clock_that_is_slow(client, clock):
    clock.advance(-DAY)
    done = client.pipe("redis", QUIT, extra=["--transport", "h1"])
    assert_one_sentence(done, (6,))
    assert "by the clock of this machine" in done.stderr
    clock.advance(DAY)
    assert client.pipe("redis", QUIT).stdout == ANSWER
    assert client.visit_count() == 1


@pytest.mark.parametrize("seconds", [60, DAY])
def test_clocks_that_jump(client, clock, seconds):
    """Both kinds, as after a sleep: what is open goes on, and there is a next connection."""
    listener = client.listen("redis")
    with listener.dial() as connection:
        for _ in range(3):
            connection.sendall(b"PING\r\n")
            assert connection.recv(100) == b"+PONG\r\n"
            clock.advance(seconds)
    with listener.dial() as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
    assert listener.stop() == 0
    assert client.visit_count() == 1


def test_ten_thousand_local_connections(client, many_descriptors):  # noqa: F811
    """To a client whose gateway does not answer any more: all are held, one signal ends it, in its time."""
    count = min(MANY, many_descriptors - 1000)
    with Full() as silent:
        listener = client.listen("redis", extra=["--pomerium-url", f"https://{host('redis')}:{silent.port}"])
        connections = open_silent(listener.port, count)
        try:
            eventually(lambda: len(os.listdir(f"/proc/{listener.pid}/fd")) > count, "all are accepted", 60)
            assert listener.stop() == 0
        finally:
            close_all(connections)
    assert len(client.token_files()) == 1
