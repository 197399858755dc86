"""TLS sessions: resumed by whichever gateway has the secret, for as long as is said, and worth nothing but a faster handshake."""

import base64
import re
import subprocess

import pytest

from lib.client_certs import ClientAuthority, as_setting
from lib.clock import Clock
from lib.gateway import host, tcp_route, write_config
from lib.login import obtain_token
from lib.net import connect_bytes, request_bytes
from lib.operator import reload
from lib.process import environment
from lib.users import DEMO

VERSIONS = ["1.2", "1.3"]
PERIOD = 12 * 3600
OTHER_SECRET = base64.b64encode(bytes(range(64, 96))).decode()


class Client:
    """OpenSSL's own, with the session it was given last in a file."""

    def __init__(self, directory, version="1.3", issued=None):
        self.kept = directory / f"session-{version}"
        self.flags = [f"-tls{version.replace('.', '_')}"]
        if issued:
            self.flags += ["-cert", str(issued.cert_path), "-key", str(issued.key_path)]

    def ask(self, gateway, request=None, env=None, keep=True):
        """One request; whether the handshake was resumed, and the status (None: there was no answer)."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-servername", host("redis"),
                   "-CAfile", str(gateway.ca), "-ign_eof", *self.flags]
        if self.kept.exists():
            command += ["-sess_in", str(self.kept)]
        if keep:
            command += ["-sess_out", str(self.kept)]
        ping = request_bytes("GET", "/ping", host("redis"), [("Connection", "close")])
        done = subprocess.run(command, input=request or ping, capture_output=True, timeout=60, env=env)
        text = done.stdout.decode(errors="replace")
        how = re.search(r"^(New|Reused), TLSv1\.[23]", text, re.MULTILINE)
        status = re.search(r"^HTTP/1\.1 (\d{3})", text, re.MULTILINE)
        assert how, (text, done.stderr)
        return how[1] == "Reused", int(status[1]) if status else None


NEW, RESUMED = (False, 200), (True, 200)


def connect(token=None):
    """A CONNECT whose connection does not stay open, however it is answered."""
    return connect_bytes(f"{host('redis')}:6379", token, [("Connection", "close")])


@pytest.fixture
def start(make_gateway, upstream):
    def make(**settings):
        return make_gateway(tcp_route("redis", upstream.port, allowed_users=[DEMO.email]), **settings)

    return make


# ---- who resumes ----

def test_any_gateway_with_the_secret_resumes(start, tmp_path):
    """Whatever the others have done before; their workers are many as well."""
    gateways = [start(), start(workers=1)]
    client = Client(tmp_path)
    assert client.ask(gateways[0]) == NEW
    for turn in range(6):
        assert client.ask(gateways[(turn + 1) % 2]) == RESUMED


def test_one_with_another_secret_does_not(start, tmp_path):
    client = Client(tmp_path)
    assert client.ask(start()) == NEW
    other = start(shared_secret=OTHER_SECRET)
    assert client.ask(other) == NEW
    assert client.ask(other) == RESUMED


def test_after_a_restart(start, make_gateway, tmp_path):
    before = start()
    client = Client(tmp_path)
    assert client.ask(before) == NEW
    assert before.stop() == 0
    after = make_gateway.again(before)
    assert client.ask(after) == RESUMED
    assert client.ask(after) == RESUMED


def test_an_older_version_has_keys_of_the_process(start, make_gateway, tmp_path):
    """A ticket of TLS 1.2 that is recorded would open its connection to whoever learns the secret later."""
    before = start()
    client = Client(tmp_path, "1.2")
    assert client.ask(before) == NEW
    assert client.ask(before) == RESUMED
    assert reload(before)[0] == 200
    assert client.ask(before) == RESUMED
    assert before.stop() == 0
    assert client.ask(make_gateway.again(before)) == NEW


def test_a_reload_may_change_the_secret(start, make_gateway, tmp_path):
    gateway = start()
    client = Client(tmp_path)
    assert client.ask(gateway) == NEW
    assert reload(gateway)[0] == 200
    assert client.ask(gateway) == RESUMED
    config = make_gateway.config([], shared_secret=OTHER_SECRET)
    write_config(gateway.config_path, config)
    assert reload(gateway)[0] == 200
    assert client.ask(gateway) == NEW
    assert client.ask(gateway) == RESUMED


# ---- for how long ----

def test_a_ticket_ends(make_gateway, upstream, tmp_path):
    """The client lives in the same time: what it resumes it believes to be good."""
    clock = Clock(tmp_path)
    gateway = clock.start(make_gateway, tcp_route("redis", upstream.port, allowed_users=[DEMO.email]))
    env = environment(**clock.env())
    client = Client(tmp_path)
    assert client.ask(gateway, env=env) == NEW
    for _ in range(3):  # each time with a new ticket, under the key of then
        clock.leap(PERIOD - 60)
        assert client.ask(gateway, env=env) == RESUMED
    clock.leap(PERIOD + 60)
    assert client.ask(gateway, env=env) == NEW


def test_the_certificate_is_shown_again_after_a_week(make_gateway, upstream, tmp_path):
    clock = Clock(tmp_path)
    gateway = clock.start(make_gateway, tcp_route("redis", upstream.port, allowed_users=[DEMO.email]))
    env = environment(**clock.env())
    client = Client(tmp_path)
    resumed = [client.ask(gateway, env=env)[0]]
    for _ in range(16):
        clock.leap(PERIOD - 60)
        resumed.append(client.ask(gateway, env=env)[0])
    assert resumed == [False, *[True] * 14, False, True]


# ---- what it is worth ----

@pytest.mark.parametrize("version", VERSIONS)
def test_it_carries_no_login(start, tmp_path, version):
    gateway = start()
    token = obtain_token(gateway, "redis", DEMO)
    client = Client(tmp_path, version)
    ping = request_bytes("GET", "/ping", host("redis"), [("Connection", "close"), ("Authorization", f"Pomerium {token}")])
    assert client.ask(gateway, ping) == NEW
    assert client.ask(gateway, connect()) == (True, 302)
    assert client.ask(gateway, connect("not.a.token")) == (True, 401)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("enforcement, good, revoked", [("policy_with_default_deny", 302, 495), ("reject_connection", 302, None)])
def test_a_certificate_is_revoked(start, make_gateway, upstream, tmp_path, version, enforcement, good, revoked):
    """Whatever the client has kept, at this gateway and at another that knows of it first."""
    authority = ClientAuthority(tmp_path)
    laptop = authority.issue("laptop", "dns:laptop.example")
    mtls = {"ca": authority.setting, "enforcement": enforcement}
    route = tcp_route("redis", upstream.port, allowed_users=[DEMO.email])
    gateway = start(downstream_mtls=mtls)
    client = Client(tmp_path, version, laptop)
    assert client.ask(gateway, connect()) == (False, good)
    assert client.ask(gateway, connect()) == (False, good)
    mtls["crl"] = as_setting(authority.revocation_list(laptop))
    assert client.ask(start(downstream_mtls=mtls), connect(), keep=False) == (False, revoked)
    write_config(gateway.config_path, make_gateway.config([route], downstream_mtls=mtls))
    assert reload(gateway)[0] == 200
    assert client.ask(gateway, connect(), keep=False) == (False, revoked)


@pytest.mark.parametrize("version", VERSIONS)
def test_certificates_are_asked_for_later(start, make_gateway, upstream, tmp_path, version):
    """Who had to show nothing then has to now, whatever the session says."""
    authority = ClientAuthority(tmp_path)
    gateway = start()
    client = Client(tmp_path, version)
    assert client.ask(gateway) == NEW
    assert client.ask(gateway) == RESUMED
    mtls = {"ca": authority.setting, "enforcement": "reject_connection"}
    route = tcp_route("redis", upstream.port, allowed_users=[DEMO.email])
    write_config(gateway.config_path, make_gateway.config([route], downstream_mtls=mtls))
    assert reload(gateway)[0] == 200
    assert client.ask(gateway, keep=False) == (False, None)
