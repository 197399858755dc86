"""Which of a name's addresses count, for each value of dns_lookup_family, with names that a name server of the test knows."""

import os
import socket

import pytest

from lib.dns import NameServer
from lib.gateway import Gateway, tcp_route, write_config
from lib.services import Upstream
from lib.upstreams import PUBLIC, letter_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="to give the gateway a name server of its own")

NAMES = {
    "both.test": ["127.0.0.1", "::1"],
    "four.test": ["127.0.0.1"],
    "six.test": ["::1"],
    "half.test": ["127.0.0.2", "::1"],  # nobody listens at the first
}
DNS, REFUSED = "upstream-dns", "upstream-refused"

# What a tunnel to each of the names leads to, or why it does not open; and the questions.
EXPECTED = {
    "V4_PREFERRED": ([b"4", b"4", b"6", REFUSED], {"A", "AAAA"}),
    "AUTO": ([b"6", b"4", b"6", b"6"], {"A", "AAAA"}),
    "V4_ONLY": ([b"4", b"4", DNS, REFUSED], {"A"}),
    "V6_ONLY": ([b"6", DNS, b"6", b"6"], {"AAAA"}),
    "ALL": ([b"4", b"4", b"6", b"6"], {"A", "AAAA"}),
}


class GatewayWithNameServer(Gateway):
    """Sees another /etc/resolv.conf than everybody else."""

    def start_process(self, name, directory, command, **options):
        resolv = directory / "resolv.conf"
        super().start_process(name, directory, [
            "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolv, *command], **options)


def saying(letter):
    """Serves like a server of lib.upstreams that has a name."""

    def serve(connection):
        connection.sendall(letter)
        while data := connection.recv(100):
            connection.sendall(data)

    return serve


@pytest.fixture(scope="module")
def port():
    """The same of both families; each server says which it is."""
    while True:
        six = Upstream(saying(b"6"), host="::1", family=socket.AF_INET6)
        try:
            four = Upstream(saying(b"4"), port=six.port)
            break
        except OSError:  # somebody else's
            six.stop()
    yield six.port
    four.stop()
    six.stop()


@pytest.fixture(scope="module")
def name_server():
    server = NameServer(NAMES)
    yield server
    server.stop()


@pytest.fixture
def gateway(request, make_gateway, name_server, port):
    """Started by make_gateway's means, and ended by it."""
    routes = [{**tcp_route(name.partition(".")[0], 1, **PUBLIC), "to": f"tcp://{name}:{port}"} for name in NAMES]
    path = write_config(make_gateway.directory / "pomerium.yaml", make_gateway.config(
        routes, workers=1, dns_lookup_family=request.param))
    (path.parent / "resolv.conf").write_text(f"nameserver {name_server.address}\noptions timeout:2\n")
    name_server.asked.clear()
    gateway = GatewayWithNameServer(path, make_gateway.authority.ca)
    make_gateway.started.append(gateway)
    return gateway


def result_of(gateway, name):
    answer = gateway.connect(name)
    return letter_of(gateway, name) if answer.status == 200 else answer.header("x-pomerium-reason")


@pytest.mark.parametrize("gateway", EXPECTED, indirect=True)
def test_which_addresses_count(gateway, name_server, request):
    results, types = EXPECTED[request.node.callspec.params["gateway"]]
    assert [result_of(gateway, name.partition(".")[0]) for name in NAMES] == results
    assert {kind for _, kind in name_server.asked} == types
    assert {name for name, _ in name_server.asked} == set(NAMES)
