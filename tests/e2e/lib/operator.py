"""The operator's socket of a gateway, without the command in between: for those who ask a thousand times."""

import http.client
import json
import socket


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("gateway", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(gateway, method, path, timeout=60):
    """Status and answer (JSON) of one request."""
    connection = _UnixConnection(gateway.state / "admin.sock", timeout)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def reload(gateway, timeout=60):
    return ask(gateway, "POST", "/reload", timeout)


def status(gateway):
    code, answer = ask(gateway, "GET", "/status")
    assert code == 200
    return answer
