"""A machine without a browser that wants to be logged in (RFC 8628), and the person who answers for it."""

import json
import time
from urllib.parse import urlencode

from lib.gateway import host
from lib.net import request_bytes
from lib.process import eventually

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
INTERVAL_S = 2
AUTHORIZATION = "/.pomerium/api/v1/device_authorization"
TOKEN = "/.pomerium/api/v1/token"


def post(gateway, path, fields, name="redis", headers=()):
    """(status, JSON) of a form; bytes are sent as they are."""
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    with gateway.open(name) as connection:
        answer = connection.ask(request_bytes("POST", path, f"{host(name)}:{gateway.port}", [
            ("Content-Type", "application/x-www-form-urlencoded"), *headers], body))
    return answer.status, json.loads(answer.text) if answer.text.startswith("{") else answer.text


class Machine:
    def __init__(self, gateway, client_name="nightly-backup", name="redis"):
        self.gateway = gateway
        self.name = name
        status, self.asked = post(gateway, AUTHORIZATION, {"client_name": client_name}, name)
        assert status == 200, self.asked
        self.last_poll = None

    def poll(self, gateway=None, **fields):
        """Not faster than it was told to."""
        if self.last_poll is not None:
            time.sleep(max(0, self.last_poll + INTERVAL_S - time.monotonic()))
        self.last_poll = time.monotonic()
        return self.poll_at_once(gateway, **fields)

    def poll_at_once(self, gateway=None, **fields):
        fields = {"grant_type": GRANT, "device_code": self.asked["device_code"], **fields}
        return post(gateway or self.gateway, TOKEN, {k: v for k, v in fields.items() if v is not None}, self.name)

    def token(self):
        status, answer = self.poll()
        assert status == 200, answer
        assert answer["token_type"] == "Pomerium"
        return answer["access_token"]

    def is_pending(self):
        return self.poll() == (400, {"error": "authorization_pending",
                                     "error_description": "Nobody has answered on the page yet."})


def open_question(browser, machine, user, url=None):
    """The page with the question, after whatever login it takes."""
    page = browser.log_in(url or machine.asked["verification_uri_complete"], user)
    assert page.status == 200, f"{page.status} {page.text[:500]}"
    return page


def answer(browser, machine, user, what="yes"):
    page = browser.submit(open_question(browser, machine, user), answer=what)
    assert page.status == 200, f"{page.status} {page.text[:500]}"
    return page


def eventually_refused(gateway, token):
    return eventually(lambda: gateway.connect("redis", token=token).status == 401, "the token is worth nothing", 5)
