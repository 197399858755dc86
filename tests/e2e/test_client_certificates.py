"""Client certificates: who is asked for one, and what it is worth on which route."""

import pathlib
import re
import ssl
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from lib.client_certs import (
    SERVER, ClientAuthority, Issued, as_setting, is_refused_in_handshake, now, open_with, pem, seconds)
from lib.gateway import Gateway, host, tcp_route
from lib.login import obtain_token
from lib.net import connect_bytes, request_bytes, tls_context
from lib.process import eventually
from lib.services import Upstream
from lib.users import DEMO

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = [{"dns": r"laptop-\d+\.example"}, {"email": r".*@example\.com"}]
DEFAULT = "policy_with_default_deny"
POLICY = "policy"
REJECT = "reject_connection"


class Pki:
    def __init__(self, directory):
        self.root = ClientAuthority(directory)
        self.middle = ClientAuthority(directory, "middle CA", issuer=self.root)
        self.stranger = ClientAuthority(directory, "stranger CA")
        self.routes = ClientAuthority(directory, "route CA")
        good = ("dns:laptop-7.example",)
        self.shown = {
            "none": None,
            "good": self.root.issue("good", *good),
            "other-name": self.root.issue("other-name", "email:ada@example.com", "dns:x.example"),
            "untrusted": self.stranger.issue("untrusted", *good),
            "expired": self.root.issue("expired", *good, begins=-7200, lasts=-60),
            "not-yet-valid": self.root.issue("early", *good, begins=3600, lasts=7200),
            "revoked": self.root.issue("revoked", *good),
            "too-deep": self.middle.issue("deep", *good, chain=[self.middle]),
            "wrong-purpose": self.root.issue("server", *good, purpose=SERVER),
            "name-not-allowed": self.root.issue("stray", "dns:laptop-7.example.evil", "email:ada@example.org"),
            "of-the-route": self.routes.issue("route", *good),
        }
        self.crl = self.root.revocation_list(self.shown["revoked"])

    def settings(self, enforcement=None, **changes):
        mtls = {"ca": self.root.setting, "crl": as_setting(self.crl), "match_subject_alt_names": NAMES}
        if enforcement:
            mtls["enforcement"] = enforcement
        mtls.update(changes)
        return {"downstream_mtls": {key: value for key, value in mtls.items() if value is not None}}


GOOD = {"good", "other-name"}
BAD = ["untrusted", "expired", "not-yet-valid", "revoked", "too-deep", "wrong-purpose", "name-not-allowed"]
SHOWN = ["none", *sorted(GOOD), *BAD]


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def echo():
    upstream = Upstream()
    yield upstream
    upstream.stop()


def routes_for(echo, pki):
    good = pki.shown["good"]
    return [
        tcp_route("public", echo.port, allow_public_unauthenticated_access=True),
        tcp_route("users", echo.port, allowed_users=[DEMO.email]),
        tcp_route("own", echo.port, allow_public_unauthenticated_access=True,
                  tls_downstream_client_ca=pki.routes.setting),
        tcp_route("pinned", echo.port, policy=[{"allow": {"and": [
            {"client_certificate": {"fingerprint": good.fingerprint}}]}}]),
        tcp_route("key", echo.port, policy=[{"allow": {"and": [
            {"client_certificate": {"spki_hash": good.spki_hash}}]}}]),
        tcp_route("mail", echo.port, policy=[{"allow": {"and": [
            {"client_certificate": {"san_email": {"ends_with": "@example.com"}}}]}}]),
        tcp_route("dns", echo.port, policy=[{"allow": {"and": [
            {"client_certificate": {"san_dns": "laptop-7.example"}}]}}]),
        tcp_route("explicit", echo.port, policy=[
            {"deny": {"or": [{"invalid_client_certificate": True}]}}, {"allow": {"or": [{"accept": True}]}}]),
    ]


@pytest.fixture(scope="module")
def gateways(make_shared_gateway, echo, pki):
    return {mode: make_shared_gateway(*routes_for(echo, pki), **pki.settings(mode))
            for mode in (DEFAULT, POLICY, REJECT)}


def ask(gateway, name, issued, token=None):
    with open_with(gateway, name, issued) as connection:
        return connection.ask(connect_bytes(f"{host(name)}:6379", token))


def ping(connection):
    return connection.ask(request_bytes("GET", "/ping", host("public")))


# ---- the three modes ----

@pytest.mark.parametrize("shown", SHOWN)
def test_by_default_every_route_denies_what_is_not_good(gateways, pki, shown):
    gateway = gateways[DEFAULT]
    response = ask(gateway, "public", pki.shown[shown])
    if shown in GOOD:
        assert response.status == 200
        return
    assert (response.status, response.header("x-pomerium-reason")) == (495, "client-certificate-required")
    reason = "client-certificate-required" if shown == "none" else "invalid-client-certificate"
    line = gateway.log.wait("authorize check", request_id=response.header("x-request-id"))
    assert reason in line["deny-why-true"]
    assert line.get("client-certificate-problem") == (None if shown == "none" else shown)


@pytest.mark.parametrize("shown", SHOWN)
def test_only_the_policy_decides(gateways, pki, shown):
    issued = pki.shown[shown]
    assert ask(gateways[POLICY], "public", issued).status == 200
    assert ask(gateways[POLICY], "explicit", issued).status == (200 if shown in GOOD else 495)


@pytest.mark.parametrize("shown", [*SHOWN, "of-the-route"])
def test_the_handshake_fails(gateways, pki, shown):
    gateway = gateways[REJECT]
    issued = pki.shown[shown]
    is_good = shown in GOOD or shown == "of-the-route"
    assert is_refused_in_handshake(gateway, "public", issued) == (not is_good)
    if is_good:
        assert ask(gateway, "public", issued).status == (200 if shown in GOOD else 495)


@pytest.mark.parametrize("shown, why", [
    ("none", "the client showed no certificate"),
    ("expired", "the client's certificate is not accepted: certificate has expired"),
    ("revoked", "the client's certificate is not accepted: certificate revoked"),
    ("untrusted", "the client's certificate is not accepted: unable to get local issuer certificate"),
    ("too-deep", "the client's certificate is not accepted: certificate chain too long"),
])
def test_the_log_says_why_a_handshake_failed(gateways, pki, shown, why):
    gateway, issued = gateways[REJECT], pki.shown[shown]
    assert is_refused_in_handshake(gateway, "public", issued)
    line = gateway.log.wait("listener connection failure", downstream_transport_failure_reason=why)
    assert line["tls-sni-hostname"] == host("public") and line["ip"] == "127.0.0.1"
    assert line.get("client-certificate") == (issued and issued.fingerprint)


def test_it_is_refused_before_the_login(gateways, pki):
    """A client without certificate gets no redirect; one with it does."""
    gateway = gateways[DEFAULT]
    assert ask(gateway, "users", None).status == 495
    assert ask(gateway, "users", pki.shown["expired"]).status == 495
    assert ask(gateway, "users", pki.shown["good"]).status == 302
    token = obtain_token(gateway, "users", DEMO)  # our own URLs ask for none
    assert ask(gateway, "users", None, token).status == 495
    assert ask(gateway, "users", pki.shown["good"], token).status == 200
    assert gateway.get("users", "/ping").status == 200


# ---- routes ----

@pytest.mark.parametrize("mode", [DEFAULT, POLICY])
def test_a_route_with_a_ca_of_its_own(gateways, pki, mode):
    gateway = gateways[mode]
    is_free = mode == POLICY
    assert ask(gateway, "own", pki.shown["of-the-route"]).status == 200
    assert ask(gateway, "own", pki.shown["good"]).status == (200 if is_free else 495)
    assert ask(gateway, "public", pki.shown["of-the-route"]).status == (200 if is_free else 495)


def test_our_own_pages_ask_for_none(gateways, pki):
    """The same connection may go on to a tunnel, with the certificate it showed at first."""
    for shown, status in (("good", 200), ("expired", 495)):
        with open_with(gateways[DEFAULT], "public", pki.shown[shown]) as connection:
            assert ping(connection).status == 200
            assert connection.ask(connect_bytes(f"{host('public')}:6379"), has_body=False).status == status


def test_only_a_route_has_a_ca(make_gateway, echo, pki):
    """The other routes have nothing to check, and all get the rule."""
    gateway = make_gateway(*routes_for(echo, pki), downstream_mtls={"match_subject_alt_names": NAMES})
    assert ask(gateway, "own", None).status == 495
    assert ask(gateway, "own", pki.shown["of-the-route"]).status == 200
    assert ask(gateway, "own", pki.shown["good"]).status == 495
    for shown in ("none", "good", "expired"):
        assert ask(gateway, "public", pki.shown[shown]).status == 200


@pytest.mark.parametrize("route, shown, status", [
    ("pinned", "good", 200), ("pinned", "other-name", 403), ("pinned", "none", 403), ("pinned", "revoked", 403),
    ("key", "good", 200), ("key", "expired", 403),
    ("mail", "other-name", 200), ("mail", "good", 403), ("mail", "name-not-allowed", 403),
    ("dns", "good", 200), ("dns", "other-name", 403), ("dns", "untrusted", 200),
])
def test_a_policy_looks_at_the_certificate(gateways, pki, route, shown, status):
    """Trust is another criterion's: under "policy" an untrusted one with the right name will do."""
    assert ask(gateways[POLICY], route, pki.shown[shown]).status == status


# ---- depth and revocation ----

def test_a_deeper_chain_where_it_is_allowed(make_gateway, echo, pki):
    gateway = make_gateway(*routes_for(echo, pki), **pki.settings(max_verify_depth=2))
    assert ask(gateway, "public", pki.shown["too-deep"]).status == 200


@pytest.mark.parametrize("mode", [DEFAULT, REJECT])
def test_how_old_a_list_is_matters_to_the_handshake_only(make_gateway, echo, pki, mode):
    crl = as_setting(pki.root.revocation_list(pki.shown["revoked"], age=2 * 86400))
    gateway = make_gateway(*routes_for(echo, pki), **pki.settings(mode, crl=crl))
    if mode == REJECT:
        assert is_refused_in_handshake(gateway, "public", pki.shown["good"])
        return
    assert ask(gateway, "public", pki.shown["good"]).status == 200
    assert ask(gateway, "public", pki.shown["revoked"]).status == 495


# ---- time ----

def test_a_tunnel_ends_with_its_certificate(make_gateway, echo, pki):
    """And the connection that showed it is of no more use; the tunnel of another one goes on."""
    gateway = make_gateway(*routes_for(echo, pki), **pki.settings())
    with open_with(gateway, "public", pki.shown["good"]) as lasting:
        assert lasting.ask(connect_bytes(f"{host('public')}:6379"), has_body=False).status == 200
        short = pki.root.issue("short", "dns:laptop-1.example", lasts=4)
        with open_with(gateway, "public", short) as idle, open_with(gateway, "public", short) as tunnel:
            assert ping(idle).status == 200
            response = tunnel.ask(connect_bytes(f"{host('public')}:6379"), has_body=False)
            assert response.status == 200
            tunnel.send(b"hello")
            assert tunnel.read_exactly(5) == b"hello"
            assert tunnel.is_at_end()
            assert short.certificate.not_valid_after_utc <= now() < short.certificate.not_valid_after_utc + seconds(2)
            assert idle.ask(connect_bytes(f"{host('public')}:6379")).status == 495
        lasting.send(b"still here")
        assert lasting.read_exactly(10) == b"still here"
    line = gateway.log.wait("http-request", request_id=response.header("x-request-id"))
    assert line["end-reason"] == "policy-denied"
    denied = gateway.log.wait("authorize check", count=1, request_id=response.header("x-request-id"), deny=True)
    assert denied["client-certificate-problem"] == "expired"


def test_revoked_while_a_tunnel_is_open(make_gateway, echo, pki, tmp_path):
    """The list is a file that is replaced; exactly the tunnels of what is on it end."""
    lists = tmp_path / "clients.crl"
    lists.write_bytes(pki.root.revocation_list())
    lost, kept = pki.root.issue("lost", "dns:laptop-2.example"), pki.shown["good"]
    gateway = make_gateway(*routes_for(echo, pki), **pki.settings(crl=None, crl_file=str(lists)))
    with open_with(gateway, "public", lost) as first, open_with(gateway, "public", kept) as second:
        for tunnel in (first, second):
            assert tunnel.ask(connect_bytes(f"{host('public')}:6379"), has_body=False).status == 200
        replacement = tmp_path / "new.crl"
        replacement.write_bytes(pki.root.revocation_list(lost))
        replacement.rename(lists)
        assert first.is_at_end()
        second.send(b"still here")
        assert second.read_exactly(10) == b"still here"
    assert gateway.log.wait("http-request", end_reason="policy-denied")
    assert ask(gateway, "public", lost).status == 495


def test_another_authority_while_tunnels_are_open(make_gateway, echo, pki, tmp_path):
    """Those of the old one end, those of a route with its own do not; whom the new one knows comes in."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pem(pki.root.own.certificate))
    gateway = make_gateway(*routes_for(echo, pki), **pki.settings(ca=None, ca_file=str(ca)))
    with open_with(gateway, "public", pki.shown["good"]) as old, \
            open_with(gateway, "own", pki.shown["of-the-route"]) as kept:
        assert old.ask(connect_bytes(f"{host('public')}:6379"), has_body=False).status == 200
        assert kept.ask(connect_bytes(f"{host('own')}:6379"), has_body=False).status == 200
        ca.write_bytes(pem(pki.stranger.own.certificate))
        assert old.is_at_end()
        kept.send(b"still here")
        assert kept.read_exactly(10) == b"still here"
    assert ask(gateway, "public", pki.shown["untrusted"]).status == 200
    assert ask(gateway, "public", pki.shown["good"]).status == 495


@pytest.mark.parametrize("text", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_broken_authority_changes_nothing(make_gateway, echo, pki, tmp_path, text):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pem(pki.root.own.certificate))
    gateway = make_gateway(*routes_for(echo, pki), **pki.settings(ca=None, ca_file=str(ca)))
    with open_with(gateway, "public", pki.shown["good"]) as tunnel:
        assert tunnel.ask(connect_bytes(f"{host('public')}:6379"), has_body=False).status == 200
        ca.write_bytes(text)
        eventually(lambda: any("downstream_mtls.ca" in line.text and line["level"] == "error"
                               for line in gateway.log.lines()), "the gateway says what is wrong")
        tunnel.send(b"still here")
        assert tunnel.read_exactly(10) == b"still here"
    assert ask(gateway, "public", pki.shown["good"]).status == 200


# ---- clients ----

def test_pomerium_cli_shows_one(gateways, make_client, pki):
    gateway = gateways[REJECT]
    done = make_client(gateway, DEMO).pipe("public", b"hello", extra=pki.shown["good"].flags())
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr
    done = make_client(gateway, DEMO).pipe("public", b"hello", extra=pki.shown["revoked"].flags())
    assert done.returncode != 0
    assert "certificate is revoked" in done.stderr
    done = make_client(gateway, DEMO).pipe("public", b"hello")
    assert done.returncode != 0
    assert "it requires a client certificate" in done.stderr


def test_a_login_with_a_certificate(gateways, make_client, pki):
    """The client shows it to the page that begins the login as well; the browser has none and needs none."""
    client = make_client(gateways[DEFAULT], DEMO)
    done = client.pipe("users", b"hello", extra=pki.shown["good"].flags())
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr
    assert client.visit_count() == 1
    done = client.pipe("users", b"hello")
    assert done.returncode == 4
    assert len(client.token_files()) == 1  # a certificate that was forgotten costs no login


def test_pomerium_cli_says_what_is_missing(gateways, make_client):
    done = make_client(gateways[DEFAULT], DEMO).pipe("public", b"hello")
    assert done.returncode == 4
    assert "A valid client certificate is needed to use public.demo.localhost:6379" in done.stderr


@pytest.mark.parametrize("shown, status", [("good", "200"), ("expired", "495"), ("none", "495")])
def test_curl_shows_one(gateways, pki, shown, status):
    gateway = gateways[DEFAULT]
    issued = pki.shown[shown]
    pair = ["--proxy-cert", issued.cert_path, "--proxy-key", issued.key_path] if issued else []
    done = subprocess.run(
        ["curl", "-sv", "--max-time", "2", "--proxytunnel", "--proxy", gateway.url("public"),
         "--resolve", f"{host('public')}:{gateway.port}:127.0.0.1", "--proxy-cacert", gateway.ca, *pair,
         f"http://{host('public')}:6379/"],
        capture_output=True, timeout=30)
    assert f"HTTP/1.1 {status} " in done.stderr.decode(), done.stderr


KEYS = {
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("kind", KEYS)
def test_kinds_of_keys(gateways, pki, kind):
    issued = pki.root.issue(kind, "dns:laptop-3.example", key=KEYS[kind]())
    for mode in (DEFAULT, REJECT):
        assert ask(gateways[mode], "public", issued).status == 200


# ---- versions and sessions ----

class Resuming:
    """A context that goes on with an earlier session."""

    def __init__(self, context, session):
        self.context = context
        self.session = session

    def wrap_socket(self, raw, server_hostname):
        return self.context.wrap_socket(raw, server_hostname=server_hostname, session=self.session)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("shown, status, is_resumed", [("good", 200, False), ("expired", 495, False), ("none", 495, True)])
def test_resumed_sessions_lose_no_certificate(gateways, pki, version, shown, status, is_resumed):
    """A session with a certificate is not resumed at all, one without is; both are what they were."""
    gateway = gateways[DEFAULT]
    issued = pki.shown[shown]
    context = issued.context(gateway.ca) if issued else tls_context(gateway.ca)
    context.minimum_version = context.maximum_version = version
    with gateway.open("public", context=context) as connection:
        assert ping(connection).status == 200
        session = connection.socket.session
    with gateway.open("public", context=Resuming(context, session)) as connection:
        assert connection.socket.session_reused == is_resumed
        assert connection.ask(connect_bytes(f"{host('public')}:6379"), has_body=False).status == status


# ---- what we tell people ----

def test_the_commands_of_the_guide(make_gateway, echo, tmp_path):
    """Makes an authority, a certificate and a revocation list as docs/client-certificates.md says."""
    text = (ROOT / "docs" / "client-certificates.md").read_text()
    make, revoke, hash_key = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)

    def shell(commands):
        done = subprocess.run(["bash", "-ec", commands.replace("/etc/pomerium/", "")], cwd=tmp_path, timeout=60,
                              capture_output=True, input=b"y\ny\n")
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    shell(make)
    shell(revoke)
    route = tcp_route("key", echo.port, policy=[{"allow": {"and": [
        {"client_certificate": {"spki_hash": shell(hash_key)}}]}}])
    shown = Issued(None, None, tmp_path / "laptop-7.pem", tmp_path / "laptop-7.key")
    mtls = {"ca_file": str(tmp_path / "clients-ca.pem")}
    assert ask(make_gateway(route, downstream_mtls=mtls), "key", shown).status == 200
    mtls["crl_file"] = str(tmp_path / "clients.crl")
    assert ask(make_gateway(route, downstream_mtls=mtls), "key", shown).status == 495


def test_the_example(make_gateway, tmp_path, authority):
    path = tmp_path / "mtls.yaml"
    path.write_text((ROOT / "examples" / "mtls.yaml").read_text().replace("address: :443", "address: 127.0.0.1:0"))
    path.chmod(0o600)
    gateway = Gateway(path, None)
    make_gateway.started.append(gateway)
    with gateway.open("db") as connection:
        response = connection.ask(connect_bytes("db.corp.example.com:5432"))
        assert (response.status, response.header("x-pomerium-reason")) == (495, "client-certificate-required")


# ---- settings ----

def test_what_is_asked_for_names_all_cas(gateways, pki):
    gateway = gateways[DEFAULT]
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-CAfile", gateway.ca],
                          input=b"", capture_output=True, timeout=30)
    assert b"CN = client CA\n" in done.stdout and b"CN = route CA\n" in done.stdout
