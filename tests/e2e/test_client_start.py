"""What a process of the client leaves behind for the next one: a TLS session, which costs the gateway no full handshake."""

import threading

import pytest

from lib.gateway import host, tcp_route
from lib.net import free_port
from lib.process import eventually
from test_metrics import scrape


class Counted:
    def __init__(self, make_gateway, redis):
        self.metrics_port = free_port()
        self.gateway = make_gateway(
            tcp_route("redis", redis.port, allow_any_authenticated_user=True),
            metrics_address=f"127.0.0.1:{self.metrics_port}",
        )

    def resumed(self):
        return sum(
            value for (name, labels), value in scrape(self.metrics_port).samples.items()
            if name == "pomerium_handshakes_total" and ("resumed", "true") in labels
        )

    def resumes(self, action):
        """How many handshakes of an action were resumed."""
        before = self.resumed()
        action()
        return self.resumed() - before


@pytest.fixture
def counted(make_gateway, redis):
    return Counted(make_gateway, redis)


def ping(client, *flags):
    done = client.pipe("redis", b"PING\r\nQUIT\r\n", extra=flags)
    assert done.stdout.startswith("+PONG"), done.stderr


def sessions(client):
    directory = client.cache / "pomerium-cli" / "tls"
    return sorted(directory.iterdir()) if directory.exists() else []


@pytest.mark.parametrize("transport", ["h1", "h2"])
def test_next_process_resumes(counted, make_client, transport):
    client = make_client(counted.gateway)
    ping(client)
    for _ in range(3):
        assert counted.resumes(lambda: ping(client, "--transport", transport)) == 1
    for path in sessions(client):
        assert path.stat().st_mode & 0o7777 == 0o600
    assert sessions(client)[0].parent.stat().st_mode & 0o7777 == 0o700


def test_not_for_who_checks_nothing(counted, make_client, tmp_path):
    """Nothing that was not verified is kept, and nothing that was is used."""
    client = make_client(counted.gateway)
    ping(client)
    kept = sessions(client)
    assert counted.resumes(lambda: ping(client, "--disable-tls-verification")) == 0
    assert sessions(client) == kept


def test_not_with_other_trust(counted, make_client):
    """Who does not trust the gateway's issuer must not get by with the session of somebody who did."""
    client = make_client(counted.gateway)
    ping(client)
    done = client.run("check", f"{host('redis')}:6379", "--pomerium-url", counted.gateway.url("redis"))
    assert done.returncode == 6 and "not trusted" in done.stdout


def test_spoiled_session(counted, make_client):
    client = make_client(counted.gateway)
    for content in (b"", b"\0" * 100, b"x" * 100000):
        ping(client)
        for path in sessions(client):
            path.write_bytes(content)
        ping(client)


def test_many_at_once(counted, make_client):
    """Of processes that start together one gets the session; all work."""
    client = make_client(counted.gateway)
    ping(client)
    threads = [threading.Thread(target=ping, args=(client,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(sessions(client)) <= 4, "nothing is left behind")
    assert counted.resumes(lambda: ping(client)) == 1


def test_forgotten(counted, make_client):
    client = make_client(counted.gateway)
    ping(client)
    assert sessions(client)
    done = client.run("logout", counted.gateway.url("redis"), "--alternate-ca-path", counted.gateway.ca)
    assert done.returncode == 0, done.stderr
    assert sessions(client) == []
    ping(client)
    assert sessions(client)
    assert client.run("cache", "clear").returncode == 0
    assert sessions(client) == []
