"""GitHub, as far as a login sees it: no discovery, no id_token, and refusals with status 200. It lies on demand."""

import secrets
from urllib.parse import parse_qs, urlencode

from lib.hostile import HostileProvider
from lib.idp import CLIENT_ID, CLIENT_SECRET
from lib.users import DEMO

TOKEN_PATH = "/login/oauth/access_token"
USER_PATH = "/api/v3/user"
EMAILS_PATH = "/api/v3/user/emails"
NODE_ID = "MDQ6VXNlcjE="
NOTIFICATIONS = "1+demo@users.noreply.github.com"


class GitHub(HostileProvider):
    """Of an enterprise: everything is below one address."""

    authorize_path = "/login/oauth/authorize"

    def honest(self):
        super().honest()
        self.codes = {}  # not used yet -> its redirect_uri
        self.given = []  # access tokens
        self.user = {"login": "demo-login", "id": 1, "node_id": NODE_ID, "name": DEMO.name, "email": "shown@example.com"}
        self.emails = [
            {"email": NOTIFICATIONS, "primary": False, "verified": True, "visibility": None},
            {"email": DEMO.email, "primary": True, "verified": True, "visibility": "private"},
        ]

    def answers(self, handler, body):
        if handler.headers["Authorization"] in [f"Bearer {token}" for token in self.given]:
            return {USER_PATH: lambda: self._changed(self.user, {}), EMAILS_PATH: lambda: self.emails}
        return {TOKEN_PATH: lambda: self._token(parse_qs(body.decode()))}

    def _authorize(self, handler, asked):
        assert asked["client_id"] == [CLIENT_ID] and asked["response_type"] == ["code"], asked
        code = secrets.token_hex(10)
        self.codes[code] = asked["redirect_uri"]
        handler.reply(302, b"", {"Location": asked["redirect_uri"][0] + "?" + urlencode(
            self._changed({"code": code, "state": asked["state"][0]}, self.callback))})

    def _token(self, asked):
        if (asked["client_id"], asked["client_secret"]) != ([CLIENT_ID], [CLIENT_SECRET]):
            return {"error": "incorrect_client_credentials", "error_description": "They are not correct."}
        if asked["redirect_uri"] != self.codes.pop(asked["code"][0], None):
            return {"error": "bad_verification_code", "error_description": "The code is incorrect or expired."}
        self.given.append(f"gho_{secrets.token_urlsafe(27)}")
        return self._changed(
            {"access_token": self.given[-1], "scope": "read:org,user:email", "token_type": "bearer"}, self.tokens)
