"""A clock that programs run by and that a test drives, over hours in seconds."""

import os
import re
import subprocess

from lib.login import Browser
from lib.net import free_port
from lib.process import BUILD, GATEWAY

LIBRARY = BUILD / "tests" / "support" / "libclock_preload.so"


def _sanitizer(program):
    """The sanitizer's library, if the program was linked with it: it has to be loaded before any other."""
    listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    return re.findall(r"=> (\S*/libasan\.so\S*)", listing)


class Clock:
    def __init__(self, directory):
        assert LIBRARY.exists(), f"{LIBRARY} is not built: make asan"
        self.path = directory / "clock"
        self.ahead = 0
        self.advance(0)

    def env(self, program=None):
        """What to start a program with; one of ours may have a sanitizer."""
        first = _sanitizer(program) if program else []
        return {"LD_PRELOAD": " ".join([*first, str(LIBRARY)]), "CLOCK_PRELOAD_FILE": str(self.path)}

    def advance(self, seconds):
        """Whoever reads the clock meanwhile finds the old time or the new one."""
        self.ahead += seconds
        beside = self.path.with_suffix(".new")
        beside.write_text(f"{self.ahead}\n")
        os.replace(beside, self.path)

    def start(self, make_gateway, *routes, **settings):
        """A gateway that runs by this clock."""
        self.health_port = free_port()
        self.gateway = make_gateway(*routes, env=self.env(GATEWAY), health_check_addr=f"127.0.0.1:{self.health_port}",
                                    **settings)
        return self.gateway

    def leap(self, seconds):
        """The gateway is asked something then: it is asleep, and the kernel, which would wake it, has another clock."""
        self.advance(seconds)
        self.wake()

    def wake(self):
        """The thread that answers is the one that looks after sessions."""
        page = Browser(self.gateway.ca).get(f"http://127.0.0.1:{self.health_port}/healthz")
        assert page.status == 200, page.text
