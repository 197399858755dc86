"""HTTP/2 at the gateway: requests and tunnels of many clients' libraries, with the same meaning as over HTTP/1.1."""

import socket
import struct
import subprocess
import threading

import h2.errors
import h2.events
import h2.settings
import pytest

from lib.gateway import host, tcp_route
from lib.http2 import Http2
from lib.login import obtain_token
from lib.process import eventually
from lib.services import Upstream
from lib.users import DEMO


def curl(gateway, name, path, *options):
    done = subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", gateway.ca, "--resolve", f"{host(name)}:{gateway.port}:127.0.0.1",
         "-o", "/dev/null", "-w", "%{http_version} %{http_code}", *options, gateway.url(name, path)],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, redis):
    return make_shared_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        tcp_route("open", redis.port, allow_public_unauthenticated_access=True),
        tcp_route("nobody", redis.port, allowed_users=["nobody@example.com"]),
        tcp_route("closed", 1, allow_public_unauthenticated_access=True),
    )


@pytest.mark.parametrize("path, status", [("/ping", 200), ("/.well-known/pomerium", 200), ("/nowhere", 404)])
def test_pages(gateway, path, status):
    assert curl(gateway, "redis", path) == f"2 {status}"
    assert curl(gateway, "redis", path, "--head") == f"2 {status}"


def test_http1_remains(gateway):
    assert curl(gateway, "redis", "/ping", "--http1.1") == "1.1 200"


def test_a_body(gateway):
    small = curl(gateway, "redis", "/.pomerium/device/code", "--data", "x" * 1000)
    assert small.startswith("2 4")
    assert curl(gateway, "redis", "/.pomerium/device/code", "--data", "x" * 100_000) == "2 413"


def test_codec_http1_offers_no_http2(make_gateway, redis):
    gateway = make_gateway(tcp_route("redis", redis.port), codec_type="http1")
    with gateway.open(alpn=("h2", "http/1.1")) as connection:
        assert connection.socket.selected_alpn_protocol() == "http/1.1"


def test_nghttp(gateway):
    done = subprocess.run(["nghttp", "-nv", f"https://127.0.0.1:{gateway.port}/ping"], capture_output=True, text=True,
                          timeout=30)
    assert "recv (stream_id=" in done.stdout and ":status: 200" in done.stdout, done.stdout


def test_h2load(gateway):
    done = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "50", f"https://127.0.0.1:{gateway.port}/ping"],
                          capture_output=True, text=True, timeout=120)
    assert "2000 succeeded, 0 failed" in done.stdout, done.stdout


def test_refusals(gateway):
    token = obtain_token(gateway, "redis", DEMO)
    with Http2(gateway) as peer:
        for options, status, reason in [
            ({}, "302", None),
            ({"token": "bad"}, "401", None),
            ({"name": "nowhere", "token": token}, "404", "route-not-found"),
            ({"name": "nobody", "token": token}, "403", None),
            ({"name": "closed"}, "503", None),
        ]:
            answer = peer.answer(peer.connect(**options))
            assert answer[":status"] == status, (options, answer)
            assert answer["x-pomerium-reason"] if not reason else answer["x-pomerium-reason"] == reason
            assert "connection" not in answer
        stream = peer.tunnel(token=token)
        peer.send(stream, b"PING\r\n")
        assert peer.read(stream, 7) == b"+PONG\r\n"


def test_bad_names_and_hosts(gateway):
    with Http2(gateway) as peer:
        assert peer.ask("/ping", headers=[("x_y", "1")])[":status"] == "400"
        assert peer.ask("/ping", headers=[("host", "elsewhere.example")])[":status"] == "400"
        assert peer.ask("/ping", headers=[("cookie", "a=b"), ("cookie", "c=d")])[":status"] == "200"


@pytest.mark.parametrize("path, named", [
    (f"/.well-known/masque/tcp/{host('open')}/6379/", "lb.example"),
    ("/", f"{host('open')}:6379"),
])
def test_extended_connect(gateway, path, named):
    with Http2(gateway) as peer:
        settings = peer.wait(h2.events.RemoteSettingsChanged)
        assert settings.changed_settings[h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL].new_value == 1
        stream = peer.request([(":method", "CONNECT"), (":protocol", "connect-tcp"), (":scheme", "https"),
                               (":authority", named), (":path", path)], end=False)
        assert peer.answer(stream)[":status"] == "200"
        peer.send(stream, b"PING\r\n")
        assert peer.read(stream, 7) == b"+PONG\r\n"
        other = peer.request([(":method", "CONNECT"), (":protocol", "connect-ip"), (":scheme", "https"),
                              (":authority", named), (":path", path)], end=False)
        assert peer.answer(other)[":status"] == "501"


def test_the_log_says_the_same(gateway):
    with Http2(gateway) as peer:
        stream = peer.tunnel("open")
        peer.send(stream, b"QUIT\r\n")
        assert peer.read(stream, 5) == b"+OK\r\n"
        peer.wait(h2.events.StreamEnded, stream)
    lines = eventually(lambda: gateway.log.find("http-request", authority=f"{host('open')}:6379"), "the tunnel is logged")
    assert lines


def test_half_close_to_the_server(make_gateway):
    def serve(connection):
        data = b""
        while piece := connection.recv(65536):
            data += piece
        connection.sendall(data[::-1])

    upstream = Upstream(serve)
    gateway = make_gateway(tcp_route("redis", upstream.port, allow_public_unauthenticated_access=True))
    with Http2(gateway) as peer:
        stream = peer.tunnel()
        peer.send(stream, b"question" * 50000, end=True)
        assert peer.read(stream, 400_000) == b"noitseuq" * 50000
        peer.wait(h2.events.StreamEnded, stream)
    upstream.stop()


def test_half_close_from_the_server(make_gateway):
    def serve(connection):
        connection.sendall(b"all I have")
        connection.shutdown(socket.SHUT_WR)
        data = b""
        while piece := connection.recv(65536):
            data += piece
        received.append(data)

    received = []
    upstream = Upstream(serve)
    gateway = make_gateway(tcp_route("redis", upstream.port, allow_public_unauthenticated_access=True))
    with Http2(gateway) as peer:
        stream = peer.tunnel()
        assert peer.read(stream, 10) == b"all I have"
        peer.wait(h2.events.StreamEnded, stream)
        peer.send(stream, b"still here", end=True)
        eventually(lambda: received == [b"still here"], "it arrives")
    upstream.stop()


def test_a_reset_reaches_both_sides(make_gateway):
    def serve(connection):
        if connection.recv(1) == b"r":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return
        connection.sendall(b"!")
        try:
            connection.recv(1)
        except ConnectionError:
            seen.append("reset")

    seen = []
    upstream = Upstream(serve)
    gateway = make_gateway(tcp_route("redis", upstream.port, allow_public_unauthenticated_access=True))
    with Http2(gateway) as peer:
        stream = peer.tunnel()
        peer.send(stream, b"r")
        assert peer.wait(h2.events.StreamReset, stream)
        other = peer.tunnel()
        peer.send(other, b"x")
        assert peer.read(other, 1) == b"!"
        peer.h2.reset_stream(other, h2.errors.ErrorCodes.CANCEL)
        peer.flush()
        eventually(lambda: seen == ["reset"], "the target sees it")
        third = peer.tunnel()
        assert third
    upstream.stop()


def test_a_sleeper_beside_bulk(make_gateway):
    """Hundreds of tunnels whose target reads nothing, full to the brim; the last one moves megabytes."""
    awake = threading.Event()

    def serve(connection):
        kind = connection.recv(1)
        if kind == b"s":
            awake.wait(60)
            return
        while piece := connection.recv(1 << 20):
            connection.sendall(piece)

    upstream = Upstream(serve)
    gateway = make_gateway(tcp_route("redis", upstream.port, allow_public_unauthenticated_access=True))
    with Http2(gateway, timeout=60) as peer:
        for _ in range(20):
            stream = peer.tunnel()
            peer.send(stream, b"s")
            # As much as the gateway takes for it.
            while (window := peer.h2.local_flow_control_window(stream)) > 0:
                peer.send(stream, bytes(min(window, 16384)))
                if peer.h2.local_flow_control_window(stream) < 16384:
                    break
        bulk = peer.tunnel()
        peer.send(bulk, b"b")
        block = bytes(range(256)) * 64
        for _ in range(200):
            peer.send(bulk, block)
            assert peer.read(bulk, len(block)) == block
        awake.set()
    upstream.stop()


def test_shutdown_says_goaway_and_tunnels_go_on(make_gateway, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allow_public_unauthenticated_access=True), drain_timeout="30s")
    with Http2(gateway) as peer:
        stream = peer.tunnel()
        gateway.popen.terminate()
        assert peer.wait(h2.events.ConnectionTerminated).error_code == 0
        # h2 keeps itself from sending after that: as raw frames.
        peer.send_raw(b"\x00\x00\x06\x00\x00" + stream.to_bytes(4, "big") + b"PING\r\n")
        data = peer.socket.recv(100)
        assert b"+PONG\r\n" in data
    assert gateway.wait(30) == 0
