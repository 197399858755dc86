"""The audit file: the records of tunnels alone, none of them lost; and the fields an operator asks for."""

import json
import os
import signal
import stat
import subprocess

import pytest

from lib.gateway import host, tcp_route
from lib.login import obtain_token
from lib.net import connect_bytes
from lib.process import eventually
from lib.users import DEMO, MALLORY


def records(path):
    """The last line may have been written in part."""
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def wait_for_records(path, count):
    return eventually(lambda: len(records(path)) >= count and records(path), f"{count} records in {path}")


def use_tunnel(gateway, token):
    with gateway.tunnel("redis", token=token) as tunnel:
        tunnel.send(b"PING\r\n")
        assert tunnel.read_exactly(7) == b"+PONG\r\n"


@pytest.fixture
def audit_file(tmp_path):
    return tmp_path / "audit.log"


@pytest.fixture
def start(make_gateway, redis, audit_file):
    def start(**settings):
        return make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
                            **{"audit_log_file": str(audit_file), **settings})

    return start


def test_the_records_of_a_tunnel(start, audit_file):
    gateway = start()
    token = obtain_token(gateway, "redis", DEMO)
    use_tunnel(gateway, token)
    check, opened, request = wait_for_records(audit_file, 3)
    assert [check["message"], opened["message"], request["message"]] == ["authorize check", "tunnel opened", "http-request"]
    assert check["allow"] and check["email"] == DEMO.email
    assert opened["tunnel-id"] == request["tunnel-id"] == check["request-id"]
    assert (request["bytes-received"], request["bytes-sent"]) == (6, 7)
    assert stat.S_IMODE(os.stat(audit_file).st_mode) == 0o600
    assert token not in audit_file.read_text()


def test_a_refusal_is_a_record(start, audit_file):
    gateway = start()
    assert gateway.connect("redis", token=obtain_token(gateway, "redis", MALLORY)).status == 403
    check, request = wait_for_records(audit_file, 2)
    assert not check["allow"] and request["reason"] == "denied"
    gateway.get("redis", "/ping")
    gateway.get("redis", "/.pomerium/")
    assert len(records(audit_file)) == 2  # requests of our own pages are no tunnels


def test_rotation(start, audit_file):
    gateway = start()
    token = obtain_token(gateway, "redis", DEMO)
    use_tunnel(gateway, token)
    wait_for_records(audit_file, 3)
    old = audit_file.rename(audit_file.with_suffix(".1"))
    use_tunnel(gateway, token)
    wait_for_records(old, 6)
    gateway.popen.send_signal(signal.SIGHUP)
    eventually(lambda: gateway.log.find("configuration reloaded"), "the file is opened anew")
    use_tunnel(gateway, token)
    eventually(lambda: len(records(old)) + len(records(audit_file)) == 9, "three records of each of three tunnels")
    assert len(records(audit_file)) >= 3


def test_a_file_that_cannot_be_opened_is_told(start, tmp_path):
    gateway = start()
    config = json.loads(gateway.config_path.read_text())
    config["audit_log_file"] = str(tmp_path / "no" / "such" / "audit.log")
    gateway.config_path.write_text(json.dumps(config))
    problem = eventually(lambda: gateway.log.find("configuration rejected: the one before stays in force"), "the new file is refused")
    assert "audit_log_file: opening" in problem[0].text


@pytest.fixture
def small_disk(tmp_path):
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def test_a_full_disk_loses_nothing(start, small_disk):
    path = small_disk / "audit.log"
    ballast = small_disk / "ballast"
    gateway = start(audit_log_file=str(path))
    token = obtain_token(gateway, "redis", DEMO)
    ballast.write_bytes(bytes(60 * 1024))
    for _ in range(20):
        use_tunnel(gateway, token)
    eventually(lambda: gateway.log.find("the audit file cannot be written: records are kept and tried again"),
               "the log says that the disk is full")
    ballast.unlink()
    assert len(wait_for_records(path, 60)) == 60
    gateway.log.wait("the audit file can be written again")


# ---- fields ----

def test_chosen_fields(start):
    gateway = start(access_log_fields=["response-code", "headers.x-trace", "method", "headers.authorization"],
                    authorize_log_fields=["user", "headers.X-Trace"])
    token = obtain_token(gateway, "redis", DEMO)
    with gateway.open("redis") as connection:
        request = connect_bytes(f"{host('redis')}:6379", token, [("x-trace", "t-1")])
        assert connection.ask(request, has_body=False).status == 200
    lines = eventually(lambda: [line for line in gateway.log.find("http-request") if line.get("method") == "CONNECT"],
                       "the request is logged")
    names = lines[0].keys
    assert names.index("response-code") < names.index("headers.x-trace") < names.index("method")
    assert lines[0]["headers.x-trace"] == "t-1"
    assert lines[0]["headers.authorization"] == "[redacted]"
    assert "user-agent" not in names and "path" not in names
    check = [line for line in gateway.log.find("authorize check") if line.get("headers.X-Trace")]
    assert check[0]["headers.X-Trace"] == "t-1" and "email" not in check[0].keys
    assert token not in gateway.stdout_text()


def test_no_access_lines(start):
    gateway = start(proxy_log_level="error")
    use_tunnel(gateway, obtain_token(gateway, "redis", DEMO))
    gateway.log.wait("tunnel opened")
    gateway.stop()
    assert not gateway.log.find("http-request")
