"""A login where there is no browser: an address and a code for another machine, or an address that is pasted."""

import os
import pty
import re
import signal
import socket
import stat
import subprocess
import threading

import pytest

from lib.device import post
from lib.gateway import host, tcp_route
from lib.login import Browser
from lib.process import CLIENT, Process, eventually
from lib.users import DEMO

QUIT = b"PING\r\nQUIT\r\n"
ANSWER = "+PONG\r\n+OK\r\n"


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]))


@pytest.fixture
def client(gateway, make_client):
    return make_client(gateway)


def start(client, name="client-headless", extra=(), stdin=QUIT, **env):
    process = Process(name, client.directory, [CLIENT, *client.arguments("redis", listen="-", browser=False, extra=extra)],
                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=client.env(**env))
    process.popen.stdin.write(stdin)
    process.popen.stdin.flush()
    return process


def address_and_code(process):
    """As a person reads them."""
    def read():
        return re.search(r"^(https://\S+/device\?\S+)$\s+.*code ([B-Z]{4}-[B-Z]{4})", process.stderr_text(), re.MULTILINE)

    found = eventually(read, lambda: f"an address and a code:\n{process.stderr_text()}")
    return found.group(1), found.group(2)


def answer(client, url, what="yes"):
    browser = Browser(client.gateway.ca)
    page = browser.log_in(url, client.user)
    assert page.status == 200, page.text[:500]
    assert "pomerium-cli on " in page.text
    page = browser.submit(page, answer=what)
    assert page.status == 200, page.text[:500]


def finish(process):
    out, _ = process.popen.communicate(timeout=60)
    status = process.popen.returncode
    process.forget()
    process.check()
    return status, out.decode()


@pytest.mark.parametrize("extra, env", [
    (["--no-browser"], {"BROWSER": "/bin/false"}),
    ([], {"BROWSER": "none", "DISPLAY": ":0"}),
    ([], {"SSH_CONNECTION": "192.0.2.1 5000 192.0.2.2 22", "DISPLAY": "localhost:10.0"}),
    ([], {}),
])
def test_device_login(client, extra, env):
    process = start(client, extra=extra, **env)
    url, code = address_and_code(process)
    assert code in url
    answer(client, url)
    assert finish(process) == (0, ANSWER)
    assert client.pipe("redis", QUIT, browser=False, env=client.env(BROWSER="none")).stdout == ANSWER


def test_no_is_3(client):
    process = start(client)
    url, _ = address_and_code(process)
    answer(client, url, "no")
    assert finish(process) == (3, "")
    assert "refused" in process.stderr_text()
    assert client.login_files() == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(client, sign):
    process = start(client)
    address_and_code(process)
    assert process.stop(sign) == 1
    assert client.login_files() == []


def test_one_code_for_several_processes(client):
    first = start(client)
    url, _ = address_and_code(first)
    others = [start(client, f"client-other{i}") for i in range(5)]
    for other in others:
        eventually(lambda: f"process {first.pid}" in other.stderr_text(), "it waits")
    answer(client, url)
    assert [finish(p) for p in [first, *others]] == [(0, ANSWER)] * 6


def test_login_command(client):
    process = Process("client-login", client.directory, [
        CLIENT, "login", client.gateway.url("redis"), "--alternate-ca-path", client.gateway.ca, "--no-browser"],
        env=client.env())
    url, _ = address_and_code(process)
    answer(client, url)
    assert process.wait() == 0
    assert f"as {DEMO.email}" in process.stderr_text()


def test_wsl(client):
    """The desktop is that of Windows."""
    tools = client.directory / "windows"
    tools.mkdir()
    tool = tools / "rundll32.exe"
    tool.write_text(f'#!/bin/sh\n[ "$1" = url.dll,FileProtocolHandler ] && [ $# = 2 ] && exec {client.browser} "$2"\nexit 1\n')
    tool.chmod(0o755)
    env = client.env(WSL_DISTRO_NAME="Debian", PATH=f"{tools}:{os.environ['PATH']}")
    done = client.pipe("redis", QUIT, browser=False, env=env)
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr
    assert client.visit_count() == 1


# ---- a gateway without device login ----

class OldGateway:
    """Passes everything to a gateway, but has no device login: speaks HTTP without TLS to the client."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            if not piece:
                return
            head += piece
        path = head.split(b" ")[1]
        if path.startswith(b"/.well-known/"):
            body = b'{"issuer":"https://old.example/"}'
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        elif path.startswith(b"/.pomerium/api/v1/login?"):
            body = self.gateway.get("redis", path.decode()).text.encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        elif b"ood.token" in head:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
        else:
            connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        connection.close()


class Terminal:
    """The client with a terminal of its own."""

    def __init__(self, client, arguments):
        self.text = b""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execve(CLIENT, [str(CLIENT), *arguments], client.env(BROWSER="none"))
        self.pid = pid

    def read(self):
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            piece = b""
        self.text += piece
        return piece

    def read_until(self, pattern):
        while True:
            found = re.search(pattern, self.text.decode(errors="replace"))
            if found:
                return found
            assert self.read(), self.text

    def type(self, line):
        os.write(self.fd, line.encode() + b"\n")

    def end(self):
        while self.read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(client, gateway):
    old = OldGateway(gateway)
    yield Terminal(client, ["tcp", f"{host('redis')}:6379", "--listen", "-", "--pomerium-url", f"http://127.0.0.1:{old.port}"])
    old.server.close()


def test_pasted_address(terminal):
    terminal.read_until("Paste that address here")
    sign_in = terminal.read_until(r"(https://\S+/\.pomerium/sign_in\?\S+)").group(1)
    redirect = re.search(r"pomerium_redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A(\d+)%2F([0-9a-f]{32})&", sign_in)
    good = f"http://127.0.0.1:{redirect.group(1)}/{redirect.group(2)}?pomerium_jwt=good.token"
    for bad in [
        "hello",
        good.replace("127.0.0.1", "evil.example"),
        good.replace("http:", "https:"),
        good.replace("127.0.0.1", "user@127.0.0.1"),
        good.replace("=good.token", "="),
        good.replace("=good.token", "=a b"),
        "http://127.0.0.1:1/?pomerium_jwt=bad",
    ]:
        terminal.text = b""
        terminal.type(bad)
        terminal.read_until("this is not the address")
    terminal.text = b""
    terminal.type(good.replace(redirect.group(2), "0" * 32))
    terminal.read_until("another login")
    terminal.type("  " + good + "&a=b ")
    terminal.read_until("hello")
    assert terminal.end() == 0


def test_ctrl_c_while_it_waits(terminal, client):
    terminal.read_until("Paste that address here")
    os.write(terminal.fd, b"\x03")
    assert terminal.end() == 1
    assert client.login_files() == []


# ---- a socket in the file system ----

def test_unix_listener(client, tmp_path):
    path = tmp_path / "socket"
    client.pipe("redis", QUIT)
    listener = Process("client-unix", client.directory, [CLIENT, *client.arguments("redis", listen=f"unix:{path}")],
                       env=client.env())
    eventually(lambda: f'"addr":"unix:{path}"' in listener.stderr_text(), "it listens")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(QUIT)
        data = b""
        while piece := connection.recv(100):
            data += piece
    assert data.decode() == ANSWER
    if os.geteuid() == 0:
        path.chmod(0o666)
        for directory in [tmp_path, *tmp_path.parents][:3]:
            directory.chmod(directory.stat().st_mode | 0o055)
        script = f"import socket; s=socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); print(s.recv(10))"
        done = subprocess.run(["python3", "-c", script], user=65534, capture_output=True, text=True)
        assert "PONG" not in done.stdout and done.stdout.strip() in ("b''", ""), done
    assert listener.stop() == 0
    assert not path.exists()


def test_listening_for_others_warns(client):
    listener = client.listen("redis", listen="0.0.0.0:0")
    assert "other machines can use the tunnel" in listener.stderr_text()
    assert "other machines" not in client.listen("redis").stderr_text()


def test_too_many_codes(client, gateway):
    """The gateway says when it is too much, and the client says so."""
    while post(gateway, "/.pomerium/api/v1/device_authorization", {})[0] == 200:
        pass
    process = start(client)
    assert finish(process) == (3, "")
    assert "too many" in process.stderr_text()
