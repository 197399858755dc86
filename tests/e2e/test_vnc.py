"""A real desktop over VNC: its screen, fetched through a tunnel, is the one that is there."""

import pathlib
import subprocess
import sys

import pytest
from PIL import Image, ImageChops

from lib.gateway import tcp_route
from lib.process import eventually
from lib.users import DEMO

PATTERN = ("-mod", "16", "16", "-fg", "#204080", "-bg", "#ffc000")


@pytest.fixture
def port(make_gateway, make_client, vnc):
    gateway = make_gateway(tcp_route("desk", vnc.port, 5900, allowed_users=[DEMO.email]))
    return make_client(gateway, DEMO).listen("desk", 5900).port


def command(port, *actions):
    return [str(pathlib.Path(sys.executable).parent / "vncdotool"), "-s", f"127.0.0.1::{port}", "--nocursor", "-t", "60", *actions]


def capture(port, path):
    done = subprocess.run(command(port, "capture", str(path)), capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return Image.open(path).convert("RGB")


def is_same(one, other):
    return one.size == other.size and ImageChops.difference(one, other).getbbox() is None


def test_the_screen_is_the_same(port, vnc, tmp_path):
    vnc.draw(*PATTERN)
    screen = capture(port, tmp_path / "tunnel.png")
    assert screen.size == (640, 480)
    assert {colour for _, colour in screen.getcolors()} == {(0x20, 0x40, 0x80), (0xff, 0xc0, 0)}
    assert is_same(screen, capture(vnc.port, tmp_path / "direct.png"))


def test_what_changes_is_sent(port, vnc, tmp_path):
    """A viewer that waits for a picture sees it come."""
    vnc.draw("-solid", "#00a040")
    capture(vnc.port, tmp_path / "wanted.png")
    vnc.draw(*PATTERN)
    first = tmp_path / "first.png"
    viewer = subprocess.Popen(
        command(port, "capture", str(first), "expect", str(tmp_path / "wanted.png"), "0", "capture", str(tmp_path / "then.png")),
        stdout=subprocess.DEVNULL)
    eventually(lambda: first.exists() or viewer.poll() is not None, "the viewer shows the desktop", 60)
    vnc.draw("-solid", "#00a040")
    assert viewer.wait(60) == 0
    assert is_same(Image.open(tmp_path / "then.png").convert("RGB"), Image.open(tmp_path / "wanted.png").convert("RGB"))
