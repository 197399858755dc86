"""After every kind of login: no secret in any log, page, command line or, where it is not sealed, in the store."""

import base64
import json
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from lib.database import PASSWORD, Database, name_of
from lib.device import Machine, answer
from lib.gateway import COOKIE_KEY, SHARED_KEY, run_gateway, tcp_route
from lib.idp import CLIENT_SECRET, ProviderBrowser, World, log_in, send_to_provider
from lib.idp import obtain_token as obtain_oidc_token
from lib.login import obtain_token, sign_in_url
from lib.process import environment, eventually
from lib.users import ALICE, DEMO, MALLORY, User

PING = b"PING\r\nQUIT\r\n"
WRONG = "a wrong password, typed by accident"


class Notes:
    """What must not be seen, and every page that could show it."""

    def __init__(self):
        self.secrets = {
            "client secret": CLIENT_SECRET,
            "client secret, escaped": quote(CLIENT_SECRET, safe=""),
            "client secret in a form": quote_plus(CLIENT_SECRET),
            "shared secret": base64.b64encode(SHARED_KEY).decode(),
            "cookie secret": base64.b64encode(COOKIE_KEY).decode(),
            "password of the database": PASSWORD,
            "wrong password": WRONG,
        }
        for user in (DEMO, ALICE, MALLORY):
            self.secrets[f"password of {user.email}"] = user.password
            self.secrets[f"password of {user.email} in a form"] = quote_plus(user.password)
        self.pages = []

    def add(self, what, secret):
        assert len(secret) >= 12, f"{what} is too short to be looked for"
        self.secrets[f"{what} {len(self.secrets)}"] = secret

    def look_into(self, where, text):
        for what, secret in self.secrets.items():
            assert secret not in text, f"{what} in {where}: …{text[max(0, text.index(secret) - 200):][:300]}"


class NotingBrowser(ProviderBrowser):
    """Keeps the pages of the gateway, and the cookies and addresses as secrets."""

    def __init__(self, ca, notes):
        super().__init__(ca)
        self.notes = notes

    def request(self, method, url, body=None, headers=()):
        page = super().request(method, url, body, headers)
        if "://idp." not in url:
            # A redirect carries its address in the body as well, as it must.
            if page.header("location") is None:
                self.notes.pages.append((url.partition("?")[0], page.text))
            for line in page.all("set-cookie"):
                value = line.partition("=")[2].partition(";")[0]
                if len(value) >= 12 and "_csrf=" not in line:  # which the form has to show
                    self.notes.add(line.partition("=")[0], value)
        return page


@pytest.fixture(scope="module")
def world(tmp_path_factory, authority, certificate):
    world = World(tmp_path_factory.mktemp("provider"), authority, certificate, ttl={"AccessToken": 15})
    yield world
    world.stop()


@pytest.fixture
def database(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("postgres"))
    yield database
    database.stop()


def token_of(page):
    return page.location.partition("pomerium_jwt=")[2].partition("&")[0]


def go_through_everything(gateway, notes, client, machine):
    """The ways in that all providers share, once a browser has logged in."""
    browser = NotingBrowser(gateway.ca, notes)
    _, page = log_in(gateway, browser=browser)
    token = token_of(page) if page.location else obtain_token(gateway, "redis", DEMO)
    notes.add("session token", token)
    for path in ("/.pomerium/", "/.pomerium/user", "/.pomerium/jwt", "/.pomerium/api/v1/routes", "/.pomerium/device"):
        browser.get(gateway.url("redis", path))
    answer(browser, machine, DEMO)
    notes.add("device code", machine.asked["device_code"])
    notes.add("token of a machine", machine.token())
    made = json.loads(run_gateway("service-account", "create", "--user", "bot", "--json",
                                  env=environment(STATE_DIRECTORY=gateway.state)).stdout)
    notes.add("token of a service account", made["token"])
    assert client.pipe("redis", PING, browser=False, extra=["--service-account", made["token"]]).returncode is not None
    gateway.tunnel("redis", token=token).close()
    for bad in (token[:-3] + "abc", made["token"][:-3] + "abc"):
        gateway.connect("redis", token=bad)
        gateway.connect("redis", headers=[("Cookie", f"_pomerium={bad}")])
        gateway.get("redis", f"/.pomerium/user?pomerium_session={bad}")
        notes.add("spoilt token", bad)
    page = browser.follow(browser.get(gateway.url("redis", "/.pomerium/sign_out")))
    if "<form" in page.text:
        browser.follow(browser.submit(page), stop_at="https://idp.")
    return browser


def look_everywhere(gateway, notes, *clients):
    command_line = Path(f"/proc/{gateway.pid}/cmdline").read_text()
    gateway.stop()
    notes.look_into("the command line", command_line)
    notes.look_into("the log", gateway.stdout_text())
    notes.look_into("the errors", gateway.stderr_text())
    assert len(notes.pages) > 5
    # What a browser is shown is its user's own, but not the keys to it.
    for url, text in notes.pages:
        notes.look_into(url, text)
    for client in clients:
        for path in client.directory.glob("*.std*"):
            notes.look_into(path.name, path.read_text(errors="replace"))


def test_provider_and_postgres(make_gateway, make_client, world, redis, database):
    notes = Notes()
    where = database.create()
    gateway = make_gateway(
        tcp_route("redis", redis.port, allow_any_authenticated_user=True),
        **world.settings(log_level="debug", databroker_storage_type="postgres", databroker_storage_connection_string=where))
    client = send_to_provider(make_client(gateway))
    done = client.pipe("redis", PING)
    notes.add("token of the client", client.token_files()[0].read_text())
    notes.look_into("what the client says", done.stdout + done.stderr)
    go_through_everything(gateway, notes, client, Machine(gateway))
    # Logins that fail, in several ways.
    world.provider.break_endpoint("userinfo", status=401, times=1)
    log_in(gateway, browser=NotingBrowser(gateway.ca, notes))
    world.provider.break_endpoint("token", status=500, times=1,
                                  body=json.dumps({"error": "server_error", "access_token": "leaked-by-the-provider"}))
    notes.add("token in an error", "leaked-by-the-provider")
    log_in(gateway, browser=NotingBrowser(gateway.ca, notes))
    # Renewals: one that works, one that is refused.
    kept = obtain_oidc_token(gateway)
    notes.add("session token", kept)
    world.provider.reset_counts()
    eventually(lambda: world.provider.count("grant:refresh_token") >= 1, "a refresh", 25, 0.2)
    world.provider.revoke(DEMO)
    eventually(lambda: gateway.connect("redis", token=kept).status == 401, "the revoked session ends", 25, 0.2)
    database.stop_at_once()
    time.sleep(0.5)
    gateway.connect("redis", token=kept)
    database.start()
    for secret in world.provider.secrets():
        notes.add("secret of the provider", secret)
    assert len(notes.secrets) > 30
    look_everywhere(gateway, notes, client)
    notes.secrets.pop("password of the database")
    notes.look_into("the database", database.query(name_of(where), "select r::text from pomerium.records r"))


def test_local_users_and_a_file(make_gateway, make_client, redis):
    notes = Notes()
    gateway = make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True), log_level="debug")
    for user in (DEMO, ALICE, MALLORY):
        hashed = user.entry()["password_hash"]
        notes.add(f"hash of {user.email}", hashed)
        notes.add("its end", hashed.rpartition("$")[2])
    client = make_client(gateway)
    client.pipe("redis", PING)
    notes.add("token of the client", client.token_files()[0].read_text())
    for user in (User(DEMO.email, WRONG), User("nobody@example.com", WRONG), User(WRONG, WRONG)):
        browser = NotingBrowser(gateway.ca, notes)
        form = browser.open_login(sign_in_url(gateway, "redis"))
        browser.submit(form, email=user.email if user.email != WRONG else "x", password=user.password)
    go_through_everything(gateway, notes, client, Machine(gateway))
    state = gateway.state
    look_everywhere(gateway, notes, client)
    for path in state.rglob("*"):
        if path.is_file() and "secret" not in path.name:
            notes.look_into(path.name, path.read_bytes().decode("latin-1"))


def test_configuration_that_is_wrong(make_gateway, tmp_path, redis):
    """Complaints about a secret do not repeat it."""
    from lib.gateway import write_config

    notes = Notes()
    for changes in (
        {"shared_secret": "short-but-secret-text"}, {"cookie_secret": "short-but-secret-text"},
        {"idp_provider": "oidc", "idp_provider_url": "https://user:short-but-secret-text@idp.example.com"},
        {"idp_client_secret": ["short-but-secret-text"]}, {"signing_key": "short-but-secret-text"},
        {"databroker_storage_type": "postgres",
         "databroker_storage_connection_string": "postgresql://demo:short-but-secret-text@[/x"},
        {"databroker_storage_type": "postgres",
         "databroker_storage_connection_string": "host=x password=short-but-secret-text nonsense=1"},
    ):
        path = write_config(tmp_path / "wrong.yaml", make_gateway.config(
            [tcp_route("redis", redis.port, allow_any_authenticated_user=True)], **changes))
        done = run_gateway("--config", path, env=environment(STATE_DIRECTORY=tmp_path / "state"))
        assert done.returncode != 0, changes
        assert "short-but-secret-text" not in done.stdout + done.stderr, changes
        notes.look_into(str(changes), done.stdout + done.stderr)
