"""pomerium-cli proxy where the only way out is another proxy: what is not behind the gateway takes that way as well."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lib.client import Listener
from lib.corporate import IN_URL, LOGIN, Inside, Squid
from lib.gateway import DOMAIN, host, tcp_route
from lib.net import free_port
from lib.process import CLIENT

OUTSIDE = "shop.test"  # Squid alone knows where it is
PLAIN = "plain.test"  # and opens no tunnel to it
BODY = "hello from outside\n"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def web():
    server = ThreadingHTTPServer(("0.0.0.0", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def squid(office):
    squid = Squid(office, [host("web"), OUTSIDE, PLAIN], LOGIN)
    yield squid
    squid.stop()


@pytest.fixture
def gateway(make_gateway, web):
    return make_gateway(tcp_route("web", web, from_port=8000, allow_any_authenticated_user=True))


@pytest.fixture
def inside(office, make_client, gateway):
    return Inside(office, make_client(gateway))


@pytest.fixture
def start(inside, gateway):
    """Starts the client's proxy in the office; a function that asks it with curl."""
    started = []

    def start(*flags, **env):
        settings = [f"{name}={value}" for name, value in env.items()]
        command = inside.office.command("env", *settings, CLIENT, "proxy", "--listen", "127.0.0.1:0",
                                        "--proxy-domain", DOMAIN, "--pomerium-url", gateway.url("web"),
                                        "--alternate-ca-path", gateway.ca, "--browser-cmd", inside.browser, *flags)
        listener = Listener(inside.client, command)
        started.append(listener)

        def curl(scheme, url, *arguments):
            tunnel = ["--proxytunnel"] if scheme == "connect" else []
            proxy = f"{scheme.replace('connect', 'http')}://127.0.0.1:{listener.port}"
            return inside.run_other("curl", "--silent", "--show-error", "--include", "--noproxy", "",
                                    "--max-time", "30", "--proxy", proxy, *tunnel, *arguments, url)

        curl.listener = listener
        return curl

    inside.run_other = inside.office.run
    yield start
    for listener in started:
        listener.stop()


@pytest.mark.parametrize("scheme", ["http", "connect", "socks5h"])
def test_others_through_squid(start, inside, squid, web, scheme):
    curl = start(ALL_PROXY=squid.url("http", IN_URL))
    answer = curl(scheme, f"http://{OUTSIDE}:{web}/")
    assert answer.stdout.endswith(BODY), answer.stdout + answer.stderr
    assert squid.has_logged(f"{OUTSIDE}:{web}")
    assert inside.client.visit_count() == 0
    # and the gateway the same way
    answer = curl(scheme, f"http://{host('web')}:8000/")
    assert answer.stdout.endswith(BODY), answer.stdout + answer.stderr


@pytest.mark.parametrize("scheme", ["http", "connect", "socks5h"])
def test_the_flag(start, squid, web, scheme):
    curl = start("--proxy", squid.url("http", IN_URL), HTTPS_PROXY="http://192.0.2.1:9", NO_PROXY="*")
    answer = curl(scheme, f"http://{OUTSIDE}:{web}/")
    assert answer.stdout.endswith(BODY), answer.stdout + answer.stderr


def test_requests_stay_requests(start, squid, web):
    """Squid as it is installed lets nobody CONNECT to port 80: a request for an http:// address must not become that."""
    curl = start(ALL_PROXY=squid.url("http", IN_URL))
    answer = curl("connect", f"http://{PLAIN}:{web}/")
    assert answer.stdout.startswith("HTTP/1.1 502 ")
    answer = curl("http", f"http://{PLAIN}:{web}/path?query")
    assert answer.stdout.endswith(BODY), answer.stdout + answer.stderr
    assert squid.has_logged(f"GET http://{PLAIN}:{web}/path? ada")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_others_through_dante(start, office, dante, web, scheme):
    answer = start(ALL_PROXY=dante.url(scheme))("http", f"http://{office.address}:{web}/")
    assert answer.stdout.endswith(BODY), answer.stdout + answer.stderr
    assert dante.has_logged(f"{office.address}.{web}")


@pytest.mark.parametrize("env", [{}, {"HTTPS_PROXY": True, "NO_PROXY": "192.0.2.1,.test"}])
def test_directly(start, inside, squid, web, env):
    """Without a proxy, or for an exception, the way is direct, and so closed."""
    if env:
        env = env | {"HTTPS_PROXY": squid.url("http", IN_URL)}
    answer = start(**env)("connect", f"http://{OUTSIDE}:{web}/")
    assert BODY not in answer.stdout and answer.stdout.startswith("HTTP/1.1 502 "), answer.stdout
    assert "proxy http" not in answer.stdout


def test_this_machine_is_never_asked_for_elsewhere(start, squid, web):
    """Outside, something listens at that port of 127.0.0.1."""
    answer = start("--proxy", squid.url("http", IN_URL))("connect", f"http://127.0.0.1:{web}/")
    assert answer.stdout.startswith("HTTP/1.1 502 ") and BODY not in answer.stdout, answer.stdout


@pytest.mark.parametrize("login, target, words", [
    ("ada:sesame@", f"{OUTSIDE}:1", "does not accept the user and the password (status 407)"),
    (IN_URL, "secret.test:1", "does not allow connections to secret.test:1 (status 403)"),
    (IN_URL, f"{OUTSIDE}:1", f"cannot reach {OUTSIDE}:1 (status 503)"),
])
def test_refusals_name_the_proxy(start, squid, login, target, words):
    curl = start("--proxy", squid.url("http", login))
    answer = curl("connect", f"http://{target}/")
    assert answer.stdout.startswith("HTTP/1.1 502 "), answer.stdout
    said = curl.listener.stderr_text()
    assert squid.url("http") in said and words in said, said
    assert "sesame" not in said and "pass:" not in said and "pass%" not in said


def test_a_browser_leaves_the_choice_to_this_proxy(start, squid, inside):
    curl = start(HTTPS_PROXY=squid.url("http", IN_URL))
    port = curl.listener.port
    pac = inside.run_other("curl", "--silent", f"http://127.0.0.1:{port}/proxy.pac").stdout
    assert f'return "PROXY 127.0.0.1:{port}; SOCKS5 127.0.0.1:{port}";' in pac and "DIRECT" not in pac


def test_a_circle(inside, gateway):
    """The setting for other programs, made for this one as well."""
    port = free_port()
    done = inside.client.run("proxy", "--listen", f"127.0.0.1:{port}", "--proxy-domain", DOMAIN,
                             env=inside.client.env(HTTPS_PROXY=f"http://localhost:{port}"))
    assert done.returncode == 1
    assert f"this program itself, at 127.0.0.1:{port}" in done.stderr
