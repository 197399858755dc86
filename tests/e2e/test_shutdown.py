"""SIGTERM, SIGINT and `pomerium drain` end the gateway in good order, whatever is going on."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request

import pytest

from lib import operator
from lib.gateway import host, run_gateway, tcp_route, write_config
from lib.login import Browser, obtain_token, sign_in_url
from lib.net import connect_bytes, request_bytes
from lib.process import eventually
from lib.users import DEMO


@pytest.fixture
def start(make_gateway, upstream):
    def start(**settings):
        return make_gateway(tcp_route("redis", upstream.port, allowed_users=[DEMO.email]), workers=3, **settings)

    return start


@pytest.fixture
def gateway(start):
    return start()


def start_everything(gateway):
    """A connection in each state of its life."""
    token = obtain_token(gateway, "redis", DEMO)
    connections = [gateway.tunnel("redis", token=token) for _ in range(20)]
    for connection in connections:
        connection.send(b"x" * 1000)
    idle = gateway.open("redis")
    half = gateway.open("redis")
    half.send(connect_bytes(f"{host('redis')}:6379")[:20])
    full = gateway.tunnel("redis", token=token)
    full.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            full.send(b"y" * 65536)
    return [*connections, idle, half, full]


def end_reasons(gateway):
    return [line["end-reason"] for line in gateway.log.find("http-request", response_code=200) if line.get("end-reason")]


def drains(gateway):
    return eventually(lambda: gateway.log.find("shutting down"), "it drains")


def wait_for(gateway, timeout=20):
    status = gateway.popen.wait(timeout)
    gateway.forget()
    gateway.check()
    return status


def ready(gateway):
    address = json.loads(gateway.config_path.read_text())["health_check_addr"]
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code


# ---- without time for tunnels ----

@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_with_connections_in_every_state(gateway, sign):
    connections = start_everything(gateway)
    form = Browser(gateway.ca).open_login(sign_in_url(gateway, "redis"))
    assert form.status == 200
    begin = time.monotonic()
    assert gateway.stop(sign) == 0
    assert time.monotonic() - begin < 5
    assert gateway.log.find("shutting down", why=sign.name)
    for connection in connections:
        connection.socket.settimeout(10)
        connection.read_to_end()
        connection.close()
    assert end_reasons(gateway) == ["shutdown"] * 21


def test_during_a_login(gateway):
    """While a password is being looked at by another thread."""
    browser = Browser(gateway.ca)
    form = browser.open_login(sign_in_url(gateway, "redis"))

    def submit():
        try:
            browser.submit(form, email=DEMO.email, password="wrong")
        except OSError:
            pass

    thread = threading.Thread(target=submit)
    thread.start()
    assert gateway.stop() == 0
    thread.join()


def test_the_port_is_free_again(gateway, make_gateway):
    connections = start_everything(gateway)
    assert gateway.stop() == 0
    again = make_gateway(tcp_route("redis", 1), address=f"127.0.0.1:{gateway.port}")
    assert again.port == gateway.port and again.is_serving()
    for connection in connections:
        connection.close()


def test_hangup_does_not_end_it(gateway):
    gateway.popen.send_signal(signal.SIGHUP)
    gateway.popen.send_signal(signal.SIGPIPE)
    gateway.log.wait("configuration reloaded")
    assert gateway.is_serving()


# ---- with time for tunnels ----

def test_tunnels_go_on_to_their_end(start):
    """The last one that ends is the end of the gateway; it needs no signal more."""
    gateway = start(drain_timeout="1m")
    token = obtain_token(gateway, "redis", DEMO)
    tunnels = [gateway.tunnel("redis", token=token) for _ in range(3)]
    open_one = gateway.open("redis")
    kept = gateway.open("redis")
    kept.send(request_bytes("GET", "/ping", f"{host('redis')}:{gateway.port}"))
    assert kept.read_response().status == 200
    assert ready(gateway) == 200

    gateway.popen.send_signal(signal.SIGTERM)
    line = drains(gateway)[0]
    assert line["tunnels"] == 3 and line["until"]
    assert ready(gateway) == 503
    kept.read_to_end()  # it had nothing to ask: at once
    eventually(lambda: not can_connect(gateway), "nobody is accepted")
    refused = open_one.ask(connect_bytes(f"{host('redis')}:6379", token))
    assert (refused.status, refused.header("x-pomerium-reason")) == (503, "shutting-down")
    assert refused.header("connection") == "close"
    open_one.close()
    kept.close()
    for tunnel in tunnels:
        tunnel.send(b"still here")
        assert tunnel.read_exactly(10) == b"still here"
    assert operator.status(gateway)["state"] == "draining"
    for tunnel in tunnels:
        tunnel.close()
    assert wait_for(gateway) == 0
    assert gateway.log.find("ending", why="nothing is left to be served")
    assert len(end_reasons(gateway)) == 3 and "shutdown" not in end_reasons(gateway)


def can_connect(gateway):
    try:
        gateway.open("redis").close()
    except ConnectionError:
        return False
    return True


def test_those_that_do_not_end_are_cut_off(start):
    gateway = start(drain_timeout="1s")
    tunnel = gateway.tunnel("redis", token=obtain_token(gateway, "redis", DEMO))
    begin = time.monotonic()
    assert gateway.stop() == 0
    assert 0.9 < time.monotonic() - begin < 10
    assert gateway.log.find("ending", why="drain_timeout is over", tunnels=1)
    assert end_reasons(gateway) == ["shutdown"]
    tunnel.close()


def test_a_second_signal_ends_it_now(start):
    gateway = start(drain_timeout="1h")
    tunnel = gateway.tunnel("redis", token=obtain_token(gateway, "redis", DEMO))
    gateway.popen.send_signal(signal.SIGTERM)
    drains(gateway)
    assert gateway.stop(signal.SIGINT) == 0
    assert gateway.log.find("ending", why="a second signal")
    assert end_reasons(gateway) == ["shutdown"]
    tunnel.close()


def test_an_operator_can_drain(start):
    gateway = start(drain_timeout="1h")
    tunnel = gateway.tunnel("redis", token=obtain_token(gateway, "redis", DEMO))
    socket = gateway.state / "admin.sock"
    done = run_gateway("drain", "--socket", socket)
    assert done.returncode == 0 and done.stdout.startswith("draining: 1 tunnels are left, until ")
    again = run_gateway("drain", "--socket", socket, "--json")
    assert again.returncode == 0 and '"state":"draining"' in again.stdout.replace(" ", "")
    assert "draining" in run_gateway("status", "--socket", socket).stdout
    # The first signal finds it draining already; it is the second that ends it.
    gateway.popen.send_signal(signal.SIGTERM)
    tunnel.send(b"still here")
    assert tunnel.read_exactly(10) == b"still here"
    assert gateway.stop() == 0
    tunnel.close()


def test_drain_without_a_tunnel_ends_at_once(start):
    gateway = start(drain_timeout="1h")
    done = run_gateway("drain", "--socket", gateway.state / "admin.sock")
    assert done.returncode == 0
    assert wait_for(gateway) == 0


def test_who_waits_to_be_accepted_is_answered(start):
    """Many come at the moment of the signal: each is served, refused in words, or not let in; none is cut off."""
    gateway = start(drain_timeout="1m")
    token = obtain_token(gateway, "redis", DEMO)
    results = []

    def come():
        try:
            connection = gateway.open("redis")
        except (ConnectionError, OSError):
            return
        with connection:
            answer = connection.ask(connect_bytes(f"{host('redis')}:6379", token), has_body=False)
            results.append(answer.status)

    threads = [threading.Thread(target=come) for _ in range(40)]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 20:
            gateway.popen.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert wait_for(gateway) == 0
    assert set(results) <= {200, 503}


def test_a_policy_still_counts(start):
    """What is edited while it drains ends tunnels as ever."""
    gateway = start(drain_timeout="1h", runtime_flags={"config_hot_reload": False})
    tunnel = gateway.tunnel("redis", token=obtain_token(gateway, "redis", DEMO))
    gateway.popen.send_signal(signal.SIGTERM)
    drains(gateway)
    config = json.loads(gateway.config_path.read_text())
    config["routes"][0]["allowed_users"] = ["nobody@example.com"]
    write_config(gateway.config_path, config)
    gateway.popen.send_signal(signal.SIGHUP)
    tunnel.read_to_end()
    tunnel.close()
    assert wait_for(gateway) == 0
    assert end_reasons(gateway) == ["policy-denied"]
