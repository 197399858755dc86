"""Limits of tunnels and of connections to a server: what is beyond is refused and told; everything is given back."""

import threading
import time

import pytest

from lib.gateway import host, tcp_route
from lib.net import connect_bytes, free_port
from lib.process import eventually
from lib.upstreams import PUBLIC, Full


def refusal(gateway, name="x"):
    response = gateway.connect(name)
    assert response.status == 503, response
    return response.header("x-pomerium-reason")


def opens_again(gateway, name="x"):
    """Once the gateway has noticed that others are gone."""
    return eventually(lambda: gateway.connect(name).status == 200, "there is room again", 5)


@pytest.mark.parametrize("settings, word", [
    ({"max_tunnels": 3}, "overloaded"),
    ({"circuit_breaker_thresholds": {"max_connections": 3}}, "upstream-limit"),
    ({"circuit_breaker_thresholds": {"max_connections": 3}, "max_tunnels": 5}, "upstream-limit"),
    ({"circuit_breaker_thresholds": {"max_connections": 5}, "max_tunnels": 3}, "overloaded"),
])
def test_of_a_route(make_gateway, upstream, settings, word):
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC, **settings),
                           tcp_route("y", upstream.port, **PUBLIC))
    tunnels = [gateway.tunnel("x") for _ in range(3)]
    assert [refusal(gateway) for _ in range(3)] == [word] * 3
    assert gateway.log.wait("http-request", reason=word)["response-code"] == 503
    assert gateway.connect("y").status == 200  # nobody else's business
    for tunnel in tunnels:  # whose bytes flow
        tunnel.send(b"hello")
        assert tunnel.read_exactly(5) == b"hello"
    tunnels.pop().close()
    opens_again(gateway)
    tunnels.append(eventually(lambda: _try_tunnel(gateway), "the third tunnel again", 5))
    assert refusal(gateway) == word
    for tunnel in tunnels:
        tunnel.close()


def _try_tunnel(gateway):
    connection = gateway.open("x")
    if connection.ask(connect_bytes(f"{host('x')}:6379"), has_body=False).status == 200:
        return connection
    connection.close()
    return None


def test_of_the_gateway(make_gateway, upstream):
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC), tcp_route("y", upstream.port, **PUBLIC),
                           max_tunnels=4, workers=4)
    tunnels = [gateway.tunnel(name) for name in "xyxy"]
    assert (refusal(gateway, "x"), refusal(gateway, "y")) == ("overloaded", "overloaded")
    assert gateway.get("x", "/ping").status == 200
    tunnels.pop().close()
    opens_again(gateway)
    for tunnel in tunnels:
        tunnel.close()


def test_breakers_of_the_gateway_and_of_a_route(make_gateway, upstream):
    """The route's value counts where it has one, field by field."""
    gateway = make_gateway(
        tcp_route("x", upstream.port, **PUBLIC),
        tcp_route("y", upstream.port, **PUBLIC, circuit_breaker_thresholds={"max_connections": 3}),
        circuit_breaker_thresholds={"max_connections": 1})
    tunnels = [gateway.tunnel("x"), gateway.tunnel("y"), gateway.tunnel("y")]
    assert refusal(gateway, "x") == "upstream-limit"
    tunnels.append(gateway.tunnel("y"))
    assert refusal(gateway, "y") == "upstream-limit"
    for tunnel in tunnels:
        tunnel.close()


def test_pending(make_gateway):
    """Dials that are under way; who leaves makes room, and so does a dial that is over."""
    with Full() as full:
        gateway = make_gateway(tcp_route("x", full.port, **PUBLIC,
                                         circuit_breaker_thresholds={"max_pending_requests": 2}))
        waiting = [gateway.open("x") for _ in range(2)]
        for connection in waiting:
            connection.send(connect_bytes(f"{host('x')}:6379"))
        eventually(lambda: _refused_for(gateway, "upstream-limit"), "both are under way", 5)
        waiting.pop().close()
        eventually(lambda: _takes_place(gateway), "the place is free again", 5)
        waiting.pop().close()


def _refused_for(gateway, word):
    connection = gateway.open("x", timeout=0.5)
    try:
        return connection.ask(connect_bytes(f"{host('x')}:6379")).header("x-pomerium-reason") == word
    except TimeoutError:
        return False
    finally:
        connection.close()


def _takes_place(gateway):
    """True if a request is neither refused nor answered: it waits for the server."""
    connection = gateway.open("x", timeout=0.5)
    try:
        connection.ask(connect_bytes(f"{host('x')}:6379"))
        return False
    except TimeoutError:
        return True
    finally:
        connection.close()


def test_everything_is_given_back(make_gateway, upstream):
    """After refused dials, tunnels of every kind of end, and clients that left in between: all three places are there."""
    dead = free_port()
    gateway = make_gateway(
        {**tcp_route("x", 1, **PUBLIC, max_tunnels=3), "to": [f"tcp://127.0.0.1:{dead}",
                                                              f"tcp://127.0.0.1:{upstream.port}"]},
        {**tcp_route("dead", dead, **PUBLIC, max_tunnels=1)}, max_tunnels=5)
    for _ in range(5):
        assert refusal(gateway, "dead") == "upstream-refused"
    for how in range(30):
        tunnel = eventually(lambda: _try_tunnel(gateway), "a place", 5)
        if how % 3 == 0:
            tunnel.close_orderly()
        elif how % 3 == 1:
            tunnel.close()
        else:
            tunnel.send(b"x")
            upstream.connections[-1].close()
            tunnel.close()
    tunnels = [eventually(lambda: _try_tunnel(gateway), "three places", 5) for _ in range(3)]
    assert refusal(gateway) == "overloaded"
    for tunnel in tunnels:
        tunnel.close()


def test_never_more_than_allowed(make_gateway, upstream):
    """A crowd on four workers."""
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC, max_tunnels=10), workers=4)
    lock = threading.Lock()
    counts = {"open": 0, "most": 0, "opened": 0, "refused": 0}

    def visit():
        for _ in range(6):
            with gateway.open("x") as connection:
                status = connection.ask(connect_bytes(f"{host('x')}:6379"), has_body=False).status
                if status != 200:
                    with lock:
                        counts["refused"] += 1
                    continue
                with lock:
                    counts["open"] += 1
                    counts["opened"] += 1
                    counts["most"] = max(counts["most"], counts["open"])
                time.sleep(0.01)
                with lock:
                    counts["open"] -= 1

    threads = [threading.Thread(target=visit) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts["most"] <= 10 and counts["opened"] >= 10 and counts["refused"] > 0, counts
    opens_again(gateway)


def test_no_limit_unless_there_is_one(make_gateway, upstream):
    """More than the 1024 that the reference has built in; see test_two_thousand_tunnels for the rest."""
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC), workers=2)
    tunnels = [gateway.tunnel("x") for _ in range(1100)]
    tunnels[-1].send(b"hello")
    assert tunnels[-1].read_exactly(5) == b"hello"
    for tunnel in tunnels:
        tunnel.close()


def test_idle_timeout(make_gateway, upstream):
    """Cuts who is silent, and only him."""
    gateway = make_gateway(tcp_route("x", upstream.port, **PUBLIC, idle_timeout="1s"),
                           tcp_route("y", upstream.port, **PUBLIC))
    silent, busy, other = gateway.tunnel("x"), gateway.tunnel("x"), gateway.tunnel("y")
    ended = threading.Event()
    threading.Thread(target=lambda: (silent.is_at_end(), ended.set()), daemon=True).start()
    begin = time.monotonic()
    while not ended.is_set():
        busy.send(b"x")
        assert busy.read_exactly(1) == b"x"
        assert time.monotonic() - begin < 10
        ended.wait(0.2)
    assert gateway.log.wait("http-request", end_reason="idle-timeout")
    assert len(gateway.log.find("http-request")) == 1
    other.send(b"x")
    assert other.read_exactly(1) == b"x"
    for tunnel in (silent, busy, other):
        tunnel.close()
