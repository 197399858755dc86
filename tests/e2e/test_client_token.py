"""Client certificates and keys on PKCS#11 tokens: a real token in software, a gateway that lets in nobody without."""

import os
import pathlib
import pty
import select
import stat
import subprocess
import termios

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lib.client_certs import ClientAuthority
from lib.gateway import tcp_route
from lib.process import CLIENT, Process, eventually, run
from lib.services import Upstream
from lib.token import MODULE, PIN, Token
from lib.users import DEMO

SPY = next(pathlib.Path("/usr/lib").glob("*/pkcs11-spy.so"))

KEYS = {
    "p-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return ClientAuthority(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def issued(root):
    return {kind: root.issue(kind, key=make()) for kind, make in KEYS.items()}


@pytest.fixture(scope="module")
def token(tmp_path_factory, issued):
    made = Token(tmp_path_factory.mktemp("token"))
    for number, kind in enumerate(KEYS, 1):
        made.add(issued[kind], kind, number)
    return made


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, root):
    upstream = Upstream()
    yield make_shared_gateway(
        tcp_route("echo", upstream.port, allow_public_unauthenticated_access=True),
        downstream_mtls={"ca": root.setting, "enforcement": "reject_connection"})
    upstream.stop()


@pytest.fixture
def client(gateway, make_client):
    return make_client(gateway)


def pipe(client, token, *flags, route="echo", **changes):
    """Without a terminal. The engine leaves a little memory behind when nothing is found on a token."""
    env = client.env(**token.environment, ASAN_OPTIONS="detect_leaks=0", **changes)
    arguments = client.arguments(route, listen="-", extra=flags)
    return run("setsid", "--wait", CLIENT, *arguments, stdin=b"hello", env=env)


def assert_passes(done):
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr


@pytest.mark.parametrize("kind", KEYS)
def test_certificate_and_key_of_a_token(client, token, kind):
    assert_passes(pipe(client, token, "--client-cert", token.uri(kind), "--client-key",
                       token.uri(kind, f"pin-value={PIN}")))


@pytest.mark.parametrize("transport", ["h1", "h2"])
def test_one_uri_is_enough(client, token, transport):
    assert_passes(pipe(client, token, "--client-cert", token.uri("p-256", f"pin-value={PIN}"), "--transport", transport))


def test_certificate_in_a_file_and_key_on_the_token(client, token, issued):
    assert_passes(pipe(client, token, "--client-cert", issued["rsa"].cert_path, "--client-key",
                       token.uri("rsa", f"pin-value={PIN}")))


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_pin_in_a_file_and_module_by_its_path(client, token, tmp_path, form):
    (tmp_path / "pin").write_text(PIN + "\n")
    source = form.format(tmp_path / "pin")
    assert_passes(pipe(client, token, "--client-cert", token.uri("rsa", f"pin-source={source}&module-path={MODULE}")))


def test_login_with_a_token(make_gateway, make_client, upstream, token, root):
    """The browser has no certificate, and needs none."""
    gateway = make_gateway(tcp_route("users", upstream.port, allowed_users=[DEMO.email]),
                           downstream_mtls={"ca": root.setting})
    client = make_client(gateway)
    for _ in range(2):
        assert_passes(pipe(client, token, "--client-cert", token.uri("p-256", f"pin-value={PIN}"), route="users"))
    assert client.visit_count() == 1


class Terminal:
    """A client with a terminal of its own, and the connection on standard input and output, as ssh starts it."""

    def __init__(self, client, token, *flags):
        self.master, self.slave = pty.openpty()
        command = ["setsid", "--wait", "sh", "-c", f'exec 3<>"{os.ttyname(self.slave)}" && exec "$@"', "sh", CLIENT,
                   *client.arguments("echo", listen="-", extra=flags)]
        self.process = Process("client-terminal", client.directory, command, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE,
                               env=client.env(**token.environment, ASAN_OPTIONS="detect_leaks=0"))
        self.shown = b""

    def read(self, wanted=None):
        """Until it shows what is wanted, or all that is there."""
        while wanted is None or wanted not in self.shown:
            if not select.select([self.master], [], [], 30 if wanted else 0)[0]:
                assert wanted is None, self.process.stderr_text()
                return
            self.shown += os.read(self.master, 1024)

    def answer(self, question, typed):
        """Types it, and waits for the end: the exit status, and what came through the tunnel."""
        self.read(question)
        os.write(self.master, typed)
        answer = self.process.popen.stdout.read()
        status = self.process.wait()
        self.read()
        echoes = termios.tcgetattr(self.slave)[3] & termios.ECHO
        os.close(self.slave)
        os.close(self.master)
        assert echoes, "the terminal is as it was"
        return status, answer


@pytest.mark.parametrize("typed", [PIN.encode() + b"\n", b"wrong\x15" + PIN.encode() + b"x\x7f\r"])
def test_pin_is_asked_for_on_the_terminal(client, token, typed):
    terminal = Terminal(client, token, "--client-cert", token.uri("p-256"))
    terminal.process.popen.stdin.write(b"hello")
    terminal.process.popen.stdin.close()
    assert terminal.answer(b"laptop: ", typed) == (0, b"hello"), terminal.process.stderr_text()
    assert terminal.shown.count(b"PIN") == 1 and PIN.encode() not in terminal.shown


def test_ctrl_c_at_the_question(client, token):
    terminal = Terminal(client, token, "--client-cert", token.uri("p-256"))
    assert terminal.answer(b"laptop: ", b"12\x03") == (2, b"")
    assert "nothing was typed" in terminal.process.stderr_text()


def test_nobody_there_to_ask(client, token):
    done = pipe(client, token, "--client-cert", token.uri("p-256"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "the token wants its PIN" in done.stderr and "there is no terminal to ask on" in done.stderr


@pytest.mark.parametrize("object, query, said", [
    ("p-256", "pin-value=wrong-pin", "the PIN is wrong"),
    ("p-256", "pin-value=123", "a PIN has 4 to 32 characters"),
    ("p-256", "pin-value=" + 40 * "7", "pin-value is too long for a PIN"),
    ("p-256", "pin-source=/nonexistent/pin", "pin-source: cannot open /nonexistent/pin"),
    ("p-256", "module-path=/nonexistent/module.so", "there is no PKCS#11 module /nonexistent/module.so"),
    ("p-256", f"module-path={CLIENT}", "the PKCS#11 module cannot be loaded"),
    ("absent", f"pin-value={PIN}", "the token's certificate cannot be used: no token that is here has what the URI names"),
    ("p-256;quark=1", "", "--client-cert: the pkcs11: URI has an attribute that is not known"),
])
def test_what_is_wrong_is_said(client, token, object, query, said):
    done = pipe(client, token, "--client-cert", token.uri(object, query))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert PIN not in done.stderr and "wrong-pin" not in done.stderr


def test_no_such_token_and_no_such_key(client, token, issued):
    for uri in (f"pkcs11:token=lost;object=p-256?pin-value={PIN}", token.uri("absent", f"pin-value={PIN}")):
        done = pipe(client, token, "--client-cert", issued["p-256"].cert_path, "--client-key", uri)
        assert done.returncode == 2
        assert "the token's key cannot be used: no token that is here has what the URI names" in done.stderr


def test_key_of_another_certificate(client, token):
    done = pipe(client, token, "--client-cert", token.uri("rsa"), "--client-key", token.uri("p-256", f"pin-value={PIN}"))
    assert done.returncode == 2
    assert "the private key does not belong to the certificate" in done.stderr


def test_no_engine(client, token, tmp_path):
    done = pipe(client, token, "--client-cert", token.uri("p-256"), OPENSSL_ENGINES=tmp_path)
    assert done.returncode == 2
    assert "OpenSSL has no engine for PKCS#11 here (Debian: libengine-pkcs11-openssl)" in done.stderr


def test_a_wrong_pin_is_tried_once(client, token, tmp_path):
    """Two tries more, and a card would be locked."""
    spy = tmp_path / "spy"
    done = pipe(client, token, "--client-cert",
                token.uri("p-256", f"pin-value=wrong-pin&module-path={SPY}"),
                PKCS11SPY=MODULE, PKCS11SPY_OUTPUT=spy)
    assert "the PIN is wrong" in done.stderr
    assert spy.read_text().count("C_Login\n") == 1


def test_others_do_not_see_the_pin(client, token):
    """Not in the list of processes, and not in what is kept."""
    command = [CLIENT, *client.arguments("echo", extra=["--client-cert", token.uri("p-256", f"pin-value={PIN}")])]
    process = Process("client", client.directory, command, env=client.env(**token.environment, ASAN_OPTIONS="detect_leaks=0"))
    eventually(lambda: "started tcp listener" in process.stderr_text(), "the client listens")
    with open(f"/proc/{process.pid}/cmdline") as f:
        assert "pin-value=" + "x" * len(PIN) in f.read()
    assert process.stop() == 0
    kept = [path for path in client.directory.rglob("*") if stat.S_ISREG(path.stat().st_mode)]
    assert not any(PIN.encode() in path.read_bytes() for path in kept)
