"""A PostgreSQL server that a test may stop and start again, and databases in it."""

import signal
import subprocess

from lib.net import is_listening
from lib.process import Process, eventually
from lib.services import Postgres

PASSWORD = "password-of-the-database"


class Database(Postgres):
    """Keeps its port and its data. The server trusts everybody, so the password only has to be kept secret."""

    def __init__(self, directory, **options):
        super().__init__(directory, **options)
        self.command = self.process.popen.args
        self.count = 0

    def create(self):
        """The connection string of a new, empty database."""
        self.count += 1
        name = f"gateways{self.count}"
        self.query("postgres", f"create database {name}")
        return f"postgresql://demo:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def query(self, database, *statements):
        done = subprocess.run(
            ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port),
             "-U", "demo", "-d", database, *(part for statement in statements for part in ("-c", statement))],
            capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def is_running(self):
        return self.process in Process.running

    def stop_at_once(self):
        """As if it had crashed."""
        if self.is_running():
            self.process.stop(signal.SIGQUIT)

    def start(self):
        self.process = Process("postgres", self.logs, self.command)
        eventually(lambda: self._is_ready(), "the database is back", 30, 0.05)

    def _is_ready(self):
        return is_listening(self.port) and subprocess.run(
            ["psql", "-X", "-h", "127.0.0.1", "-p", str(self.port), "-U", "demo", "-d", "postgres", "-c", "select 1"],
            capture_output=True, timeout=30,
        ).returncode == 0


STORES = ["memory", "file", "postgres"]


def store_settings(kind, directory, database):
    """The settings of a store in which nothing is yet."""
    where = {"memory": lambda: None, "file": lambda: str(directory / "sessions"), "postgres": database.create}[kind]()
    return {"databroker_storage_type": kind, "databroker_storage_connection_string": where}


def name_of(connection_string):
    return connection_string.rpartition("/")[2]
