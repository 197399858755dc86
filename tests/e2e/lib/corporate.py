"""A network whose only way out is a proxy: a network namespace, and Squid or Dante at its edge."""

import crypt
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

from lib.net import free_port
from lib.process import CLIENT, Process, environment, eventually, run

LOGIN = ("ada", "pass:word@1")
IN_URL = "ada:pass%3Aword%401@"  # the same, as a part of a URL

_numbers = itertools.count()


def _ip(*words):
    return subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, check=False)


class Office:
    """Whoever is inside reaches 10.213.x.1, and nothing else; what runs outside has its own 127.0.0.1."""

    def __init__(self):
        number = os.getpid() % 60 * 4 + next(_numbers) % 4
        self.name = f"office{number}"
        self.address = f"10.213.{number}.1"
        inside = f"10.213.{number}.2"
        if not shutil.which("ip") or _ip("netns", "add", self.name).returncode != 0:
            pytest.skip("network namespaces cannot be made here")
        made = _ip("link", "add", f"of{number}", "type", "veth", "peer", "name", "way", "netns", self.name)
        if made.returncode != 0:
            self.stop()
            pytest.skip(f"network namespaces cannot be connected here: {made.stderr.strip()}")
        _ip("addr", "add", f"{self.address}/30", "dev", f"of{number}")
        _ip("link", "set", f"of{number}", "up")
        for words in (["addr", "add", f"{inside}/30", "dev", "way"], ["link", "set", "way", "up"],
                      ["link", "set", "lo", "up"]):
            _ip("-n", self.name, *words)

    def command(self, *words):
        return ["nsenter", f"--net=/var/run/netns/{self.name}", *map(str, words)]

    def run(self, *words, **options):
        command = self.command(*words)
        return run(command[0], *command[1:], **options)

    def stop(self):
        _ip("netns", "delete", self.name)

    def browser(self, path, client):
        """A program for --browser-cmd: signs in from outside, and brings the token to the client inside."""
        here = __file__.rsplit("/lib/", 1)[0]
        user = client.user
        outside = path.with_suffix(".outside")
        outside.write_text(f"""
import sys
sys.path.insert(0, {here!r})
sys.dont_write_bytecode = True
from lib.login import Browser
from lib.users import User
user = User({user.email!r}, {user.password!r})
print(Browser({str(client.gateway.ca)!r}).log_in(sys.argv[1], user, stop_at="http://127.0.0.1").location)
""")
        path.write_text(f"""#!{sys.executable}
import subprocess, sys, urllib.request
open({str(client.visits)!r}, "a").write(sys.argv[1] + "\\n")
command = ["nsenter", "--net=/proc/{os.getpid()}/ns/net", {sys.executable!r}, {str(outside)!r}, sys.argv[1]]
location = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
with urllib.request.urlopen(location, timeout=10) as page:
    sys.exit(0 if page.status == 200 else 1)
""")
        path.chmod(0o755)
        return path


class _Proxy:
    """Drops its privileges, so that its files are in a directory of its own that it can read."""

    def __init__(self, office, program, user):
        self.program = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert self.program, f"{program} is not installed: tools/setup.sh test"
        self.office = office
        self.port = free_port()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{program}-"))
        self.directory.chmod(0o755)
        shutil.chown(self.directory, user)

    def start(self, *arguments):
        self.process = Process("proxy", self.directory, [self.program, *arguments])
        eventually(self._is_listening, lambda: f"the proxy listens: {self.log()}", 30)

    def _is_listening(self):
        assert self.process.popen.poll() is None, f"the proxy ended: {self.log()}"
        done = self.office.run("bash", "-c", f": </dev/tcp/{self.office.address}/{self.port}")
        return done.returncode == 0

    def log(self):
        return "".join(
            path.read_text(errors="replace") for path in sorted(self.directory.iterdir())
            if path.suffix in (".log", ".stdout", ".stderr")
        )

    def has_logged(self, text):
        """Written when a request is over, which may be after its answer."""
        return eventually(lambda: text in self.log(), lambda: f"{text!r} is logged; there is:\n{self.log()}")

    def url(self, scheme, login=""):
        return f"{scheme}://{login}{self.office.address}:{self.port}"

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class Squid(_Proxy):
    """
    Wants Basic authentication; knows the names of the gateway, but not those that begin with "secret", and tunnels to none that
    begin with "plain".
    """

    def __init__(self, office, names, login, certificate=None):
        super().__init__(office, "squid", "proxy")
        (self.directory / "hosts").write_text(f"127.0.0.1 {' '.join(names)}\n")
        (self.directory / "users").write_text(f"{login[0]}:{crypt.crypt(login[1], crypt.METHOD_SHA256)}\n")
        listening = f"http_port {office.address}:{self.port}"
        if certificate:
            for source, name in zip(certificate, ("cert.pem", "key.pem")):
                shutil.copy(source, self.directory / name)
                (self.directory / name).chmod(0o644)
            listening = (f"https_port {office.address}:{self.port} tls-cert={self.directory}/cert.pem "
                         f"tls-key={self.directory}/key.pem")
        config = self.directory / "squid.conf"
        config.write_text(f"""
{listening}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {self.directory}/users
auth_param basic children 1 startup=1
acl known proxy_auth REQUIRED
acl secret dstdom_regex ^secret
acl plain dstdom_regex ^plain
acl CONNECT method CONNECT
http_access deny !known
http_access deny secret
http_access deny CONNECT plain
http_access allow all
hosts_file {self.directory}/hosts
access_log stdio:{self.directory}/access.log
cache_log {self.directory}/cache.log
pid_filename {self.directory}/pid
coredump_dir {self.directory}
cache deny all
max_filedescriptors 1024
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname corp.example
""")
        self.start("-N", "-n", f"squid{self.port}", "-f", config)


class Dante(_Proxy):
    """SOCKS5 for everybody."""

    def __init__(self, office):
        super().__init__(office, "danted", "nobody")
        config = self.directory / "danted.conf"
        config.write_text(f"""
logoutput: {self.directory}/dante.log
internal: {office.address} port = {self.port}
external: 127.0.0.1
socksmethod: none
clientmethod: none
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 log: connect error }}
""")
        (self.directory / "dante.log").touch()
        shutil.chown(self.directory / "dante.log", "nobody")
        self.start("-f", config, "-p", self.directory / "pid")


class Inside:
    """pomerium-cli, started inside an office."""

    def __init__(self, office, client):
        self.office = office
        self.client = client
        self.browser = office.browser(client.directory / "browser-inside", client)

    def run(self, *arguments, env=None, **options):
        settings = {**self.client.env(), **(env or {})}
        return self.office.run(CLIENT, *arguments, env=environment(**settings), **options)

    def pipe(self, url, destination, *flags, data=b"PING\r\nQUIT\r\n", **options):
        return self.run("tcp", destination, "--pomerium-url", url, "--alternate-ca-path", self.client.gateway.ca,
                        "--browser-cmd", self.browser, "--listen", "-", *flags, stdin=data, **options)
