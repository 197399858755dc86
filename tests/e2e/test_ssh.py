"""ssh and scp with pomerium-cli as their ProxyCommand, as the manual says."""

import hashlib
import subprocess

import pytest

from lib.gateway import host, tcp_route
from lib.users import ALICE


@pytest.fixture
def proxy_command(make_gateway, make_client, sshd):
    gateway = make_gateway(tcp_route("ssh", sshd.port, 22, allowed_users=[ALICE.email]))
    return make_client(gateway, ALICE).shell_command("ssh")


def test_shell(proxy_command, sshd):
    done = subprocess.run(
        ["ssh", *sshd.options(proxy_command), f"{sshd.user}@{host('ssh')}", "bash"],
        input="echo one; read line; echo \"got $line\"\nhello\nexit 7\n",
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout == "one\ngot hello\n"


def test_terminal_session(proxy_command, sshd):
    done = subprocess.run(
        ["ssh", "-tt", *sshd.options(proxy_command), f"{sshd.user}@{host('ssh')}", "tty"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("/dev/pts/")


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


@pytest.mark.timeout(420)
def test_a_gigabyte_by_scp(proxy_command, sshd, big_file, tmp_path):
    target = tmp_path / "copy"
    # The cipher is the cheapest one: it is the tunnel that is tested.
    done = subprocess.run(
        ["scp", "-q", "-c", "aes128-gcm@openssh.com", *sshd.options(proxy_command), big_file,
         f"{sshd.user}@{host('ssh')}:{target}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400,
    )
    assert done.returncode == 0, done.stderr
    assert target.stat().st_size == 1 << 30
    assert digest(target) == digest(big_file)
    target.unlink()
