"""Fixtures: one CA and one of each real server per run, one gateway per test (or per file, where it is only asked)."""

import os

import pytest

from lib.certs import Authority
from lib.client import Client
from lib.corporate import Dante, Office
from lib.gateway import DOMAIN, Gateway, base_config, write_config
from lib.process import CLIENT, GATEWAY, Process
from lib.services import MariaDb, Postgres, Redis, Sshd, Upstream, Vnc
from lib.users import DEMO, EVERYBODY


def pytest_configure(config):
    for program in (GATEWAY, CLIENT):
        if not program.exists():
            raise pytest.UsageError(f"{program} is not built: make e2e, or set POMERIUM_BUILD")


# They take longest: begun first, they wait for their clocks beside the others instead of behind them. The two thousands want the
# processors, so they are apart.
SLOW_FILES = ["test_reload_thousand.py", "test_provider_outage.py", "test_oidc_session.py", "test_continuous_authorization.py",
              "test_ssh.py", "test_bad_gateways.py", "test_stores.py", "test_client_device_login.py", "test_revocation_thousand.py",
              "test_oidc_login.py", "test_client_login.py", "test_tunnel_matrix.py", "test_secrets_not_logged.py",
              "test_client_networks.py", "test_two_gateways.py", "test_upgrade.py", "test_workload.py", "test_many_connections.py",
              "test_stalled.py", "test_limits.py", "test_upstream_proxies.py", "test_hostile_answers.py", "test_reload_at_bad_moments.py"]


def pytest_collection_modifyitems(items):
    rank = {name: index for index, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: rank.get(item.path.name, len(SLOW_FILES)))


@pytest.fixture(scope="session")
def session_directory(tmp_path_factory):
    return tmp_path_factory.mktemp("session")


@pytest.fixture(scope="session")
def authority(session_directory):
    return Authority(session_directory)


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("server", f"*.{DOMAIN}", DOMAIN, "localhost", "127.0.0.1")


def _service(make):
    service = make()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def office():
    yield from _service(Office)


@pytest.fixture(scope="module")
def dante(office):
    yield from _service(lambda: Dante(office))


@pytest.fixture(scope="session")
def redis(session_directory):
    yield from _service(lambda: Redis(session_directory / "redis"))


@pytest.fixture(scope="session")
def sshd(session_directory):
    yield from _service(lambda: Sshd(session_directory / "sshd"))


@pytest.fixture(scope="session")
def postgres(session_directory):
    yield from _service(lambda: Postgres(session_directory / "postgres"))


@pytest.fixture(scope="session")
def mariadb(session_directory):
    yield from _service(lambda: MariaDb(session_directory / "mariadb"))


@pytest.fixture(scope="session")
def vnc(session_directory):
    yield from _service(lambda: Vnc(session_directory / "vnc"))


@pytest.fixture
def upstream():
    yield from _service(Upstream)


class GatewayFactory:
    """Starts gateways that differ from the common configuration by what a test says."""

    def __init__(self, directory, authority, certificate):
        self.directory = directory
        self.authority = authority
        self.certificate = certificate
        self.started = []

    def config(self, routes, users=EVERYBODY, **settings):
        config = base_config(*self.certificate, users, routes)
        config.update(settings)
        return {key: value for key, value in config.items() if value is not None}

    def __call__(self, *routes, users=EVERYBODY, descriptors=None, env=None, **settings):
        path = self.directory / f"pomerium{len(self.started)}.yaml"
        write_config(path, self.config(list(routes), users, **settings))
        gateway = Gateway(path, self.authority.ca, descriptors, env)
        self.started.append(gateway)
        return gateway

    def again(self, old):
        """Starts one that has ended once more, with the same configuration and state."""
        path = old.config_path
        gateway = Gateway(path, old.ca, name=f"{path.stem}-again{len(self.started)}")
        self.started.append(gateway)
        return gateway

    def stop(self):
        """Ends them in good order: a gateway that does not end well fails the test."""
        for gateway in self.started:
            if gateway in Process.running:
                status = gateway.stop()
                assert status == 0, f"the gateway ended with {status}: {gateway.stderr_text()[-3000:]}"


@pytest.fixture
def make_gateway(tmp_path, authority, certificate):
    factory = GatewayFactory(tmp_path, authority, certificate)
    yield factory
    factory.stop()


@pytest.fixture(scope="module")
def make_shared_gateway(tmp_path_factory, authority, certificate):
    """For files whose tests only ask questions of one gateway."""
    factory = GatewayFactory(tmp_path_factory.mktemp("gateway"), authority, certificate)
    yield factory
    factory.stop()


@pytest.fixture
def make_client(tmp_path):
    """make_client(gateway, user): a client with an empty cache."""
    made = []

    def make(gateway, user=DEMO):
        made.append(user)
        return Client(tmp_path / f"client{len(made)}", gateway, user)

    return make


@pytest.fixture(autouse=True)
def nothing_crashed():
    """After each test: no program of ours has crashed or upset a sanitizer; what the test left running ends."""
    before = set(map(id, Process.running))
    yield
    for process in list(Process.running):
        process.check()
        if id(process) not in before and process.name.startswith("client"):
            process.stop()


@pytest.fixture(scope="session", autouse=True)
def leave_nothing_running():
    yield
    for process in list(Process.running):
        process.kill()


@pytest.fixture(scope="session")
def big_file(session_directory):
    """1 GiB that is cheap to make, in which no two mebibytes are alike."""
    path = session_directory / "big"
    block = os.urandom(1 << 20)
    with open(path, "wb") as f:
        for number in range(1024):
            f.write(block[number:] + block[:number])
    yield path
    path.unlink()
