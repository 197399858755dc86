"""`pomerium-cli check` in set-ups that are broken in one layer each: it names that layer, and its exit status says it, too."""

import json
import signal
import socket
import ssl
import threading

import pytest

from lib.certs import Authority
from lib.gateway import host, tcp_route
from lib.net import free_port
from lib.process import CLIENT, Process, environment, eventually, run
from lib.services import Upstream
from lib.upstreams import Full
from lib.users import ALICE, DEMO

STEPS = ["proxy", "name", "address", "tls", "gateway", "route", "login", "policy", "upstream"]


class Checked:
    def __init__(self, done):
        self.status = done.returncode
        self.report = json.loads(done.stdout)
        self.stderr = done.stderr

    @property
    def failed(self):
        return self.report["failed"]

    @property
    def last(self):
        return self.report["steps"][-1]["text"]

    def text(self, step):
        return next(row["text"] for row in self.report["steps"] if row["step"] == step)

    def expect(self, step, status, *words):
        steps = [row["step"] for row in self.report["steps"]]
        assert (self.failed, self.status) == (step, status), self.report
        assert steps == STEPS[:STEPS.index(step) + 1], self.report
        assert [row["ok"] for row in self.report["steps"]] == [True] * (len(steps) - 1) + [False]
        for word in words:
            assert word in self.last, self.report


@pytest.fixture
def check(tmp_path, authority):
    def ask(url, destination=f"{host('redis')}:6379", *flags, ca=authority.ca, env=None):
        flags = [*flags, *(["--alternate-ca-path", ca] if ca else [])]
        return Checked(run(
            CLIENT, "check", destination, "--pomerium-url", url, "--json", *flags, timeout=60,
            env=environment(XDG_CACHE_HOME=tmp_path / "none", HOME=tmp_path, **(env or {})),
        ))

    return ask


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(
        tcp_route("redis", redis.port, allow_any_authenticated_user=True),
        tcp_route("down", free_port(), allow_any_authenticated_user=True),
        tcp_route("mine", redis.port, policy=[{"allow": {"or": [{"email": {"is": ALICE.email}}]}}]),
    )


def as_user(client, gateway, name="redis"):
    """After a login."""
    done = client.run("check", f"{host(name)}:6379", "--pomerium-url", gateway.url("redis"), "--json",
                      "--alternate-ca-path", gateway.ca)
    return Checked(done)


def log_in(client):
    assert client.pipe("redis", b"PING\r\nQUIT\r\n").stdout.startswith("+PONG")


class TlsServer(Upstream):
    """Speaks TLS with a certificate, and then whatever it is told to."""

    def __init__(self, certificate, answer=b"HTTP/1.1 404 Not Found\r\nServer: Apache\r\nContent-Length: 0\r\n\r\n"):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.answer = answer
        super().__init__(self._serve)

    def _serve(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(4096)
                tls.sendall(self.answer)
        except (ssl.SSLError, OSError):
            pass


@pytest.fixture
def serve_tls():
    servers = []

    def serve(*arguments):
        servers.append(TlsServer(*arguments))
        return f"https://{host('redis')}:{servers[-1].port}"

    yield serve
    for server in servers:
        server.stop()


def test_no_such_name(check):
    check("https://gateway.invalid").expect("name", 6, "gateway.invalid")


def test_refused(check):
    check(f"https://{host('redis')}:{free_port()}").expect("address", 6, "refused")


def test_filtered(check):
    with Full() as full:
        check(f"https://127.0.0.1:{full.port}").expect("address", 6)


def test_not_tls(check):
    banner = Upstream(lambda connection: connection.sendall(b"220 mail.example.com ESMTP\r\n"))
    try:
        check(f"https://{host('redis')}:{banner.port}").expect("tls", 6, "does not speak TLS")
    finally:
        banner.stop()


def test_unknown_issuer(check, serve_tls, tmp_path):
    stranger = Authority(tmp_path, "Corp Inspection CA")
    url = serve_tls(stranger.issue("fake", host("redis")))
    check(url).expect("tls", 6, "not trusted", f"subject: CN={host('redis')}", "issuer: CN=Corp Inspection CA",
                      "--alternate-ca-path")


def test_another_name(check, serve_tls, authority):
    check(serve_tls(authority.issue("other", "other.example"))).expect("tls", 6, "other.example")


def test_expired(check, serve_tls, authority):
    url = serve_tls(authority.issue("old", host("redis"), age_days=40))
    check(url).expect("tls", 6, "expired", "clock")


def test_not_yet_valid(check, serve_tls, authority):
    url = serve_tls(authority.issue("young", host("redis"), age_days=-2))
    check(url).expect("tls", 6, "is not valid before", "clock")


def test_not_a_gateway(check, serve_tls, certificate):
    check(serve_tls(certificate)).expect("gateway", 6, "is no gateway", "404", "Apache")


def test_garbage_instead_of_a_gateway(check, serve_tls, certificate):
    check(serve_tls(certificate, b"SSH-2.0-OpenSSH\r\n\r\n")).expect("gateway", 6)


def test_closes_after_the_handshake(check, serve_tls, certificate):
    check(serve_tls(certificate, b"")).expect("gateway", 6, "was cut")


def test_no_route(check, gateway):
    check(gateway.url("redis"), f"{host('nothing')}:1").expect("route", 5, "no route")


def test_not_logged_in(check, gateway):
    checked = check(gateway.url("redis"))
    checked.expect("login", 3, "not logged in", f"pomerium-cli login {gateway.url('redis')}")
    assert "TLSv1.3" in checked.text("tls") and "CN=test CA" in checked.text("tls")


def test_bad_service_account(check, gateway):
    check(gateway.url("redis"), f"{host('redis')}:6379", "--service-account", "sesame.sesame.sesame").expect("login", 3)


def test_denied(gateway, make_client):
    client = make_client(gateway)
    log_in(client)
    as_user(client, gateway, "mine").expect("policy", 4, DEMO.email)


def test_upstream_down(gateway, make_client):
    client = make_client(gateway)
    log_in(client)
    as_user(client, gateway, "down").expect("upstream", 6, host("down"))


def test_all_is_well(gateway, make_client):
    client = make_client(gateway)
    log_in(client)
    checked = as_user(client, gateway)
    assert (checked.status, checked.failed) == (0, "")
    assert [row["step"] for row in checked.report["steps"]] == STEPS
    assert DEMO.email in checked.text("login")
    assert client.visit_count() == 1


def test_text_for_people(gateway, make_client):
    client = make_client(gateway)
    done = client.run("check", f"{host('redis')}:6379", "--pomerium-url", gateway.url("redis"),
                      "--alternate-ca-path", gateway.ca)
    lines = done.stdout.splitlines()
    assert done.returncode == 3
    assert [line.split()[:2] for line in lines] == [["ok", step] for step in STEPS[:6]] + [["FAILED", "login"]]


def test_interrupted(make_client, gateway):
    """A signal in the middle ends it at once and in good order."""
    client = make_client(gateway)
    silent = socket.create_server(("127.0.0.1", 0))
    accepted = []
    threading.Thread(target=lambda: accepted.append(silent.accept()), daemon=True).start()
    process = Process("client-check", client.directory,
                      [CLIENT, "check", f"{host('redis')}:6379", "--pomerium-url",
                       f"https://{host('redis')}:{silent.getsockname()[1]}"], env=client.env())
    eventually(lambda: accepted, "the client has connected")
    assert process.stop(signal.SIGINT) == 1
    silent.close()
    accepted[0][0].close()


def test_proxy_is_named(check, gateway):
    port = free_port()
    checked = check(gateway.url("redis"), f"{host('redis')}:6379", "--proxy", f"http://ada:sesame@127.0.0.1:{port}")
    checked.expect("proxy", 6, f"http://127.0.0.1:{port}", "refused")
    assert "sesame" not in checked.last + checked.stderr
