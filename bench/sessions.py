"""Measures logins and looked-up sessions on each store, in turns."""

import time

from proxies import cpu_seconds
from visitors import (CROWD, NAME, Crowd, ask_without_session, log_in_at_provider, log_in_locally, look_up,
                      look_up_once)

from lib.certs import Authority
from lib.database import STORES, Database, store_settings
from lib.gateway import DOMAIN, Gateway, base_config, tcp_route, write_config
from lib.idp import OidcProvider, Place, client
from lib.process import GATEWAY, Process, run
from lib.sessions import CHEAP_USERS, Minter
from lib.users import ALICE, DEMO, MALLORY, User

SESSIONS = 1600
STRONG_PASSWORD = "correct horse battery"


class StrongUser(User):
    """With the password hash the gateway makes itself."""

    def entry(self, **changes):
        done = run(GATEWAY, "hash-password", stdin=f"{self.password}\n{self.password}\n".encode())
        assert done.returncode == 0, done.stderr
        return super().entry(password_hash=done.stdout.strip(), **changes)


STRONG_USERS = [StrongUser(f"strong{number}@example.com", STRONG_PASSWORD) for number in range(CROWD)]
PROVIDER_USERS = [DEMO, ALICE, MALLORY]

ROWS = {
    "local": "local logins/s, password hash of `pomerium hash-password` (yescrypt)",
    "local: CPU": "· CPU ms of the gateway per login",
    "cheap": "local logins/s, a password hash that costs 1 ms (bcrypt, 2^4)",
    "cheap: CPU": "· CPU ms of the gateway per login",
    "oidc": "OpenID Connect logins/s, `oidc-provider` beside it",
    "oidc: CPU": "· CPU ms of the gateway per login",
    "oidc: provider": "· CPU ms of the provider per login",
    "lookup": f"requests/s that show one of {SESSIONS:,} sessions (`/.pomerium/user`)",
    "lookup: CPU": "· CPU µs of the gateway per request",
    "none": "requests/s that show none (`/ping`)",
    "none: CPU": "· CPU µs of the gateway per request",
    "first": "the same sessions, each for the first time after a start: requests/s",
}


class Bench:
    def __init__(self, directory, quick):
        self.crowd = Crowd()  # first: it is forked, and there are no threads yet
        self.directory = directory
        self.rounds = 1 if quick else 5
        self.seconds = 1 if quick else 3
        self.tokens = {}
        self.database = Database(directory / "postgres", flags=())

    def start(self):
        directory = self.directory
        self.authority = Authority(directory)
        self.certificate = self.authority.issue("server", f"*.{DOMAIN}", DOMAIN, "localhost", "127.0.0.1")
        self.places = {store: Place() for store in STORES}
        self.provider = OidcProvider(directory / "provider", self.certificate, [client(list(self.places.values()))])
        self.local = {store: self._gateway(f"local-{store}", store) for store in STORES}
        self.oidc = {store: self._gateway(f"oidc-{store}", store, **self.places[store].settings(
            self.provider.issuer, self.authority.ca)) for store in STORES}

    def _gateway(self, name, store, **settings):
        directory = self.directory / name
        directory.mkdir()
        config = base_config(*self.certificate, [*STRONG_USERS, *CHEAP_USERS],
                             [tcp_route(NAME, 1, allow_any_authenticated_user=True)])
        config.update(workers=1, **store_settings(store, directory, self.database), **settings)
        path = write_config(directory / "pomerium.yaml", {k: v for k, v in config.items() if v is not None})
        return Gateway(path, self.authority.ca)

    def stop(self):
        self.crowd.pool.shutdown()
        for process in list(Process.running):
            if process is not self.database.process:
                process.stop()
        self.database.stop()

    def _run(self, gateway, do, what, row, unit):
        before = cpu_seconds(gateway.pid)
        count, seconds = self.crowd.run(do, gateway.ca, gateway.port, what, seconds=self.seconds)
        time.sleep(0.1)  # what is left to clean up belongs to it
        return {row: count / seconds, f"{row}: CPU": (cpu_seconds(gateway.pid) - before) / count * unit}, count

    def local_logins(self, store):
        return self._run(self.local[store], log_in_locally, STRONG_USERS, "local", 1e3)[0]

    def cheap_logins(self, store):
        return self._run(self.local[store], log_in_locally, CHEAP_USERS, "cheap", 1e3)[0]

    def oidc_logins(self, store):
        before = cpu_seconds(self.provider.pid)
        measured, count = self._run(self.oidc[store], log_in_at_provider, PROVIDER_USERS, "oidc", 1e3)
        return {**measured, "oidc: provider": (cpu_seconds(self.provider.pid) - before) / count * 1e3}

    def _tokens(self, store):
        """Of sessions that are the youngest of their users, so that the older ones have to go for them."""
        if store not in self.tokens:
            minter = Minter(self.local[store])
            while len(minter.tokens) < SESSIONS and not minter.problem:
                time.sleep(0.05)
            minter.stop()
            assert not minter.problem, minter.problem
            self.tokens[store] = minter.tokens[-SESSIONS:]
        return self.tokens[store]

    def look_ups(self, store):
        return self._run(self.local[store], look_up, self._tokens(store), "lookup", 1e6)[0]

    def without_session(self, store):
        return self._run(self.local[store], ask_without_session, self._tokens(store), "none", 1e6)[0]

    def first_look_ups(self, store):
        if store == "memory":
            return {}
        old = self.local[store]
        assert old.stop() == 0
        gateway = self.local[store] = Gateway(old.config_path, old.ca)
        count, seconds = self.crowd.run(look_up_once, gateway.ca, gateway.port, self._tokens(store), seconds=0)
        return {"first": count / seconds}

    def collect(self):
        """store -> row -> a value per round; each round begins with another store"""
        values = {store: {} for store in STORES}
        for measure in (self.local_logins, self.cheap_logins, self.oidc_logins, self.look_ups, self.without_session,
                        self.first_look_ups):
            for number in range(self.rounds):
                print(f"{measure.__name__}, round {number + 1} of {self.rounds}", flush=True)
                first = number % len(STORES)
                for store in STORES[first:] + STORES[:first]:
                    measured = measure(store)
                    for row, value in measured.items():
                        values[store].setdefault(row, []).append(value)
                    print(f"  {store:9}", "  ".join(f"{row} {v:.4g}" for row, v in measured.items()), flush=True)
        return values
