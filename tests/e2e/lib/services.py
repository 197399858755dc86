"""Real servers on loopback ports in a temporary directory, and small ones of our own."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading

from lib.net import free_port, is_listening
from lib.process import Process, eventually


def _started(process, port, what, timeout=30):
    def ready():
        assert process.popen.poll() is None, (
            f"{what} ended: {process.stdout_text()[-2000:]}{process.stderr_text()[-2000:]}"
        )
        return is_listening(port)

    eventually(ready, f"{what} listens on {port}", timeout, 0.05)


class Redis:
    def __init__(self, directory):
        self.port = free_port()
        self.process = Process("redis", directory, [
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", directory, "--maxclients", "9000",
        ])
        _started(self.process, self.port, "redis-server")

    def stop(self):
        self.process.stop()


def redis_cli(port, *arguments):
    done = subprocess.run(["redis-cli", "-p", str(port), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Sshd:
    """OpenSSH with a host key and a user key of its own; whoever runs the tests logs in."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.host_key = self._make_key("host_key")
        self.key = self._make_key("user_key")
        shutil.copy(f"{self.key}.pub", self.directory / "authorized_keys")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        config = self.directory / "sshd_config"
        config.write_text(f"""\
Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.host_key}
AuthorizedKeysFile {self.directory}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
LogLevel ERROR
""")
        self.process = Process("sshd", directory, ["/usr/sbin/sshd", "-D", "-e", "-f", config])
        _started(self.process, self.port, "sshd")

    def _make_key(self, name):
        path = self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    def options(self, proxy_command):
        return [
            "-F", "none", "-i", str(self.key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", f"ProxyCommand={proxy_command}",
        ]

    def stop(self):
        self.process.stop()


class Postgres:
    """A cluster of its own. The server refuses to run as root: then it runs as the user postgres.

    It does not wait for the disk (-F), unless somebody measures what that costs.
    """

    def __init__(self, directory, flags=("-F",)):
        # Another user does not reach the directories of the test runner, which every run of it closes again.
        self.home = tempfile.TemporaryDirectory(prefix="pomerium-postgres.")
        self.directory = pathlib.Path(self.home.name)
        self.logs = pathlib.Path(directory) / "log"
        self.port = free_port()
        self.programs = max(pathlib.Path("/usr/lib/postgresql").iterdir(), key=lambda p: int(p.name)) / "bin"
        self.as_user = []
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.directory, account.pw_uid, account.pw_gid)
            self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = self.directory / "data"
        subprocess.run(
            [*self.as_user, self.programs / "initdb", "-D", data, "-U", "demo", "-A", "trust", "--no-sync",
             "-E", "UTF8", "--locale=C"],
            check=True, capture_output=True, cwd="/",
        )
        self.process = Process("postgres", self.logs, [
            *self.as_user, self.programs / "postgres", "-D", data, "-p", self.port, "-h", "127.0.0.1",
            "-k", self.directory, *flags,
        ])
        _started(self.process, self.port, "postgres")

    def stop(self):
        import signal

        if self.process in Process.running:
            self.process.stop(signal.SIGINT)
        self.home.cleanup()


class MariaDb:
    """A server of its own, for which the user demo needs no password. As root it runs as the user mysql."""

    def __init__(self, directory):
        # Likewise.
        self.home = tempfile.TemporaryDirectory(prefix="pomerium-mariadb.")
        self.port = free_port()
        data = pathlib.Path(self.home.name) / "data"
        data.mkdir()
        account = []
        if os.getuid() == 0:
            user = pwd.getpwnam("mysql")
            for path in (self.home.name, data):
                os.chown(path, user.pw_uid, user.pw_gid)
            account = ["--user=mysql"]
        made = subprocess.run(
            ["mariadb-install-db", "--no-defaults", *account, f"--datadir={data}", "--skip-test-db",
             "--auth-root-authentication-method=normal"], capture_output=True, text=True, timeout=120)
        assert made.returncode == 0, made.stdout + made.stderr
        start = pathlib.Path(self.home.name) / "start.sql"
        start.write_text(
            "create database demo;\ncreate user demo@'127.0.0.1';\ngrant all on demo.* to demo@'127.0.0.1';\n")
        start.chmod(0o644)
        self.process = Process("mariadb", pathlib.Path(directory) / "log", [
            "/usr/sbin/mariadbd", "--no-defaults", *account, f"--datadir={data}", f"--port={self.port}",
            "--bind-address=127.0.0.1", f"--socket={self.home.name}/socket", f"--init-file={start}",
            "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--max-allowed-packet=64M",
        ])
        _started(self.process, self.port, "mariadbd", 60)

    def stop(self):
        self.process.stop(timeout=60)
        self.home.cleanup()


class Vnc:
    """A desktop of TigerVNC's without a password, and with nothing on it but what a test draws."""

    def __init__(self, directory):
        self.port = free_port()
        number = next(n for n in range(self.port % 1000 + 100, 2000) if not os.path.exists(f"/tmp/.X11-unix/X{n}"))
        self.display = f":{number}"
        self.process = Process("vnc", directory, [
            "Xtigervnc", self.display, "-rfbport", self.port, "-localhost", "-SecurityTypes", "None",
            "-geometry", "640x480", "-depth", "24", "-nolisten", "tcp",
        ])
        _started(self.process, self.port, "Xtigervnc")

    def draw(self, *arguments):
        """What xsetroot is told."""
        subprocess.run(["xsetroot", "-display", self.display, *arguments], check=True, timeout=30)

    def stop(self):
        self.process.stop()


class Upstream:
    """A TCP server in threads; each connection is given to a function and its received bytes are counted."""

    def __init__(self, serve=None, host="127.0.0.1", family=socket.AF_INET, port=0):
        self.serve = serve or self.echo
        self.listener = socket.create_server((host, port), family=family, backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.received = bytearray()
        self.connections = []
        self.ends = []  # how each connection ended: "end" or "reset"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with connection:
            try:
                self.serve(connection)
                self.ends.append("end")
            except OSError:
                self.ends.append("reset")

    def echo(self, connection):
        while data := connection.recv(65536):
            self.received += data
            connection.sendall(data)

    def swallow(self, connection):
        while data := connection.recv(65536):
            self.received += data

    def stop(self):
        self.listener.close()
        for connection in list(self.connections):
            connection.close()
