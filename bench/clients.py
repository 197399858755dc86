"""The clients that are compared: each listens on a port of this machine and carries what comes to a TLS server."""

import pathlib
import re
import subprocess

from proxies import NAME, TICKS, Proxy, cpu_seconds


class Client(Proxy):
    """upstream_port is that of the TLS server: the gateway for ours, HAProxy for the others."""

    is_plain = True
    can_have_workers = False

    def ca(self):
        return self.certificate[0].parent / "ca.pem"


class PomeriumCli(Client):
    name = "pomerium-cli"
    server = "pomerium"

    def command(self):
        return ["/usr/bin/env", f"XDG_CACHE_HOME={self.directory}", self.program, "tcp", f"{NAME}:1", "--listen",
                f"127.0.0.1:{self.port}", "--pomerium-url", f"https://{NAME}:{self.upstream_port}",
                "--alternate-ca-path", self.ca()]

    @classmethod
    def version(cls):
        text = subprocess.run([cls.program, "version"], capture_output=True, text=True).stdout
        return text.strip().splitlines()[0]


class StunnelClient(Client):
    name = "stunnel client"
    server = "haproxy"
    program = pathlib.Path("/usr/bin/stunnel4")

    def command(self):
        return [self.program, self.write(f"stunnel-client-{self.port}.conf", f"""\
foreground = yes
pid =
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[bench]
client = yes
accept = 127.0.0.1:{self.port}
connect = 127.0.0.1:{self.upstream_port}
sni = {NAME}
CAfile = {self.ca()}
verifyChain = yes
checkHost = {NAME}
""")]

    @classmethod
    def version(cls):
        done = subprocess.run([cls.program, "-version"], capture_output=True, text=True)
        return re.search(r"stunnel [\d.]+", done.stdout + done.stderr)[0]


class Socat(Client):
    """A process for each connection."""

    name = "socat"
    server = "haproxy"
    program = pathlib.Path("/usr/bin/socat")

    def command(self):
        return [self.program, f"TCP-LISTEN:{self.port},bind=127.0.0.1,reuseaddr,fork,nodelay,backlog=1024",
                f"OPENSSL:127.0.0.1:{self.upstream_port},snihost={NAME},commonname={NAME},cafile={self.ca()},nodelay"]

    def cpu_seconds(self):
        """With the processes that have ended."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return cpu_seconds(self.process.pid) + (int(fields[13]) + int(fields[14])) / TICKS

    @classmethod
    def version(cls):
        text = subprocess.run([cls.program, "-V"], capture_output=True, text=True).stdout
        return re.search(r"socat version [\d.]+", text)[0]
