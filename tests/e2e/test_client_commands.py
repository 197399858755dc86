"""pomerium-cli: the commands around the tunnels."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lib.gateway import host, tcp_route
from lib.net import free_port
from lib.process import CLIENT, run
from lib.users import DEMO, MALLORY


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(
        {**tcp_route("redis", redis.port, description="of the shop", allowed_users=[DEMO.email]), "name": "cache"},
        tcp_route("mallory", redis.port, allowed_users=[MALLORY.email]),
        tcp_route("other", redis.port, allowed_users=[DEMO.email]),
    )


@pytest.fixture
def client(gateway, make_client):
    return make_client(gateway)


def flags(client):
    return ["--alternate-ca-path", str(client.gateway.ca), "--browser-cmd", str(client.browser)]


def server(client, name="redis"):
    return client.gateway.url(name)


# ---- routes list ----

def test_routes_list(client):
    listed = client.run("routes", "list", server(client), *flags(client))
    assert listed.returncode == 0, listed.stderr
    blocks = listed.stdout.split("\n\n")
    assert blocks[-1] == "" and len(blocks) == 3
    lines = blocks[0].splitlines()
    assert lines[0] == "Route cache"
    assert lines[1].startswith("id: ") and len(lines[1]) > 10
    assert lines[2:] == [
        "type: tcp",
        f"from: tcp+https://{host('redis')}:6379",
        "description: of the shop",
        f"connect_command: pomerium-cli tcp {host('redis')}:6379",
    ]
    assert blocks[1].startswith(f"Route {host('other')}\n")
    assert "mallory" not in listed.stdout
    assert client.visit_count() == 1


def test_routes_list_uses_the_last_gateway_and_the_login_that_is_there(client):
    without = client.run("routes", "list", *flags(client))
    assert without.returncode == 2 and "no gateway" in without.stderr

    assert "+PONG" in client.pipe("redis", b"PING\r\nQUIT\r\n").stdout
    listed = client.run("routes", "list", "--json", *flags(client))
    assert listed.returncode == 0, listed.stderr
    routes = json.loads(listed.stdout)["routes"]
    assert [route["name"] for route in routes] == ["cache", host("other")]
    assert set(routes[0]) == {"id", "name", "type", "from", "description", "connect_command"}
    assert client.visit_count() == 1


def test_routes_list_off(make_gateway, make_client, redis):
    gateway = make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]),
                           runtime_flags={"routes_portal": False})
    client = make_client(gateway)
    listed = client.run("routes", "list", server(client), *flags(client))
    assert listed.returncode == 1
    assert "has no list of routes (status 404)" in listed.stderr


@pytest.mark.parametrize("arguments", [["routes"], ["routes", "show"], ["routes", "list", "ftp://x"],
                                       ["auth"], ["auth", "a b"]])
def test_usage(client, arguments):
    result = client.run(*arguments)
    assert result.returncode == 2 and result.stdout == "" and "pomerium-cli: " in result.stderr


# ---- auth ----

def test_auth_prints_a_token_that_is_good(client):
    first = client.run("auth", server(client), *flags(client))
    assert first.returncode == 0, first.stderr
    token = first.stdout.rstrip("\n")
    assert client.gateway.get("redis", "/.pomerium/user", [("Authorization", f"Bearer Pomerium-{token}")]).status == 200

    again = client.run("auth", server(client), *flags(client))
    assert again.stdout == first.stdout and client.visit_count() == 1
    assert "+PONG" in client.pipe("redis", b"PING\r\nQUIT\r\n").stdout
    assert client.visit_count() == 1

    client.token_files()[0].write_text("stale")
    fresh = client.run("auth", server(client), *flags(client))
    assert fresh.returncode == 0 and fresh.stdout.strip() not in ("", "stale", token)
    assert client.visit_count() == 2


def test_auth_of_a_refused_service_account_fails_at_once(client):
    result = client.run("auth", server(client), *flags(client), "--service-account", "no.good.token")
    assert result.returncode == 3 and result.stdout == ""
    assert "service account" in result.stderr and "no.good.token" not in result.stderr
    assert client.visit_count() == 0


def test_auth_of_a_gateway_that_is_away(client):
    result = client.run("auth", f"https://{host('redis')}:{free_port()}", *flags(client))
    assert result.returncode == 6 and "cannot use the gateway" in result.stderr


# ---- kubectl ----

def test_exec_credential(client):
    first = client.run("k8s", "exec-credential", server(client), *flags(client))
    assert first.returncode == 0, first.stderr
    credential = json.loads(first.stdout)
    assert first.stdout.count("\n") == 1
    token = credential["status"]["token"]
    assert credential == {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
                          "status": {"expirationTimestamp": "0001-01-01T00:00:00Z", "token": token}}
    assert token.startswith("Pomerium-")
    assert client.gateway.get("redis", "/.pomerium/user", [("Authorization", f"Bearer {token}")]).status == 200
    assert client.run("k8s", "exec-credential", server(client), *flags(client)).stdout == first.stdout
    assert client.visit_count() == 1


@pytest.mark.parametrize("names_server", [True, False])
def test_flush_credentials(client, names_server):
    assert client.run("k8s", "exec-credential", server(client), *flags(client)).returncode == 0
    old = client.cache / "pomerium-cli" / "exec-credential"
    old.mkdir(exist_ok=True)
    (old / "of-another-client.json").write_text("{}")
    arguments = [server(client)] if names_server else []
    assert client.run("k8s", "flush-credentials", *arguments).returncode == 0
    assert not [path for path in client.token_files() if path.suffix == ".jwt"]
    assert not list(old.iterdir())
    assert client.run("k8s", "exec-credential", server(client), *flags(client)).returncode == 0
    assert client.visit_count() == 2


# ---- ssh-config ----

def test_ssh_config_is_what_ssh_reads(client, tmp_path):
    printed = client.run("ssh-config", "*.corp.example.com", "bastion", "--alternate-ca-path", "/a b/it's 100%.pem")
    assert printed.returncode == 0, printed.stderr
    config = tmp_path / "config"
    config.write_text(printed.stdout)
    for name in ("db.corp.example.com", "bastion"):
        read = run("ssh", "-F", config, "-G", name).stdout.splitlines()
        command = next(line for line in read if line.startswith("proxycommand "))
        assert command.startswith(f"proxycommand {CLIENT} tcp --listen - ")
        assert "'/a b/it'\\''s 100%%.pem'" in command
    assert "proxycommand" not in run("ssh", "-F", config, "-G", "elsewhere").stdout


def test_files_in_ssh_config_do_not_depend_on_where_ssh_starts(client, tmp_path):
    printed = client.run("ssh-config", "*.corp.example.com", "--proxy", "http://user@proxy:3128",
                         "--alternate-ca-path", "ca.pem", "--client-cert", "sub/c.pem",
                         "--client-key", "pkcs11:token=t", cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    assert f" --alternate-ca-path {tmp_path}/ca.pem --client-cert {tmp_path}/sub/c.pem --client-key pkcs11:token=t " in printed.stdout
    assert " --proxy http://user@proxy:3128 " in printed.stdout


@pytest.mark.parametrize("arguments", [["ssh-config"], ["ssh-config", "a b"], ["ssh-config", "a\nProxyCommand x"],
                                       ["ssh-config", "a", "--service-account", "secret"],
                                       ["ssh-config", "a", "--proxy", "http://user:secret@proxy:3128"],
                                       ["ssh-config", "a", "--proxy", "user:secret@proxy"],
                                       ["ssh-config", "a", "--client-key", "pkcs11:object=k?pin-value=secret"],
                                       ["ssh-config", "a", "--browser-cmd", "x\ny"],
                                       ["k8s", "exec-credential"], ["k8s", "what"], ["completion", "tcsh"]])
def test_usage_of_the_others(client, arguments):
    result = client.run(*arguments)
    assert result.returncode == 2 and result.stdout == "" and "secret" not in result.stderr


# ---- completion ----

def test_completion_in_bash(client, tmp_path):
    script = tmp_path / "completion.bash"
    script.write_text(client.run("completion", "bash").stdout)

    def complete(*words):
        program = (f"source {script}; COMP_WORDS=(pomerium-cli {' '.join(words)}); COMP_CWORD={len(words)}; "
                   "_pomerium_cli; echo ${COMPREPLY[@]}")
        return run("bash", "-c", program).stdout.split()

    assert complete("rou") == ["routes"]
    assert complete("cache", "cl") == ["clear"]
    assert complete("tcp", "--lis") == ["--listen"]
    assert complete("help", "completi") == ["completion"]


def test_every_command_has_help(client):
    names = run("bash", "-c", f"source <({CLIENT} completion bash); COMP_WORDS=(pomerium-cli ''); COMP_CWORD=1; "
                "_pomerium_cli; echo ${COMPREPLY[@]}").stdout.split()
    assert len(names) > 10
    for name in names:
        shown = client.run("help", name)
        assert shown.returncode == 0 and f"pomerium-cli {name}" in shown.stdout
        assert client.run(name, "--help").stdout == shown.stdout


# ---- gateways that answer otherwise ----

class _OtherGateway(BaseHTTPRequestHandler):
    answer = b""

    def do_GET(self):
        good = self.headers.get("Authorization") == "Pomerium good"
        status = b"200 OK" if good else b"401 Unauthorized"
        self.wfile.write(self.answer or b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
        self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture
def other_gateway():
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_OtherGateway,), {}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("answer, status", [
    (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 6),
    (b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", 6),
    (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 4),
    (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 1),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"routes\"", 1),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", 6),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", 6),
    (b"HTTP/1.1 2", 6),
    (b"garbage\r\n\r\n", 6),
])
def test_nothing_but_401_costs_the_token(client, other_gateway, answer, status):
    url = f"http://127.0.0.1:{other_gateway.server_address[1]}"
    assert client.run("auth", url, "--service-account", "good").stdout == "good\n"
    tokens = [path.read_text() for path in client.token_files() if path.suffix == ".jwt"]
    assert tokens == ["good"]
    other_gateway.RequestHandlerClass.answer = answer
    listed = client.run("routes", "list", url, "--no-browser")
    assert listed.returncode == status and listed.stdout == "", listed.stderr
    assert listed.stderr.count("\n") == 1 and listed.stderr.startswith("pomerium-cli: ")
    assert [path.read_text() for path in client.token_files() if path.suffix == ".jwt"] == ["good"]
