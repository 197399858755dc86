"""tinyproxy, and behind it a proxy of a few lines that reaches names nobody else can resolve."""

import re
import socket
import threading

from lib.net import free_port, is_listening
from lib.process import Process, eventually
from lib.services import Upstream


class NameProxy(Upstream):
    """Speaks CONNECT; every name ending in a suffix is this machine, and anything else is refused."""

    def __init__(self, suffix):
        self.suffix = suffix
        self.asked = []
        super().__init__(self._serve)

    def _serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            if not piece:
                return
            head += piece
        match = re.match(rb"CONNECT ([^: ]+):(\d+) ", head)
        name = match[1].decode() if match else ""
        self.asked.append(name)
        if not name.endswith(self.suffix):
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", int(match[2]))) as target:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_copy, args=(target, connection), daemon=True)
            back.start()
            _copy(connection, target)
            back.join()


def _copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class TinyProxy:
    """Sends names with that suffix on to another proxy; user and password may be demanded."""

    def __init__(self, directory, suffix, upstream_port, login=None):
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        lines = [
            f"Port {self.port}", "Listen 127.0.0.1", "Timeout 60", "LogLevel Connect", "MaxClients 50",
            f'PidFile "{directory}/pid"', f'Upstream http 127.0.0.1:{upstream_port} "{suffix}"',
        ]
        if login:
            lines.append(f"BasicAuth {login[0]} {login[1]}")
        config = directory / "tinyproxy.conf"
        config.write_text("\n".join(lines) + "\n")
        self.process = Process("tinyproxy", directory, ["tinyproxy", "-d", "-c", config])
        eventually(lambda: is_listening(self.port), lambda: f"tinyproxy listens: {self.log()}", 20)

    def log(self):
        return self.process.stdout_text() + self.process.stderr_text()

    def stop(self):
        self.process.stop()
