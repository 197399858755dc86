"""Real proxies in front of the gateway: HAProxy and nginx, each with a header or a TLS of its own."""

import pathlib

from lib.gateway import host
from lib.net import free_port, is_listening
from lib.process import Process, eventually


class Front:
    """Takes the gateway's place for clients: a port of its own, and the same CA."""

    def __init__(self, name, directory, command, gateway):
        self.gateway = gateway
        self.ca = gateway.ca
        self.process = Process(name, directory, command)
        eventually(self._is_ready, lambda: f"{name} listens; it said:\n{self.process.stderr_text()}")

    def _is_ready(self):
        assert self.process.popen.poll() is None, self.process.stderr_text() + self.process.stdout_text()
        return is_listening(self.port)

    def url(self, name, path=""):
        return f"https://{host(name)}:{self.port}{path}"

    def stop(self):
        self.process.stop()


def _pem(directory, certificate):
    """HAProxy wants chain and key in one file."""
    path = pathlib.Path(directory) / "front.pem"
    path.write_text("".join(pathlib.Path(part).read_text() for part in certificate))
    path.chmod(0o600)
    return path


class HaProxy(Front):
    """Passes TCP on, with a header (server="send-proxy"); or ends TLS itself and speaks HTTP (certificate=...)."""

    def __init__(self, directory, gateway, server="", certificate=None):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        bind = f"127.0.0.1:{self.port}"
        mode = "mode tcp"
        if certificate:
            bind += f" ssl crt {_pem(directory, certificate)} alpn http/1.1"
            mode = "mode http\n    option forwardfor"
        config = directory / "haproxy.cfg"
        config.write_text(f"""\
defaults
    {mode}
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
listen front
    bind {bind}
    server gateway 127.0.0.1:{gateway.port} {server}
""")
        super().__init__("haproxy", directory, ["/usr/sbin/haproxy", "-db", "-f", config], gateway)


class Nginx(Front):
    """Ends TLS and passes the bytes on; with_header: behind a PROXY header."""

    def __init__(self, directory, gateway, certificate, with_header=False):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        chain, key = certificate
        config = directory / "nginx.conf"
        config.write_text(f"""\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
stream {{
    server {{
        listen 127.0.0.1:{self.port} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_alpn http/1.1;
        proxy_pass 127.0.0.1:{gateway.port};
        proxy_protocol {"on" if with_header else "off"};
    }}
}}
""")
        super().__init__("nginx", directory, ["/usr/sbin/nginx", "-p", directory, "-c", config], gateway)
