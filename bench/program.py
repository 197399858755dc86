"""What the programs here that measure something have in common: their flags, what they start, their part of RESULTS.md."""

import argparse
import contextlib
import os
import pathlib
import resource
import subprocess
import tempfile

from peers import available
from proxies import USER, Pomerium
from results import machine, today, write_part


def arguments(description, only=None, minutes=None):
    """The options; .build has the programs, and may be relative no more."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works; writes nothing")
    parser.add_argument("--no-write", action="store_true", help="write nothing")
    parser.add_argument("--note", help="what else is to be known about this run")
    if only:
        parser.add_argument("--only", choices=only, help="measure one; writes nothing")
    if minutes:
        parser.add_argument("--minutes", type=float, default=minutes, help=f"how long (default: {minutes})")
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.writes = not options.quick and not options.no_write
    # What the tests share asks for the programs as soon as it is imported.
    os.environ["POMERIUM_BUILD"] = str(options.build)
    Pomerium.program = options.build / "src" / "proxy" / "pomerium"
    raise_descriptor_limit()
    return options


def raise_descriptor_limit():
    """The children inherit it: a tunnel takes two descriptors of its proxy."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    want = 65536
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(want, hard)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def write(heading, text, options, notes=()):
    """What was measured, on the terminal, and where it is kept."""
    print("\n" + text)
    if options.writes:
        notes = [*notes, machine(), f"{today()}, `make bench`", *([options.note] if options.note else [])]
        write_part(heading, "\n".join([text, "", *(f"* {note}" for note in notes)]))


@contextlib.contextmanager
def scratch():
    """A directory; users that proxies change to can find their files below it."""
    with tempfile.TemporaryDirectory(prefix="pomerium-bench.") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o711)
        yield directory


@contextlib.contextmanager
def server_process(build):
    """bench-server: its port, and the process."""
    process = subprocess.Popen([build / "bench" / "bench-server"], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def server(build):
    with server_process(build) as (port, _):
        yield port


@contextlib.contextmanager
def running(kinds, directory, *place):
    """Those of them that are installed; each has a second directory for another one of its kind."""
    (directory / "other").mkdir(parents=True, exist_ok=True)
    for each in (directory, directory / "other"):
        each.chmod(0o711)
    with contextlib.ExitStack() as stack:
        proxies = []
        for kind in filter(available, kinds):
            proxies.append(kind(directory, *place))
            stack.callback(proxies[-1].stop)
        yield proxies


def make_certificate(directory):
    """A P-256 certificate, a CA, and a user."""
    subprocess.run(
        [Pomerium.program, "init", directory / "conf", "--domain", "demo.localhost", "--user", USER.email,
         "--password-stdin"],
        input=USER.password + "\n", text=True, check=True, stdout=subprocess.DEVNULL,
    )
    return directory / "conf" / "server.pem", directory / "conf" / "server-key.pem"
