"""pomerium-cli completion: what the shells themselves make of its scripts."""

import os
import pty
import subprocess

import pytest

from lib.process import CLIENT, eventually, run

CASES = [
    ("completi", "completion"),
    ("completion z", "completion zsh"),
    ("cache cl", "cache clear"),
    ("k8s fl", "k8s flush-credentials"),
    ("help ssh", "help ssh-config"),
    ("tcp --alternate-c", "tcp --alternate-ca-path"),
]


@pytest.fixture
def folder(tmp_path):
    for shell, name in (("zsh", "_pomerium-cli"), ("fish", "pomerium-cli.fish")):
        (tmp_path / shell).mkdir()
        (tmp_path / shell / name).write_text(run(CLIENT, "completion", shell).stdout)
    (tmp_path / "only.pem").write_text("")
    return tmp_path


class Zsh:
    """A zsh at a terminal, whose Ctrl-X writes the line as it stands into a file and begins another."""

    START = """
        autoload -Uz compinit && compinit -D
        show() { print -r -- "$BUFFER" >>shown; BUFFER=; zle redisplay }
        zle -N show; bindkey '^X' show
    """

    def __init__(self, folder, start):
        self.shown = folder / "shown"
        (folder / "start").write_text(start.format(folder=folder / "zsh") + self.START
                                      + ("" if "fpath" in start else f"source {folder}/zsh/_pomerium-cli\n"))
        self.terminal, end = pty.openpty()
        self.process = subprocess.Popen(
            ["zsh", "-f", "-i"], cwd=folder, stdin=end, stdout=end, stderr=end, start_new_session=True,
            env={"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(folder), "PS1": "> ", "LC_ALL": "C.UTF-8"})
        os.close(end)
        os.write(self.terminal, b" source ./start; print -r -- ready >>shown\n")
        eventually(lambda: self.lines() == ["ready"], "zsh is ready")

    def lines(self):
        return self.shown.read_text().splitlines() if self.shown.exists() else []

    def complete(self, typed):
        before = len(self.lines())
        os.write(self.terminal, f"pomerium-cli {typed}\t\x18".encode())
        eventually(lambda: len(self.lines()) > before, f"zsh shows {typed}")
        return self.lines()[-1].removeprefix("pomerium-cli ").rstrip(" =")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


# Both ways in which users install it.
@pytest.fixture(params=["fpath=({folder} $fpath)\n", ""], ids=["fpath", "sourced"])
def zsh(folder, request):
    shell = Zsh(folder, request.param)
    yield shell
    shell.close()


def test_zsh(zsh):
    for typed, expected in CASES:
        assert zsh.complete(typed) == expected
    for separator in " =":
        typed = f"tcp --alternate-ca-path{separator}on"
        assert zsh.complete(typed) == f"{typed}ly.pem"
    assert zsh.complete("nonsense") == "nonsense"


def fish(folder, typed):
    """The candidates for the last word, without their descriptions."""
    shown = subprocess.run(
        ["fish", "-N", "-c", f"source fish/pomerium-cli.fish; complete -C 'pomerium-cli {typed}'"], cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb"}, capture_output=True, text=True, timeout=30)
    assert shown.stderr == "" and shown.returncode == 0
    return [line.split("\t")[0] for line in shown.stdout.splitlines()]


def test_fish(folder):
    for typed, expected in CASES:
        assert fish(folder, typed) == [expected.split()[-1]]
    assert fish(folder, "tcp --alternate-ca-path on") == ["only.pem"]
    assert fish(folder, "cache ") == ["clear", "location"]
    assert fish(folder, "nonsense") == []
