"""A new process takes over while clients come and tunnels are open: nobody notices."""

import json
import os
import shutil
import signal
import threading
import time

import pytest

from lib import operator
from lib.gateway import Gateway, host, run_gateway, tcp_route, write_config
from lib.login import obtain_token
from lib.net import connect_bytes, free_port, request_bytes
from lib.process import assert_clean, eventually
from lib.traffic import Traffic
from lib.users import ALICE, DEMO


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Scene:
    """A gateway and whoever came after it: they share port, log and operator's socket."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.log = gateway.log
        self.socket = gateway.state / "admin.sock"
        self.pids = [gateway.pid]

    @property
    def pid(self):
        return self.pids[-1]

    def config(self):
        return json.loads(self.gateway.config_path.read_text())

    def configure(self, **changes):
        config = {**self.config(), **changes}
        write_config(self.gateway.config_path, {key: value for key, value in config.items() if value is not None})

    def upgrade(self):
        code, answer = operator.ask(self.gateway, "POST", "/upgrade")
        assert code == 200, answer
        assert operator.status(self.gateway)["pid"] == answer["pid"] != self.pid
        self.pids.append(answer["pid"])
        return answer

    def refuse_upgrade(self):
        before = operator.status(self.gateway)["pid"]
        code, answer = operator.ask(self.gateway, "POST", "/upgrade")
        assert code == 409, answer
        assert operator.status(self.gateway)["pid"] == before
        assert operator.status(self.gateway)["state"] == "running"
        return answer["error"]

    def end(self):
        """The newest first, since it is not our child: then its parent, which is."""
        for pid in reversed(self.pids[1:]):
            if is_alive(pid):
                os.kill(pid, signal.SIGTERM)
            eventually(lambda pid=pid: not is_alive(pid), f"process {pid} ends", 30)
        assert_clean("pomerium", self.gateway.stdout_text() + self.gateway.stderr_text(), None)


@pytest.fixture
def start(make_gateway):
    scenes = []

    def start(port, **settings):
        settings.setdefault("drain_timeout", "1h")
        settings.setdefault("runtime_flags", {"config_hot_reload": False})
        scenes.append(Scene(make_gateway(tcp_route("redis", port, allowed_users=[DEMO.email]), **settings)))
        return scenes[-1]

    yield start
    for scene in scenes:
        scene.end()


@pytest.fixture
def traffic():
    with Traffic() as traffic:
        yield traffic


def ends_well(scene, timeout=20):
    """The first process, which is ours."""
    assert scene.gateway.popen.wait(timeout) == 0
    scene.gateway.forget()


class Visitors:
    """Clients that come all the time, each with a connection of its own, and others that keep theirs."""

    def __init__(self, gateway, token, count=4):
        self.gateway = gateway
        self.token = token
        self.served = 0
        self.failures = []
        self.is_stopping = False
        self.threads = [threading.Thread(target=self._come) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _come(self):
        while not self.is_stopping:
            try:
                with self.gateway.open("redis", timeout=30) as connection:
                    head = connection.ask(connect_bytes(f"{host('redis')}:6379", self.token), has_body=False)
                    assert head.status == 200, head
                    connection.send(b"hello")
                    assert connection.read_exactly(5) == b"hello"
                self.served += 1
            except Exception as e:  # whatever it is, a client has noticed
                self.failures.append(repr(e))

    def wait(self, count):
        target = self.served + count
        eventually(lambda: self.served >= target or self.failures, lambda: f"{count} more visits", 60)

    def stop(self):
        self.is_stopping = True
        for thread in self.threads:
            thread.join()
        assert self.failures == []


def test_nobody_notices(start, traffic):
    scene = start(traffic.port, workers=3)
    token = obtain_token(scene.gateway, "redis", DEMO)
    first = traffic.open(scene.gateway, token, 20)
    visitors = Visitors(scene.gateway, token)
    visitors.wait(10)
    answer = scene.upgrade()
    assert answer["tunnels_left"] >= 20
    visitors.wait(10)
    second = traffic.open(scene.gateway, token, 20)
    scene.upgrade()
    visitors.wait(10)
    visitors.stop()
    traffic.check(first)
    traffic.check(second)
    assert is_alive(scene.pids[0]) and is_alive(scene.pids[1])
    scene.log.wait("another process has taken over: serving open tunnels to their end")
    for flow in first:
        flow.is_stopping = True
    time_of_end = time.monotonic()
    traffic.hang_up(first)
    ends_well(scene)
    assert time.monotonic() - time_of_end < 20
    traffic.check(second)
    assert traffic.failures == []


def test_by_signal_and_by_command(start, upstream):
    scene = start(upstream.port)
    os.kill(scene.pid, signal.SIGUSR2)
    line = scene.log.wait("the new process serves")
    scene.pids.append(line["pid"])
    ends_well(scene)
    done = run_gateway("upgrade", "--socket", scene.socket)
    assert done.returncode == 0 and done.stdout.startswith("upgraded: process "), done.stderr
    scene.pids.append(int(done.stdout.split()[2]))
    eventually(lambda: not is_alive(scene.pids[1]), "the second process ends")
    assert scene.gateway.is_serving()


@pytest.mark.parametrize("changes, words", [
    ({"routes": [{"from": "nonsense"}]}, "from"),
    ({"shared_secret": "c2hvcnQ="}, "shared_secret"),
    ({"certificates": [{"cert": "/nowhere/cert.pem", "key": "/nowhere/key.pem"}]}, "/nowhere/"),
    ({"databroker_storage_type": "file", "databroker_storage_connection_string": "/proc/nowhere"}, "/proc/nowhere"),
])
def test_what_is_wrong_leaves_all_as_it_was(start, traffic, changes, words):
    scene = start(traffic.port)
    token = obtain_token(scene.gateway, "redis", DEMO)
    flows = traffic.open(scene.gateway, token, 3)
    good = scene.config()
    scene.configure(**changes)
    assert words in scene.refuse_upgrade()
    scene.log.wait("no upgrade: the process that was there goes on")
    assert scene.gateway.is_serving()
    traffic.check(flows)
    write_config(scene.gateway.config_path, good)
    scene.upgrade()
    traffic.check(flows)
    traffic.hang_up(flows)
    ends_well(scene)


class Copied(Gateway):
    """Started from a path of its own, where there may be something else by the time of the upgrade."""

    def start_process(self, name, directory, command, **options):
        self.program = directory / "bin" / "pomerium"
        self.program.parent.mkdir()
        shutil.copy2(command[0], self.program)
        super().start_process(name, directory, [self.program, *command[1:]], **options)

    def replace(self, script):
        self.program.unlink()
        if script:
            self.program.write_text(f"#!/bin/sh\n{script}\n")
            self.program.chmod(0o755)


@pytest.fixture
def copied(make_gateway, upstream, authority, tmp_path):
    config = make_gateway.config([tcp_route("redis", upstream.port, allowed_users=[DEMO.email])], drain_timeout="1h")
    gateway = Copied(write_config(tmp_path / "copied.yaml", config), authority.ca)
    make_gateway.started.append(gateway)
    return gateway


@pytest.mark.parametrize("script, words", [
    ("kill -SEGV $$", "the new process was ended by signal 11"),
    ("exit 3", "the new process has ended with status 3"),
    ("echo ready >&2; exit 0", "the new process has ended with status 0"),
    ("echo nonsense >&3; exit 1", "the new process has said \"nonsense\", which is not understood"),
    ("echo failed for a good reason >&3; exit 1", "for a good reason"),
    (None, "cannot start "),
])
def test_a_new_program_that_is_broken(copied, script, words):
    scene = Scene(copied)
    copied.replace(script)
    assert words in scene.refuse_upgrade()
    assert copied.is_serving()


def test_told_to_end_while_the_new_one_starts(copied):
    """It takes the new process along."""
    copied.replace("echo $$ > $0.pid; exec sleep 1000")
    copied.popen.send_signal(signal.SIGUSR2)
    file = copied.program.parent / "pomerium.pid"
    pid = int(eventually(lambda: file.exists() and file.read_text().strip(), "it starts"))
    assert copied.is_serving()
    copied.popen.send_signal(signal.SIGUSR2)  # one at a time
    assert copied.stop() == 0
    eventually(lambda: not is_alive(pid), "the new one ends")
    assert len(copied.log.find("starting a new process")) == 1


def test_a_configuration_that_is_gone(start, upstream):
    scene = start(upstream.port)
    config = scene.config()
    scene.gateway.config_path.unlink()
    assert "pomerium0.yaml" in scene.refuse_upgrade()
    write_config(scene.gateway.config_path, config)
    scene.upgrade()


def test_requests_that_come_when_it_is_retired(start, upstream):
    """A connection of the old process gets what it asks for; then it is closed."""
    scene = start(upstream.port)
    token = obtain_token(scene.gateway, "redis", DEMO)
    fresh = scene.gateway.open("redis")
    kept = scene.gateway.open("redis")
    kept.send(request_bytes("GET", "/ping", f"{host('redis')}:{scene.gateway.port}"))
    assert kept.read_response().status == 200
    scene.upgrade()
    kept.read_to_end()
    kept.close()
    assert fresh.ask(connect_bytes(f"{host('redis')}:6379", token), has_body=False).status == 200
    fresh.send(b"still served")
    assert fresh.read_exactly(12) == b"still served"
    assert is_alive(scene.pids[0])
    fresh.close()
    ends_well(scene)


def test_sessions_count_in_both(start, traffic):
    """Revoked at the new process, the tunnel of the old one ends; the others go on."""
    scene = start(traffic.port)
    token = obtain_token(scene.gateway, "redis", DEMO)
    other = obtain_token(scene.gateway, "redis", DEMO)
    victim = traffic.open(scene.gateway, token, 2)
    flows = traffic.open(scene.gateway, other, 2)
    listed = run_gateway("tunnels", "list", "--socket", scene.socket, "--json").stdout
    by_session = {}
    for line in json.loads(listed.split("\n")[0])["tunnels"]:
        by_session.setdefault(line["session_id"], []).append(line)
    assert len(by_session) == 2
    scene.upgrade()
    for session in by_session:
        assert run_gateway("sessions", "revoke", session, "--socket", scene.socket).returncode == 0
        break
    eventually(lambda: len(traffic.failures) == 2, "the tunnels of one session end", 5)
    scene.log.wait("http-request", 2, end_reason="session-revoked")
    alive = [flow for flow in victim + flows if not flow.failure]
    traffic.check(alive)
    traffic.hang_up(alive)
    ends_well(scene)


def test_a_reload_counts_in_both(start, traffic):
    scene = start(traffic.port)
    token = obtain_token(scene.gateway, "redis", DEMO)
    traffic.open(scene.gateway, token, 2)
    scene.upgrade()
    scene.configure(routes=[tcp_route("redis", traffic.port, allowed_users=[ALICE.email])])
    assert operator.reload(scene.gateway)[0] == 200
    eventually(lambda: len(traffic.failures) == 2, "the tunnels of the process before end", 5)
    scene.log.wait("http-request", 2, end_reason="policy-denied")
    ends_well(scene)


def test_memory_is_not_handed_over(start, upstream):
    scene = start(upstream.port, databroker_storage_type="memory")
    token = obtain_token(scene.gateway, "redis", DEMO)
    tunnel = scene.gateway.tunnel("redis", token=token)
    scene.upgrade()
    scene.log.wait("sessions are kept in memory: those of the process before are not known here")
    # Those that were waiting to be accepted are the old one's still.
    eventually(lambda: scene.gateway.connect("redis", token=token).status == 401, "the new process is asked")
    tunnel.send(b"goes on")
    assert tunnel.read_exactly(7) == b"goes on"
    tunnel.close()
    ends_well(scene)


@pytest.mark.parametrize("before, after", [(4, 1), (1, 3)])
def test_another_number_of_workers(start, traffic, before, after):
    scene = start(traffic.port, workers=before)
    token = obtain_token(scene.gateway, "redis", DEMO)
    visitors = Visitors(scene.gateway, token)
    visitors.wait(10)
    scene.configure(workers=after)
    scene.upgrade()
    visitors.wait(40)
    visitors.stop()
    assert operator.status(scene.gateway)["workers"] == after
    ends_well(scene)


def test_told_to_end_while_it_gives_up_workers(start, upstream):
    """Sockets that nobody will have any more are kept for a moment; the signal comes in that moment."""
    scene = start(upstream.port, workers=4)
    scene.configure(workers=1)
    scene.upgrade()
    os.kill(scene.gateway.pid, signal.SIGTERM)
    ends_well(scene)


def test_another_address(start, upstream):
    scene = start(upstream.port)
    port = free_port()
    scene.configure(address=f"127.0.0.1:{port}")
    scene.upgrade()
    scene.gateway.port = port
    assert scene.gateway.is_serving()
    ends_well(scene)


def test_the_process_before_ends_by_the_usual_signal(start, upstream):
    scene = start(upstream.port, drain_timeout="1s")
    token = obtain_token(scene.gateway, "redis", DEMO)
    tunnel = scene.gateway.tunnel("redis", token=token)
    scene.upgrade()
    os.kill(scene.pids[0], signal.SIGTERM)
    ends_well(scene)
    assert [line for line in scene.log.find("http-request") if line.get("end-reason") == "shutdown"]
    assert scene.gateway.is_serving()
    assert scene.socket.exists()
    tunnel.close()


def test_killed_and_started_again(make_gateway, upstream):
    """What a process leaves behind that had no time to clean up is in nobody's way."""
    gateway = make_gateway(tcp_route("redis", upstream.port, allowed_users=[DEMO.email]))
    token = obtain_token(gateway, "redis", DEMO)
    gateway.kill()
    assert (gateway.state / "admin.sock").exists()
    again = make_gateway.again(gateway)
    assert again.connect("redis", token=token).status == 200
    assert operator.status(again)["state"] == "running"


def exchange(connection, data):
    connection.sendall(data)
    got = b""
    while len(got) < len(data):
        piece = connection.recv(65536)
        assert piece, f"it ended after {got!r}"
        got += piece
    assert got == data


def test_our_client_goes_over(start, upstream, make_client):
    """Its tunnels live on, the next ones are the new process's, whatever they share of a connection to the gateway."""
    scene = start(upstream.port)
    listener = make_client(scene.gateway).listen("redis")
    first = listener.dial()
    exchange(first, b"before")
    failures, served, is_over = [], [], threading.Event()

    def come():
        while not is_over.is_set():
            try:
                with listener.dial() as later:
                    exchange(later, b"hello")
                served.append(1)
            except Exception as e:  # whatever it is, a user has noticed
                failures.append(repr(e))

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        target = len(served) + 20
        eventually(lambda: len(served) >= target or failures, "20 more visits", 60)
        scene.upgrade()
    target = len(served) + 20
    eventually(lambda: len(served) >= target or failures, "20 more visits", 60)
    is_over.set()
    for thread in threads:
        thread.join()
    assert failures == []
    exchange(first, b"still there")
    assert is_alive(scene.pids[0])
    first.close()
    ends_well(scene)
    with listener.dial() as later:
        exchange(later, b"at the end")
    assert listener.stop() == 0
