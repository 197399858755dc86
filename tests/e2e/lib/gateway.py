"""The gateway as a process, and the requests tests make to it."""

import base64
import json
import os
import resource
import subprocess
import tempfile

from lib.logs import Log
from lib.net import Connection, connect_bytes, free_port, request_bytes
from lib.process import GATEWAY, Process, environment, eventually, run

DOMAIN = "demo.localhost"
SHARED_KEY = bytes(range(32))
COOKIE_KEY = bytes(range(32, 64))


def host(name):
    return f"{name}.{DOMAIN}"


def tcp_route(name, to_port, from_port=6379, **settings):
    """A route NAME.demo.localhost:FROM_PORT to a port of this machine."""
    return {
        "from": f"tcp+https://{host(name)}:{from_port}",
        "to": f"tcp://127.0.0.1:{to_port}",
        **settings,
    }


def base_config(certificate, key, users, routes):
    """A configuration that is complete; JSON text is YAML as well."""
    return {
        "address": "127.0.0.1:0",
        "health_check_addr": f"127.0.0.1:{free_port()}",
        "workers": 2,
        "drain_timeout": "0",
        "certificates": [{"cert": str(certificate), "key": str(key)}],
        "shared_secret": base64.b64encode(SHARED_KEY).decode(),
        "cookie_secret": base64.b64encode(COOKIE_KEY).decode(),
        "idp_provider": "local",
        "local_users": [user.entry() for user in users],
        "routes": routes,
    }


def write_config(path, config):
    path.write_text(json.dumps(config, indent=2))
    path.chmod(0o600)
    return path


class Gateway(Process):
    """Started with a configuration file; its output goes beside the file, named like it."""

    def __init__(self, config_path, ca, descriptors=None, env=None, name=None, arguments=None):
        self.ca = ca
        self.config_path = config_path
        self.state = config_path.parent / f"{config_path.stem}.state"
        env = {**environment(STATE_DIRECTORY=self.state), **(env or {})}
        self.start_process(
            name or config_path.stem, config_path.parent,
            [GATEWAY, *(["--config", config_path] if arguments is None else arguments)], env=env,
            preexec=_descriptor_limit(descriptors) if descriptors else None,
        )
        self.log = Log(self.stdout_path)
        self.port = self._wait_for_port()

    def start_process(self, *arguments, **options):
        Process.__init__(self, *arguments, **options)

    def _wait_for_port(self):
        def address():
            assert self.popen.poll() is None, (
                f"the gateway ended with {self.popen.returncode}:\n{self.stdout_text()}{self.stderr_text()}"
            )
            return self.log.find("listening")

        found = eventually(address, lambda: f"the gateway listens; it said:\n{self.stdout_text()}", 20)
        return int(found[0]["addr"].rpartition(":")[2])

    def url(self, name, path=""):
        return f"https://{host(name)}:{self.port}{path}"

    def open(self, name="redis", timeout=20, **options):
        """A TLS connection that names that host."""
        return Connection(self.port, host(name), self.ca, timeout, **options)

    def get(self, name, path, headers=(), method="GET", body=b""):
        """One request on a connection of its own; redirects are not followed."""
        with self.open(name) as connection:
            authority = f"{host(name)}:{self.port}"
            return connection.ask(
                request_bytes(method, path, authority, headers, body), has_body=method != "HEAD"
            )

    def connect(self, name, port=6379, token=None, headers=()):
        """The answer to a CONNECT; the connection is closed."""
        with self.open(name) as connection:
            return connection.ask(connect_bytes(f"{host(name)}:{port}", token, headers))

    def tunnel(self, name, port=6379, token=None):
        """A connection through which bytes flow after a 200."""
        connection = self.open(name)
        response = connection.ask(connect_bytes(f"{host(name)}:{port}", token), has_body=False)
        assert response.status == 200, response
        return connection

    def is_serving(self):
        return self.get("redis", "/ping").status == 200

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/statm") as f:
            return int(f.read().split()[1]) * resource.getpagesize()


def _descriptor_limit(count):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    return limit


def run_gateway(*arguments, timeout=30, **options):
    """The gateway program to its end, for what must fail or only prints."""
    try:
        with tempfile.TemporaryDirectory() as state:
            options.setdefault("env", environment(STATE_DIRECTORY=state))
            return run(GATEWAY, *arguments, timeout=timeout, **options)
    except subprocess.TimeoutExpired as e:
        raise AssertionError(f"pomerium {arguments} did not end: {e.stdout!r} {e.stderr!r}") from None
