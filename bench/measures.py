"""How each thing is measured on one proxy: a number for each row of the tables."""

import subprocess
import time

from proxies import NAME, NAME_SESSION, descriptor_limit

GIB = 1 << 30
MIB = 1 << 20
AES256 = "TLS_AES_256_GCM_SHA384"
SMALL = 1024


class Measures:
    def __init__(self, load, quick):
        self.load = load
        self.rounds = 1 if quick else 5
        self.bulk_bytes = GIB // 4 if quick else GIB
        self.seconds = 1 if quick else 2
        # Two descriptors of the proxy for each tunnel, and one of the server's and one of ours.
        most = min(10000, (descriptor_limit() - 1000) // 2000 * 1000)
        self.idle_counts = [1000] if quick else [1000, most]
        self.echo_counts = [64] if quick else [1, 64, 512]
        self.token = None

    def command(self, proxy, *arguments, name=NAME, token=None):
        flags = ["--port", proxy.port, "--name", name]
        if proxy.has_connect:
            flags += ["--connect", proxy.connect_target or f"{name}:1"]
        if proxy.is_plain:
            flags += ["--plain", "yes"]
        if token:
            flags += ["--token", token]
        return [str(a) for a in [self.load, *flags, *arguments]]

    def run(self, proxy, *arguments, **options):
        """(things done, seconds, CPU seconds of the proxy, what else the load generator says)"""
        before = proxy.cpu_seconds()
        done = subprocess.run(self.command(proxy, *arguments, **options), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"bench: {proxy.name}: the load generator failed")
        time.sleep(0.1)  # what is left to clean up belongs to it
        count, microseconds, *more = map(int, done.stdout.split())
        return count, microseconds / 1e6, proxy.cpu_seconds() - before, more

    def bulk(self, proxy, row, direction, tunnels=1, flags=(), part=1):
        count, seconds, cpu, _ = self.run(proxy, *flags, direction, self.bulk_bytes // part, tunnels)
        return {f"{row}: CPU": cpu / (count / GIB), f"{row}: MiB/s": count / seconds / MIB}

    def echo(self, proxy, tunnels):
        """Without the opening of the tunnels and their end."""
        with subprocess.Popen(self.command(proxy, "echo", tunnels, self.seconds), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True) as load:
            opened = load.stdout.readline()
            before = proxy.cpu_seconds()
            numbers = load.stdout.readline()
            cpu = proxy.cpu_seconds() - before
        if not opened or not numbers or load.returncode != 0:
            raise SystemExit(f"bench: {proxy.name}: the load generator failed")
        count, microseconds, *within = map(int, numbers.split())
        seconds = microseconds / 1e6
        measured = {"CPU": cpu / count * 1e6, "messages/s": count / seconds}
        measured |= dict(zip(("p50", "p99", "p99.9"), within, strict=True))
        return {f"echo-{tunnels}: {what}": value for what, value in measured.items()}

    def tunnels(self, proxy):
        count, seconds, cpu, _ = self.run(proxy, "open", 8, self.seconds)
        return {"new: CPU": cpu / count * 1e3, "new: tunnels/s": count / seconds}

    def resumed_tunnels(self, proxy):
        if proxy.is_plain:
            return None
        count, seconds, cpu, (resumed,) = self.run(proxy, "--resume", "yes", "open", 8, self.seconds)
        if resumed < count * 0.9:  # the first of each of the eight cannot be
            print(f"  {proxy.name}: only {resumed} of {count} were resumed")
            return None
        return {"resumed: CPU": cpu / count * 1e3, "resumed: tunnels/s": count / seconds}

    def tunnels_of_a_session(self, proxy):
        if not hasattr(proxy, "session_token"):
            return None
        self.token = self.token or proxy.session_token()
        count, seconds, cpu, _ = self.run(proxy, "open", 8, self.seconds, name=NAME_SESSION, token=self.token)
        return {"session: CPU": cpu / count * 1e3, "session: tunnels/s": count / seconds}

    def idle(self, proxy, count):
        if proxy.most_tunnels and count > proxy.most_tunnels:
            return None
        process = subprocess.Popen(self.command(proxy, "idle", count), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        if not process.stdout.readline():
            raise SystemExit(f"bench: {proxy.name}: the load generator failed")
        time.sleep(0.5)
        used = proxy.memory_bytes() - proxy.memory_at_start
        process.communicate()
        return {f"idle: {count}": used / count / 1024}

    def start(self, proxy):
        """Another one of the same kind, which does nothing and ends."""
        other = type(proxy)(proxy.directory / "other", proxy.certificate, proxy.upstream_port)
        program, code = other.code_bytes()
        other.stop()
        return {"start: ms": other.start_seconds * 1e3, "start: MiB": other.memory_at_start / MIB,
                "start: program": program / MIB, "start: code": code / MIB}

    def all(self):
        """(title, number of rounds, function): memory first, compared with a process that has done nothing yet."""
        for count in self.idle_counts:
            yield f"{count} idle tunnels", 1, lambda proxy, count=count: self.idle(proxy, count)
        yield "start", self.rounds, self.start
        yield from self.bulks()
        for count in self.echo_counts:
            yield f"echo on {count} tunnels", self.rounds, lambda proxy, count=count: self.echo(proxy, count)
        yield "new tunnels", self.rounds, self.tunnels
        yield "resumed tunnels", self.rounds, self.resumed_tunnels
        yield "new tunnels of a session", self.rounds, self.tunnels_of_a_session

    def bulks(self):
        for way, name in (("down", "client"), ("up", "server")):
            for tunnels in (1, 4, 64):
                yield f"bulk to the {name}, {tunnels} tunnels", self.rounds, (
                    lambda proxy, way=way, n=tunnels: self.bulk(proxy, f"{way}-{n}", way, n))
            yield f"bulk to the {name}, AES-256", self.rounds, (
                lambda proxy, way=way: self.bulk(proxy, f"{way}-256", way, flags=["--suite", AES256]))
            yield f"small writes to the {name}", self.rounds, (
                lambda proxy, way=way: self.bulk(proxy, f"{way}-small", way, flags=["--piece", SMALL], part=4))

    def with_two_workers(self):
        """What is measured again then; more is in play than the proxy, so the CPU time says more than the speed."""
        yield "two workers, bulk to the client", self.rounds, lambda proxy: self.bulk(proxy, "down-4", "down", 4)
        yield "two workers, bulk to the server", self.rounds, lambda proxy: self.bulk(proxy, "up-4", "up", 4)
        yield "two workers, echo", self.rounds, lambda proxy: self.echo(proxy, 64)
        yield "two workers, new tunnels", self.rounds, self.tunnels


def titles(measures):
    """The rows of the tables: less is better in the first group, more in the second."""
    less, more = {}, {}
    for way, name in (("down", "client"), ("up", "server")):
        for key, what in (("1", ""), ("4", ", 4 tunnels"), ("64", ", 64 tunnels"), ("256", ", AES-256-GCM"),
                          ("small", ", 1 KiB at a time")):
            less[f"{way}-{key}: CPU"] = f"bulk to the {name}{what}: CPU s per GiB"
            more[f"{way}-{key}: MiB/s"] = f"bulk to the {name}{what}: MiB/s"
    for n in measures.echo_counts:
        what = f"echo of 64 bytes, {n} tunnel{'s' * (n > 1)}"
        less[f"echo-{n}: CPU"] = f"{what}: CPU s per million"
        less.update({f"echo-{n}: {p}": f"· latency {p}, µs" for p in ("p50", "p99", "p99.9")})
        more[f"echo-{n}: messages/s"] = f"{what}: messages/s"
    for key, what in (("new", "new tunnels, full handshakes"), ("resumed", "new tunnels, resumed"),
                      ("session", "new tunnels with a session token")):
        less[f"{key}: CPU"] = f"{what}: CPU s per 1,000"
        more[f"{key}: tunnels/s"] = f"{what}: per second"
    less.update({f"idle: {n}": f"memory per tunnel, {n:,} idle: KiB" for n in measures.idle_counts})
    less |= {"start: ms": "from exec to listening: ms", "start: MiB": "memory at the start: MiB",
             "start: program": "size of the program: MiB", "start: code": "· with the libraries it loads: MiB"}
    return less, more
