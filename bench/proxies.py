"""The proxies that are compared: each ends TLS with the same certificate and carries bytes to one TCP server."""

import contextlib
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlencode, urlsplit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True
from lib.login import Browser  # noqa: E402
from lib.users import DEMO as USER  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
NAME = "bench.demo.localhost"
NAME_SESSION = "session.demo.localhost"


def descriptor_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, what, log):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.001)
    raise SystemExit(f"bench: {what} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def pids_below(pid):
    """The process and all below it; threads may end meanwhile."""
    found = [pid]
    for each in found:
        for task in pathlib.Path(f"/proc/{each}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid):
    ticks = 0
    for each in pids_below(pid):
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


class Proxy:
    """One proxy: a process, perhaps with children, that are measured together."""

    name = None
    program = None
    has_connect = False     # a CONNECT comes first
    connect_target = None   # of another name than the route's
    is_plain = False        # there is no TLS
    can_have_workers = True
    most_tunnels = None     # where something other than descriptors limits them

    def __init__(self, directory, certificate, upstream_port, workers=1):
        self.workers = workers
        self.directory = directory
        self.certificate = certificate
        self.upstream_port = upstream_port
        self.port = free_port()
        log = directory / f"{self.name}.log"
        self.log = open(log, "wb")
        command = [str(part) for part in self.command()]
        begun = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for_port(self.port, self.process, self.name, log)
        self.start_seconds = time.monotonic() - begun
        time.sleep(0.5)
        self.memory_at_start = self.memory_bytes()

    def write(self, file_name, text):
        path = self.directory / file_name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def pids(self):
        return pids_below(self.process.pid)

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def memory_bytes(self):
        """What its processes hold that nobody else shares, and their part of the rest."""
        total = 0
        for pid in self.pids():
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss: +(\d+)", text, re.MULTILINE)[1]) * 1024
        return total

    def code_bytes(self):
        """The size of its program and of all libraries it has loaded, as files."""
        text = pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()
        files = {match[1] for match in re.finditer(r"^\S+ r-xp .* (/.*)$", text, re.MULTILINE)}
        program = os.readlink(f"/proc/{self.process.pid}/exe")
        return os.path.getsize(program), sum(map(os.path.getsize, files))

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


class Pomerium(Proxy):
    name = "pomerium"
    has_connect = True
    program = None  # set by run.py

    def command(self):
        to = f"tcp://127.0.0.1:{self.upstream_port}"
        secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
        config = {
            "address": f"127.0.0.1:{self.port}",
            "workers": self.workers,
            "drain_timeout": "0",
            "certificates": [{"cert": str(self.certificate[0]), "key": str(self.certificate[1])}],
            "shared_secret": secret,
            "cookie_secret": secret,
            "idp_provider": "local",
            "databroker_storage_type": "memory",
            "local_users_file": str(self.certificate[0].parent / "users.yaml"),
            "routes": [
                {"from": f"tcp+https://{NAME}:1", "to": to, "allow_public_unauthenticated_access": True},
                {"from": f"tcp+https://{NAME_SESSION}:1", "to": to, "allowed_users": [USER.email]},
            ],
        }
        return [self.program, "--config", self.write("pomerium.yaml", json.dumps(config))]

    def session_token(self):
        """As pomerium-cli gets one: the user logs in with a browser."""
        redirect = "http://127.0.0.1:1"
        query = urlencode({"pomerium_redirect_uri": redirect})
        browser = Browser(self.certificate[0].parent / "ca.pem")
        login = browser.get(f"https://{NAME_SESSION}:{self.port}/.pomerium/api/v1/login?{query}").text
        page = browser.log_in(login, USER, stop_at=redirect)
        return parse_qs(urlsplit(page.location).query)["pomerium_jwt"][0]

    @classmethod
    def version(cls):
        return subprocess.run([cls.program, "--version"], capture_output=True, text=True).stdout.strip()


class HAProxy(Proxy):
    name = "haproxy"
    program = "/usr/sbin/haproxy"

    def command(self):
        both = self.certificate[0].read_text() + self.certificate[1].read_text()
        pem = self.write("haproxy.pem", both)
        tls = "" if self.is_plain else f"ssl crt {pem}"
        config = self.write(f"{self.name}.cfg", f"""\
global
    nbthread {self.workers}
    maxconn {(descriptor_limit() - 200) // 2}
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
frontend tls
    bind 127.0.0.1:{self.port} {tls}
    default_backend tcp
backend tcp
    server one 127.0.0.1:{self.upstream_port}
""")
        return ["/usr/sbin/haproxy", "-db", "-f", config]

    @staticmethod
    def version():
        text = subprocess.run(["/usr/sbin/haproxy", "-v"], capture_output=True, text=True).stdout
        return re.match(r"HAProxy version \S+", text)[0]


class Nginx(Proxy):
    name = "nginx"
    program = "/usr/sbin/nginx"
    buffer_size = "16k"  # its default

    def command(self):
        config = self.write(f"{self.name}.conf", f"""\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes {self.workers};
worker_rlimit_nofile {descriptor_limit()};
pid {self.directory}/{self.name}.pid;
error_log stderr warn;
events {{ worker_connections {descriptor_limit() - 100}; }}
stream {{
    server {{
        listen 127.0.0.1:{self.port} ssl backlog=4096;
        ssl_certificate {self.certificate[0]};
        ssl_certificate_key {self.certificate[1]};
        ssl_protocols TLSv1.2 TLSv1.3;
        proxy_timeout 1h;
        proxy_buffer_size {self.buffer_size};
        proxy_pass 127.0.0.1:{self.upstream_port};
    }}
}}
""")
        return ["/usr/sbin/nginx", "-p", self.directory, "-c", config]

    @staticmethod
    def version():
        text = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True).stderr
        return text.strip().removeprefix("nginx version: ")


class NginxTuned(Nginx):
    """For bulk: at the price of memory."""

    name = "nginx-256k"
    buffer_size = "256k"
