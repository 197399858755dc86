"""A configuration or a machine that does not allow to start: sentences that say what and where, and status 1."""

import base64
import json
import os
import re
import socket

import pytest

from lib.gateway import Gateway, run_gateway, tcp_route
from lib.net import connect_bytes

ROUTE = tcp_route("redis", 6379)

MANUAL = """\
policy:
  - from: tcp+https://redis.corp.example.com:6379
    to: tcp://redis.internal.example.com:6379
    allowed_users:
      - contractor@not-example.com
    allowed_groups:
      - datascience@example.com
"""


@pytest.fixture
def config(make_gateway):
    """A good configuration as a dictionary, to be made wrong."""
    return make_gateway.config([dict(ROUTE)])


@pytest.fixture
def start(tmp_path):
    """Starts a gateway that must not start; returns its complaint."""

    def start(config, name="config.yaml"):
        path = tmp_path / name
        path.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
        done = run_gateway("--config", path)
        assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
        return complaint_of(done)

    return start


def complaint_of(done):
    text = done.stderr or done.stdout
    assert text.strip(), "it says nothing"
    assert len(text.splitlines()) <= 12, text
    assert "Sanitizer" not in text
    return text


BAD_SETTINGS = {
    "shared_secret": ("c2hvcnQ=", "32"),
    "cookie_secret": ("no base64!", "base64"),
    "address": ("127.0.0.1:99999", "address"),
    "cookie_expire": ("14x", "duration"),
    "log_level": ("loud", "log_level"),
    "idp_provider": ("unknown", "idp_provider"),
    "routes": ("none", "routes"),
    "authenticate_service_url": ("login.example.com", "authenticate_service_url"),
    "services": ("proxy", "only all"),
    "codec_type": ("http3", "not supported"),
    "dns_lookup_family": ("v4_only", "V4_ONLY"),
    "downstream_mtls": ({"ca_file": "/nonexistent"}, "o such file"),
    "http_redirect_addr": ("here", "address"),
    "metrics_basic_auth": ("alice:secret", "base64"),
    "audit_overflow": ("perhaps", "block, drop"),
    "max_tunnels": (0, "at least 1"),
    "drain_timeout": ("-1s", "negative"),
}


@pytest.mark.parametrize("key", BAD_SETTINGS)
def test_a_bad_setting_is_named_with_its_place(start, config, key):
    value, words = BAD_SETTINGS[key]
    config[key] = value
    text = start(config)
    assert re.search(r"config\.yaml:\d+:\d+: ", text), text
    assert key in text and words in text


BAD_ROUTES = [
    {"from": "tcp+https://redis.demo.localhost:6379"},
    {"to": "tcp://127.0.0.1:1"},
    {"from": "redis.demo.localhost:6379", "to": "tcp://127.0.0.1:1"},
    {"from": "tcp+https://redis.demo.localhost:99999", "to": "tcp://127.0.0.1:1"},
    {"from": "tcp+https://redis.demo.localhost:6379", "to": "tcp://127.0.0.1:0"},
    {"from": "tcp+https://redis.demo.localhost:6379", "to": "127.0.0.1:1"},
    {"from": "tcp+https://redis.demo.localhost:6379", "to": ["tcp://127.0.0.1:1", "http://127.0.0.1:2"]},
    {"from": "tcp+https://gateway.demo.localhost/*.demo.localhost:6379", "to": "tcp://127.0.0.1:1"},
    {"from": "tcp+https://redis.demo.localhost:6379", "to": ["tcp://127.0.0.1:1,2", "tcp://127.0.0.1:2"]},
    {**ROUTE, "allow_any_authenticated_user": "perhaps"},
    {**ROUTE, "allowed_users": {"a": "b"}},
    {**ROUTE, "policy": "allow: everybody"},
    {**ROUTE, "idle_timeout": "1d"},
    {**ROUTE, "load_balancing_policy": "fair"},
    {**ROUTE, "tls_client_cert_file": "/nonexistent"},
    {**ROUTE, "tls_downstream_client_ca_file": "/nonexistent"},
    {**ROUTE, "health_checks": [{"interval": "5s"}]},
]


@pytest.mark.parametrize("route", BAD_ROUTES, ids=lambda route: str(list(route.values()))[:60])
def test_a_bad_route(start, config, route):
    config["routes"] = [dict(ROUTE), route]
    text = start(config)
    assert "routes[1]" in text
    assert re.search(r"config\.yaml:\d+:\d+: ", text), text


def test_all_errors_at_once(start, config):
    config.update(cookie_expire="x", log_level="loud", shared_secret="short")
    text = start(config)
    for key in ("cookie_expire", "log_level", "shared_secret"):
        assert key in text


@pytest.mark.parametrize("text", ["a: [", "\t- x", "just text", "- a\n- b\n", "a: b: c\n", "\0\0\0", "a: &a *a\n"])
def test_what_is_no_configuration(start, text):
    assert "config.yaml" in start(text)


def test_secrets_are_not_in_the_complaint(start, config):
    config["cookie_expire"] = "x"
    secret = config["shared_secret"]
    hashes = [user["password_hash"] for user in config["local_users"]]
    text = start(config)
    assert secret not in text and not any(one in text for one in hashes)


def test_a_missing_file(tmp_path):
    done = run_gateway("--config", tmp_path / "nowhere.yaml")
    text = complaint_of(done)
    assert done.returncode == 1
    assert "nowhere.yaml" in text and "o such file" in text
    assert len(text.splitlines()) == 1


def test_a_directory(tmp_path):
    done = run_gateway("--config", tmp_path)
    assert done.returncode == 1
    assert str(tmp_path) in complaint_of(done)


def test_a_huge_file(tmp_path):
    """Refused for its size, not read."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as f:
        f.truncate(100 << 20)
    text = complaint_of(run_gateway("--config", path))
    assert "huge.yaml" in text and "larger than" in text
    assert len(text.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path):
    path = tmp_path / "closed.yaml"
    path.write_text("{}")
    path.chmod(0)
    assert "ermission denied" in complaint_of(run_gateway("--config", path))


HOSTILE = {
    "laughs": "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [" + ", ".join([f"*{chr(97 + i)}"] * 10) + "]\n" for i in range(20)
    ),
    "deep": "a: " + "[" * 100000,
    "deep mappings": "".join(" " * i + "a:\n" for i in range(2000)),
    "not UTF-8": b"address: \xff\xfe\n",
    "NUL": b"address: a\0b\n",
    "escaped NUL": 'address: "a\\0b"\n',
    "a byte order mark of another kind": "address: :443\n".encode("utf-16"),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = run_gateway("--config", path)
    assert done.returncode == 1
    assert "config.yaml:" in complaint_of(done)


def test_a_key_twice_in_json(start):
    assert "already there" in start('{"address": ":1",\n "address": ":2"}', "config.json")


@pytest.mark.parametrize("before, newline", [("", "\r\n"), ("\ufeff", "\n")], ids=["CRLF", "BOM"])
def test_text_of_other_editors(tmp_path, config, authority, before, newline):
    path = tmp_path / "config.yaml"
    path.write_bytes((before + json.dumps(config, indent=1).replace("\n", newline)).encode())
    gateway = Gateway(path, authority.ca)
    assert gateway.is_serving()
    assert gateway.stop() == 0


def test_another_extension(start, config):
    assert "config.txt" in start(config, "config.txt")


@pytest.mark.parametrize("which, words", [("key", "key"), ("cert", "cert")])
def test_a_missing_certificate_or_key(start, config, tmp_path, which, words):
    config["certificates"][0][which] = str(tmp_path / f"no-{words}.pem")
    text = start(config)
    assert f"no-{words}.pem" in text and "o such file" in text


def test_a_key_that_is_none(start, config, tmp_path):
    path = tmp_path / "broken.key"
    path.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    config["certificates"][0]["key"] = str(path)
    assert "key" in start(config)


def test_the_key_of_another_certificate(start, config, authority):
    config["certificates"][0]["key"] = str(authority.issue("other", "other.localhost")[1])
    text = start(config)
    assert "belong" in text


BROKEN_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
BROKEN_KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
BROKEN_LIST = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
CHAINED = {**ROUTE, "to": "https://127.0.0.1:1"}


def encoded(pem):
    return base64.b64encode(pem.encode()).decode()


def unusable(name, path, authority):
    """Settings that look well until something is made of them, and the value of them that is to blame."""
    good = base64.b64encode(authority.ca.read_bytes()).decode()
    files = [str(path / "broken.pem"), str(path / "broken.key")]
    route = {"tls_client_cert_file": files[0], "tls_client_key_file": files[1]}
    return {
        "signing_key": ({"signing_key": BROKEN_KEY}, BROKEN_KEY),
        "downstream_mtls.ca": ({"downstream_mtls": {"ca": encoded(BROKEN_CERTIFICATE)}}, encoded(BROKEN_CERTIFICATE)),
        "downstream_mtls.crl": ({"downstream_mtls": {"ca": good, "crl": encoded(BROKEN_LIST)}}, encoded(BROKEN_LIST)),
        "certificate_authority": ({"certificate_authority_file": files[0], "routes": [CHAINED]}, files[0]),
        "certificate_file": ({"certificate_file": files[0], "certificate_key_file": files[1]}, files[0]),
        "metrics_certificate_file": (
            {"metrics_certificate_file": files[0], "metrics_certificate_key_file": files[1]}, files[0]),
        "tls_client_cert": ({"routes": [{**CHAINED, **route}]}, files[0]),
        "routes[0]: trusted certificates": ({"routes": [{**CHAINED, "tls_custom_ca_file": files[0]}]}, files[0]),
        "routes[0].tls_downstream_client_ca": (
            {"routes": [{**ROUTE, "tls_downstream_client_ca": encoded(BROKEN_CERTIFICATE)}]},
            encoded(BROKEN_CERTIFICATE)),
    }[name]


@pytest.mark.parametrize("name", [
    "signing_key", "downstream_mtls.ca", "downstream_mtls.crl", "certificate_authority", "certificate_file",
    "metrics_certificate_file", "tls_client_cert", "routes[0]: trusted certificates",
    "routes[0].tls_downstream_client_ca",
])
def test_what_only_its_use_shows(start, config, tmp_path, authority, name):
    """One complaint, at the line and the column of the value; and the same from `validate`."""
    (tmp_path / "broken.pem").write_text(BROKEN_CERTIFICATE)
    (tmp_path / "broken.key").write_text(BROKEN_KEY)
    settings, value = unusable(name, tmp_path, authority)
    config.update(settings)
    before = json.dumps(config, indent=1).split(json.dumps(value))[0]
    place = f"config.yaml:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: "
    text = start(config)
    assert place in text and name in text.split(place)[1].splitlines()[0], (place, text)
    done = run_gateway("validate", "--config", tmp_path / "config.yaml")
    assert done.returncode == 1
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "config.yaml:" in line and " error" not in line]
    assert len(lines) == 1 and place in lines[0], (place, lines)


def test_an_unreadable_key(start, config, tmp_path):
    """Root may read everything: then a key that is a directory stands for one that cannot be read."""
    path = tmp_path / "unreadable.key"
    path.mkdir()
    config["certificates"][0]["key"] = str(path)
    assert "unreadable.key" in start(config)


def test_an_occupied_port(start, config):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config["address"] = f"127.0.0.1:{port}"
        text = start(config)
    assert f"127.0.0.1:{port}" in text and "in use" in text
    assert len(text.splitlines()) == 1


def test_the_port_of_another_gateway(start, config, make_gateway):
    """Although both could share it by the kernel's rules. The first one is not disturbed."""
    first = make_gateway(dict(ROUTE))
    config["address"] = f"127.0.0.1:{first.port}"
    assert "in use" in start(config)
    assert first.is_serving()


def test_an_address_of_another_machine(start, config):
    config["address"] = "192.0.2.1:443"
    assert "192.0.2.1:443" in start(config)


@pytest.mark.parametrize("arguments", [["--bogus"], ["--config"], ["bogus"], ["--config", "a.yaml", "b.yaml"]])
def test_wrong_arguments(arguments):
    done = run_gateway(*arguments)
    assert done.returncode not in (0, None) and done.returncode > 0
    assert len((done.stderr or done.stdout).splitlines()) <= 12


def test_known_but_unsupported_and_unknown_keys_are_warnings(make_gateway):
    gateway = make_gateway(
        {**ROUTE, "outlier_detection": {"interval": "1s"}, "pass_identity_headers": True, "bogus_route_key": 1},
        debug_address="127.0.0.1:1", bogus_key={"a": [1]},
    )
    text = gateway.stdout_text() + gateway.stderr_text()
    for key in ("debug_address", "outlier_detection", "bogus_key", "bogus_route_key"):
        assert key in text
    assert "pass_identity_headers" not in text  # without effect on a TCP route, and accepted
    assert gateway.is_serving()


def test_a_removed_key_is_an_error(start, config):
    config["client_ca"] = "x"
    assert "client_ca" in start(config)


def test_the_example_of_the_manual(tmp_path, make_gateway, authority):
    """As it stands, only completed by what any gateway needs."""
    path = tmp_path / "manual.yaml"
    rest = {key: value for key, value in make_gateway.config([]).items() if key != "routes"}
    path.write_text(MANUAL + "".join(f"{key}: {json.dumps(value)}\n" for key, value in rest.items()))
    gateway = Gateway(path, authority.ca)
    with gateway.open("x") as connection:
        assert connection.ask(connect_bytes("redis.corp.example.com:6379")).status == 302
    assert gateway.stop() == 0
