"""A real Redis behind the gateway, reached through pomerium-cli after a login."""

import subprocess

import pytest

from lib.gateway import tcp_route
from lib.services import redis_cli
from lib.users import DEMO


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]))


def test_set_and_get_through_a_listening_port(gateway, make_client, redis):
    client = make_client(gateway).listen("redis")
    assert redis_cli(client.port, "set", "greeting", "hello") == "OK"
    assert redis_cli(client.port, "get", "greeting") == "hello"
    assert redis_cli(redis.port, "get", "greeting") == "hello"
    assert client.stop() == 0


def test_second_start_uses_the_kept_login(gateway, make_client):
    client = make_client(gateway)
    for _ in range(2):
        assert client.pipe("redis", b"PING\r\nQUIT\r\n").stdout == "+PONG\r\n+OK\r\n"
    assert client.visit_count() == 1


def test_a_megabyte_value_comes_back_unchanged(gateway, make_client):
    client = make_client(gateway).listen("redis")
    value = bytes(range(256)) * 4096
    stored = subprocess.run(["redis-cli", "-p", str(client.port), "-x", "set", "blob"], input=value,
                            capture_output=True, timeout=60)
    assert stored.stdout.strip() == b"OK"
    read = subprocess.run(["redis-cli", "-p", str(client.port), "--raw", "get", "blob"], capture_output=True,
                          timeout=60)
    assert read.stdout == value + b"\n"


def test_a_pipeline_of_many_commands(gateway, make_client):
    client = make_client(gateway)
    answer = client.pipe("redis", b"INCR many\r\n" * 5000 + b"DEL many\r\nQUIT\r\n").stdout
    assert answer == "".join(f":{n}\r\n" for n in range(1, 5001)) + ":1\r\n+OK\r\n"
