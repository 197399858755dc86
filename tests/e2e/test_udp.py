"""pomerium-cli udp: real DNS, echoes, many local addresses, and what ends a session."""

import contextlib
import os
import socket
import subprocess

import pytest

from lib.client import Listener
from lib.gateway import host, run_gateway, tcp_route
from lib.login import obtain_token
from lib.net import free_port
from lib.process import CLIENT, Process, eventually
from lib.udp import PACKET_MAX, EchoServer, udp_route, udp_socket
from lib.users import ALICE, DEMO


@pytest.fixture
def echo():
    server = EchoServer()
    yield server
    server.stop()


@pytest.fixture
def gateway(make_gateway, echo):
    return make_gateway(udp_route("dns", echo.port, allowed_users=[DEMO.email]))


@pytest.fixture
def listen(make_client):
    """listen(gateway, ...): pomerium-cli udp, with a browser that logs in unless there is a token."""

    def start(gateway, *extra, name="dns", port=53, user=DEMO, client=None):
        client = client or make_client(gateway, user)
        arguments = client.arguments(name, port, extra=extra)
        return Listener(client, [CLIENT, "udp", *arguments[1:]])

    return start


@pytest.fixture
def open_socket():
    """Sockets of local programs, each of another address, that talk to a port."""
    opened = []

    def open_one(port, timeout=20):
        s = udp_socket(timeout)
        s.connect(("127.0.0.1", port))
        opened.append(s)
        return s

    yield open_one
    for s in opened:
        s.close()


def find(client, message, **fields):
    return [line for line in client.json_lines()
            if line.message == message and all(line.get(key) == value for key, value in fields.items())]


def wait(client, message):
    return eventually(lambda: find(client, message), lambda: f"a line {message!r} in\n{client.stderr_text()}", 20)[0]


def exchange(s, packet):
    s.send(packet)
    return s.recv(65535)


@pytest.fixture
def dns(tmp_path):
    """A real name server with names of its own."""
    port = free_port()
    process = Process("dnsmasq", tmp_path, [
        "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--port", port, "--listen-address=127.0.0.1",
        "--bind-interfaces", "--address=/db.internal/10.1.2.3", "--pid-file=", "--user=root",
        *[f"--txt-record=big.internal,{'x' * 200}{n}" for n in range(5)],
    ])
    yield port
    process.stop()


def dig(port, *arguments):
    done = subprocess.run(["dig", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=20", *arguments],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_dig_asks_a_real_name_server(make_gateway, listen, dns):
    gateway = make_gateway(udp_route("dns", dns, allowed_users=[DEMO.email]))
    client = listen(gateway)
    assert dig(client.port, "+short", "db.internal").strip() == "10.1.2.3"
    assert dig(client.port, "+short", "-t", "txt", "big.internal").count("x" * 200) == 5
    assert "NXDOMAIN" in dig(client.port, "nothing.invalid") or "REFUSED" in dig(client.port, "nothing.invalid")
    assert client.stop() == 0


def test_the_first_packet_waits_for_the_login(gateway, listen, open_socket):
    client = listen(gateway)
    s = open_socket(client.port)
    for number in range(10):
        s.send(b"%d" % number)
    assert [s.recv(100) for _ in range(10)] == [b"%d" % number for number in range(10)]
    assert len(find(client, "auth required")) == 1


@pytest.mark.parametrize("size", [0, 1, 62, 63, 1472, 16383, PACKET_MAX])
def test_packets_of_every_size(gateway, listen, open_socket, size):
    client = listen(gateway)
    packet = os.urandom(size)
    assert exchange(open_socket(client.port), packet) == packet


def test_one_login_and_a_session_for_each_of_many_addresses(gateway, listen, open_socket, echo, make_client):
    user = make_client(gateway)
    client = listen(gateway, client=user)
    sockets = [open_socket(client.port) for _ in range(100)]
    for number, s in enumerate(sockets):
        s.send(b"packet %d" % number)
    for number, s in enumerate(sockets):
        assert s.recv(100) == b"packet %d" % number
    assert user.visit_count() == 1
    assert len(echo.sources) == 100
    assert len(find(client, "starting udp session")) == 100


def test_the_lines_of_the_reference(gateway, listen, open_socket):
    client = listen(gateway)
    (line,) = find(client, "starting udp listener")
    assert line["listener-addr"] == "127.0.0.1:0"
    assert line["addr"] == f"127.0.0.1:{client.port}"
    assert find(client, "starting udp session manager")
    s = open_socket(client.port)
    exchange(s, b"x")
    address = "127.0.0.1:%d" % s.getsockname()[1]
    assert find(client, "starting udp session", addr=address)
    assert client.stop() == 0
    assert find(client, "stopped udp session", addr=address)


def test_an_idle_session_ends_and_the_next_packet_opens_another(gateway, listen, open_socket, echo):
    client = listen(gateway, "--idle-timeout", "1")
    s = open_socket(client.port)
    assert exchange(s, b"one") == b"one"
    wait(client, "stopped udp session")
    gateway.log.wait("http-request", end_reason="client-closed")
    assert exchange(s, b"two") == b"two"
    assert len(echo.sources) == 2


def test_many_answers_to_one_packet(make_gateway, listen, open_socket):
    server = EchoServer(lambda packet: [packet + b"%d" % n for n in range(50)])
    gateway = make_gateway(udp_route("dns", server.port, allowed_users=[DEMO.email]))
    s = open_socket(listen(gateway).port)
    s.send(b"x")
    assert sorted(s.recv(100) for _ in range(50)) == sorted(b"x%d" % n for n in range(50))
    server.stop()


def test_a_flood_loses_packets_and_nothing_else(gateway, listen, open_socket):
    client = listen(gateway)
    flood, other = open_socket(client.port), open_socket(client.port)
    exchange(flood, b"open")
    exchange(other, b"open")
    packets = [bytes([n % 251]) * 8000 for n in range(3000)]
    for packet in packets:
        flood.send(packet)
    other.settimeout(1)

    def is_served():
        with contextlib.suppress(TimeoutError):
            return exchange(other, b"still there") == b"still there"

    eventually(is_served, "the other one is served", 20)
    flood.settimeout(1)
    got = 0
    with contextlib.suppress(TimeoutError):
        while True:
            packet = flood.recv(65535)
            assert packet == packets[packet[0]]  # whole, and nobody else's
            got += 1
    assert got > 0
    assert client.popen.poll() is None


def test_who_is_refused_hears_nothing_and_the_log_says_why(gateway, listen, open_socket):
    client = listen(gateway, user=ALICE)
    s = open_socket(client.port)
    for _ in range(20):  # one question to the gateway, not twenty
        s.send(b"x")
    line = wait(client, "error serving local connection")
    assert "not allowed" in line["error"]
    s.send(b"x")
    gateway.log.wait("http-request", response_code=403)
    assert len(gateway.log.find("http-request", response_code=403)) == 1
    assert client.popen.poll() is None


@pytest.mark.parametrize("name, port, words", [("dns", 54, "no route"), ("redis", 6379, "other one of TCP and UDP")])
def test_no_route_or_a_route_for_tcp(make_gateway, echo, redis, listen, open_socket, name, port, words):
    gateway = make_gateway(udp_route("dns", echo.port, allowed_users=[DEMO.email]),
                           tcp_route("redis", redis.port, allowed_users=[DEMO.email]))
    client = listen(gateway, name=name, port=port)
    open_socket(client.port).send(b"x")
    assert words in wait(client, "error serving local connection")["error"]


def test_a_tunnel_for_tcp_where_the_route_is_for_udp(gateway, make_client):
    done = make_client(gateway).pipe("dns", b"x", port=53)
    assert done.returncode == 4
    assert "other one of TCP and UDP" in done.stderr


def test_revoked_sessions_end_with_their_reason(gateway, listen, open_socket):
    token = obtain_token(gateway, "dns", DEMO)
    client = listen(gateway, "--service-account", token)
    s = open_socket(client.port)
    exchange(s, b"x")
    opened = gateway.log.wait("tunnel opened")
    done = run_gateway("sessions", "revoke", opened["session-id"], "--config", gateway.config_path,
                       env=None if not gateway.state else {**os.environ, "STATE_DIRECTORY": str(gateway.state)})
    assert done.returncode == 0, done.stderr
    assert "session-revoked" in wait(client, "disconnected")["error"]
    gateway.log.wait("http-request", end_reason="session-revoked")


def test_a_gateway_that_goes_and_comes_again(gateway, make_gateway, listen, open_socket):
    client = listen(gateway)
    s = open_socket(client.port)
    exchange(s, b"x")
    gateway.stop()
    wait(client, "stopped udp session")
    s.send(b"nobody")
    wait(client, "error serving local connection")
    assert client.popen.poll() is None


def test_standard_input_is_no_place_for_packets(gateway, make_client):
    client = make_client(gateway)
    done = client.run("udp", f"{host('dns')}:53", "--listen", "-")
    assert done.returncode == 2 and "UDP" in done.stderr
    done = client.run("udp", f"{host('dns')}:53", "--idle-timeout", "0")
    assert done.returncode == 2 and "--idle-timeout" in done.stderr


def test_an_address_in_use_is_a_sentence(gateway, make_client):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        done = make_client(gateway).run("udp", f"{host('dns')}:53", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1
    assert "in use" in done.stderr
