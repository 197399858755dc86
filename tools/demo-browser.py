#!/usr/bin/python3
"""A browser for the demonstration: opens the address, fills in the login form, submits it, follows where it leads.

DEMO_CA, DEMO_EMAIL and DEMO_PASSWORD say how. It is the browser of the end-to-end tests, without scripts.
"""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))

from lib.login import Browser  # noqa: E402
from lib.users import User  # noqa: E402


def main():
    user = User(os.environ["DEMO_EMAIL"], os.environ["DEMO_PASSWORD"])
    page = Browser(os.environ["DEMO_CA"]).log_in(sys.argv[1], user)
    if page.status != 200 or "login complete" not in page.text:
        sys.exit(f"the login ended at {page.url.partition('?')[0]} with status {page.status}")


main()
