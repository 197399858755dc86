"""Servers to have behind a gateway: those that say who they are, a Redis at a path, those that take PROXY headers."""

import socket

from lib.net import free_port, is_listening
from lib.process import Process, eventually
from lib.services import Upstream

PUBLIC = {"allow_public_unauthenticated_access": True}


def named(letter):
    """Says its name, and then echoes."""
    server = None

    def serve(connection):
        connection.sendall(letter)
        server.echo(connection)

    server = Upstream(serve)
    return server


def kill(server):
    """Nobody is let in any more, not even who would wake the thread that waits for him."""
    server.listener.shutdown(socket.SHUT_RDWR)
    server.stop()


def targets(servers, weights=None):
    urls = [f"tcp://127.0.0.1:{server.port}" for server in servers]
    return [f"{url},{weight}" for url, weight in zip(urls, weights)] if weights else urls


def letter_of(gateway, name, **options):
    """Which of the named servers a tunnel leads to."""
    with gateway.tunnel(name, **options) as connection:
        letter = connection.read_exactly(1)
        connection.send(b"and back")
        assert connection.read_exactly(8) == b"and back"
        return letter


class Full:
    """A port that takes nobody in: its queue is full, and whoever connects waits."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self.listener.getsockname()[1]
        self.fillers = [socket.socket() for _ in range(4)]
        for filler in self.fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
        return self

    def __exit__(self, *_):
        for filler in self.fillers:
            filler.close()
        self.listener.close()


class UnixRedis:
    """A Redis that listens at a path only."""

    def __init__(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "redis.sock"
        self.process = Process("unix-redis", directory, [
            "redis-server", "--port", "0", "--unixsocket", self.path, "--save", "", "--appendonly", "no",
            "--dir", directory,
        ])
        eventually(self.path.exists, "redis listens at its path")

    def stop(self):
        self.process.stop()


class HaproxyWithHeader:
    """A real HAProxy that demands a PROXY header and answers over HTTP with what it says."""

    def __init__(self, directory):
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "haproxy.cfg"
        config.write_text(f"""\
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
frontend header
    bind 127.0.0.1:{self.port} accept-proxy
    http-request return content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"
""")
        self.process = Process("haproxy", directory, ["haproxy", "-db", "-f", config])
        eventually(lambda: is_listening(self.port), lambda: f"haproxy listens: {self.process.stderr_text()}")

    def stop(self):
        self.process.stop()


class NginxWithHeader:
    """A real nginx that demands a PROXY header and answers with what it says."""

    def __init__(self, directory):
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "nginx.conf"
        config.write_text(f"""\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
stream {{
    server {{
        listen 127.0.0.1:{self.port} proxy_protocol;
        return "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port";
    }}
}}
""")
        self.process = Process("nginx", directory, ["/usr/sbin/nginx", "-e", directory / "start.log", "-c", config])
        eventually(lambda: is_listening(self.port), lambda: f"nginx listens: {self.process.stderr_text()}")

    def stop(self):
        self.process.stop()
