"""Accounts of programs, as an operator makes them."""

import json

from lib.gateway import run_gateway
from lib.process import environment

ROBOT = "ci-bot"


def operate(gateway, *words, **options):
    """The gateway's program, which finds the running one."""
    return run_gateway(*words, env=environment(STATE_DIRECTORY=gateway.state), **options)


def create_account(gateway, *flags):
    """What the operator is told: its id and its token."""
    done = operate(gateway, "service-account", "create", "--user", ROBOT, *flags, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
