"""The JSON log lines of a program."""

import json

from lib.process import eventually


def parse(text):
    """Every complete line as a list of (key, value) in order; a line that is not JSON is an error."""
    lines = text.split("\n")[:-1]
    return [Line(json.loads(line, object_pairs_hook=list), line) for line in lines]


class Line:
    def __init__(self, pairs, text):
        self.pairs = pairs
        self.text = text

    @property
    def keys(self):
        return [key for key, _ in self.pairs]

    def __getitem__(self, key):
        return dict(self.pairs)[key]

    def get(self, key, default=None):
        return dict(self.pairs).get(key, default)

    @property
    def message(self):
        return self.get("message")

    def __repr__(self):
        return self.text


class Log:
    """Follows a file that a program writes."""

    def __init__(self, path):
        self.path = path

    def lines(self):
        return parse(self.path.read_text())

    def find(self, message, **fields):
        """Lines with that message and those fields (underscores in names stand for dashes)."""
        wanted = {name.replace("_", "-"): value for name, value in fields.items()}
        return [
            line for line in self.lines()
            if line.message == message and all(line.get(k) == v for k, v in wanted.items())
        ]

    def wait(self, message, count=1, timeout=15, **fields):
        """The first line that fits, once there are so many."""
        return eventually(
            lambda: (found := self.find(message, **fields)) and len(found) >= count and found,
            lambda: f"a log line {message!r} {fields} in:\n{self.path.read_text()[-3000:]}",
            timeout,
        )[0]


class Tail:
    """The lines of a log that were not looked at yet, for tests that write very many. Other things than JSON are for people."""

    def __init__(self, path):
        self.path = path
        self.position = 0

    def lines(self):
        with open(self.path, "rb") as f:
            f.seek(self.position)
            text = f.read()
        text = text[:text.rfind(b"\n") + 1]
        self.position += len(text)
        return parse("".join(line + "\n" for line in text.decode().splitlines() if line.startswith("{")))
