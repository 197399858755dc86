"""pomerium-cli proxy: curl and a browser's proxy.pac through the local port, and what web pages must not do."""

import json
import socket
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lib.client import Listener
from lib.gateway import DOMAIN, host, tcp_route
from lib.net import free_port
from lib.process import CLIENT, run
from lib.users import DEMO, MALLORY

BODY = "hello from the other side\n"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(BODY)

    def do_POST(self):
        body = self._read_chunks() if self.headers["Transfer-Encoding"] else self._read_length()
        self._answer(json.dumps({"target": self.path, "headers": self.headers.items(),
                                 "length": len(body), "sha256": sha256(body).hexdigest()}))

    def _read_length(self):
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _read_chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def web():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def gateway(make_gateway, web):
    return make_gateway(
        tcp_route("web", web, from_port=8000, allowed_users=[DEMO.email]),
        tcp_route("mallory", web, from_port=8000, allowed_users=[MALLORY.email]),
        tcp_route("dead", free_port(), from_port=8000, allowed_users=[DEMO.email]),
    )


@pytest.fixture
def proxy(gateway, make_client):
    client = make_client(gateway)
    command = [CLIENT, "proxy", "--listen", "127.0.0.1:0", "--proxy-domain", DOMAIN, "--pomerium-url",
               gateway.url("web"), "--alternate-ca-path", gateway.ca, "--browser-cmd", client.browser]
    listener = Listener(client, [str(word) for word in command])
    listener.client = client
    yield listener
    listener.stop()


def curl(proxy, scheme, url, *arguments):
    """The scheme "connect" is that of an HTTP proxy which is asked for a tunnel even to an http:// address."""
    tunnel = ["--proxytunnel"] if scheme == "connect" else []
    return run("curl", "--silent", "--show-error", "--noproxy", "", "--max-time", "30", "--proxy",
               f"{scheme.replace('connect', 'http')}://127.0.0.1:{proxy.port}", *tunnel, *arguments, url)


def request(proxy, data):
    """The whole answer to a request that ends its connection."""
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer.decode("latin-1")


@pytest.mark.parametrize("scheme", ["http", "connect", "socks5h"])
def test_through_the_gateway(proxy, scheme):
    answer = curl(proxy, scheme, f"http://{host('web')}:8000/")
    assert answer.stdout == BODY, answer.stderr
    assert proxy.client.visit_count() == 1
    # Port 443 of a name is the gateway's: the web site is the route of port 8000.
    answer = curl(proxy, scheme, f"http://{host('web')}:443/")
    assert answer.stdout == BODY, answer.stderr
    assert proxy.client.visit_count() == 1


@pytest.mark.parametrize("scheme", ["http", "connect", "socks5h", "socks5"])
def test_everything_else_is_connected_directly(proxy, web, scheme):
    assert f"Proxy running at 127.0.0.1:{proxy.port}" in proxy.stderr_text()
    answer = curl(proxy, scheme, f"http://127.0.0.1:{web}/")
    assert answer.stdout == BODY, answer.stderr
    assert proxy.client.visit_count() == 0


def test_the_answer_to_connect_is_http(proxy, web):
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as connection:
        # what comes with the request is not lost
        connection.sendall(f"CONNECT 127.0.0.1:{web} HTTP/1.1\r\nHost: 127.0.0.1:{web}\r\n\r\n"
                           "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, rest = answer.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 ") and "\n" not in head.replace("\r\n", "")
    assert "content-length" not in head.lower() and "transfer-encoding" not in head.lower()
    assert rest.startswith("HTTP/1.1 200 OK\r\n") and rest.endswith(BODY)


@pytest.mark.parametrize("name, status, socks, words", [
    ("mallory", 403, 2, "not allowed"),
    ("nowhere", 404, 4, "has no route"),
    ("dead", 502, 5, "refused the connection"),
])
def test_refusals(proxy, name, status, socks, words):
    target = f"{host(name)}:8000"
    answer = request(proxy, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} "), answer
    assert words in answer
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as connection:
        encoded = host(name).encode()
        connection.sendall(b"\5\1\0" + b"\5\1\0\3" + bytes([len(encoded)]) + encoded + (8000).to_bytes(2, "big"))
        answer = b""
        while piece := connection.recv(100):
            answer += piece
    assert answer[:4] == bytes([5, 0, 5, socks])


def test_a_direct_target_that_is_away(proxy):
    target = f"127.0.0.1:{free_port()}"
    answer = request(proxy, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert answer.startswith("HTTP/1.1 502 ") and target in answer


def test_web_pages_cannot_use_it(proxy, web):
    rebound = request(proxy, b"GET /proxy.pac HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert rebound.startswith("HTTP/1.1 403 ") and DOMAIN not in rebound
    own = f"127.0.0.1:{proxy.port}".encode()
    page = request(proxy, b"GET /proxy.pac HTTP/1.1\r\nHost: " + own + b"\r\nOrigin: https://evil.example\r\n\r\n")
    assert page.startswith("HTTP/1.1 403 ") and DOMAIN not in page
    target = f"127.0.0.1:{web}".encode()
    tunnel = request(proxy, b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target +
                     b"\r\nOrigin: https://evil.example\r\n\r\n")
    assert tunnel.startswith("HTTP/1.1 403 ")
    absolute = request(proxy, b"GET http://" + target + b"/ HTTP/1.1\r\nHost: " + target +
                       b"\r\nOrigin: https://evil.example\r\n\r\n")
    assert absolute.startswith("HTTP/1.1 403 ") and BODY not in absolute
    # Somebody else's name that leads to the proxy itself, through it.
    evil = f"evil.localhost:{proxy.port}".encode()
    rebound = request(proxy, b"GET http://" + evil + b"/proxy.pac HTTP/1.1\r\nHost: " + own + b"\r\n\r\n")
    assert rebound.startswith("HTTP/1.1 403 ") and DOMAIN not in rebound
    assert request(proxy, b"GET / HTTP/1.1\r\nHost: " + own + b"\r\n\r\n").startswith("HTTP/1.1 404 ")
    assert request(proxy, b"nonsense\r\n\r\n").startswith("HTTP/1.1 400 ")


@pytest.mark.parametrize("framing", ["Content-Length: 3000000", "Transfer-Encoding: chunked"])
def test_a_body_is_forwarded(proxy, web, tmp_path, framing):
    """Larger than what a request to the proxy itself may have; and the head is what a server is to see."""
    body = bytes(range(256)) * 11719
    (tmp_path / "body").write_bytes(body[:3000000])
    answer = curl(proxy, "http", f"http://127.0.0.1:{web}/a/b?c=d", "--request", "POST",
                  "--upload-file", str(tmp_path / "body"), "--header", framing, "--header", "Host: other.example",
                  "--proxy-user", "name:word", "--header", "Keep-Alive: 5", "--header", "X-Own: kept")
    seen = json.loads(answer.stdout)
    assert seen["length"] == 3000000 and seen["sha256"] == sha256(body[:3000000]).hexdigest()
    headers = {name.lower(): value for name, value in seen["headers"]}
    assert seen["target"] == "/a/b?c=d" and headers["host"] == f"127.0.0.1:{web}"
    assert headers["connection"] == "close" and headers["x-own"] == "kept"
    assert not [name for name in headers if name.startswith("proxy-") or name == "keep-alive"]


def test_one_request_for_each_connection(proxy, web):
    """What follows may be for another server, or for a name that only the gateway reaches."""
    get = f"GET http://127.0.0.1:{web}/ HTTP/1.1\r\nHost: 127.0.0.1:{web}\r\n\r\n"
    answer = request(proxy, (get + get).encode())
    assert answer.count("HTTP/1.1 200 OK") == 1 and answer.endswith(BODY)


@pytest.mark.parametrize("name, port, status, words", [
    ("mallory", 8000, 403, "not allowed"),
    ("nowhere", 80, 404, "has no route"),
    ("dead", 8000, 502, "refused the connection"),
    ("web", None, 404, "has no route"),  # the server itself, beside the gateway
])
def test_forwarding_is_no_way_around_the_gateway(proxy, web, name, port, status, words):
    for head in (f"GET http://{host(name)}:{port or web}/", f"GET HTTP://{host(name).upper()}.:{port or web}/"):
        answer = request(proxy, f"{head} HTTP/1.1\r\nHost: 127.0.0.1:{web}\r\n\r\n".encode())
        assert not answer.startswith("HTTP/1.1 200 ") and BODY not in answer, answer
    answer = curl(proxy, "http", f"http://{host(name)}:{port or web}/", "--include").stdout
    assert answer.startswith(f"HTTP/1.1 {status} ") and words in answer, answer


def test_forwarding_to_a_server_that_is_away(proxy):
    target = f"127.0.0.1:{free_port()}"
    answer = request(proxy, f"POST http://{target}/ HTTP/1.1\r\nHost: {target}\r\nContent-Length: 3\r\n\r\nabc".encode())
    assert answer.startswith("HTTP/1.1 502 ") and target in answer


def test_only_http_is_forwarded(proxy, web):
    answer = request(proxy, f"GET https://127.0.0.1:{web}/ HTTP/1.1\r\nHost: 127.0.0.1:{web}\r\n\r\n".encode())
    assert answer.startswith("HTTP/1.1 501 ") and "CONNECT" in answer


def test_a_tunnel_by_get_is_none_for_tcp(proxy, web):
    """RFC 9298: it asks for UDP. What has no CONNECT in it is no CONNECT."""
    head = (f"GET /.well-known/masque/udp/127.0.0.1/{web}/ HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\n"
            "Connection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n")
    answer = request(proxy, (head + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").encode())
    assert answer.startswith("HTTP/1.1 501 ") and BODY not in answer, answer


def test_proxy_pac(proxy):
    pac = run("curl", "--silent", "--include", f"http://127.0.0.1:{proxy.port}/proxy.pac").stdout
    head, _, script = pac.partition("\r\n\r\n")
    assert "application/x-ns-proxy-autoconfig" in head
    hosts = [host("web"), host("WEB"), DOMAIN, f"evil{DOMAIN}", "example.com"]
    program = script + f"console.log(JSON.stringify({json.dumps(hosts)}.map(h => FindProxyForURL('http://' + h, h))))"
    answers = json.loads(run("node", "-e", program).stdout)
    through = f"SOCKS5 127.0.0.1:{proxy.port}; PROXY 127.0.0.1:{proxy.port}"
    assert answers == [through, through, through, "DIRECT", "DIRECT"]


@pytest.mark.parametrize("arguments, words", [
    ([], "--proxy-domain"),
    (["--proxy-domain", "*.example.com"], "--proxy-domain"),
    (["--proxy-domain", "a.b", "--listen", "x"], "--listen"),
    (["--proxy-domain", "a.b", "--pomerium-url", "ftp://x"], "--pomerium-url"),
])
def test_usage(arguments, words, tmp_path):
    result = run(CLIENT, "proxy", *arguments, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert result.returncode == 2 and words in result.stderr
