"""pomerium-cli connect: several tunnels of one program, kept open."""

import json
import signal
import socket

import pytest

from lib.gateway import host, tcp_route
from lib.net import free_port
from lib.process import CLIENT, Process, eventually
from lib.users import DEMO, MALLORY


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(
        {**tcp_route("redis", redis.port, allowed_users=[DEMO.email]), "name": "cache"},
        tcp_route("second", redis.port, allowed_users=[DEMO.email]),
        tcp_route("mallory", redis.port, allowed_users=[MALLORY.email]),
        tcp_route("dead", free_port(), allowed_users=[DEMO.email]),
    )


@pytest.fixture
def client(gateway, make_client):
    return make_client(gateway)


def arguments(client, *words):
    return ["connect", "--alternate-ca-path", str(client.gateway.ca), "--browser-cmd", str(client.browser),
            "--pomerium-url", client.gateway.url("redis"), *words]


class Connect(Process):
    def __init__(self, client, *words):
        super().__init__("connect", client.directory, [CLIENT, *arguments(client, *words)], env=client.env())

    def table(self):
        def lines():
            assert self.popen.poll() is None, f"it ended:\n{self.stderr_text()}"
            return self.stdout_text().splitlines()[1:]

        rows = eventually(lines, lambda: f"there is a table; it said:\n{self.stderr_text()}")
        return {destination: address for address, destination in (row.split() for row in rows)}


def ask(address, data=b"PING\r\nQUIT\r\n"):
    name, _, port = address.rpartition(":")
    with socket.create_connection((name, int(port)), 30) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def write_tunnels(client, tunnels):
    directory = client.directory / ".config" / "pomerium-cli"
    directory.mkdir(parents=True)
    (directory / "tunnels.yaml").write_text(json.dumps(tunnels))


def test_named_routes_with_one_login(client):
    connect = Connect(client, "cache", host("second") + ":6379")
    table = connect.table()
    assert list(table) == [f"{host('redis')}:6379", f"{host('second')}:6379"]
    for address in table.values():
        assert address.startswith("127.0.0.1:")
        assert ask(address) == b"+PONG\r\n+OK\r\n"
        assert ask(address) == b"+PONG\r\n+OK\r\n"
    assert client.visit_count() == 1
    connect.stop()
    assert connect.popen.returncode == 0


def test_all(client):
    connect = Connect(client, "--all")
    table = connect.table()
    assert list(table) == [f"{host(name)}:6379" for name in ("redis", "second", "dead")]
    assert len(set(table.values())) == 3
    assert ask(table[f"{host('redis')}:6379"]) == b"+PONG\r\n+OK\r\n"
    connect.stop()


def test_tunnels_file(client):
    port = free_port()
    write_tunnels(client, [
        {"name": "mine", "destination": f"{host('redis')}:6379", "listen": f"127.0.0.1:{port}"},
        {"name": "path", "destination": f"{host('second')}:6379", "listen": f"unix:{client.directory}/socket"},
    ])
    connect = Connect(client, "--all")
    table = connect.table()
    assert table == {f"{host('redis')}:6379": f"127.0.0.1:{port}",
                     f"{host('second')}:6379": f"unix:{client.directory}/socket"}
    assert ask(f"127.0.0.1:{port}") == b"+PONG\r\n+OK\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{client.directory}/socket")
        connection.sendall(b"PING\r\nQUIT\r\n")
        assert connection.recv(5) == b"+PONG"
    assert client.visit_count() == 1
    connect.stop()


@pytest.mark.parametrize("words, status, sentence", [
    ([], 2, "use --all"),
    (["cache", "--all"], 2, "use --all"),
    (["nothing-like-it"], 5, "no route called nothing-like-it"),
    (["mallory"], 5, "no route called mallory"),
])
def test_refusals(client, words, status, sentence):
    result = client.run(*arguments(client, *words))
    assert result.returncode == status and result.stdout == ""
    assert sentence in result.stderr


@pytest.mark.parametrize("tunnels, sentence", [
    ([{"name": "a"}], "tunnels.yaml:1:2: a tunnel needs"),
    ([{"name": "a", "destination": "no-port"}], "a: invalid destination"),
    ([{"name": "a", "destination": "a:1", "listen": "nonsense"}], "a: "),
])
def test_mistakes_in_the_file(client, tunnels, sentence):
    write_tunnels(client, tunnels)
    result = client.run(*arguments(client, "--all"))
    assert result.returncode in (1, 2) and result.stdout == ""
    assert sentence in result.stderr


def test_a_connection_waits_for_a_gateway_that_is_away(client, gateway, make_gateway):
    connect = Connect(client, "cache")
    address = connect.table()[f"{host('redis')}:6379"]
    assert ask(address) == b"+PONG\r\n+OK\r\n"
    config = json.loads(gateway.config_path.read_text())
    config["address"] = f"127.0.0.1:{gateway.port}"
    gateway.stop()

    name, _, port = address.rpartition(":")
    with socket.create_connection((name, int(port)), 60) as connection:
        connection.sendall(b"PING\r\nQUIT\r\n")
        eventually(lambda: "trying again" in connect.stderr_text(), lambda: connect.stderr_text())
        gateway.config_path.write_text(json.dumps(config))
        make_gateway.again(gateway)
        answer = b""
        while piece := connection.recv(100):
            answer += piece
    assert answer == b"+PONG\r\n+OK\r\n"
    assert client.visit_count() == 1
    connect.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_login_ends_it(client, number):
    words = ["--browser-cmd", "/bin/true"]
    connect = Connect(client, "cache", *words)
    eventually(lambda: "to visit" in connect.stderr_text(), lambda: connect.stderr_text())
    connect.popen.send_signal(number)
    assert connect.popen.wait(20) == 1
    assert connect.stdout_text() == "" and "no list of routes" not in connect.stderr_text()
    connect.stop()
