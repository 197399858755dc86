"""UDP through the gateway, asked for as the reference client does."""

import contextlib
import json
import os
import ssl

import pytest

from lib.gateway import host, tcp_route
from lib.login import obtain_token
from lib.net import free_port
from lib.process import eventually
from lib.udp import PACKET_MAX, EchoServer, Tunnel, capsule, udp_route, varint
from lib.users import ALICE, DEMO


@pytest.fixture
def echo():
    server = EchoServer()
    yield server
    server.stop()


@pytest.fixture
def gateway(make_gateway, echo, redis):
    return make_gateway(
        udp_route("dns", echo.port, allowed_users=[DEMO.email]), tcp_route("redis", redis.port, allowed_users=[DEMO.email]))


@pytest.fixture
def token(gateway):
    return obtain_token(gateway, "redis", DEMO)


@pytest.fixture
def open_tunnel():
    opened = []

    def open_one(*arguments, **options):
        opened.append(Tunnel(*arguments, **options))
        return opened[-1]

    yield open_one
    for tunnel in opened:
        tunnel.close()


@pytest.fixture
def tunnel(open_tunnel, gateway, token):
    return open_tunnel(gateway, token=token)


def test_the_answer_is_what_the_reference_client_insists_on(tunnel):
    assert tunnel.response.status == 200
    assert tunnel.response.header("capsule-protocol") == "?1"
    assert tunnel.response.header("transfer-encoding") == "chunked"
    assert tunnel.response.header("content-length") is None
    assert tunnel.response.header("connection") is None


@pytest.mark.parametrize("size", [0, 1, 62, 63, 1200, 1472, 9000, 16382, 16383, PACKET_MAX])
def test_packets_of_every_size_come_back_as_they_are(tunnel, size):
    packet = os.urandom(size)
    tunnel.send(packet)
    assert tunnel.receive() == packet


def test_packets_stay_apart_however_they_arrive(tunnel):
    packets = [bytes([n]) * (n + 1) for n in range(100)]
    data = b"".join(map(capsule, packets))
    for at in range(0, len(data), 7):
        tunnel.connection.send(data[at:at + 7])
    assert [tunnel.receive() for _ in packets] == packets


def test_packets_behind_the_request_are_delivered(open_tunnel, gateway, token):
    tunnel = open_tunnel(gateway, token=token, early=capsule(b"early"))
    assert tunnel.response.status == 200
    assert tunnel.receive() == b"early"


def test_other_capsules_and_contexts_are_passed_over(tunnel, echo):
    tunnel.connection.send(
        capsule(b"x" * 100000, kind=0x1F) + capsule(b"other", context=2) + varint(0x2B) + varint(0)
        + varint(1000000) + varint(3) + b"abc" + capsule(b"mine"))
    assert tunnel.receive() == b"mine"
    assert echo.count == 1


@pytest.mark.parametrize("data", [
    b"\x00\x00",  # a datagram without a context
    varint(0) + varint(65529) + b"\0x",  # larger than UDP
], ids=["no-context", "too-large"])
def test_broken_capsules_end_the_tunnel(gateway, tunnel, data):
    tunnel.connection.send(data)
    assert tunnel.connection.receive() == b""
    line = gateway.log.wait("http-request", end_reason="protocol-error")
    assert line["response-code"] == 200


def test_a_packet_that_cannot_be_sent_is_lost_and_no_more(tunnel):
    tunnel.send(b"x" * 65527, b"fits")
    assert tunnel.receive() == b"fits"


def test_a_closed_port_ends_nothing(open_tunnel, make_gateway):
    port = free_port()
    gateway = make_gateway(udp_route("dns", port, allowed_users=[DEMO.email]))
    tunnel = open_tunnel(gateway, token=obtain_token(gateway, "dns", DEMO))
    for _ in range(5):
        tunnel.send(b"nobody hears")
    server = EchoServer()
    tunnel.connection.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        tunnel.receive()
    server.stop()


def test_each_tunnel_has_a_socket_of_its_own(open_tunnel, gateway, token, echo):
    tunnels = [open_tunnel(gateway, token=token) for _ in range(20)]
    for number, tunnel in enumerate(tunnels):
        tunnel.send(b"%d" % number)
    for number, tunnel in enumerate(tunnels):
        assert tunnel.receive() == b"%d" % number
    assert len(echo.sources) == 20


def test_tcp_and_udp_are_not_mixed_up(open_tunnel, gateway, token):
    assert gateway.connect("dns", 53, token).status == 403
    refused = open_tunnel(gateway, name="redis", port=6379, token=token)
    assert refused.response.status == 403
    assert refused.response.header("x-pomerium-reason") == "bad-request"


@pytest.mark.parametrize("path", [
    "/.well-known/masque/udp/", "/.well-known/masque/udp/x/", "/.well-known/masque/udp/x/0/",
    "/.well-known/masque/udp/x/65536/", "/.well-known/masque/udp//53/", "/.well-known/masque/udp/a/53/b",
    "/.well-known/masque/udp/a%00b/53/", "/.well-known/masque/udp/a%2/53/", "/masque/udp/x/53/",
])
def test_a_path_that_names_nothing_is_not_found(open_tunnel, gateway, token, path):
    assert open_tunnel(gateway, token=token, path=path).response.status == 404


def test_the_path_counts_and_not_the_host(open_tunnel, gateway, token):
    good = f"/.well-known/masque/udp/{host('dns')}/53/"
    tunnel = open_tunnel(gateway, token=token, path=good, target=host("redis"))
    tunnel.send(b"x")
    assert tunnel.receive() == b"x"
    escaped = good.replace("dns", "%64ns")
    assert open_tunnel(gateway, token=token, path=escaped).response.status == 200
    unknown = open_tunnel(gateway, token=token, path=good.replace("53", "54"))
    assert unknown.response.status == 404


def test_who_is_not_allowed_is_refused_as_for_tcp(open_tunnel, gateway):
    assert open_tunnel(gateway).response.status == 302
    assert open_tunnel(gateway, token="nonsense").response.status == 401
    refused = open_tunnel(gateway, token=obtain_token(gateway, "redis", ALICE))
    assert refused.response.status == 403
    assert refused.response.header("x-pomerium-reason") == "denied"


def test_the_end_is_in_the_log_with_its_bytes(gateway, tunnel):
    tunnel.send(b"hello")
    assert tunnel.receive() == b"hello"
    with contextlib.suppress(ssl.SSLError):  # the last chunk comes behind our end
        tunnel.connection.socket.unwrap()
    line = gateway.log.wait("http-request", end_reason="client-closed")
    assert (line["bytes-received"], line["bytes-sent"]) == (8, 8)
    assert line["upstream-address"].startswith("127.0.0.1:")
    assert line["user"] or line["email"]


def test_an_idle_tunnel_ends(open_tunnel, make_gateway, echo):
    gateway = make_gateway(udp_route("dns", echo.port, allowed_users=[DEMO.email], idle_timeout="500ms"))
    tunnel = open_tunnel(gateway, token=obtain_token(gateway, "dns", DEMO))
    tunnel.send(b"x")
    assert tunnel.receive() == b"x"
    assert tunnel.connection.receive() == b""
    gateway.log.wait("http-request", end_reason="idle-timeout")


def test_max_tunnels_counts_udp(open_tunnel, make_gateway, echo):
    gateway = make_gateway(udp_route("dns", echo.port, allowed_users=[DEMO.email], max_tunnels=1))
    token = obtain_token(gateway, "dns", DEMO)
    first = open_tunnel(gateway, token=token)
    assert first.response.status == 200
    second = open_tunnel(gateway, token=token)
    assert second.response.status == 503
    assert second.response.header("x-pomerium-reason") == "overloaded"
    first.close()
    eventually(lambda: open_tunnel(gateway, token=token).response.status == 200, "there is room again", 10)


def test_a_reload_that_takes_the_permission_ends_the_tunnel(gateway, tunnel):
    config = json.loads(gateway.config_path.read_text())
    config["routes"][0]["allowed_users"] = [ALICE.email]
    gateway.config_path.write_text(json.dumps(config))
    assert tunnel.connection.receive() == b""
    gateway.log.wait("http-request", end_reason="policy-denied")
