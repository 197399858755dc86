"""As systemd runs it: it opens the sockets, and is told how the gateway fares. Here the test is systemd."""

import json
import os
import select
import signal
import socket
import sys
import urllib.request

import pytest

from lib import operator
from lib.gateway import Gateway, run_gateway, tcp_route, write_config
from lib.login import obtain_token
from lib.net import free_port
from lib.process import Process, environment, eventually
from lib.users import DEMO

# LISTEN_PID is the number of the process that it is meant for, which only that process knows before it is started.
LAUNCHER = """
import os, sys
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[1], LISTEN_FDNAMES=sys.argv[2])
for number in range(int(sys.argv[1])):
    os.dup2(100 + number, 3 + number)
    os.close(100 + number)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Manager:
    """The socket that is told, and what was."""

    def __init__(self, directory, is_abstract=False):
        name = str(directory / "notify") if not is_abstract else f"\0pomerium-test-{os.getpid()}-{directory.name}"
        self.variable = name.replace("\0", "@")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(name)
        self.told = []

    def look(self, timeout=0.0):
        while select.select([self.socket], [], [], timeout)[0]:
            data, control, _, _ = self.socket.recvmsg(65536, 1024)
            pid = next((int.from_bytes(c[2][:4], sys.byteorder) for c in control), 0)
            self.told.append((pid, dict(line.split("=", 1) for line in data.decode().split("\n"))))
            timeout = 0.0
        return self.told

    def wait(self, what, timeout=20, **fields):
        def find():
            self.look(0.05)
            return [m for _, m in self.told if all(m.get(k) == v for k, v in fields.items())]

        return eventually(find, lambda: f"{what}; told: {self.told}", timeout)

    def close(self):
        self.socket.close()


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.close()


@pytest.fixture
def start(make_gateway, manager, upstream):
    def start(env=None, **settings):
        return make_gateway(tcp_route("redis", upstream.port, allowed_users=[DEMO.email]),
                            env={"NOTIFY_SOCKET": manager.variable, **(env or {})}, **settings)

    return start


# ---- what it is told ----

def test_the_life_of_a_service(start, manager):
    gateway = start(drain_timeout="1h")
    ready = manager.wait("ready", READY="1")[0]
    assert ready["STATUS"] == f"Serving 1 routes at 127.0.0.1:{gateway.port}"
    tunnel = gateway.tunnel("redis", token=obtain_token(gateway, "redis", DEMO))
    assert operator.reload(gateway)[0] == 200
    reloading = manager.wait("reloading", RELOADING="1")[0]
    assert int(reloading["MONOTONIC_USEC"]) > 0
    manager.wait("ready again", READY="1")
    eventually(lambda: manager.look() and "READY" in manager.told[-1][1], "the last word is ready")
    gateway.popen.send_signal(signal.SIGTERM)
    stopping = manager.wait("stopping", STOPPING="1")[0]
    assert "1 tunnels" in stopping["STATUS"]
    tunnel.close()
    assert gateway.stop() == 0
    assert {pid for pid, _ in manager.look()} == {gateway.pid}


def test_a_bad_configuration_is_a_reload_as_well(start, manager):
    gateway = start()
    gateway.config_path.write_text("routes: nonsense")
    assert operator.reload(gateway)[0] == 422
    manager.wait("reloading", RELOADING="1")
    eventually(lambda: manager.look() and "READY" in manager.told[-1][1], "it is ready as it was")


def test_an_abstract_name(make_gateway, upstream, tmp_path):
    manager = Manager(tmp_path, is_abstract=True)
    make_gateway(tcp_route("redis", upstream.port), env={"NOTIFY_SOCKET": manager.variable})
    manager.wait("ready", READY="1")
    manager.close()


def test_it_can_be_silent(start, manager):
    gateway = start(health_check_systemd_disabled=True)
    assert gateway.is_serving()
    assert operator.reload(gateway)[0] == 200
    assert gateway.stop() == 0
    assert manager.look() == []


def test_nothing_is_told_before_it_serves(manager, tmp_path, make_gateway):
    path = write_config(tmp_path / "bad.yaml", make_gateway.config([{"from": "nonsense"}]))
    done = run_gateway("--config", path, env=environment(STATE_DIRECTORY=tmp_path, NOTIFY_SOCKET=manager.variable))
    assert done.returncode == 1
    assert manager.look() == []


def test_nobody_listens_at_the_socket(make_gateway, upstream, tmp_path):
    gateway = make_gateway(tcp_route("redis", upstream.port), env={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert gateway.is_serving()


def test_the_watchdog(start, manager):
    """It is fed while all is well; not while the process stands still."""
    gateway = start(env={"WATCHDOG_USEC": "400000"})

    def fed():
        return len([m for _, m in manager.look() if "WATCHDOG" in m])

    eventually(lambda: fed() >= 3, "it is fed")
    gateway.popen.send_signal(signal.SIGSTOP)
    count = eventually(lambda: stands_still(gateway.pid) and fed() + 1, "it stands still") - 1
    select.select([manager.socket], [], [], 1.0)
    assert fed() == count
    gateway.popen.send_signal(signal.SIGCONT)
    eventually(lambda: fed() > count, "it is fed again")


def stands_still(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0] == "T"


def test_the_watchdog_of_another_process(start, manager):
    start(env={"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    manager.wait("ready", READY="1")
    select.select([manager.socket], [], [], 0.5)
    assert not [m for _, m in manager.look() if "WATCHDOG" in m]


def test_an_upgrade_names_the_new_process(start, manager):
    gateway = start(env={"WATCHDOG_USEC": "400000"})
    code, answer = operator.ask(gateway, "POST", "/upgrade")
    assert code == 200
    handed = manager.wait("the new process", MAINPID=str(answer["pid"]))[0]
    assert handed["READY"] == "1"
    assert gateway.popen.wait(20) == 0
    gateway.forget()
    told = len(manager.look())
    eventually(lambda: [pid for pid, m in manager.look()[told:] if "WATCHDOG" in m] , "the new one feeds the watchdog")
    assert {pid for pid, m in manager.told[told:]} == {answer["pid"]}
    os.kill(answer["pid"], signal.SIGTERM)
    eventually(lambda: not os.path.exists(f"/proc/{answer['pid']}/fd/0"), "it ends")


# ---- sockets ----

def listening_socket(port=0):
    return socket.create_server(("127.0.0.1", port), backlog=1024)


class Activated(Gateway):
    def __init__(self, path, ca, sockets, names):
        self.sockets = sockets
        fds = [s.fileno() for s in sockets]

        def place():
            for number, fd in enumerate(fds):
                os.dup2(fd, 100 + number)

        self.place = place
        self.names = names
        super().__init__(path, ca)

    def start_process(self, name, directory, command, env, preexec):
        Process.__init__(self, name, directory,
                         [sys.executable, "-c", LAUNCHER, str(len(self.sockets)), self.names, *command],
                         env=env, preexec=self.place, close_fds=False)


@pytest.fixture
def activate(make_gateway, upstream, authority, tmp_path):
    def activate(sockets, names="", **settings):
        path = tmp_path / f"activated{len(make_gateway.started)}.yaml"
        routes = [tcp_route("redis", upstream.port, allowed_users=[DEMO.email])]
        write_config(path, make_gateway.config(routes, **settings))
        try:
            gateway = Activated(path, authority.ca, sockets, names)
        finally:
            for s in sockets:
                s.close()
        make_gateway.started.append(gateway)
        return gateway

    return activate


@pytest.mark.parametrize("workers", [1, 3])
def test_the_given_socket_serves(activate, workers):
    """Also those who came before the gateway was there, and whatever `address` says."""
    given = listening_socket()
    port = given.getsockname()[1]
    early = socket.create_connection(("127.0.0.1", port))
    gateway = activate([given], workers=workers, address=f"127.0.0.1:{free_port()}")
    assert gateway.port == port
    warning = gateway.log.wait("the socket of the service manager serves instead of what is configured")
    assert warning["setting"] == "address" and warning["given"] == f"127.0.0.1:{port}"
    token = obtain_token(gateway, "redis", DEMO)
    tunnels = [gateway.tunnel("redis", token=token) for _ in range(30)]
    for tunnel in tunnels:
        tunnel.send(b"hello")
    for tunnel in tunnels:
        assert tunnel.read_exactly(5) == b"hello"
        tunnel.close()
    early.close()


def test_the_right_address_is_no_warning(activate):
    given = listening_socket()
    port = given.getsockname()[1]
    gateway = activate([given], address=f"127.0.0.1:{port}")
    assert gateway.is_serving()
    assert not gateway.log.find("the socket of the service manager serves instead of what is configured")


def test_sockets_with_names(activate):
    main, health, redirect = listening_socket(), listening_socket(), listening_socket()
    health_port, redirect_port = health.getsockname()[1], redirect.getsockname()[1]
    gateway = activate([health, main, redirect], "health:pomerium.socket:redirect",
                       http_redirect_addr=f"127.0.0.1:{redirect_port}")
    assert gateway.is_serving()
    with urllib.request.urlopen(f"http://127.0.0.1:{health_port}/readyz", timeout=10) as answer:
        assert answer.status == 200
    with socket.create_connection(("127.0.0.1", redirect_port), timeout=10) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: redis.demo.localhost\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 301 ")


def test_a_socket_that_nobody_wants(activate):
    gateway = activate([listening_socket(), listening_socket()], "main:redirect")
    line = gateway.log.wait("a socket of the service manager is not used: "
                            "without the setting there is nothing to serve there")
    assert line["setting"] == "http_redirect_addr"
    assert gateway.is_serving()


def test_two_for_one_purpose(activate):
    with pytest.raises(AssertionError, match="gives 2 sockets for the main address"):
        activate([listening_socket(), listening_socket()], "a:b")


@pytest.mark.parametrize("make, words", [
    (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "is no listening TCP socket"),
    (lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM), "is no listening TCP socket"),
])
def test_what_is_no_listening_socket(activate, make, words):
    with pytest.raises(AssertionError, match=words):
        activate([make()])


def test_sockets_of_somebody_else(make_gateway, upstream):
    """LISTEN_PID says another process: they are not looked at."""
    gateway = make_gateway(tcp_route("redis", upstream.port), env={"LISTEN_PID": "1", "LISTEN_FDS": "7"})
    assert gateway.is_serving()


def test_activated_and_upgraded(activate):
    """The next process has the same socket, and it goes on to serve instead of `address`."""
    given = listening_socket()
    gateway = activate([given], workers=3, address=f"127.0.0.1:{free_port()}", drain_timeout="1h")
    token = obtain_token(gateway, "redis", DEMO)
    tunnel = gateway.tunnel("redis", token=token)
    code, answer = operator.ask(gateway, "POST", "/upgrade")
    assert code == 200, answer
    for _ in range(30):
        assert gateway.connect("redis", token=token).status == 200
    assert operator.status(gateway)["pid"] == answer["pid"]
    tunnel.send(b"goes on")
    assert tunnel.read_exactly(7) == b"goes on"
    tunnel.close()
    assert gateway.popen.wait(20) == 0
    gateway.forget()
    assert gateway.is_serving()
    os.kill(answer["pid"], signal.SIGTERM)
    eventually(lambda: not os.path.exists(f"/proc/{answer['pid']}/fd/0"), "it ends")


def test_a_new_address_is_not_for_us(activate):
    gateway = activate([listening_socket()], address="127.0.0.1:1")
    config = json.loads(gateway.config_path.read_text())
    config["address"] = f"127.0.0.1:{free_port()}"
    write_config(gateway.config_path, config)
    assert operator.reload(gateway)[0] == 200
    gateway.log.wait("address has changed: the socket of the service manager serves on")
    assert gateway.is_serving()
