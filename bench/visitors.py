"""Who comes to the gateway in the benchmark of logins and sessions: people who log in, and programs that show a session."""

import os
import pathlib
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from urllib.parse import parse_qs, urlencode, urlsplit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True
from lib.gateway import host  # noqa: E402
from lib.idp import ProviderBrowser  # noqa: E402
from lib.login import Browser, Page  # noqa: E402
from lib.net import Connection, request_bytes  # noqa: E402

CLI = "http://127.0.0.1:1"
NAME = "redis"
CROWD = 4   # processes
BATCH = 32  # requests on their way at once on a connection
HEAD_END = b"\r\n\r\n"


class Visitor(Browser):
    """Keeps its connections for a login, as a browser does, and costs less than http.client."""

    def __init__(self, ca):
        super().__init__(ca)
        self.ca = ca
        self.connections = {}

    def request(self, method, url, body=None, headers=()):
        parts = urlsplit(url)
        if parts.netloc not in self.connections:
            self.connections[parts.netloc] = Connection(parts.port, parts.hostname, self.ca, context=self.context)
        jar = self.cookies.get(parts.hostname, {})
        sent = [("Accept", "text/html"), *headers]
        if jar:
            sent.append(("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items())))
        if body is not None:
            sent.append(("Content-Type", "application/x-www-form-urlencoded"))
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = self.connections[parts.netloc].ask(request_bytes(method, target, parts.netloc, sent, body or b""))
        page = Page(url, answer.status, answer.headers, answer.text)
        self._keep_cookies(parts.hostname, page)
        return page

    def leave(self):
        """The next login is of another person."""
        for connection in self.connections.values():
            connection.close()
        self.connections = {}
        self.cookies = {}


class ProviderVisitor(Visitor, ProviderBrowser):
    """The same, who has to log in at the provider."""


def log_in(browser, port, user):
    """From the question of a program to its session token."""
    query = urlencode({"pomerium_redirect_uri": CLI})
    login = browser.get(f"https://{host(NAME)}:{port}/.pomerium/api/v1/login?{query}").text
    page = browser.log_in(login, user, stop_at=CLI)
    return parse_qs(urlsplit(page.location).query)["pomerium_jwt"][0]


def log_in_locally(ca, port, users, number, seconds):
    return _log_in_repeatedly(Visitor(ca), port, users, number, seconds)


def log_in_at_provider(ca, port, users, number, seconds):
    return _log_in_repeatedly(ProviderVisitor(ca), port, users, number, seconds)


def _log_in_repeatedly(visitor, port, users, number, seconds):
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        log_in(visitor, port, users[(number + count) % len(users)])
        visitor.leave()
        count += 1
    return count


def _ask_batch(connection, requests, last):
    connection.send(b"".join(requests))
    answer = b""
    while answer.count(HEAD_END) < len(requests) or not answer.endswith(last):
        piece = connection.receive()
        assert piece, f"the gateway ends the connection: {answer[-300:]!r}"
        answer += piece
    assert answer.count(b"HTTP/1.1 200 ") == len(requests), answer[:300]


def _requests(path, tokens, port):
    return [request_bytes("GET", path, f"{host(NAME)}:{port}", [("Authorization", f"Pomerium {token}")])
            for token in tokens]


def look_up(ca, port, tokens, number, seconds):
    """Shows session after session; /.pomerium/user answers who that is."""
    return _ask_repeatedly(ca, port, _requests("/.pomerium/user", tokens, port), number, seconds, b"}")


def ask_without_session(ca, port, tokens, number, seconds):
    """The same request of somebody whom nobody asks who he is."""
    return _ask_repeatedly(ca, port, _requests("/ping", tokens, port), number, seconds, b"OK\n")


def _ask_repeatedly(ca, port, requests, number, seconds, last):
    count = 0
    at = number * BATCH
    end = time.monotonic() + seconds
    with Connection(port, host(NAME), ca) as connection:
        while time.monotonic() < end:
            _ask_batch(connection, [requests[(at + k) % len(requests)] for k in range(BATCH)], last)
            at += BATCH * 7
            count += BATCH
    return count


def look_up_once(ca, port, tokens, number, seconds):
    """Each session of one's own share a single time."""
    mine = _requests("/.pomerium/user", tokens[number::CROWD], port)
    with Connection(port, host(NAME), ca) as connection:
        for at in range(0, len(mine), BATCH):
            _ask_batch(connection, mine[at:at + BATCH], b"}")
    return len(mine)


class Crowd:
    """They are processes, so that Python's own lock does not hold anybody up."""

    def __init__(self):
        self.pool = ProcessPoolExecutor(CROWD, mp_context=get_context("fork"))
        self.pool.submit(os.getpid).result()  # from now on they are there

    def run(self, do, *arguments, seconds):
        """(how often it was done, how long that took)"""
        begun = time.monotonic()
        pending = [self.pool.submit(do, *arguments, number, seconds) for number in range(CROWD)]
        return sum(each.result() for each in pending), time.monotonic() - begun
