"""One login for all processes of a user; commands for it; and what it leaves behind."""

import contextlib
import json
import os
import signal
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.gateway import host, tcp_route
from lib.net import free_port
from lib.process import CLIENT, Process, eventually
from lib.users import DEMO, MALLORY

QUIT = b"PING\r\nQUIT\r\n"
ANSWER = "+PONG\r\n+OK\r\n"
PROCESSES = 50


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
        tcp_route("mallory", redis.port, allowed_users=[MALLORY.email]),
        tcp_route("dead", free_port(), allowed_users=[DEMO.email]),
    )


@pytest.fixture
def client(gateway, make_client):
    return make_client(gateway)


def slow_browser(client, go):
    path = client.directory / "slow-browser"
    path.write_text(f'#!/bin/sh\nwhile ! test -e {go}; do sleep 0.05; done\nexec {client.browser} "$1"\n')
    path.chmod(0o755)
    return path


def ask(client, command, *arguments, browser=None, **options):
    """login, logout or whoami at the client's gateway."""
    rest = ["--alternate-ca-path", client.gateway.ca]
    if command == "login":
        rest += ["--browser-cmd", browser or client.browser]
    return client.run(command, client.gateway.url("redis"), *rest, *arguments, **options)


def leftovers(client):
    return [path.name for path in client.login_files() if path.suffix != ".jwt"]


# ---- one login ----

def test_fifty_processes_need_one_login(client):
    with ThreadPoolExecutor(PROCESSES) as pool:
        done = list(pool.map(lambda _: client.pipe("redis", QUIT, timeout=300), range(PROCESSES)))
    assert [(d.returncode, d.stdout) for d in done] == [(0, ANSWER)] * PROCESSES
    assert client.visit_count() == 1
    assert leftovers(client) == []


def test_a_stale_token_needs_one_login_of_all(client):
    client.pipe("redis", QUIT)
    client.token_files()[0].write_text("a.b.c")
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda _: client.pipe("redis", QUIT, timeout=120), range(10)))
    assert [d.stdout for d in done] == [ANSWER] * 10
    assert client.visit_count() == 2


def test_who_waits_says_for_whom(client, tmp_path):
    go = tmp_path / "go"
    first = client.start_pipe("redis", browser=slow_browser(client, go))
    eventually(lambda: "auth required" in first.stderr_text(), "the login begins")
    second = Process("client-second", client.directory, [CLIENT, *client.arguments("redis", listen="-")],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=client.env())
    eventually(lambda: f"process {first.pid}, since" in second.stderr_text(), "it says who has the lock")
    go.touch()
    out, _ = second.popen.communicate(QUIT, timeout=60)
    assert out.decode() == ANSWER
    assert client.visit_count() == 1
    first.stop()
    second.forget()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whoever_dies_gives_the_lock_back(client, tmp_path, sign):
    first = client.start_pipe("redis", browser=slow_browser(client, tmp_path / "never"))
    eventually(lambda: "auth required" in first.stderr_text(), "the login begins")
    first.popen.send_signal(sign)
    first.popen.wait(20)
    first.forget()
    if sign != signal.SIGKILL:
        assert client.login_files() == []
    assert client.pipe("redis", QUIT).stdout == ANSWER
    assert client.visit_count() == 1
    assert leftovers(client) == []
    (tmp_path / "never").touch()  # so that the browser ends


def test_another_gateway_is_another_login(client, make_gateway, redis, make_client, tmp_path):
    """Two gateways in one cache: neither waits for the other."""
    first = client.start_pipe("redis", browser=slow_browser(client, tmp_path / "never"))
    eventually(lambda: "auth required" in first.stderr_text(), "the login begins")
    other = make_client(make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email])))
    other.cache = client.cache
    assert other.pipe("redis", QUIT).stdout == ANSWER
    first.stop()
    (tmp_path / "never").touch()


# ---- the token ----

def test_a_thousand_failures_leave_the_token(client, gateway):
    """Resets, refusals, errors and garbage, at every step of an answer."""
    import socket
    import threading

    client.pipe("redis", QUIT)
    [path] = client.token_files()
    token = path.read_text()
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = server.getsockname()[1]
    head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
    bad = [head[:n] for n in range(len(head))]
    bad += [b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status for status in (
        100, 101, 204, 400, 403, 404, 405, 407, 408, 421, 429, 450, 495, 500, 501, 502, 503, 504, 511, 599)]
    bad += [b"\x16\x03\x01\x00\x00", b"SSH-2.0-x\r\n", b"\0" * 4096, b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/9.9 401\r\n\r\n",
            b"HTTP/1.1 401\n\n\n", b"HTTP/1.1 503 X\r\nlocation: /\r\n\r\n<html>", b"x" * 200000]
    served = []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            answer = bad[len(served) % len(bad)]
            try:
                connection.recv(4096)
                connection.sendall(answer)
                if len(served) % 2:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            except OSError:
                pass
            served.append(answer)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    from test_client_cli import cache_name

    file = path.with_name(cache_name(f"127.0.0.1:{port}|false") + ".jwt")
    file.write_text(token)
    file.chmod(0o600)
    listener = Process("client-failing", client.directory, [
        CLIENT, "tcp", "redis.demo.localhost:6379", "--pomerium-url", f"http://127.0.0.1:{port}",
        "--browser-cmd", "/bin/false"], env=client.env())
    local = eventually(lambda: [json.loads(line)["addr"] for line in listener.stderr_text().splitlines()
                                if '"addr"' in line], "it listens")[0]
    address = ("127.0.0.1", int(local.rpartition(":")[2]))

    def fail(_):
        with socket.create_connection(address, timeout=60) as connection:
            try:
                return connection.recv(10)
            except ConnectionError:
                return b""

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(fail, range(1000))) == {b""}
    assert len(served) >= 1000
    assert file.read_text() == token
    assert "auth required" not in listener.stderr_text()
    assert listener.stop() == 0
    server.close()
    assert client.visit_count() == 1


@pytest.mark.parametrize("status", ["401 Unauthorized", "302 Found\r\nlocation: https://a.example/"])
def test_only_these_answers_end_a_login(client, status):
    import socket
    import threading

    from test_client_cli import cache_name

    client.pipe("redis", QUIT)
    [path] = client.token_files()
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(4096)
            connection.sendall(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    file = path.with_name(cache_name(f"127.0.0.1:{port}|false") + ".jwt")
    file.write_text("a.b.c")
    file.chmod(0o600)
    done = client.run("tcp", "redis.demo.localhost:6379", "--pomerium-url", f"http://127.0.0.1:{port}",
                      "--listen", "-", "--browser-cmd", "/bin/false")
    assert done.returncode == 3 and not file.exists()
    server.close()


def test_a_refused_service_account_never_opens_a_browser(client):
    for _ in range(2):
        done = client.pipe("redis", QUIT, extra=["--service-account", "a.b.c"])
        assert (done.returncode, done.stdout) == (3, "")
        assert "not logged in" in done.stderr
    assert client.visit_count() == 0
    assert "auth required" not in done.stderr and client.token_files() == []


# ---- login, whoami, logout ----

def test_login_whoami_logout(client, gateway):
    done = ask(client, "whoami")
    assert (done.returncode, done.stdout) == (3, "") and "pomerium-cli login" in done.stderr
    done = ask(client, "login")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"as {DEMO.email}" in done.stderr
    [path] = client.token_files()
    token = path.read_text()
    assert ask(client, "login").returncode == 0 and client.visit_count() == 1
    assert client.pipe("redis", QUIT).stdout == ANSWER and client.visit_count() == 1

    done = ask(client, "whoami")
    assert done.returncode == 0 and done.stdout.startswith(DEMO.email + "\n"), done.stderr
    assert "expires: " in done.stdout
    who = json.loads(ask(client, "whoami", "--json").stdout)
    assert who["email"] == DEMO.email and who["groups"] == list(DEMO.groups)
    assert who["gateway"] == f"{host('redis')}:{gateway.port}" and who["id"] and who["expires_at"] > "2"

    done = ask(client, "logout")
    assert (done.returncode, done.stdout) == (0, "") and "logged out" in done.stderr
    assert not path.exists()
    eventually(lambda: gateway.connect("redis", token=token).status == 401, "the session has ended")
    assert ask(client, "whoami").returncode == 3
    done = ask(client, "logout")
    assert done.returncode == 0 and "nobody" in done.stderr


def test_the_last_gateway_is_the_default(client):
    ca = ["--alternate-ca-path", client.gateway.ca]
    done = client.run("whoami", *ca)
    assert done.returncode == 2 and "name one" in done.stderr
    ask(client, "login")
    assert client.run("whoami", *ca).stdout.startswith(DEMO.email)
    # A destination is as good.
    url = f"tcp+https://{host('redis')}:{client.gateway.port}/{host('redis')}:6379"
    assert client.run("whoami", url, *ca).stdout.startswith(DEMO.email)


def test_logout_ends_open_tunnels(client):
    listener = client.listen("redis")
    with listener.dial() as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
        assert ask(client, "logout").returncode == 0
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    eventually(lambda: "session-revoked" in listener.stderr_text(), "it says why")


def test_logout_without_the_gateway(client, gateway):
    ask(client, "login")
    gateway.stop()
    done = ask(client, "logout")
    assert done.returncode == 6 and "goes on" in done.stderr
    assert client.token_files() == []


def test_a_cookie_does_not_sign_out(client, gateway):
    ask(client, "login")
    token = client.token_files()[0].read_text()
    path = "/.pomerium/api/v1/sign_out"
    assert gateway.get("redis", path, [("Cookie", f"_pomerium={token}")], method="POST").status == 401
    assert gateway.get("redis", path, method="POST").status == 401
    assert gateway.get("redis", path, [("Authorization", f"Pomerium {token}")]).status == 405
    assert gateway.get("redis", path, [("Authorization", f"Pomerium {token}")], method="POST").status == 204
    assert gateway.get("redis", path, [("Authorization", f"Pomerium {token}")], method="POST").status == 401


# ---- the cache ----

def test_modes(client):
    ask(client, "login")
    root = client.cache / "pomerium-cli"
    assert stat.S_IMODE((root / "jwts").stat().st_mode) == 0o700
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    for path in [*client.token_files(), root / "last-url"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_behind_a_link_is_not_used(client, tmp_path):
    ask(client, "login")
    [path] = client.token_files()
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    before = elsewhere.read_text()
    path.symlink_to(elsewhere)
    done = client.pipe("redis", QUIT)
    assert done.stdout == ANSWER and done.stderr.count("is a link") == 1
    assert client.visit_count() == 2
    assert elsewhere.read_text() == before and not path.is_symlink()


@pytest.mark.parametrize("spoil, words", [
    (lambda path: path.chmod(0o666), "others can write"),
    (lambda path: path.write_text(""), "damaged"),
    (lambda path: path.write_text("x" * 70000), "larger than"),
    (lambda path: path.write_bytes(b"\xff\xfe"), "damaged"),
    (lambda path: os.chown(path, 12345, -1), "another user"),
    (lambda path: (path.unlink(), os.mkfifo(path, 0o600)), "no regular file"),
    (lambda path: (path.unlink(), path.mkdir()), "no regular file"),
])
def test_a_spoilt_token_is_one_sentence(client, spoil, words):
    if words == "another user" and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    ask(client, "login")
    [path] = client.token_files()
    spoil(path)
    done = client.pipe("redis", QUIT)
    assert done.stdout == ANSWER
    assert done.stderr.count("the stored login is not used") == 1 and words in done.stderr
    assert client.visit_count() == 2


def test_a_directory_that_is_a_link_is_not_used(client, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (client.cache / "pomerium-cli").mkdir(parents=True)
    (client.cache / "pomerium-cli" / "jwts").symlink_to(tmp_path / "elsewhere")
    done = client.pipe("redis", QUIT)
    assert (done.returncode, done.stdout) == (0, ANSWER)
    assert "is a link" in done.stderr and list((tmp_path / "elsewhere").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, 64 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)], capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk(client, small_disk):
    client.cache = small_disk / "cache"
    client.cache.mkdir(mode=0o700)
    with open(small_disk / "filler", "wb") as f:
        try:
            f.write(b"x" * (1 << 20))
        except OSError:
            pass
    done = client.pipe("redis", QUIT)
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr
    assert '"level":"warn"' in done.stderr and "No space left" in done.stderr
    assert client.token_files() == []


def test_a_read_only_cache(client, small_disk):
    client.cache = small_disk / "cache"
    ask(client, "login")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert client.pipe("redis", QUIT).stdout == ANSWER
    assert client.visit_count() == 1
    done = client.pipe("mallory", QUIT, extra=["--pomerium-url", client.gateway.url("mallory")])
    assert done.returncode == 4
    assert "Read-only file system" in done.stderr and "memory only" in done.stderr
