"""pomerium init, user, hash-password, --version."""

import crypt
import re
import stat

import pytest

from lib.gateway import Gateway, run_gateway
from lib.login import Browser, obtain_token, sign_in_url
from lib.process import environment
from lib.users import DEMO, User

FILES = {"config.yaml": 0o600, "users.yaml": 0o600, "ca.pem": 0o644, "ca-key.pem": 0o600, "server.pem": 0o644,
         "server-key.pem": 0o600}


def init(directory, *arguments, password=DEMO.password, **options):
    return run_gateway("init", directory, "--domain", "demo.localhost", "--user", DEMO.email, "--password-stdin",
                       *arguments, stdin=f"{password}\n".encode(), **options)


def modes(directory):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


@pytest.fixture
def made(tmp_path):
    directory = tmp_path / "conf"
    done = init(directory, "--address", "127.0.0.1:0")
    assert done.returncode == 0, done.stderr
    return directory


def start(directory, name="made", **environ):
    """A gateway with the configuration as init made it."""
    return Gateway(directory / "config.yaml", directory / "ca.pem", env=environment(**environ), name=name)


def test_init_makes_what_it_says(made):
    assert modes(made) == FILES
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    text = (made / "config.yaml").read_text()
    assert DEMO.password not in text and DEMO.password not in (made / "users.yaml").read_text()


def test_the_configuration_works(made):
    gateway = start(made)
    assert gateway.is_serving()
    token = obtain_token(gateway, "redis", DEMO)
    assert gateway.connect("redis", token=token).status in (200, 503)  # by whether a Redis runs on its usual port
    assert gateway.connect("ssh", 22, token).status in (200, 503)
    assert gateway.stop() == 0


def test_secrets_differ_each_time(tmp_path):
    texts = set()
    for name in ("a", "b"):
        assert init(tmp_path / name).returncode == 0
        texts.add(re.search(r"shared_secret: (\S+)", (tmp_path / name / "config.yaml").read_text())[1])
        texts.add(re.search(r"cookie_secret: (\S+)", (tmp_path / name / "config.yaml").read_text())[1])
    assert len(texts) == 4


def test_init_never_overwrites(made):
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    done = init(made)
    assert done.returncode == 1
    assert "--force" in done.stderr and len(done.stderr.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


@pytest.mark.parametrize("name", FILES)
def test_not_even_one_file(tmp_path, name):
    directory = tmp_path / "conf"
    directory.mkdir()
    (directory / name).write_text("mine")
    assert init(directory).returncode == 1
    assert {path.name: path.read_text() for path in directory.iterdir()} == {name: "mine"}


def test_force_replaces(made):
    before = (made / "config.yaml").read_text()
    assert init(made, "--force").returncode == 0
    assert (made / "config.yaml").read_text() != before
    assert modes(made) == FILES


def test_modes_do_not_depend_on_the_umask(tmp_path):
    import os

    old = os.umask(0)
    try:
        assert init(tmp_path / "conf").returncode == 0
    finally:
        os.umask(old)
    assert modes(tmp_path / "conf") == FILES


def test_a_generated_password_is_shown_once_and_works(tmp_path):
    directory = tmp_path / "conf"
    done = run_gateway("init", directory, "--domain", "demo.localhost", "--user", DEMO.email, "--address",
                       "127.0.0.1:0")
    assert done.returncode == 0, done.stderr
    password = re.search(r"^Password[^:]*: (\S+)$", done.stdout, re.MULTILINE)[1]
    assert len(password) >= 16
    gateway = start(directory)
    assert obtain_token(gateway, "redis", User(DEMO.email, password))
    assert gateway.stop() == 0


@pytest.mark.parametrize("arguments, status", [
    ([], 2), (["{dir}", "--domain", "no domain"], 2), (["{dir}", "--user", "nobody"], 2), (["{dir}", "--bogus"], 2),
    (["{dir}", "two"], 2), (["/proc/nothing/here", "--password-stdin"], 1),
])
def test_init_used_wrongly(tmp_path, arguments, status):
    directory = tmp_path / "conf"
    done = run_gateway("init", *(a.format(dir=directory) for a in arguments), stdin=b"x\n")
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("pomerium: ")
    assert not directory.exists()


@pytest.mark.parametrize("password", [b"", b"\n", b"x" * 600 + b"\n"])
def test_init_with_no_password_to_use(tmp_path, password):
    done = run_gateway("init", tmp_path / "conf", "--password-stdin", stdin=password)
    assert done.returncode == 1 and "password" in done.stderr
    assert not (tmp_path / "conf").exists(), "the next attempt finds nothing in its way"
    assert init(tmp_path / "conf").returncode == 0


# ---- user ----

@pytest.fixture
def users(tmp_path):
    """pomerium user ACTION... --file F; returns the finished process."""
    file = tmp_path / "users.yaml"

    def user(*arguments, password="secret password"):
        return run_gateway("user", *arguments, "--file", file, stdin=f"{password}\n".encode())

    user.file = file
    return user


def listed(users):
    done = users("list")
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_life_of_a_user(users):
    assert users("add", DEMO.email, "--name", "Demo: \"User\" #1", "--groups", "a,b: c").returncode == 0
    assert users("add", "second@example.com").returncode == 0
    assert listed(users) == [
        [DEMO.email, "enabled", "Demo: \"User\" #1", "a,b: c"], ["second@example.com", "enabled", "", ""]
    ]
    assert stat.S_IMODE(users.file.stat().st_mode) == 0o600
    assert users("disable", DEMO.email.upper()).returncode == 0
    assert listed(users)[0][1] == "disabled"
    assert users("enable", DEMO.email).returncode == 0
    assert listed(users)[0][1] == "enabled"
    assert users("remove", DEMO.email).returncode == 0
    assert [row[0] for row in listed(users)] == ["second@example.com"]


@pytest.mark.parametrize("arguments, words", [
    (["add", DEMO.email], "already"), (["add", DEMO.email.upper()], "already"), (["add", "nobody"], "nobody"),
    (["add", "a@b@c"], "a@b@c"), (["passwd", "other@example.com"], "other@example.com"),
    (["disable", "other@example.com"], "other@example.com"), (["remove", "other@example.com"], "other@example.com"),
])
def test_what_cannot_be_done_with_users(users, arguments, words):
    assert users("add", DEMO.email).returncode == 0
    before = users.file.read_text()
    done = users(*arguments)
    assert done.returncode == 1 and words in done.stderr
    assert users.file.read_text() == before


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["add"], ["list", "x"], ["add", "a@b", "c"]])
def test_user_used_wrongly(users, arguments):
    done = users(*arguments)
    assert done.returncode == 2
    assert not users.file.exists()


def test_users_made_by_command_can_log_in(made):
    new = User("new@example.com", "the new one's password")

    def user(*arguments, password):
        done = run_gateway("user", *arguments, "--file", made / "users.yaml", stdin=f"{password}\n".encode())
        assert done.returncode == 0, done.stderr

    user("add", new.email, password=new.password)
    user("passwd", DEMO.email, password="changed password")
    gateway = start(made)
    assert obtain_token(gateway, "redis", new)
    assert obtain_token(gateway, "redis", User(DEMO.email, "changed password"))
    page = Browser(gateway.ca).log_in(sign_in_url(gateway, "redis"), DEMO, stop_at="http://127.0.0.1")
    assert page.status != 302
    assert gateway.stop() == 0


# ---- hash-password, version, help ----

def test_hash_password():
    password = "päss word"
    done = run_gateway("hash-password", stdin=f"{password}\n".encode())
    assert done.returncode == 0
    value = done.stdout.strip()
    assert value.startswith("$y$")
    assert crypt.crypt(password, value) == value
    assert run_gateway("hash-password", stdin=f"{password}\n".encode()).stdout.strip() != value


def test_hash_of_nothing():
    done = run_gateway("hash-password", stdin=b"")
    assert (done.returncode, done.stdout) == (1, "")


def test_version_and_help():
    for arguments in (["--version"], ["version"], ["-version"]):
        done = run_gateway(*arguments)
        assert done.returncode == 0, arguments
        assert re.search(r"\d+\.\d+\.\d+", done.stdout) and len(done.stdout.splitlines()) == 1
    for command in ("init", "user", "hash-password"):
        assert command in run_gateway("--help").stdout
        assert run_gateway(command, "--help").returncode == 0


def test_state_directory(made, tmp_path):
    """Missing secrets are made once and kept, not invented anew at every start."""
    config = made / "config.yaml"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if "_secret:" not in line))
    state = tmp_path / "state"

    def kept():
        return {path.name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in state.rglob("*_secret*")}

    first = start(made, "first", STATE_DIRECTORY=state, HOME=tmp_path)
    assert str(state) in first.stdout_text() + first.stderr_text()
    assert first.stop() == 0
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    made_first = kept()
    assert made_first and all(mode == 0o600 for _, mode in made_first.values())
    second = start(made, "second", STATE_DIRECTORY=state, HOME=tmp_path)
    assert second.stop() == 0
    assert kept() == made_first
