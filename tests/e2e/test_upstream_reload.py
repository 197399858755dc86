"""The upstream side of a route is edited while tunnels are open."""

import collections
import json

import pytest

from lib.gateway import tcp_route, write_config
from lib.net import free_port
from lib.operator import reload
from lib.process import eventually
from lib.upstreams import PUBLIC, letter_of, named, targets

QUICK = {"timeout": "1s", "interval": "0.1s", "tcp_health_check": {}}


class Scene:
    def __init__(self, make_gateway, **settings):
        self.route = {**tcp_route("x", 1, **PUBLIC), **settings}
        self.gateway = make_gateway(self.route, runtime_flags={"config_hot_reload": False}, workers=2)

    def edit(self, **settings):
        """None takes a setting out."""
        self.route = {key: value for key, value in {**self.route, **settings}.items() if value is not None}
        config = json.loads(self.gateway.config_path.read_text())
        write_config(self.gateway.config_path, {**config, "routes": [self.route]})
        code, answer = reload(self.gateway)
        assert code == 200, answer
        return answer

    def tunnel(self):
        """A tunnel, and whose it is."""
        connection = self.gateway.tunnel("x")
        return connection, connection.read_exactly(1)

    def refusal(self):
        return self.gateway.connect("x").header("x-pomerium-reason")


@pytest.fixture
def servers():
    made = [named(letter) for letter in (b"a", b"b")]
    yield made
    for server in made:
        server.stop()


def echoes(connection):
    connection.send(b"still here")
    return connection.read_exactly(10) == b"still here"


def test_counts_outlive_it(make_gateway, servers):
    """Limits of what is open already, lowered, raised, and for other targets."""
    scene = Scene(make_gateway, to=targets(servers), max_tunnels=2)
    tunnels = [scene.tunnel()[0] for _ in range(2)]
    assert scene.refusal() == "overloaded"
    scene.edit(description="the same")
    assert scene.refusal() == "overloaded"
    scene.edit(max_tunnels=3)
    tunnels.append(scene.tunnel()[0])
    assert scene.refusal() == "overloaded"
    scene.edit(max_tunnels=1)  # ends nothing
    assert all(echoes(tunnel) for tunnel in tunnels)
    assert scene.refusal() == "overloaded"
    scene.edit(to=targets(servers[::-1]), max_tunnels=3)  # another order: another state, with all three
    eventually(lambda: scene.refusal() == "overloaded", "the tunnels have come over", 5)
    tunnels.pop().close()
    eventually(lambda: scene.refusal() is None, "a place is free", 5)
    for tunnel in tunnels:
        assert echoes(tunnel)
        tunnel.close()
    scene.edit(max_tunnels=1)
    eventually(lambda: scene.refusal() is None, "nothing is counted that is gone", 5)


def test_a_target_goes(make_gateway, servers):
    """Its tunnels end; those of the others, and of one that stays with another policy, do not."""
    scene = Scene(make_gateway, to=targets(servers))
    tunnels = {letter: tunnel for tunnel, letter in (scene.tunnel() for _ in range(2))}
    assert set(tunnels) == {b"a", b"b"}
    scene.edit(load_balancing_policy="maglev", to=targets(servers, (1, 9)))
    assert all(echoes(tunnel) for tunnel in tunnels.values())
    scene.edit(to=targets(servers[:1]), load_balancing_policy=None)
    assert tunnels[b"b"].is_at_end()
    assert scene.gateway.log.wait("http-request", end_reason="route-removed")
    assert echoes(tunnels[b"a"])
    assert {letter_of(scene.gateway, "x") for _ in range(3)} == {b"a"}
    for tunnel in tunnels.values():
        tunnel.close()


def test_a_target_comes(make_gateway, servers):
    scene = Scene(make_gateway, to=targets(servers[:1]))
    tunnel, _ = scene.tunnel()
    scene.edit(to=targets(servers))
    got = collections.Counter(letter_of(scene.gateway, "x") for _ in range(6))
    assert got == {b"a": 3, b"b": 3}
    assert echoes(tunnel)
    tunnel.close()


def test_checks_come_and_go(make_gateway, servers):
    dead = f"tcp://127.0.0.1:{free_port()}"
    scene = Scene(make_gateway, to=[dead, *targets(servers[:1])])
    log = scene.gateway.log
    assert letter_of(scene.gateway, "x") == b"a"
    assert not log.find("target is down")
    scene.edit(health_checks=[QUICK])
    log.wait("target is down")
    failed = len(log.find("upstream not reachable"))
    assert {letter_of(scene.gateway, "x") for _ in range(4)} == {b"a"}
    assert len(log.find("upstream not reachable")) == failed
    scene.edit(description="the same")  # what was found is known still
    assert {letter_of(scene.gateway, "x") for _ in range(4)} == {b"a"}
    assert len(log.find("upstream not reachable")) == failed
    scene.edit(health_checks=None)
    assert {letter_of(scene.gateway, "x") for _ in range(4)} == {b"a"}
    log.wait("upstream not reachable", count=failed + 1)
    assert len(log.find("target is down")) == 1


def test_a_ca_that_is_none(make_gateway, servers, tmp_path):
    """One sentence with its place, and the old configuration goes on."""
    scene = Scene(make_gateway, to=targets(servers))
    broken = tmp_path / "ca.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    config = json.loads(scene.gateway.config_path.read_text())
    config["routes"] = [{**scene.route, "to": "https://127.0.0.1:1", "tls_custom_ca_file": str(broken)}]
    write_config(scene.gateway.config_path, config)
    code, answer = reload(scene.gateway)
    assert code in (409, 422)
    assert "routes[0]" in json.dumps(answer)
    assert letter_of(scene.gateway, "x") in (b"a", b"b")
