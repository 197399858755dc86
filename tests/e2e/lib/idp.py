"""An OpenID provider as a process: the certified oidc-provider of npm, with a control port."""

import json
import signal
import sys
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lib.gateway import DOMAIN
from lib.login import Browser, sign_in_url
from lib.net import free_port, is_listening
from lib.process import Process, environment, eventually
from lib.users import ALICE, DEMO, MALLORY

PROGRAM = Path(__file__).parent.parent / "idp" / "provider.js"
HOST = f"idp.{DOMAIN}"
AUTHENTICATE = f"authenticate.{DOMAIN}"
CLI = "http://127.0.0.1:1"
CLIENT_ID = "gateway"
CLIENT_SECRET = "secret of the client: +/&=%?"


def account(user, **claims):
    """How the provider knows a person of the tests."""
    return {
        "sub": f"id-of-{user.email.partition('@')[0]}", "email": user.email, "email_verified": True,
        "password": user.password, "name": user.name, "groups": user.groups, **claims,
    }


def client(places, client_id=CLIENT_ID, secret=CLIENT_SECRET, algorithm="ES256", sign_out_to=(), **metadata):
    """How the provider knows the gateways at those places."""
    return {
        "client_id": client_id, "client_secret": secret,
        "redirect_uris": [f"{place.url}/oauth2/callback" for place in places],
        "post_logout_redirect_uris": [*(f"{place.url}/.pomerium/signed_out" for place in places), *sign_out_to],
        "grant_types": ["authorization_code", "refresh_token"], "id_token_signed_response_alg": algorithm, **metadata,
    }


class OidcProvider(Process):
    """Once started it can be killed and started again: it keeps its port, its keys and its grants."""

    def __init__(self, directory, certificate, clients, accounts=None, name=HOST, env=None, **settings):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.env = {**environment(), **(env or {})}
        self.port = free_port()
        self.control_port = free_port()
        self.issuer = f"https://{name}:{self.port}"
        self.config_path = directory / "provider.json"
        self.config_path.write_text(json.dumps({
            "issuer": self.issuer, "port": self.port, "control_port": self.control_port,
            "certificate": str(certificate[0]), "key": str(certificate[1]),
            "state_file": str(directory / "state.json"), "clients": clients,
            "accounts": accounts or [account(user) for user in (DEMO, ALICE, MALLORY)], **settings,
        }))
        self.start()

    def start(self):
        super().__init__("provider", self.directory, ["node", PROGRAM, self.config_path], env=self.env)
        eventually(self._is_ready, lambda: f"the provider starts: {self.stdout_text()}{self.stderr_text()}", 30)

    def _is_ready(self):
        assert self.popen.poll() is None, f"the provider ended: {self.stdout_text()}{self.stderr_text()}"
        return is_listening(self.control_port)

    def restart(self):
        self.kill()
        self.start()

    def freeze(self):
        """It accepts connections and says nothing any more."""
        self.popen.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.popen.send_signal(signal.SIGCONT)

    def _control(self, name, **body):
        url = f"http://127.0.0.1:{self.control_port}/{name}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, json.dumps(body).encode(), timeout=20) as answer:
            return json.load(answer)

    def counts(self):
        """How often each endpoint was asked; "grant:refresh_token" and "refused:refresh_token" for refreshes."""
        return self._control("counts")

    def count(self, name):
        return self.counts().get(name, 0)

    def reset_counts(self):
        self._control("reset_counts")

    def break_endpoint(self, endpoint, **how):
        """status, body, headers: answered like that; delay_ms; drop=True; times: so often, else until mend()."""
        self._control("fault", endpoint=endpoint, **how)

    def mend(self):
        self._control("clear_faults")

    def rotate_keys(self, keep=False):
        self._control("rotate_keys", keep=keep)

    def revoke(self, user):
        """Ends what that person has granted to anybody; says how many grants those were."""
        return self._control("revoke_account", email=user.email)

    def change(self, user, **changes):
        """Other claims for somebody; disabled=True: no more of them."""
        self._control("change_account", email=user.email, changes=changes)

    def secrets(self):
        """Every token and code it has ever given out or got."""
        return self._control("secrets")


class ProviderBrowser(Browser):
    """Logs in at the provider's form, and gives the consent it asks for."""

    def log_in(self, url, user, stop_at=None):
        page = self.follow(self.get(url), stop_at)
        if page.status == 200 and "password" in page.text:
            page = self.follow(self.submit(page, email=user.email, password=user.password), stop_at)
        if page.status == 200 and 'name="consent"' in page.text:
            page = self.follow(self.submit(page), stop_at)
        return page


def browser_script(path, ca, user, visits):
    """Like lib.login.browser_script, for logins at the provider."""
    here = __file__.rsplit("/lib/", 1)[0]
    path.write_text(f"""#!{sys.executable}
import sys
sys.path.insert(0, {here!r})
sys.dont_write_bytecode = True
from lib.idp import ProviderBrowser
from lib.users import User
with open({str(visits)!r}, "a") as f:
    f.write(sys.argv[1] + "\\n")
page = ProviderBrowser({str(ca)!r}).log_in(sys.argv[1], User({user.email!r}, {user.password!r}))
sys.exit(0 if page.status == 200 and "login complete" in page.text else 1)
""")
    path.chmod(0o755)
    return path


class Place:
    """Where a gateway will be, known before it starts, so that the provider can be told."""

    def __init__(self):
        self.port = free_port()
        self.url = f"https://{AUTHENTICATE}:{self.port}"

    def settings(self, issuer, ca, **changes):
        """What the configuration of a gateway here says of its provider."""
        return {
            "address": f"127.0.0.1:{self.port}", "authenticate_service_url": self.url, "idp_provider": "oidc",
            "idp_provider_url": issuer, "idp_client_id": CLIENT_ID, "idp_client_secret": CLIENT_SECRET,
            "certificate_authority_file": str(ca), "local_users": None, **changes,
        }


class World:
    """A provider, and two places for gateways that it knows as one client."""

    def __init__(self, directory, authority, certificate, sign_out_to=(), more_clients=None,
                 auth_method="client_secret_basic", **settings):
        self.ca = authority.ca
        self.places = [Place(), Place()]
        ours = client(self.places, algorithm=settings.get("algorithms", ["ES256"])[0], sign_out_to=sign_out_to,
                      token_endpoint_auth_method=auth_method)
        clients = [ours, *(more_clients(self.places) if more_clients else ())]
        self.provider = OidcProvider(directory, certificate, clients, auth_methods=[auth_method], **settings)

    def settings(self, place=0, **changes):
        return self.places[place].settings(self.provider.issuer, self.ca, **changes)

    def stop(self):
        if self.provider in Process.running:
            self.provider.thaw()
            self.provider.stop()


def log_in(gateway, name="redis", user=DEMO, browser=None):
    """The browser after a whole login at the provider, and where it was sent last."""
    browser = browser or ProviderBrowser(gateway.ca)
    return browser, browser.log_in(sign_in_url(gateway, name, CLI), user, stop_at=CLI)


def obtain_token(gateway, name="redis", user=DEMO, browser=None):
    """A session token, by the way a program gets one."""
    _, page = log_in(gateway, name, user, browser)
    assert page.status == 302 and page.location.startswith(CLI), f"{page.status} {page.text[:500]}"
    return parse_qs(urlsplit(page.location).query)["pomerium_jwt"][0]


def send_to_provider(client):
    """Lets a client of the tests log in at the provider instead of at the gateway's own page."""
    client.browser = browser_script(client.directory / "browser", client.gateway.ca, client.user, client.visits)
    return client
