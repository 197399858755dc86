"""Very many sessions, quickly: one form, sent over and over on a few connections."""

import crypt
import threading
from urllib.parse import urlencode, urlsplit

from lib.gateway import host
from lib.login import REDIRECTS, Browser, sign_in_url
from lib.net import request_bytes
from lib.users import User


class CheapUser(User):
    """With a password hash that takes a millisecond."""

    def entry(self, **changes):
        return super().entry(password_hash=crypt.crypt(self.password, "$2b$04$abcdefghijklmnopqrstuu"), **changes)


# No user may have more than 256 sessions.
CHEAP_USERS = [CheapUser(f"user{number}@example.com", "cheap password") for number in range(8)]


class Minter:
    """Logs people in from several threads until it is told to stop or the gateway is gone."""

    def __init__(self, gateway, threads=4):
        self.gateway = gateway
        self.tokens = []  # of sessions the gateway has acknowledged
        self.stopping = False
        self.problem = None
        browser = Browser(gateway.ca)
        form = browser.open_login(sign_in_url(gateway, "redis"))
        _, action, self.fields = form.form()
        parts = urlsplit(action)
        self.target = parts.path + (f"?{parts.query}" if parts.query else "")
        self.cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies[host("redis")].items())
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def _request(self, number):
        user = CHEAP_USERS[number % len(CHEAP_USERS)]
        body = urlencode({**self.fields, "email": user.email, "password": user.password}).encode()
        return request_bytes("POST", self.target, f"{host('redis')}:{self.gateway.port}", [
            ("Cookie", self.cookies), ("Content-Type", "application/x-www-form-urlencoded")], body)

    def _run(self, number):
        try:
            with self.gateway.open() as connection:
                while not self.stopping and self._mint(connection, number):
                    number += len(self.threads)
        except (OSError, AssertionError) as e:
            self.problem = e

    def _mint(self, connection, number):
        """False if the gateway is gone."""
        connection.send(self._request(number))
        answer = connection.read_response()
        if answer is None:
            return False
        assert answer.status in REDIRECTS, f"{answer.status} {answer.text[:300]}"
        names = ("_pomerium=e", "_pomerium_authenticate=e")
        cookie = next(line for line in answer.all("set-cookie") if line.startswith(names))
        self.tokens.append(cookie.partition("=")[2].partition(";")[0])
        return True

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(20)


def refused(gateway, tokens):
    """Those of the tokens that the gateway does not know, asked on one connection."""
    with gateway.open() as connection:
        return [token for token in tokens if connection.ask(request_bytes(
            "GET", "/.pomerium/user", f"{host('redis')}:{gateway.port}",
            [("Authorization", f"Pomerium {token}"), ("Accept", "application/json")])).status != 200]
