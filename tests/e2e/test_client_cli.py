"""pomerium-cli: what it prints, its exit status, its token file, and how it logs in."""

import json
import re
import signal
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.gateway import host, tcp_route
from lib.login import obtain_token
from lib.net import free_port
from lib.process import CLIENT, environment, eventually, run
from lib.users import DEMO, MALLORY

QUIT = b"PING\r\nQUIT\r\n"
ANSWER = "+PONG\r\n+OK\r\n"


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


def store_token(client, name, token):
    """Logs in once so that the file exists, then puts another token into it."""
    if not client.token_files():
        client.pipe(name, b"")
    [path] = client.token_files()
    path.write_text(token)
    return path


# ---- exit status and messages ----

@pytest.mark.parametrize("arguments, words", [
    (["bogus"], "bogus"),
    (["--bogus"], "--bogus"),
    (["tcp"], "DESTINATION"),
    (["tcp", "a:1", "b:2"], "DESTINATION"),
    (["tcp", "--bogus", "a:1"], "--bogus"),
    (["tcp", "a:1", "--listen"], "--listen"),
    (["tcp", "a:1", "--listen", "nonsense"], "--listen"),
    (["tcp", "no-port"], "no-port"),
    (["tcp", "https://h.localhost/"], "port"),
    (["tcp", "a:1", "--pomerium-url", "example.com:1234"], "pomerium"),
    (["tcp", "a:1", "--alternate-ca-path", "/nonexistent/ca.pem"], "/nonexistent/ca.pem"),
    (["tcp", "a:1", "--ca-cert", "!!!"], "--ca-cert"),
    (["tcp", "a:1", "--client-cert", "x.pem"], "client"),
    (["tcp", "a:1", "--service-account-file", "/nonexistent/token"], "/nonexistent/token"),
    (["cache"], "cache"),
    (["cache", "bogus"], "cache"),
    (["version", "x"], "version"),
    (["help", "bogus"], "bogus"),
])
def test_wrong_use_is_2(arguments, words, tmp_path):
    done = run(CLIENT, *arguments, env=environment(HOME=tmp_path))
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert words in done.stderr and len(done.stderr.splitlines()) <= 3


def test_help_and_version(tmp_path):
    for arguments in (["--help"], ["-h"], ["help"], ["tcp", "--help"], ["help", "tcp"], []):
        done = run(CLIENT, *arguments, env=environment(HOME=tmp_path))
        assert (done.returncode, done.stderr) == (0, ""), arguments
        assert "pomerium-cli" in done.stdout
    assert "--pomerium-url" in run(CLIENT, "tcp", "--help").stdout
    for arguments in (["version"], ["--version"], ["-v"]):
        assert re.fullmatch(r"pomerium-cli version \d+\.\d+\.\d+\S*\n", run(CLIENT, *arguments).stdout)


def test_denied_is_4(client):
    done = client.pipe("mallory", QUIT)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"{DEMO.email} is not allowed to use {host('mallory')}:6379" in done.stderr
    assert re.search(r"request [0-9a-f]{8}-", done.stderr)


def test_no_route_is_5(client):
    done = client.pipe("unknown", QUIT)
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{host('unknown')}:6379" in done.stderr and "route" in done.stderr


def test_dead_upstream_is_6(client):
    done = client.pipe("dead", QUIT)
    assert (done.returncode, done.stdout) == (6, "")
    assert f"{host('dead')}:6379" in done.stderr and "upstream-refused" in done.stderr


def test_no_gateway_is_6(client, tmp_path):
    port = free_port()
    done = client.run("tcp", "redis.demo.localhost:6379", "--pomerium-url", f"https://redis.demo.localhost:{port}",
                      "--listen", "-")
    assert (done.returncode, done.stdout) == (6, "")
    assert f":{port}" in done.stderr and "refused" in done.stderr


def test_a_gateway_that_is_not_trusted_is_6(client, gateway):
    arguments = [a for a in client.arguments("redis", listen="-") if a not in ("--alternate-ca-path", str(gateway.ca))]
    done = client.run(*arguments)
    assert (done.returncode, done.stdout) == (6, "")
    assert "certificate" in done.stderr
    assert client.visit_count() == 0


def test_a_gateway_of_another_name_is_6(client, gateway):
    done = client.run("tcp", f"{host('redis')}:6379", "--pomerium-url", f"https://elsewhere.localhost:{gateway.port}",
                      "--alternate-ca-path", gateway.ca, "--listen", "-")
    assert done.returncode == 6
    assert "certificate" in done.stderr and "elsewhere.localhost" in done.stderr


def test_verification_can_be_switched_off(client, gateway):
    arguments = [a for a in client.arguments("redis", listen="-") if a not in ("--alternate-ca-path", str(gateway.ca))]
    done = client.run(*arguments, "--disable-tls-verification", stdin=QUIT)
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr


def test_ca_as_base64(client, gateway):
    import base64

    arguments = [a for a in client.arguments("redis", listen="-") if a not in ("--alternate-ca-path", str(gateway.ca))]
    done = client.run(*arguments, "--ca-cert", base64.b64encode(gateway.ca.read_bytes()).decode(), stdin=QUIT)
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr


def test_listening_on_an_occupied_port_is_1(client, gateway):
    done = client.run(*client.arguments("redis", listen=f"127.0.0.1:{gateway.port}"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "in use" in done.stderr


@pytest.mark.parametrize("sign, name", [(signal.SIGINT, "INT"), (signal.SIGTERM, "TERM"), (signal.SIGHUP, "HUP")])
def test_signals_end_a_listener_with_0(client, sign, name):
    listener = client.listen("redis")
    assert listener.stop(sign) == 0
    line = next(line for line in listener.json_lines() if line.message == "caught signal, quitting...")
    assert line["signal"] == name


def test_a_signal_ends_a_pipe_with_1(client):
    client.pipe("redis", QUIT)
    pipe = client.start_pipe("redis")
    eventually(lambda: "connected" in pipe.stderr_text(), "the tunnel is open")
    assert pipe.stop(signal.SIGTERM) == 1


# ---- output ----

def test_start_line(client):
    listener = client.listen("redis")
    line = listener.json_lines()[0]
    assert line.keys == ["level", "component", "addr", "time", "message"]
    assert (line["level"], line["component"], line.message) == ("info", "tunnel", "started tcp listener")
    assert line["addr"] == f"127.0.0.1:{listener.port}"
    assert listener.stdout_text() == ""


def test_lines_of_a_tunnel(client):
    listener = client.listen("redis")
    with listener.dial() as connection:
        connection.sendall(QUIT)
        while connection.recv(100):
            pass
    eventually(lambda: "disconnected" in listener.stderr_text(), "the end is logged")
    messages = [line.message for line in listener.json_lines()]
    assert [m for m in messages if m in ("connecting", "auth required", "connected", "disconnected")] == [
        "connecting", "auth required", "connecting", "connected", "disconnected"
    ]
    required = next(line for line in listener.json_lines() if line.message == "auth required")
    assert required["auth-url"].startswith("https://") and "&" in required["auth-url"]


def test_console_form(client):
    done = client.pipe("redis", QUIT, env=client.env(LOG_FORMAT="console"))
    assert done.stdout == ANSWER
    assert not any(line.startswith("{") for line in done.stderr.splitlines())
    assert re.search(r"^\d+:\d\d[AP]M INF ", done.stderr, re.MULTILINE)


def test_quiet(client):
    client.pipe("redis", QUIT)
    done = client.pipe("redis", QUIT, env=client.env(LOG_LEVEL="error"))
    assert (done.stdout, done.stderr) == (ANSWER, "")


def test_the_sign_in_address_is_printed(client):
    done = client.pipe("redis", QUIT)
    assert re.search(r"^https://\S+/\.pomerium/sign_in\?\S+$", done.stderr, re.MULTILINE)
    assert done.stdout == ANSWER


# ---- the token ----

def test_token_file(client, gateway):
    client.pipe("redis", QUIT)
    [path] = client.token_files()
    assert re.fullmatch(r"[0-9A-Z]+\.jwt", path.name)
    assert path.name == cache_name(f"{host('redis')}:{gateway.port}|true") + ".jwt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", path.read_text())
    client.pipe("redis", QUIT)  # the directory is there from the second start on
    last_url = client.cache / "pomerium-cli" / "last-url"
    assert last_url.read_text() == gateway.url("redis")
    assert stat.S_IMODE(last_url.stat().st_mode) == 0o600


def cache_name(key):
    import hashlib
    import hmac

    digest = hmac.new(b"LocalJWTCache", key.encode(), lambda data=b"": hashlib.new("sha512_256", data)).digest()
    number, name = int.from_bytes(digest, "big"), ""
    while number:
        number, digit = divmod(number, 36)
        name = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + name
    return "0" * (len(digest) - len(digest.lstrip(b"\0"))) + name


def test_cache_location_and_clear(client):
    client.pipe("redis", QUIT)
    done = client.run("cache", "location")
    assert (done.returncode, done.stdout) == (0, f"{client.cache}/pomerium-cli\n")
    assert client.run("cache", "clear").returncode == 0
    assert client.token_files() == []
    assert client.run("cache", "clear").returncode == 0
    client.pipe("redis", QUIT)
    assert client.visit_count() == 2


def test_token_survives_everything_but_401(client, gateway, make_gateway):
    client.pipe("redis", QUIT)
    token = client.token_files()[0].read_text()
    for name, status in [("mallory", 4), ("dead", 6), ("unknown", 5)]:
        path = client.token_files()[0].with_name(cache_name(f"{host(name)}:{gateway.port}|true") + ".jwt")
        path.write_text(token)
        assert client.pipe(name, QUIT).returncode == status
        assert path.read_text() == token
    gateway.stop()
    assert client.pipe("redis", QUIT).returncode == 6
    assert client.token_files()[0].exists()
    assert client.visit_count() == 1


def test_token_is_deleted_on_401(client):
    path = store_token(client, "redis", "a.b.c")
    done = client.pipe("redis", QUIT, browser="/bin/false", timeout=60, extra=["--service-account", "x.y.z"])
    assert done.returncode == 3
    assert not path.exists()


def test_a_stale_token_leads_to_one_login(client):
    path = store_token(client, "redis", "a.b.c")
    visits = client.visit_count()
    assert client.pipe("redis", QUIT).stdout == ANSWER
    assert client.visit_count() == visits + 1
    assert path.read_text() != "a.b.c"


@pytest.mark.parametrize("content", ["", "\n", "\0\0", "x" * 70000, "a b", "a\r\nX-Evil: 1", "{}"])
def test_a_broken_token_file_is_no_obstacle(client, content):
    store_token(client, "redis", content)
    assert client.pipe("redis", QUIT).stdout == ANSWER


def test_a_token_file_is_never_seen_half_written(client, gateway):
    client.pipe("redis", QUIT)
    [path] = client.token_files()
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.is_set():
            try:
                seen.add(path.read_text().count("."))
            except FileNotFoundError:
                pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        path.with_suffix(".new").write_text("a.b.c")
        path.with_suffix(".new").replace(path)
        client.pipe("redis", QUIT)
    stop.set()
    watcher.join()
    assert seen == {2}


def test_nothing_else_is_left_in_the_cache(client):
    client.pipe("redis", QUIT)
    assert client.login_files() == client.token_files()


@pytest.mark.parametrize("cache", ["/dev/null/x", "/proc/x"])
def test_a_cache_that_cannot_be_written(client, cache):
    done = client.pipe("redis", QUIT, env=environment(XDG_CACHE_HOME=cache, HOME="/nonexistent"))
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr
    assert '"level":"warn"' in done.stderr


def test_service_account_token(client, gateway):
    token = obtain_token(gateway, "redis", DEMO)
    done = client.pipe("redis", QUIT, browser=False, extra=["--service-account", token])
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr
    file = client.directory / "token"
    file.write_text(f"  {token}\n")
    client.run("cache", "clear")
    done = client.pipe("redis", QUIT, browser=False, extra=["--service-account-file", file])
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr


@pytest.mark.parametrize("join", [False, True], ids=["two words", "one word"])
def test_a_service_account_is_not_among_the_arguments(client, gateway, join):
    """What ps shows of a client that has begun."""
    token = obtain_token(gateway, "redis", DEMO)
    flag = [f"--service-account={token}"] if join else ["--service-account", token]
    process = client.listen("redis", extra=flag)
    shown = Path(f"/proc/{process.pid}/cmdline").read_text()
    assert token not in shown and token[-20:] not in shown and "--service-account" in shown
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), "a core file would show it as well"
    process.stop()


def test_a_service_account_that_is_refused_is_3(client):
    done = client.pipe("redis", QUIT, browser=False, extra=["--service-account", "a.b.c"])
    assert (done.returncode, done.stdout) == (3, "")


# ---- the login ----

def test_one_login_for_ten_simultaneous_connections(client):
    listener = client.listen("redis")

    def ping(_):
        with listener.dial(60) as connection:
            connection.sendall(QUIT)
            data = b""
            while piece := connection.recv(100):
                data += piece
            return data.decode()

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(ping, range(10))) == [ANSWER] * 10
    assert client.visit_count() == 1


def test_the_first_connection_waits_for_the_login(client, tmp_path):
    """What the local program sends meanwhile is not lost."""
    go = tmp_path / "go"
    slow = tmp_path / "slow-browser"
    slow.write_text(f"#!/bin/sh\nwhile ! test -e {go}; do sleep 0.05; done\nexec {client.browser} \"$1\"\n")
    slow.chmod(0o755)
    listener = client.listen("redis", browser=slow)
    with listener.dial(60) as connection:
        connection.sendall(QUIT)
        eventually(lambda: "auth required" in listener.stderr_text(), "the login begins")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        go.touch()
        connection.settimeout(60)
        data = b""
        while piece := connection.recv(100):
            data += piece
    assert data.decode() == ANSWER


@pytest.mark.parametrize("browser", ["/nonexistent/browser", "/bin/false", "/etc/passwd"])
def test_a_browser_that_does_not_start_is_a_warning(client, browser):
    """The address is on the screen: somebody can still open it by hand."""
    import subprocess

    listener = client.listen("redis", browser=browser)
    with listener.dial(60) as connection:
        connection.sendall(QUIT)
        eventually(lambda: '"level":"warn"' in listener.stderr_text(), "a warning")
        url = next(line["auth-url"] for line in listener.json_lines() if line.message == "auth required")
        subprocess.run([client.browser, url], check=True, timeout=60)
        data = b""
        while piece := connection.recv(100):
            data += piece
    assert data.decode() == ANSWER


def test_the_login_listener_takes_nothing_else(client, tmp_path):
    import http.client
    from urllib.parse import parse_qs, urlsplit

    listener = client.listen("redis", browser="/bin/true")
    with listener.dial(60):
        eventually(lambda: "auth required" in listener.stderr_text(), "the login begins")
        url = next(line["auth-url"] for line in listener.json_lines() if line.message == "auth required")
        redirect = urlsplit(parse_qs(urlsplit(url).query)["pomerium_redirect_uri"][0])
        assert redirect.hostname == "127.0.0.1"

        def ask(method, path):
            connection = http.client.HTTPConnection("127.0.0.1", redirect.port, timeout=20)
            connection.request(method, path)
            return connection.getresponse().status

        assert ask("GET", "/") == 404
        assert ask("GET", "/favicon.ico") == 404
        assert ask("POST", "/x?y=z") == 404
    assert client.token_files() == []


def test_destination_with_scheme_and_gateway(client, gateway):
    authority = f"{host('redis')}:{gateway.port}"
    rest = ["--alternate-ca-path", gateway.ca, "--browser-cmd", client.browser, "--listen", "-"]
    done = client.run("tcp", f"tcp+https://{authority}/{host('redis')}:6379", *rest, stdin=QUIT)
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr


def test_a_peer_that_is_no_gateway(client):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"SSH-2.0-something\r\n" * 100)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        for scheme in ("https", "http"):
            done = client.run("tcp", f"{host('redis')}:6379", "--pomerium-url", f"{scheme}://127.0.0.1:{port}",
                              "--listen", "-", timeout=60)
            assert done.returncode in (1, 6) and done.stdout == ""
            assert len(done.stderr.splitlines()) <= 8


def test_secrets_are_not_printed(client):
    done = client.pipe("redis", QUIT)
    token = client.token_files()[0].read_text()
    assert token not in done.stderr
    assert json.loads(done.stderr.splitlines()[0])


def test_the_proxy_of_the_environment(client):
    """It is used, for tunnels as well, unless NO_PROXY says otherwise."""
    proxy = {"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}
    done = client.pipe("redis", QUIT, env=client.env(**proxy))
    assert (done.returncode, done.stdout) == (6, "") and "proxy http://127.0.0.1:1" in done.stderr
    done = client.pipe("redis", QUIT, env=client.env(**proxy, NO_PROXY="*"))
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr
