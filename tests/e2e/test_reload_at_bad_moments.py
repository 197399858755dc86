"""Reloads that come together, in the middle of something else, or change whom the gateway itself believes."""

import json
import signal
import socket
import threading

import pytest

from lib.gateway import tcp_route, write_config
from lib.idp import World, log_in
from lib.idp import obtain_token as obtain_token_at_provider
from lib.login import obtain_token
from lib.net import free_port
from lib.operator import reload, status
from lib.process import eventually
from lib.traffic import Traffic
from lib.users import DEMO


@pytest.fixture
def traffic():
    with Traffic() as traffic:
        yield traffic


@pytest.fixture
def gateway(make_gateway, traffic):
    gateway = make_gateway(
        tcp_route("redis", traffic.port, allowed_users=[DEMO.email]), runtime_flags={"config_hot_reload": False})
    traffic.open(gateway, obtain_token(gateway, "redis", DEMO), 2)
    return gateway


def edit(gateway, **changes):
    config = json.loads(gateway.config_path.read_text())
    config.update(changes)
    write_config(gateway.config_path, config)


def test_many_ask_at_once(gateway, traffic):
    """Everybody gets an answer about what was in the file when he asked, and that takes few reloads."""
    answers = []
    asking = [threading.Thread(target=lambda: answers.append(reload(gateway))) for _ in range(12)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert [code for code, _ in answers] == [200] * 12
    assert status(gateway)["reloads"] <= 12
    traffic.check()


def test_signals_come_together(gateway, traffic):
    for _ in range(200):
        gateway.popen.send_signal(signal.SIGHUP)
    edit(gateway, routes=[])
    gateway.popen.send_signal(signal.SIGHUP)
    gateway.log.wait("configuration reloaded", routes=0)
    assert status(gateway)["reloads"] < 200


def test_asked_while_one_takes_place(gateway, traffic):
    """A change of address takes a second; what is asked for in the meantime is done afterwards, with what is there then."""
    edit(gateway, address=f"127.0.0.1:{free_port()}")
    first = []
    thread = threading.Thread(target=lambda: first.append(reload(gateway)))
    thread.start()
    eventually(lambda: not _accepts(gateway), "the old address accepts nobody")
    edit(gateway, log_level="warn")
    code, answer = reload(gateway)
    thread.join()
    assert first[0][1]["changed"] == ["address"]
    assert (code, answer["changed"]) == (200, ["log level"])
    traffic.check()


def _accepts(gateway):
    with socket.socket() as probe:
        probe.settimeout(0.1)
        try:
            probe.connect(("127.0.0.1", gateway.port))
        except OSError:
            return False
        return True


@pytest.mark.parametrize("wait", [False, True])
def test_it_ends_in_the_middle_of_a_reload(gateway, wait):
    """While the configuration is being read, and while the listeners change."""
    edit(gateway, address=f"127.0.0.1:{free_port()}")
    gateway.popen.send_signal(signal.SIGHUP)
    if wait:
        eventually(lambda: not _accepts(gateway), "the old address accepts nobody")
    assert gateway.stop() == 0


def test_an_operator_who_does_not_wait(gateway, traffic):
    """Who asks and goes away: the reload takes place, and nobody is answered."""
    edit(gateway, address=f"127.0.0.1:{free_port()}")
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(gateway.state / "admin.sock"))
        asking.sendall(b"POST /reload HTTP/1.1\r\nHost: gateway\r\n\r\n")
        eventually(lambda: not _accepts(gateway), "the reload takes place")
    gateway.log.wait("configuration reloaded", new_address=True)
    assert status(gateway)["reloads"] == 1
    traffic.check()


def test_a_provider_and_its_authority(make_gateway, authority, certificate, tmp_path, upstream):
    """From local users to a provider, whose certificate is believed after one more reload."""
    world = World(tmp_path / "provider", authority, certificate)
    try:
        settings = world.settings()
        address = settings["address"]
        gateway = make_gateway(
            tcp_route("redis", upstream.port, allowed_users=[DEMO.email]), address=address,
            runtime_flags={"config_hot_reload": False})
        assert gateway.connect("redis", token=obtain_token(gateway, "redis", DEMO)).status == 200
        config = json.loads(gateway.config_path.read_text())
        config.update(settings)
        del config["local_users"], config["certificate_authority_file"]
        write_config(gateway.config_path, config)
        assert reload(gateway)[0] == 200
        _, page = log_in(gateway)
        assert page.status >= 500
        config["certificate_authority_file"] = settings["certificate_authority_file"]
        write_config(gateway.config_path, config)
        assert reload(gateway)[0] == 200
        # A provider that could not be asked is not asked again at once.
        eventually(lambda: log_in(gateway)[1].status == 302, "a login at the provider", 30, 1)
        token = obtain_token_at_provider(gateway, "redis")
        assert gateway.connect("redis", token=token).status == 200
    finally:
        world.stop()
