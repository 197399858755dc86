"""pomerium-cli as a process."""

import socket
import subprocess

from lib.gateway import host
from lib.logs import Log
from lib.login import browser_script
from lib.process import CLIENT, Process, environment, eventually, run


class Client:
    """One user's client: a cache directory of its own, and a browser that logs in as that user."""

    def __init__(self, directory, gateway, user):
        self.directory = directory
        self.gateway = gateway
        self.user = user
        self.cache = directory / "cache"
        self.visits = directory / "visits"
        directory.mkdir(parents=True, exist_ok=True)
        self.browser = browser_script(directory / "browser", gateway.ca, user, self.visits)

    def env(self, **changes):
        return environment(XDG_CACHE_HOME=self.cache, HOME=self.directory, **changes)

    def arguments(self, name, port=6379, listen=None, browser=True, extra=()):
        arguments = [
            "tcp", f"{host(name)}:{port}", "--pomerium-url", self.gateway.url(name),
            "--alternate-ca-path", self.gateway.ca,
        ]
        if browser:
            arguments += ["--browser-cmd", self.browser if browser is True else browser]
        if listen is not None:
            arguments += ["--listen", listen]
        return [str(argument) for argument in [*arguments, *extra]]

    def shell_command(self, name, port="%p", **options):
        """The same for a ProxyCommand of ssh."""
        settings = " ".join(f"{key}={value}" for key, value in self.env().items() if key != "PATH")
        return f"env {settings} {CLIENT} " + " ".join(self.arguments(name, port, listen="-", **options))

    def pipe(self, name, data=b"", port=6379, timeout=60, env=None, **options):
        """`tcp --listen -` with data as its standard input, to its end."""
        return run(CLIENT, *self.arguments(name, port, listen="-", **options), stdin=data, timeout=timeout,
                   env=env or self.env())

    def start_pipe(self, name, port=6379, **options):
        """The same, but left running; its ends are .popen.stdin and .popen.stdout."""
        return Process("client-pipe", self.directory, [CLIENT, *self.arguments(name, port, "-", **options)],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env())

    def listen(self, name, port=6379, **options):
        """A listening client."""
        return Listener(self, [CLIENT, *self.arguments(name, port, **options)])

    def run(self, *arguments, **options):
        options.setdefault("env", self.env())
        return run(CLIENT, *arguments, **options)

    def visit_count(self):
        return len(self.visits.read_text().splitlines()) if self.visits.exists() else 0

    def token_files(self):
        return [path for path in self.login_files() if path.suffix == ".jwt"]

    def login_files(self):
        """The tokens, and what else there is beside them."""
        directory = self.cache / "pomerium-cli" / "jwts"
        return sorted(directory.iterdir()) if directory.exists() else []


class Listener(Process):
    def __init__(self, client, command):
        super().__init__("client", client.directory, command, env=client.env())
        self.log = Log(self.stderr_path)
        self.port = self._wait_for_port()

    def _wait_for_port(self):
        def line():
            assert self.popen.poll() is None, f"the client ended:\n{self.stderr_text()}"
            return [line for line in self.json_lines() if line.get("addr")]

        found = eventually(line, lambda: f"the client listens; it said:\n{self.stderr_text()}")
        return int(found[0]["addr"].rpartition(":")[2])

    def json_lines(self):
        """Its log lines; other things on stderr are for people."""
        from lib.logs import parse

        text = "".join(
            line for line in self.stderr_text().splitlines(keepends=True)
            if line.startswith("{") and line.endswith("\n")
        )
        return parse(text)

    def dial(self, timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
