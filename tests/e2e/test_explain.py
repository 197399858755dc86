"""pomerium validate and pomerium explain: what a configuration means, without a gateway."""

import json
import pathlib

import pytest

from lib.client_certs import ClientAuthority
from lib.gateway import run_gateway, tcp_route, write_config
from lib.users import ALICE, DEMO

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
POLICY = EXAMPLES / "policy.yaml"
DATABASE = "db.corp.example.com:5432"
NOON = "2026-03-04T11:00:00Z"
NIGHT = "2026-03-04T22:00:00Z"


def explain(*arguments, config=POLICY):
    return run_gateway("explain", "--config", config, *arguments)


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_examples_are_good(example, tmp_path, authority):
    done = run_gateway("validate", "--config", example)
    # What examples refer to is not on this machine; nothing else may be wrong.
    assert done.returncode == 0 or "No such file" in done.stderr, done.stderr


def test_validate_changes_nothing(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("routes: []\n")
    done = run_gateway("validate", "--config", path, env={"STATE_DIRECTORY": str(tmp_path / "state"), "PATH": "/bin"})
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: good\n", "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.yaml"]


def test_warnings_are_no_errors(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("adress: ':1'\nroutes:\n"
                    "- {from: 'tcp+https://a.test:1', to: 'tcp://b.test:1', policy: {allow: {or: [{user: 7}]}}}\n")
    done = run_gateway("validate", "--config", path)
    assert done.returncode == 0
    assert f"warning: {path}:1:1: " in done.stderr and "did you mean address?" in done.stderr
    assert f"warning: {path}:3:85: routes[0].policy.allow.or[0].user: 7 is not a text and equals none" in done.stderr
    assert done.stdout == f"{path}: good, 2 warnings\n"


def test_every_error_is_told_at_once(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("log_level: loud\nroutes:\n"
                    "- {from: 'tcp+https://a.test:1', to: 'tcp://b.test:1', policy: {allow: {or: [{mail: x}]}}}\n"
                    "- {from: 'tcp+https://b.test:1', to: 'nonsense'}\n")
    done = run_gateway("validate", "--config", path)
    assert done.returncode == 1 and not done.stdout
    for place in ("1:12: ", "3:79: ", "4:"):
        assert f"{path}:{place}" in done.stderr
    assert f"pomerium: {path}: 3 errors, 0 warnings\n" in done.stderr


@pytest.mark.parametrize("user, at, source, status, says", [
    ("alice@example.com", NOON, "192.0.2.7", 0, "allowed by policy[0].allow"),
    ("alice@example.com", NIGHT, "192.0.2.7", 0, "allowed by policy[1].allow"),
    ("bob@example.com", NIGHT, "192.0.2.7", 4, "denied: nothing allows it"),
    ("bob@example.com", NOON, "192.0.2.200", 4, "denied by policy[2].deny"),
    ("bob@example.com", NOON, "2001:db8:bad::1", 4, "denied by policy[2].deny"),
    ("carol@agency.example", "2027-03-04T12:00:00+01:00", "192.0.2.7", 4, "denied by policy[3].deny"),
    ("nobody@example.com", NOON, "192.0.2.7", 4, "denied: nothing allows it"),
])
def test_the_example(user, at, source, status, says):
    done = explain("--user", user, "--at", at, "--source-ip", source, DATABASE)
    assert done.returncode == status, done.stderr
    assert f"decision     {says}\n" in done.stdout


def test_nobody_has_to_log_in():
    done = explain(DATABASE)
    assert done.returncode == 4
    assert "decision     has to log in first\n" in done.stdout


def test_groups_and_claims_are_taken_as_given():
    assert explain("--user", "x", "--group", "dba", "--group", "oncall", "--at", NIGHT, DATABASE).returncode == 0
    assert explain("--user", "x", "--group", "dba", "--at", NIGHT, DATABASE).returncode == 4
    artifacts = "artifacts.corp.example.com:8443"
    assert explain("--user", "x", "--claim", "department=engineering", artifacts).returncode == 0
    assert explain("--user", "x", "--claim", "department=sales", artifacts).returncode == 4
    assert explain("--user", "x", "--claim", "department=a", "--claim", "department=engineering", artifacts).returncode == 0
    # whom his network lets in needs no login
    assert explain("--source-ip", "10.0.7.1", artifacts).returncode == 0


@pytest.mark.parametrize("destination", [
    DATABASE, f"tcp+https://{DATABASE}", f"tcp+https://gateway.example.com/{DATABASE}", DATABASE.upper(),
])
def test_forms_of_a_destination(destination):
    assert explain("--user", "alice@example.com", "--at", NOON, destination).returncode == 0


@pytest.mark.parametrize("arguments, status, says", [
    (["other.example.com:1"], 5, "no route is called other.example.com:1"),
    (["db.corp.example.com"], 2, "is not a destination"),
    ([], 2, "the destination is missing"),
    (["--at", "noon", DATABASE], 2, "--at takes"),
    (["--source-ip", "10.0.0.0/8", DATABASE], 2, "--source-ip takes"),
    (["--user", "x", "--claim", "y", DATABASE], 2, "--claim takes NAME=VALUE"),
    (["--group", "y", DATABASE], 2, "--user is missing"),
    (["--user", "x", *["--group", "y"] * 65, DATABASE], 2, "more than 64 times"),
])
def test_other_endings(arguments, status, says):
    done = explain(*arguments)
    assert done.returncode == status and says in done.stderr and not done.stdout


def test_bad_configuration(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("routes: [{from: 'tcp+https://a.test:1', to: 'tcp://b.test:1', policy: {allow: {or: [{x: 1}]}}}]\n")
    done = explain("a.test:1", config=path)
    assert done.returncode == 1 and ": \"x\" is not a criterion" in done.stderr


def test_json(make_gateway, tmp_path):
    route = tcp_route("redis", 1, allowed_users=[ALICE.email],
                      policy={"allow": {"or": [{"groups": "ops@example.com"}]}})
    route["name"] = "Redis"
    path = write_config(tmp_path / "config.yaml", make_gateway.config([route]))
    done = explain("--user", DEMO.email, "--json", "redis.demo.localhost:6379", config=path)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["outcome"], found["rule"], found["route"]["name"]) == ("allow", "policy.allow", "Redis")
    assert (found["allow"], found["allow_reasons"], found["deny"]) == (True, ["groups-ok"], False)
    assert "valid_until" not in found
    assert [(step["kind"], step["name"], step["holds"]) for step in found["steps"]] == [
        ("rule", "allowed_users", False), ("operator", "or", False),
        ("criterion", "user", False), ("criterion", "email", False),
        ("rule", "policy.allow", True), ("operator", "or", True), ("criterion", "groups", True),
    ]
    assert found["steps"][-1]["operand"] == '"ops@example.com"'
    assert found["steps"][-1]["file"] == str(path)


def test_client_certificates(make_gateway, tmp_path):
    """Judged as of the time given, with everything the configuration says of them."""
    ours, theirs = ClientAuthority(tmp_path), ClientAuthority(tmp_path, "stranger")
    good, stranger = ours.issue("good", "dns:laptop.example"), theirs.issue("bad", "dns:laptop.example")
    route = tcp_route("redis", 1, policy={"allow": {"or": [{"client_certificate": {"san_dns": "laptop.example"}}]}})
    config = make_gateway.config([route], downstream_mtls={"ca": ours.setting})
    path = write_config(tmp_path / "config.yaml", config)

    def ask(*arguments):
        done = explain("redis.demo.localhost:6379", "--json", *arguments, config=path)
        found = json.loads(done.stdout)
        return done.returncode, found["rule"], found["deny_reasons"][0]

    required, invalid = "client-certificate-required", "invalid-client-certificate"
    assert ask() == (4, "downstream_mtls", required)
    assert ask("--client-cert", stranger.cert_path) == (4, "downstream_mtls", invalid)
    assert ask("--client-cert", good.cert_path) == (0, "policy.allow", "valid-client-certificate")
    assert ask("--client-cert", good.cert_path, "--at", "2099-01-01") == (4, "downstream_mtls", invalid)
    text = explain("redis.demo.localhost:6379", "--client-cert", good.cert_path, config=path).stdout
    assert "certificate  CN=good, valid\n" in text
    found = json.loads(explain("redis.demo.localhost:6379", "--json", "--client-cert", good.cert_path, config=path).stdout)
    assert 0 <= found["valid_until"] - good.certificate.not_valid_after_utc.timestamp() <= 1
    assert explain(DATABASE, "--client-cert", path).returncode == 1
