"""The configuration is read again: what was edited counts, what is wrong changes nothing, and no open tunnel notices."""

import json
import os
import signal
import socket
import threading

import pytest

from lib.gateway import host, run_gateway, tcp_route, write_config
from lib.login import obtain_token
from lib.net import free_port, is_listening, request_bytes, tls_context
from lib.operator import reload, status
from lib.process import GATEWAY, environment, eventually
from lib.traffic import Traffic
from lib.users import ALICE, DEMO, MALLORY


class Scene:
    """A gateway with two tunnels in use, and its configuration to be edited."""

    def __init__(self, gateway, traffic):
        self.gateway = gateway
        self.traffic = traffic
        self.path = gateway.config_path
        self.log = gateway.log
        self.config = json.loads(self.path.read_text())
        self.token = obtain_token(gateway, "redis", DEMO)
        traffic.open(gateway, self.token, 2)

    def write(self, **changes):
        """Edits the file in place; returns the text."""
        self.config.update(changes)
        self.config = {key: value for key, value in self.config.items() if value is not None}
        write_config(self.path, self.config)

    def reload(self, **changes):
        self.write(**changes)
        code, answer = reload(self.gateway)
        assert code == 200, answer
        self.traffic.check()
        return answer

    def refuse(self):
        """A reload that fails; the answer, once the log has one line more about it."""
        before = len(self.rejections())
        code, answer = reload(self.gateway)
        assert code in (409, 422), answer
        self.traffic.check()
        assert self.gateway.connect("redis", token=self.token).status == 200
        line = eventually(lambda: self.rejections()[before:], "a line in the log")[0]
        assert line["level"] == "error"
        return answer, line

    def rejections(self):
        return self.log.find("configuration rejected: the one before stays in force")

    def reloads(self):
        return len(self.log.find("configuration reloaded"))

    def position(self, text):
        """line:column of a text in the file."""
        before, found, _ = self.path.read_text().partition(text)
        assert found
        return f"{self.path}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


@pytest.fixture
def traffic():
    with Traffic() as traffic:
        yield traffic


@pytest.fixture
def make_scene(make_gateway, traffic):
    def make(**settings):
        settings.setdefault("runtime_flags", {"config_hot_reload": False})
        route = tcp_route("redis", traffic.port, allowed_users=[DEMO.email, ALICE.email])
        return Scene(make_gateway(route, **settings), traffic)

    return make


@pytest.fixture
def scene(make_scene):
    return make_scene()


def route(scene, name, **settings):
    return tcp_route(name, scene.traffic.port, **settings)


# ---- what counts afterwards ----


def test_nothing_has_changed(scene):
    answer = scene.reload()
    assert (answer["routes"], answer["routes_added"], answer["routes_removed"]) == (1, 0, 0)
    assert answer["changed"] == [] and answer["restart_needed"] == []


def test_a_route_comes_and_goes(scene):
    assert scene.gateway.connect("second", token=scene.token).status == 404
    first = scene.config["routes"]
    answer = scene.reload(routes=[*first, route(scene, "second", allowed_users=[DEMO.email])])
    assert (answer["routes"], answer["routes_added"]) == (2, 1)
    assert scene.gateway.connect("second", token=scene.token).status == 200
    answer = scene.reload(routes=first)
    assert (answer["routes"], answer["routes_removed"]) == (1, 1)
    assert scene.gateway.connect("second", token=scene.token).status == 404


def test_a_policy_is_changed(scene):
    token = obtain_token(scene.gateway, "redis", MALLORY)
    assert scene.gateway.connect("redis", token=token).status == 403
    answer = scene.reload(routes=[route(scene, "redis", allowed_users=[DEMO.email, MALLORY.email])])
    assert (answer["routes_added"], answer["routes_removed"], answer["routes_changed"]) == (0, 0, 1)
    assert scene.gateway.connect("redis", token=token).status == 200


def test_users_in_a_file(make_scene, tmp_path):
    users = tmp_path / "users.yaml"
    users.write_text(json.dumps([DEMO.entry()]))
    scene = make_scene(local_users=None, local_users_file=str(users))
    users.write_text(json.dumps([DEMO.entry(), ALICE.entry()]))
    assert scene.reload()["changed"] == ["users"]
    assert scene.gateway.connect("redis", token=obtain_token(scene.gateway, "redis", ALICE)).status == 200


def test_a_certificate_is_renewed(scene, authority):
    certificate, key = authority.issue("renewed", "*.demo.localhost")

    def serial():
        with scene.gateway.open("redis") as connection:
            return connection.socket.getpeercert()["serialNumber"]

    before = serial()
    answer = scene.reload(certificates=[{"cert": str(certificate), "key": str(key)}])
    assert answer["changed"] == ["certificates"]
    assert serial() != before


def test_the_log_level(scene):
    scene.reload(log_level="error")
    before = len(scene.log.lines())
    assert scene.gateway.connect("redis", token=scene.token).status == 200
    assert scene.reload(log_level="info")["changed"] == ["log level"]
    eventually(lambda: scene.log.find("configuration reloaded", cause="an operator has asked"), "the line of the reload")
    assert not [line for line in scene.log.lines()[before:] if line.message == "http-request"]


def test_a_secret_in_a_file(make_scene, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    scene = make_scene(shared_secret=None, shared_secret_file=str(secret))
    secret.write_text("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    assert scene.reload()["changed"] == ["keys"]
    assert scene.gateway.connect("redis", token=scene.token).status != 200
    assert scene.gateway.connect("redis", token=obtain_token(scene.gateway, "redis", DEMO)).status == 200


def test_the_address(scene):
    old, new = scene.gateway.port, free_port()
    assert scene.reload(address=f"127.0.0.1:{new}")["changed"] == ["address"]
    assert not is_listening(old)
    scene.gateway.port = new
    assert scene.gateway.connect("redis", token=scene.token).status == 200
    scene.reload(address=f":{new}")
    assert scene.gateway.connect("redis", token=scene.token).status == 200


def test_an_address_in_use(scene):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        scene.write(address=f"127.0.0.1:{port}")
        answer, line = scene.refuse()
    assert f"cannot listen on 127.0.0.1:{port}" in answer["error"] == line["error"]


@pytest.mark.parametrize("changes", [
    {"databroker_storage_type": "memory"}, {"workers": 3}, {"health_check_addr": "127.0.0.1:1"},
    {"admin_socket": "/tmp/elsewhere.sock"}, {"databroker_storage_connection_string": "/tmp"},
])
def test_what_needs_a_restart_is_said_once(scene, changes):
    names = list(changes)
    assert scene.reload(**changes)["restart_needed"] == names
    assert scene.reload()["restart_needed"] == names
    message = "these settings keep their value until the gateway is restarted"
    assert [line["settings"] for line in scene.log.find(message)] == [names]
    assert status(scene.gateway)["workers"] == 2


# ---- what makes it happen ----


def test_hangup(scene):
    scene.write(routes=[*scene.config["routes"], route(scene, "second", allowed_users=[DEMO.email])])
    scene.gateway.popen.send_signal(signal.SIGHUP)
    scene.log.wait("configuration reloaded", cause="SIGHUP", routes=2)
    assert scene.gateway.connect("second", token=scene.token).status == 200


def test_files_are_watched(make_scene, tmp_path):
    users = tmp_path / "users.yaml"
    users.write_text(json.dumps([DEMO.entry()]))
    scene = make_scene(local_users=None, local_users_file=str(users), runtime_flags={})
    users.write_text(json.dumps([DEMO.entry(), ALICE.entry()]))
    scene.log.wait("configuration reloaded", cause="a file has changed", new_users=True)
    scene.write(routes=[*scene.config["routes"], route(scene, "second", allowed_users=[DEMO.email])])
    scene.log.wait("configuration reloaded", cause="a file has changed", routes=2)
    scene.traffic.check()


def test_watching_is_turned_off_and_on(make_scene):
    scene = make_scene(runtime_flags={})
    scene.write(runtime_flags={"config_hot_reload": False})
    scene.log.wait("configuration reloaded")
    scene.write(log_level="debug")
    assert scene.reload(runtime_flags={"config_hot_reload": True})["changed"] == ["log level"]
    scene.write(log_level="info")
    scene.log.wait("configuration reloaded", 2, cause="a file has changed")


def test_the_command(scene):
    def operate(*words):
        return run_gateway(*words, env=environment(STATE_DIRECTORY=scene.gateway.state))

    scene.write(routes=[*scene.config["routes"], route(scene, "second"), ], log_level="debug")
    done = operate("reload")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("reloaded: 2 routes (1 new, 0 gone, 0 changed)\nchanged: log level\n")
    assert json.loads(operate("reload", "--json").stdout)["result"] == "reloaded"
    scene.write(log_level="loud", address="nowhere")
    done = operate("reload")
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 3 and all(line.startswith("pomerium: ") for line in lines)
    assert scene.position('"loud"') in done.stderr and scene.position('"nowhere"') in done.stderr
    assert "stays in force: 2 errors" in lines[-1]
    done = operate("reload", "--json")
    assert done.returncode == 1 and len(json.loads(done.stdout)["problems"]) == 2
    row = operate("status").stdout.splitlines()[1]
    assert scene.position('"loud"') in row or scene.position('"nowhere"') in row
    answer = status(scene.gateway)
    assert (answer["reloads"], answer["reloads_failed"]) == (2, 2)
    assert answer["last_reload_result"] in row


# ---- what is wrong changes nothing ----


def test_a_mistake(scene):
    scene.write(log_level="loud")
    answer, line = scene.refuse()
    assert len(answer["problems"]) == 1 and answer["problems"][0] == line["error"]
    assert line["error"].startswith(scene.position('"loud"'))
    assert status(scene.gateway)["last_reload_result"] == line["error"]


def test_several_mistakes(scene):
    scene.write(log_level="loud", address="nowhere", cookie_secret="short")
    answer, line = scene.refuse()
    assert len(answer["problems"]) == line["error-count"] == 3
    assert line["errors"] == answer["problems"]


def test_no_yaml(scene):
    text = scene.path.read_text()
    scene.path.write_text(text.replace('"routes": [', '"routes": [[[', 1))
    assert f"{scene.path}:" in scene.refuse()[1]["error"]
    scene.path.write_text(text)
    assert scene.reload()["changed"] == []


def test_half_of_the_file(scene):
    text = scene.path.read_text()
    scene.path.write_text(text[:len(text) // 2])
    assert f"{scene.path}:" in scene.refuse()[1]["error"]


def test_an_empty_file(scene):
    scene.path.write_text("")
    assert scene.refuse()[1]["error"] == f"{scene.path}:1:1: the file is empty"


def test_a_pipe_in_its_place(scene):
    """Whoever opened it would wait for somebody who writes."""
    scene.path.unlink()
    os.mkfifo(scene.path)
    assert "no regular file" in scene.refuse()[1]["error"]


def test_a_key_that_does_not_fit(scene, authority):
    (certificate, _), (_, key) = authority.issue("a", "a.localhost"), authority.issue("b", "b.localhost")
    scene.write(certificates=[{"cert": str(certificate), "key": str(key)}])
    error = scene.refuse()[1]["error"]
    assert scene.path.name in error and "certificates[0]" in error


def test_no_file(scene):
    text = scene.path.read_text()
    scene.path.unlink()
    assert str(scene.path) in scene.refuse()[1]["error"]
    scene.path.write_text(text)
    assert scene.reload()["changed"] == []


def test_a_directory_in_its_place(scene):
    scene.path.unlink()
    scene.path.mkdir()
    assert str(scene.path) in scene.refuse()[1]["error"]


def test_a_file_that_may_not_be_read(make_scene, tmp_path, monkeypatch):
    wrapper = tmp_path / "without-privileges"  # root's, who may read everything
    wrapper.write_text(f"#!/bin/sh\nexec setpriv --bounding-set=-dac_override,-dac_read_search {GATEWAY} \"$@\"\n")
    wrapper.chmod(0o700)
    monkeypatch.setattr("lib.gateway.GATEWAY", wrapper if os.getuid() == 0 else GATEWAY)
    scene = make_scene()
    scene.path.chmod(0)
    error = scene.refuse()[1]["error"]
    assert str(scene.path) in error and "Permission denied" in error
    scene.path.chmod(0o600)
    assert scene.reload()["changed"] == []


def test_a_file_that_is_too_big(scene):
    with open(scene.path, "ab") as file:
        file.truncate(100 << 20)
    assert str(scene.path) in scene.refuse()[1]["error"]


def test_users_that_are_gone(make_scene, tmp_path):
    users = tmp_path / "users.yaml"
    users.write_text(json.dumps([DEMO.entry()]))
    scene = make_scene(local_users=None, local_users_file=str(users))
    users.unlink()
    assert str(users) in scene.refuse()[1]["error"]


# ---- how files change ----


def test_a_link_is_swapped(make_scene, tmp_path):
    """As Kubernetes does with what it mounts: users.yaml -> ..data/users.yaml, ..data -> a directory with a date."""
    for name, people in (("first", [DEMO]), ("second", [DEMO, ALICE])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "users.yaml").write_text(json.dumps([user.entry() for user in people]))
    (tmp_path / "..data").symlink_to("first")
    (tmp_path / "users.yaml").symlink_to("..data/users.yaml")
    scene = make_scene(local_users=None, local_users_file=str(tmp_path / "users.yaml"), runtime_flags={})
    (tmp_path / "..next").symlink_to("second")
    os.replace(tmp_path / "..next", tmp_path / "..data")
    scene.log.wait("configuration reloaded", cause="a file has changed", new_users=True)
    assert scene.reloads() == 1


def test_a_file_is_missed_and_found(make_scene):
    scene = make_scene(runtime_flags={})
    text = scene.path.read_text()
    scene.path.unlink()
    eventually(lambda: len(scene.rejections()) == 1, "it is missed")
    scene.path.write_text(text)
    scene.log.wait("configuration reloaded", cause="a file has changed")
    assert len(scene.rejections()) == 1
    scene.traffic.check()


def test_a_file_written_piece_by_piece(make_scene):
    """Half a file is not taken while the other half is being written."""
    scene = make_scene(runtime_flags={})
    scene.config["routes"].append(route(scene, "second", allowed_users=[DEMO.email]))
    text = json.dumps(scene.config, indent=2)
    with open(scene.path, "w") as file:
        for piece in range(0, len(text), len(text) // 30 + 1):
            file.write(text[piece:piece + len(text) // 30 + 1])
            file.flush()
            scene.traffic.check()  # takes its time
    scene.log.wait("configuration reloaded", routes=2)
    assert not scene.rejections() and scene.reloads() == 1


# ---- handshakes and connections in the making ----


def shake_hands(scene, context, session=None):
    """A request on a connection of its own: whether its TLS session was resumed, and the session."""
    with socket.create_connection(("127.0.0.1", scene.gateway.port), timeout=20) as raw:
        with context.wrap_socket(raw, server_hostname=host("redis"), session=session) as secure:
            secure.sendall(request_bytes("GET", "/ping", host("redis")))
            assert secure.recv(65536).startswith(b"HTTP/1.1 200 ")
            return secure.session_reused, secure.session


def test_tls_sessions_are_resumed_across_a_reload(scene, authority):
    context = tls_context(scene.gateway.ca)
    _, session = shake_hands(scene, context)
    scene.reload()
    was_resumed, session = shake_hands(scene, context, session)
    assert was_resumed
    certificate, key = authority.issue("renewed", "*.demo.localhost")
    scene.reload(certificates=[{"cert": str(certificate), "key": str(key)}])
    shake_hands(scene, context, session)


def test_whoever_connects_while_the_address_changes_is_served(scene):
    """Connections that are being made to the old address are served; later ones are refused, none is reset."""
    outcomes = {"served": 0, "refused": 0}
    old = scene.gateway.port
    is_over = threading.Event()

    def connect():
        context = tls_context(scene.gateway.ca)
        while not is_over.is_set():
            try:
                with socket.create_connection(("127.0.0.1", old), timeout=20) as raw:
                    with context.wrap_socket(raw, server_hostname=host("redis")) as secure:
                        secure.sendall(request_bytes("GET", "/ping", host("redis")))
                        answer = secure.recv(65536)
                outcomes["served" if answer.startswith(b"HTTP/1.1 200 ") else answer] = outcomes["served"] + 1
            except ConnectionRefusedError:
                outcomes["refused"] += 1
                is_over.wait(0.01)
            except OSError as e:
                outcomes[repr(e)] = 1

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: outcomes["served"] > 20, "somebody connects")
    scene.reload(address=f"127.0.0.1:{free_port()}")
    eventually(lambda: outcomes["refused"] > 4, "the old address is closed")
    is_over.set()
    for thread in threads:
        thread.join()
    assert set(outcomes) == {"served", "refused"}
