"""The people of the tests: what they type, and how the gateway's configuration knows them."""

import crypt
from dataclasses import dataclass, field


@dataclass
class User:
    email: str
    password: str
    name: str = ""
    groups: list = field(default_factory=list)

    def entry(self, **changes):
        """An entry for local_users."""
        salt = "$6$rounds=1000$" + self.email.replace("@", "").replace(".", "")[:16]
        entry = {
            "email": self.email,
            "name": self.name,
            "groups": self.groups,
            "password_hash": crypt.crypt(self.password, salt),
        }
        entry.update(changes)
        return entry


DEMO = User("demo@example.com", "correct horse battery", "Demo User", ["ops@example.com"])
ALICE = User("alice@corp.example.com", "a <strange> & \"quoted\" pässword", "Alice", ["datascience@example.com"])
MALLORY = User("mallory@not-example.com", "mallory's password", "Mallory")

EVERYBODY = [DEMO, ALICE, MALLORY]
