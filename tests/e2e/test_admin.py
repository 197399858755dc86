"""The operator's socket, and the commands that use it."""

import json
import os
import shutil
import stat
import subprocess

import pytest

from lib.gateway import run_gateway, tcp_route
from lib.login import obtain_token
from lib.process import environment
from lib.tokens import token_claims
from lib.users import ALICE, DEMO


@pytest.fixture
def gateway(make_gateway, upstream):
    return make_gateway({**tcp_route("redis", upstream.port, allow_any_authenticated_user=True), "name": "cache"})


def operate(gateway, *words):
    return run_gateway(*words, env=environment(STATE_DIRECTORY=gateway.state))


def ask(gateway, *words):
    done = operate(gateway, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)




def test_status_and_routes(gateway, upstream):
    status = ask(gateway, "status")
    assert (status["workers"], status["routes"], status["store"]) == (2, 1, "available")
    [route] = ask(gateway, "routes")["routes"]
    assert (route["name"], route["to"]) == ("cache", f"127.0.0.1:{upstream.port}")
    heading, row = operate(gateway, "routes").stdout.splitlines()
    assert heading.split() == ["ID", "NAME", "FROM", "TO", "TUNNELS", "DOWN"]
    assert row.index(f"127.0.0.1:{upstream.port}") == heading.index("TO")


def test_the_socket_may_be_named(gateway):
    socket = gateway.state / "admin.sock"
    assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600
    assert run_gateway("status", "--socket", socket).returncode == 0


def test_a_configured_socket_is_found_by_the_configuration(make_gateway, upstream, tmp_path):
    gateway = make_gateway(tcp_route("redis", upstream.port), admin_socket=str(tmp_path / "op.sock"))
    assert run_gateway("status", "--config", gateway.config_path).returncode == 0
    assert operate(gateway, "status").returncode == 1


def test_the_default_socket_needs_nothing_else_in_the_state_directory(make_gateway, upstream):
    gateway = make_gateway(tcp_route("redis", upstream.port), databroker_storage_type="memory")
    assert operate(gateway, "status").returncode == 0


def test_nobody_listens(tmp_path):
    done = run_gateway("status", "--socket", tmp_path / "no.sock")
    assert done.returncode == 1
    assert "is the gateway running? nobody listens at" in done.stderr and done.stderr.count("\n") == 1


def test_sessions_of_one_and_of_all(gateway):
    first, second, other = (obtain_token(gateway, "redis", user) for user in (DEMO, DEMO, ALICE))
    sessions = ask(gateway, "sessions", "list")["sessions"]
    ids = {token_claims(token)["jti"] for token in (first, second, other)}
    assert ids <= {session["id"] for session in sessions}
    assert ask(gateway, "sessions", "revoke", token_claims(first)["jti"])["revoked"] == 1
    assert gateway.connect("redis", token=first).status != 200
    assert gateway.connect("redis", token=second).status == 200
    assert ask(gateway, "sessions", "revoke", "--user", DEMO.email)["revoked"] >= 1
    assert gateway.connect("redis", token=second).status != 200
    assert gateway.connect("redis", token=other).status == 200
    assert operate(gateway, "sessions", "revoke", token_claims(first)["jti"]).returncode == 1


def test_a_revoked_session_takes_its_tunnels_along(gateway):
    tokens = [obtain_token(gateway, "redis", DEMO) for _ in range(2)]
    ending = [gateway.tunnel("redis", token=tokens[0]) for _ in range(5)]
    staying = gateway.tunnel("redis", token=tokens[1])
    assert len(ask(gateway, "tunnels", "list")["tunnels"]) == 6
    assert ask(gateway, "sessions", "revoke", token_claims(tokens[0])["jti"])["tunnels_closed"] == 5
    gateway.log.wait("http-request", count=5, end_reason="session-revoked")
    [left] = ask(gateway, "tunnels", "list")["tunnels"]
    assert left["session_id"] == token_claims(tokens[1])["jti"]
    for tunnel in [*ending, staying]:
        tunnel.close()


def test_tunnels_are_listed_and_closed(gateway):
    demo, alice = (obtain_token(gateway, "redis", user) for user in (DEMO, ALICE))
    tunnels = [gateway.tunnel("redis", token=token) for token in (demo, demo, alice)]
    listed = ask(gateway, "tunnels", "list")["tunnels"]
    assert sorted(tunnel["email"] for tunnel in listed) == sorted([DEMO.email, DEMO.email, ALICE.email])
    one = next(tunnel for tunnel in listed if tunnel["email"] == ALICE.email)
    assert ask(gateway, "tunnels", "close", one["id"]) == {"closed": 1}
    gateway.log.wait("http-request", end_reason="closed-by-operator", tunnel_id=one["id"])
    assert ask(gateway, "tunnels", "close", "--user", DEMO.email) == {"closed": 2}
    assert ask(gateway, "tunnels", "list") == {"tunnels": []}
    assert operate(gateway, "tunnels", "close", one["id"]).stderr == "pomerium: there is no open tunnel of that id\n"
    assert gateway.log.find("operator closed a tunnel", tunnel_id=one["id"])
    assert gateway.log.find("operator closed a user's tunnels", user=DEMO.email)
    for tunnel in tunnels:
        tunnel.close()


@pytest.mark.parametrize("words", [["sessions"], ["sessions", "revoke"], ["sessions", "revoke", "--user", ""],
                                   ["sessions", "revoke", "x", "--user", "y"], ["tunnels", "close"],
                                   ["tunnels", "shut", "x"], ["status", "x"], ["service-account", "revoke"]])
def test_command_lines_that_make_no_sense(words, tmp_path):
    done = run_gateway(*words, "--socket", tmp_path / "no.sock")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root, to be somebody else")
def test_nobody_else_may_connect(gateway):
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                           "/usr/bin/python3", "-c", code,
                           str(gateway.state / "admin.sock")], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "PermissionError" in done.stderr


def test_a_socket_that_cannot_be_made(make_gateway, upstream, tmp_path):
    config = make_gateway.config([tcp_route("redis", upstream.port)], admin_socket=str(tmp_path / "none" / "x.sock"))
    path = tmp_path / "bad.yaml"
    path.write_text(json.dumps(config))
    done = run_gateway("--config", path)
    assert done.returncode == 1 and "admin_socket: " in done.stderr
