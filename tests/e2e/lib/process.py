"""Processes of a test: started with their output in files, watched for crashes, stopped by pid."""

import os
import pathlib
import re
import signal
import subprocess
import time

BUILD = pathlib.Path(os.environ.get("POMERIUM_BUILD", "build/asan")).resolve()
GATEWAY = BUILD / "src" / "proxy" / "pomerium"
CLIENT = BUILD / "src" / "cli" / "pomerium-cli"

TROUBLE = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion .* failed|UndefinedBehaviorSanitizer"
)

# Statuses of a process that was stopped with SIGTERM and of one that ended by itself in good order.
CRASH_SIGNALS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGKILL}


def environment(**changes):
    """What our programs are started with: nothing of the caller's that could change what they do.

    Whoever starts a gateway for longer says where its state is to be kept; of the others none may find that of another.
    """
    kept = {
        name: value for name, value in os.environ.items()
        if name in ("PATH", "LANG", "TMPDIR") or name.endswith("SAN_OPTIONS")
    }
    kept.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
    kept.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    kept.update({name: str(value) for name, value in changes.items() if value is not None})
    return kept


def assert_clean(name, text, status):
    """Fails if a program of ours crashed or a sanitizer has something to say."""
    match = TROUBLE.search(text)
    assert match is None, f"{name}: {text[max(0, match.start() - 200):match.start() + 4000]}"
    if status is not None and status < 0:
        assert -status not in CRASH_SIGNALS, f"{name} died of signal {-status}: {text[-2000:]}"


def run(program, *arguments, stdin=b"", timeout=60, env=None, cwd=None):
    """Runs a program of ours to its end; returns the completed process with text output."""
    done = subprocess.run(
        [str(program), *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout,
        env=env or environment(), cwd=cwd,
    )
    done.stdout = done.stdout.decode(errors="replace")
    done.stderr = done.stderr.decode(errors="replace")
    assert_clean(pathlib.Path(program).name, done.stdout + done.stderr, done.returncode)
    return done


class Process:
    """A running program; its output goes to NAME.stdout and NAME.stderr in a directory."""

    running = []  # every one not stopped yet: looked at after each test

    def __init__(self, name, directory, command, stdin=subprocess.DEVNULL, stdout=None, env=None,
                 preexec=None, close_fds=True):
        self.name = name
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.stdout_path = directory / f"{name}.stdout"
        self.stderr_path = directory / f"{name}.stderr"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.popen = subprocess.Popen(
                [str(part) for part in command], stdin=stdin, stdout=stdout or out, stderr=err,
                env=env or environment(), preexec_fn=preexec, close_fds=close_fds,
            )
        Process.running.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def stdout_text(self):
        return self.stdout_path.read_text(errors="replace")

    def stderr_text(self):
        return self.stderr_path.read_text(errors="replace")

    def check(self):
        assert_clean(self.name, self.stdout_text() + self.stderr_text(), self.popen.poll())

    def wait(self, timeout=30):
        status = self.popen.wait(timeout)
        self.forget()
        self.check()
        return status

    def forget(self):
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()
        if self in Process.running:
            Process.running.remove(self)

    def kill(self):
        """The hard way, for what a failed test left behind."""
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)
        self.forget()

    def stop(self, sign=signal.SIGTERM, timeout=20):
        """Asks it to end and returns its exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(sign)
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {timeout} s of signal {sign}") from None
        self.forget()
        self.check()
        return status


def eventually(probe, what, timeout=15, interval=0.02):
    """Calls probe until it gives something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            described = what() if callable(what) else what
            raise AssertionError(f"not within {timeout} s: {described}")
        time.sleep(interval)
