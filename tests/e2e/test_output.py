"""Output that does not arrive: a script must not take an empty file for an answer."""

import subprocess

import pytest

from lib.process import CLIENT, GATEWAY

COMMANDS = [
    [CLIENT, "version"], [CLIENT, "--help"], [CLIENT, "completion", "bash"], [CLIENT, "ssh-config", "*.example.com"],
    [GATEWAY, "version"], [GATEWAY, "--help"], [GATEWAY, "user", "--help"],
]


def name_of(command):
    return "-".join([command[0].name, *command[1:]])


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_a_full_disk_is_no_success(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr.endswith("cannot write the output: No space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_nobody_listening_at_all_is_no_problem(command):
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
