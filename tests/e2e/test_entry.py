"""How clients come in: redirects from plain HTTP, TLS ended by somebody else, limits, and times."""

import json
import signal
import socket
import subprocess
import threading

import pytest

from lib.front import HaProxy, Nginx
from lib.gateway import host, tcp_route
from lib.net import PlainConnection, connect_bytes, free_port, request_bytes
from lib.process import eventually
from lib.services import Upstream, redis_cli
from lib.users import DEMO

PUBLIC = {"allow_public_unauthenticated_access": True}
CLIENT = "192.0.2.7"


def from_address(ip):
    """A policy that lets in whoever comes from there, without a login."""
    return {"policy": [{"allow": {"and": [{"source_ip": ip}]}}]}


def read_to_end(raw):
    data = b""
    try:
        while piece := raw.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def is_closed(raw):
    """At once, that is: nothing is sent, and long before any time limit."""
    raw.settimeout(10)
    return read_to_end(raw) == b""


def is_open(raw):
    raw.settimeout(0.2)
    try:
        return raw.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


# ---- plain HTTP to https ----


@pytest.fixture(scope="module")
def redirecting(make_shared_gateway):
    port = free_port()
    gateway = make_shared_gateway(tcp_route("x", 1, **PUBLIC), http_redirect_addr=f"127.0.0.1:{port}")
    gateway.redirect_port = port
    return gateway


REDIRECTS = {
    "/": "https://a.example.com/",
    "/path/to?x=1&y=%20": "https://a.example.com/path/to?x=1&y=%20",
    "//evil.example/": "https://a.example.com//evil.example/",
    "/%0d%0aSet-Cookie:x": "https://a.example.com/%0d%0aSet-Cookie:x",
    "/" + "x" * 8000: "https://a.example.com/" + "x" * 8000,
}


@pytest.mark.parametrize("path, location", REDIRECTS.items(), ids=[path[:20] for path in REDIRECTS])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_redirect(redirecting, method, path, location):
    with PlainConnection(redirecting.redirect_port) as connection:
        answer = connection.ask(request_bytes(method, path, "a.example.com:8080"), has_body=method != "HEAD")
        assert answer.status == 301 and answer.header("location") == location
        assert answer.header("connection") == "close" and answer.body == b""
        assert connection.is_at_end()


@pytest.mark.parametrize("named, expected", [
    ("b.example.com", "b.example.com"), ("b.example.com:80", "b.example.com"), ("[2001:db8::1]:80", "[2001:db8::1]"),
    ("127.0.0.1", "127.0.0.1"), ("B.Example.com", "B.Example.com"),
])
def test_redirect_to_the_host_without_its_port(redirecting, named, expected):
    with PlainConnection(redirecting.redirect_port) as connection:
        assert connection.ask(request_bytes("GET", "/", named)).header("location") == f"https://{expected}/"


def test_curl_follows_to_the_gateway(redirecting):
    def curl(*extra):
        return subprocess.run(
            ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "--noproxy", "*",
             "--resolve", f"{host('x')}:80:127.0.0.1", *extra], capture_output=True, text=True, timeout=30)

    done = curl("--connect-to", f"::127.0.0.1:{redirecting.redirect_port}", f"http://{host('x')}/ping?a=b")
    assert done.stdout == f"301 https://{host('x')}/ping?a=b"
    done = curl("-L", "--cacert", str(redirecting.ca),
                "--connect-to", f"{host('x')}:80:127.0.0.1:{redirecting.redirect_port}",
                "--connect-to", f"{host('x')}:443:127.0.0.1:{redirecting.port}", f"http://{host('x')}/ping")
    assert done.stdout.startswith("200 "), done


GARBAGE = {
    "no host": (b"GET / HTTP/1.0\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "bad host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "host with a user": (b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
    "host with a path": (b"GET / HTTP/1.1\r\nHost: evil.example/x\r\n\r\n", 400),
    "connect": (b"CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n\r\n", 400),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "too long": (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "too many headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 2000 + b"\r\n", 431),
}


@pytest.mark.parametrize("first, status", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_request_is_not_redirected(redirecting, first, status):
    with PlainConnection(redirecting.redirect_port) as connection:
        answer = connection.ask(first)
        assert answer.status == status and answer.header("location") is None
        assert connection.is_at_end()


def test_redirects_require_the_header_too(make_gateway):
    port = free_port()
    gateway = make_gateway(tcp_route("x", 1, **PUBLIC), http_redirect_addr=f"127.0.0.1:{port}",
                           use_proxy_protocol=True)
    request = request_bytes("GET", "/x", "a.example.com")
    with PlainConnection(port) as connection:
        connection.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 80\r\n")
        assert connection.ask(request).header("location") == "https://a.example.com/x"
    with PlainConnection(port) as connection:
        connection.send(request)
        assert read_to_end(connection.socket) == b""
    gateway.log.wait("connection failed", service="redirect")


def test_a_redirect_address_in_use_is_an_error(make_gateway):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(AssertionError, match="http_redirect_addr: "):
            make_gateway(tcp_route("x", 1, **PUBLIC), http_redirect_addr="127.0.0.1:%d" % taken.getsockname()[1])


def test_one_address_for_both_is_an_error(make_gateway):
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(AssertionError, match="cannot listen on"):
        make_gateway(tcp_route("x", 1, **PUBLIC), address=address, http_redirect_addr=address)


# ---- TLS ended by somebody else ----


@pytest.fixture(scope="module")
def plain(make_shared_gateway, redis):
    return make_shared_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        tcp_route("public", redis.port, **PUBLIC),
        tcp_route("mine", redis.port, **from_address(CLIENT)),
        insecure_server=True, certificates=None,
    )


def test_plain_http_on_the_main_listener(plain):
    with PlainConnection(plain.port) as connection:
        assert connection.ask(request_bytes("GET", "/ping", host("public"))).status == 200
        assert connection.ask(connect_bytes(f"{host('public')}:6379"), has_body=False).status == 200
        connection.send(b"PING\r\nQUIT\r\n")
        assert connection.read_to_end() == b"+PONG\r\n+OK\r\n"


def test_tls_where_plain_http_is_expected(plain):
    with pytest.raises(OSError):
        plain.open("public")
    with PlainConnection(plain.port) as connection:
        assert connection.ask(request_bytes("GET", "/ping", host("public"))).status == 200


def test_the_client_through_nginx(plain, make_client, certificate, tmp_path):
    front = Nginx(tmp_path / "front", plain, certificate)
    client = make_client(front).listen("redis")
    assert redis_cli(client.port, "set", "through", "nginx") == "OK"
    assert redis_cli(client.port, "get", "through") == "nginx"
    assert client.stop() == 0
    front.stop()


def test_the_client_through_haproxy(plain, make_client, certificate, tmp_path):
    """Which speaks HTTP itself, and adds X-Forwarded-For."""
    front = HaProxy(tmp_path / "front", plain, certificate=certificate)
    client = make_client(front).listen("redis")
    assert redis_cli(client.port, "ping") == "PONG"
    assert client.stop() == 0
    front.stop()


# ---- X-Forwarded-For ----


def ask_mine(gateway, *values):
    headers = [("X-Forwarded-For", value) for value in values]
    with PlainConnection(gateway.port) as connection:
        return connection.ask(connect_bytes(f"{host('mine')}:6379", headers=headers), has_body=False).status


def test_nobody_is_believed_who_need_not_be(plain):
    assert ask_mine(plain, CLIENT) == 403


@pytest.mark.parametrize("hops, values, expected", [
    (1, [CLIENT], 200), (1, [f"{CLIENT}, 203.0.113.9"], 403), (1, [f"203.0.113.9, {CLIENT}"], 200),
    (1, ["203.0.113.9", CLIENT], 200), (1, [], 403), (1, [f"{CLIENT}:80"], 200), (1, [f"{CLIENT}:"], 403),
    (2, [f"{CLIENT}, 203.0.113.9"], 200), (2, [CLIENT, "203.0.113.9"], 200), (2, [CLIENT], 403),
    (2, [f"{CLIENT}, 203.0.113.9, 203.0.113.10"], 403),
])
def test_trusted_hops(trusting, hops, values, expected):
    assert ask_mine(trusting[hops], *values) == expected


@pytest.fixture(scope="module")
def trusting(make_shared_gateway, redis):
    return {
        hops: make_shared_gateway(tcp_route("mine", redis.port, **from_address(CLIENT)), insecure_server=True,
                                  xff_num_trusted_hops=hops)
        for hops in (1, 2)
    }


def test_haproxy_is_believed(make_gateway, redis, certificate, tmp_path):
    gateway = make_gateway(tcp_route("mine", redis.port, **from_address("127.0.0.2")),
                           insecure_server=True, xff_num_trusted_hops=1)
    front = HaProxy(tmp_path / "front", gateway, certificate=certificate)
    for source, status in ("127.0.0.2", 200), ("127.0.0.3", 403):
        done = subprocess.run(
            ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_connect}", "--max-time", "10", "--interface", source,
             "--proxytunnel", "--proxy", f"https://{host('mine')}:{front.port}", "--proxy-cacert", str(gateway.ca),
             "--proxy-header", f"X-Forwarded-For: {CLIENT}", f"telnet://{host('mine')}:6379"],
            input="QUIT\r\n", capture_output=True, text=True, timeout=30)
        assert done.stdout.startswith(str(status)), done
    front.stop()


# ---- limits ----


def raw_connection(gateway):
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=20)


def is_turned_away(gateway):
    try:
        with raw_connection(gateway) as raw:
            return is_closed(raw)
    except ConnectionError:  # while it was made
        return True


def test_max_connections(make_gateway, upstream):
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC), max_connections=3)
    tunnel = gateway.tunnel("x")
    held = [gateway.open("x") for _ in range(2)]
    assert all(is_turned_away(gateway) for _ in range(5))
    assert all(connection.ask(request_bytes("GET", "/ping", host("x"))).status == 200 for connection in held)
    line = gateway.log.wait("too many at once: connections are closed unserved", setting="max_connections")
    assert line["level"] == "warn"
    tunnel.send(b"goes on")
    assert tunnel.read_exactly(7) == b"goes on"
    # Whoever goes makes room, tunnels too.
    tunnel.close()
    eventually(lambda: gateway_serves(gateway), "there is room again")
    assert len(gateway.log.find("too many at once: connections are closed unserved")) <= 3
    for connection in held:
        connection.close()


def gateway_serves(gateway):
    try:
        return gateway.get("x", "/ping").status == 200
    except (OSError, AssertionError):
        return False


def test_max_handshakes(make_gateway, upstream):
    """Whoever comes when there are enough waits for his turn, and gets it."""
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC), max_handshakes=2, timeout_read="60s",
                           workers=1)  # so that they are accepted in order
    held = [gateway.tunnel("x") for _ in range(5)]  # their handshakes are over
    silent = [raw_connection(gateway) for _ in range(2)]
    assert all(map(is_open, silent))
    results = []
    waiting = [threading.Thread(target=lambda: results.append(gateway.is_serving())) for _ in range(8)]
    for thread in waiting:
        thread.start()
    line = gateway.log.wait("too many TLS handshakes at once: connections wait for their turn")
    assert line["level"] == "warn" and line["setting"] == "max_handshakes"
    assert results == []
    silent.pop().close()
    for thread in waiting:
        thread.join(20)
    assert results == [True] * 8
    for connection in held:
        connection.send(b"x")
        assert connection.read_exactly(1) == b"x"
        connection.close()
    silent.pop().close()


def test_who_waits_in_vain_is_closed(make_gateway):
    gateway = make_gateway(tcp_route("x", 1, **PUBLIC), max_handshakes=1, timeout_read="1s")
    with raw_connection(gateway) as first, raw_connection(gateway) as second:
        assert is_closed(first) and is_closed(second)
    gateway.log.wait("connection failed", reason="timeout")


# ---- times ----


def test_idle_connections_are_closed(make_gateway, upstream):
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC), timeout_idle="300ms", timeout_read="20s")
    with gateway.open("x") as connection, gateway.tunnel("x") as tunnel:
        assert connection.ask(request_bytes("GET", "/ping", host("x"))).status == 200
        assert connection.is_at_end()
        tunnel.send(b"tunnels are not idle connections")
        assert tunnel.read_exactly(32) == b"tunnels are not idle connections"


def test_requests_have_their_time(make_gateway, upstream):
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC), timeout_read="400ms")
    with raw_connection(gateway) as raw:
        assert is_closed(raw)
    with gateway.open("x") as connection:
        connection.send(b"GET /ping HTTP/1.1\r\nHost:")
        assert connection.read_response().status == 408
    with gateway.tunnel("x") as tunnel:
        eventually(lambda: gateway.log.find("connection failed", reason="timeout"), "the silent one was closed")
        tunnel.send(b"there")
        assert tunnel.read_exactly(5) == b"there"


def test_a_tunnel_has_its_time_to_come(make_gateway):
    """An upstream that is never connected: its queue is full, and Linux drops what comes."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    fillers = []
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
        fillers.append(filler)
    gateway = make_gateway(tcp_route("x", port, **PUBLIC), timeout_read="1s")
    answer = gateway.connect("x")
    assert answer.status == 503 and answer.header("x-pomerium-reason") == "upstream-timeout"
    for filler in [*fillers, listener]:
        filler.close()


# ---- changes while it runs ----


def test_reload_of_how_clients_come_in(make_gateway, upstream):
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC))

    def change(**settings):
        config = json.loads(gateway.config_path.read_text())
        config.update(settings)
        gateway.config_path.write_text(json.dumps(config))
        count = len(gateway.log.find("configuration reloaded"))
        gateway.popen.send_signal(signal.SIGHUP)
        gateway.log.wait("configuration reloaded", count=count + 1)

    with gateway.tunnel("x") as tunnel:
        port = free_port()
        change(http_redirect_addr=f"127.0.0.1:{port}")
        with PlainConnection(port) as connection:
            assert connection.ask(request_bytes("GET", "/", "a")).status == 301
        other = free_port()
        change(http_redirect_addr=f"127.0.0.1:{other}", use_proxy_protocol=True)
        with PlainConnection(other) as connection:
            connection.send(b"PROXY UNKNOWN\r\n")
            assert connection.ask(request_bytes("GET", "/", "a")).status == 301
        with gateway.open("x", preface=b"PROXY UNKNOWN\r\n") as connection:
            assert connection.ask(request_bytes("GET", "/ping", host("x"))).status == 200
        change(http_redirect_addr="", use_proxy_protocol=False, insecure_server=True)
        with PlainConnection(gateway.port) as connection:
            assert connection.ask(request_bytes("GET", "/ping", host("x"))).status == 200
        eventually(lambda: refuses(port) and refuses(other), "nobody redirects any more")
        tunnel.send(b"not disturbed")
        assert tunnel.read_exactly(13) == b"not disturbed"


def refuses(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0
