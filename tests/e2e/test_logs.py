"""The log: one JSON object per line, with the names and in the order that dashboards expect."""

import re

import pytest

from lib.gateway import host, tcp_route
from lib.login import obtain_token
from lib.net import free_port
from lib.users import DEMO, MALLORY

AUTHORIZE = ["level", "service", "request-id", "check-request-id", "method", "path", "host", "ip", "session-id", "user",
             "email", "route-id", "allow", "allow-why-true", "deny", "deny-why-false", "time", "message"]
ACCESS = ["level", "server-name", "service", "upstream-cluster", "method", "authority", "path", "user-agent", "referer",
          "forwarded-for", "request-id", "duration", "size", "response-code", "response-code-details"]
TUNNEL = ["tunnel-id", "route-id", "session-id", "user", "email", "upstream-address", "bytes-received", "bytes-sent",
          "end-reason"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, redis):
    return make_shared_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        tcp_route("dead", free_port(), allowed_users=[DEMO.email]),
    )


def in_order(keys, wanted):
    """Those keys, in that order, whatever stands between them."""
    return [key for key in keys if key in wanted] == wanted


def use_tunnel(gateway, token):
    """A tunnel with a PING; its request id."""
    from lib.net import connect_bytes

    with gateway.open("redis") as connection:
        response = connection.ask(
            connect_bytes(f"{host('redis')}:6379", token, [("User-Agent", "test/1.0")]), has_body=False
        )
        connection.send(b"PING\r\n")
        assert connection.read_exactly(7) == b"+PONG\r\n"
        connection.close_orderly()
    return response.header("x-request-id")


def test_start(gateway):
    first = gateway.log.lines()[0]
    assert first.message == "cmd/pomerium" and first["version"]
    line = gateway.log.find("listening")[0]
    assert line["level"] == "info" and line["addr"] == f"127.0.0.1:{gateway.port}"


def test_tunnel(gateway, redis):
    token = obtain_token(gateway, "redis", DEMO)
    request_id = use_tunnel(gateway, token)

    check = gateway.log.wait("authorize check", request_id=request_id)
    assert in_order(check.keys, AUTHORIZE), check.keys
    assert check.keys[0] == "level" and check.keys[-2:] == ["time", "message"]
    assert (check["level"], check["service"], check["method"], check["path"]) == ("info", "authorize", "CONNECT", "")
    assert (check["host"], check["ip"]) == (f"{host('redis')}:6379", "127.0.0.1")
    assert check["email"] == DEMO.email and check["user"]
    assert (check["allow"], check["allow-why-true"]) == (True, ["email-ok"])
    assert (check["deny"], check["deny-why-false"]) == (False, [])

    opened = gateway.log.wait("tunnel opened", request_id=request_id)
    assert opened["email"] == DEMO.email
    assert opened["upstream-address"] == f"127.0.0.1:{redis.port}"
    assert opened["session-id"] == check["session-id"]

    access = gateway.log.wait("http-request", request_id=request_id)
    assert in_order(access.keys, ACCESS + TUNNEL + ["time", "message"]), access.keys
    assert (access["server-name"], access["service"]) == ("all", "envoy")
    assert access["upstream-cluster"].startswith("route-")
    assert (access["method"], access["path"], access["referer"]) == ("CONNECT", "", "")
    assert (access["user-agent"], access["forwarded-for"]) == ("test/1.0", "127.0.0.1")
    assert (access["response-code"], access["response-code-details"]) == (200, "via_upstream")
    assert (access["size"], access["bytes-sent"], access["bytes-received"]) == (7, 7, 6)
    assert 0 < access["duration"] < 60_000
    assert access["end-reason"] == "client-closed"
    assert TIME.fullmatch(access["time"])


@pytest.mark.parametrize("name, user, status, reason, details, allow", [
    ("redis", None, 302, "login-required", "ext_authz_denied", False),
    ("redis", MALLORY, 403, "denied", "ext_authz_denied", False),
    ("dead", DEMO, 503, "upstream-refused", "upstream_reset_before_response_started", True),
    ("unknown", DEMO, 404, "route-not-found", "route_not_found", None),
])
def test_refusals(gateway, name, user, status, reason, details, allow):
    token = obtain_token(gateway, "redis", user) if user else None
    request_id = gateway.connect(name, token=token).header("x-request-id")
    access = gateway.log.wait("http-request", request_id=request_id)
    assert (access["response-code"], access["reason"]) == (status, reason)
    assert access["response-code-details"].startswith(details)
    assert "bytes-sent" not in access.keys
    checks = gateway.log.find("authorize check", request_id=request_id)
    assert [check["allow"] for check in checks] == ([] if allow is None else [allow])


def test_why_not(gateway):
    request_id = gateway.connect("redis").header("x-request-id")
    check = gateway.log.wait("authorize check", request_id=request_id)
    assert "session-id" not in check.keys
    assert (check["user"], check["email"]) == ("", "")
    assert "user-unauthenticated" in check["allow-why-false"]


def test_secrets_are_not_logged(gateway):
    token = obtain_token(gateway, "redis", DEMO)
    use_tunnel(gateway, token)
    gateway.get("redis", f"/.pomerium/?pomerium_session={token}&x=secretquery", [("Referer", "https://x/?secretquery")])
    text = gateway.stdout_text()
    assert token not in text and token.rpartition(".")[2] not in text
    assert "secretquery" not in text
    assert DEMO.password not in text


def test_health_checks_are_not_logged_at_info(gateway):
    request_id = gateway.get("redis", "/ping").header("x-request-id")
    after = gateway.get("redis", "/").header("x-request-id")
    gateway.log.wait("http-request", request_id=after)
    assert not gateway.log.find("http-request", request_id=request_id)


def test_strange_bytes_of_a_client_stay_inside_their_string(gateway):
    from lib.net import connect_bytes

    agent = 'a"b\\c\xe9\xff</script>'
    with gateway.open("redis") as connection:
        response = connection.ask(connect_bytes(f"{host('redis')}:6379", None, [("User-Agent", agent)]))
    line = gateway.log.wait("http-request", request_id=response.header("x-request-id"))
    assert line["user-agent"].startswith('a"b\\c')


def test_every_line(gateway):
    for line in gateway.log.lines():
        assert line.keys[0] == "level", line
        assert line.keys[-2:] == ["time", "message"], line
        assert line["level"] in ("trace", "debug", "info", "warn", "error", "fatal")
        assert TIME.fullmatch(line["time"])


def test_level(make_gateway, redis):
    gateway = make_gateway(tcp_route("redis", redis.port), log_level="debug")
    request_id = gateway.get("redis", "/ping").header("x-request-id")
    assert gateway.log.wait("http-request", request_id=request_id)["level"] == "debug"


def test_form_for_people(make_gateway, redis):
    """On a terminal lines are for people; the environment can ask for that form too."""
    import subprocess

    from lib.gateway import write_config
    from lib.process import GATEWAY, environment

    path = write_config(make_gateway.directory / "people.yaml", make_gateway.config([tcp_route("redis", redis.port)]))
    with subprocess.Popen([GATEWAY, "--config", path], stdout=subprocess.PIPE, text=True,
                          env=environment(LOG_FORMAT="console", STATE_DIRECTORY=make_gateway.directory / "state")) as process:
        lines = [process.stdout.readline(), process.stdout.readline()]
        process.terminate()
        rest = process.stdout.read()
        assert process.wait(20) == 0
    assert all(re.match(r"\d+:\d\d[AP]M INF ", line) for line in lines), lines
    assert "{" not in "".join(lines) + rest
    assert any("listening" in line and "addr=127.0.0.1:" in line for line in lines)
