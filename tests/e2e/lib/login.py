"""A browser without scripts: cookies, redirects, forms. And the ways tests use it to log in."""

import http.client
import socket
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from lib.net import tls_context

REDIRECTS = (301, 302, 303, 307, 308)


class _FormParser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append((attributes.get("method", "get").lower(), attributes.get("action", ""), {}))
        elif tag in ("input", "button") and self.forms and attributes.get("name"):
            self.forms[-1][2][attributes["name"]] = attributes.get("value") or ""


@dataclass
class Page:
    url: str
    status: int
    headers: list
    text: str

    def header(self, name):
        return next((value for other, value in self.headers if other.lower() == name.lower()), None)

    def all(self, name):
        return [value for other, value in self.headers if other.lower() == name.lower()]

    @property
    def location(self):
        location = self.header("location")
        return urljoin(self.url, location) if location else None

    def form(self):
        """(method, absolute action, fields) of the only form."""
        parser = _FormParser()
        parser.feed(self.text)
        assert len(parser.forms) == 1, f"{len(parser.forms)} forms at {self.url}: {self.status} {self.text[:500]}"
        method, action, fields = parser.forms[0]
        return method, urljoin(self.url, action), fields


class _LoopbackHTTPS(http.client.HTTPSConnection):
    """Any name is this machine."""

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)


class Browser:
    def __init__(self, ca, timeout=30):
        self.context = tls_context(ca)
        self.timeout = timeout
        self.cookies = {}  # host -> name -> value

    def request(self, method, url, body=None, headers=()):
        parts = urlsplit(url)
        if parts.scheme == "https":
            connection = _LoopbackHTTPS(parts.hostname, parts.port or 443, context=self.context, timeout=self.timeout)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=self.timeout)
        sent = {"Accept": "text/html,*/*;q=0.8", **dict(headers)}
        jar = self.cookies.get(parts.hostname, {})
        if jar and parts.scheme == "https":
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            page = Page(url, response.status, response.getheaders(), response.read().decode())
        finally:
            connection.close()
        self._keep_cookies(parts.hostname, page)
        return page

    def _keep_cookies(self, hostname, page):
        jar = self.cookies.setdefault(hostname, {})
        for line in page.all("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    jar.pop(name, None)
                else:
                    jar[name] = morsel.value

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def submit(self, page, headers=(), **values):
        """Sends the page's form with these fields filled in."""
        method, action, fields = page.form()
        assert method == "post"
        fields.update(values)
        return self.request("POST", action, urlencode(fields).encode(), headers)

    def follow(self, page, stop_at=None, limit=20):
        """Follows redirects; stops before fetching an address that begins with stop_at."""
        for _ in range(limit):
            if page.status not in REDIRECTS:
                return page
            location = page.location
            if stop_at and location.startswith(stop_at):
                return page
            page = self.get(location)
        raise AssertionError(f"more than {limit} redirects, last to {page.url}")

    def open_login(self, url):
        """The page with the login form that an address leads to."""
        return self.follow(self.get(url))

    def log_in(self, url, user, stop_at=None):
        """From an address that demands a login to where it leads."""
        form = self.open_login(url)
        assert form.status == 200, f"{form.status} {form.text[:500]}"
        page = self.submit(form, email=user.email, password=user.password)
        return self.follow(page, stop_at)


def sign_in_url(gateway, name, redirect="http://127.0.0.1:1/"):
    """What the login API gives to a program."""
    query = urlencode({"pomerium_redirect_uri": redirect})
    response = gateway.get(name, f"/.pomerium/api/v1/login?{query}")
    assert response.status == 200, response
    return response.text


def obtain_token(gateway, name, user):
    """A session token, by the way a program gets one."""
    redirect = "http://127.0.0.1:1"
    page = Browser(gateway.ca).log_in(sign_in_url(gateway, name, redirect), user, stop_at=redirect)
    assert page.status == 302, f"{page.status} {page.text[:500]}"
    return parse_qs(urlsplit(page.location).query)["pomerium_jwt"][0]


def browser_script(path, ca, user, visits):
    """Writes a program that can be given as --browser-cmd: logs in as that user, and counts its visits."""
    here = __file__.rsplit("/lib/", 1)[0]
    path.write_text(f"""#!{sys.executable}
import sys
sys.path.insert(0, {here!r})
sys.dont_write_bytecode = True
from lib.login import Browser
from lib.users import User
with open({str(visits)!r}, "a") as f:
    f.write(sys.argv[1] + "\\n")
page = Browser({str(ca)!r}).log_in(sys.argv[1], User({user.email!r}, {user.password!r}))
sys.exit(0 if page.status == 200 and "login complete" in page.text else 1)
""")
    path.chmod(0o755)
    return path
