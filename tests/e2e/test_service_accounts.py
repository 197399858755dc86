"""Accounts of programs: made by an operator, used by an unmodified client, ended by an operator."""

import json
import time

import pytest

from lib.accounts import ROBOT, create_account, operate
from lib.gateway import tcp_route
from lib.process import eventually
from lib.tokens import token_claims


@pytest.fixture
def gateway(make_gateway, upstream):
    return make_gateway(
        tcp_route("redis", upstream.port, allowed_users=["ci@example.com"]),
        tcp_route("groups", upstream.port, allowed_groups=["builders"]),
    )


def accounts(gateway):
    return json.loads(operate(gateway, "service-account", "list", "--json").stdout)["service_accounts"]


def test_made_used_and_revoked(gateway, make_client):
    made = create_account(gateway, "--email", "ci@example.com", "--groups", "a,b", "--description", "nightly builds")
    assert token_claims(made["token"]).keys() == {"iat", "jti", "nbf", "sub"}
    assert token_claims(made["token"])["sub"] == ROBOT
    [account] = accounts(gateway)
    assert (account["id"], account["groups"], account["expires"]) == (made["id"], ["a", "b"], 0)
    assert "token" not in account

    client = make_client(gateway).listen("redis", browser=False, extra=["--service-account", made["token"]])
    with client.dial() as connection:
        gateway.log.wait("tunnel opened")
        assert gateway.log.find("authorize check", allow=True)[0]["service-account-id"] == made["id"]
        revoked = operate(gateway, "service-account", "revoke", made["id"])
        assert (revoked.returncode, revoked.stdout) == (0, "service accounts revoked: 1, tunnels closed: 1\n")
        connection.settimeout(10)
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass
    gateway.log.wait("http-request", end_reason="session-revoked")
    assert gateway.log.find("operator revoked a service account", service_account_id=made["id"])
    assert gateway.connect("redis", token=made["token"]).status in (302, 401, 403)
    assert accounts(gateway) == []
    client.stop()


def test_groups_count_in_policies(gateway):
    token = create_account(gateway, "--groups", "builders")["token"]
    gateway.tunnel("groups", token=token).close()
    assert gateway.connect("redis", token=token).status == 403


def test_ends_by_itself(gateway):
    made = create_account(gateway, "--email", "ci@example.com", "--expires", "2s")
    claims = token_claims(made["token"])
    assert claims["exp"] == claims["iat"] + 2
    eventually(lambda: time.time() > claims["exp"], "it is over")
    assert gateway.connect("redis", token=made["token"]).status in (302, 401, 403)


def test_only_the_token_is_on_standard_output(gateway):
    done = operate(gateway, "service-account", "create", "--user", ROBOT, "--expires", "90d")
    claims = token_claims(done.stdout.strip())
    assert claims["exp"] - claims["iat"] == 90 * 24 * 3600
    assert done.stdout.strip() not in gateway.stdout_text()


@pytest.mark.parametrize("flags", [[], ["--user", ""], ["--user", "x", "--expires", "soon"],
                                   ["--user", "x", "--expires", "-1d"], ["--user", "x", "--expires", "1y"]])
def test_what_makes_no_sense(gateway, flags):
    done = operate(gateway, "service-account", "create", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert accounts(gateway) == []


def test_unknown_account(gateway):
    done = operate(gateway, "service-account", "revoke", "no-such")
    assert (done.returncode, done.stderr) == (1, "pomerium: there is no service account of that id\n")
