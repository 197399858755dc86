"""SIGTERM and SIGINT end the gateway at once and in good order, whatever is going on."""

import signal
import time

import pytest

from lib.gateway import host, tcp_route
from lib.login import Browser, obtain_token, sign_in_url
from lib.net import connect_bytes
from lib.users import DEMO


@pytest.fixture
def gateway(make_gateway, upstream):
    return make_gateway(tcp_route("redis", upstream.port, allowed_users=[DEMO.email]), workers=3)


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


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_with_connections_in_every_state(gateway, sign):
    connections = start_everything(gateway)
    form = Browser(gateway.ca).open_login(sign_in_url(gateway, "redis"))
    assert form.status == 200
    begin = time.monotonic()
    assert gateway.stop(sign) == 0
    assert time.monotonic() - begin < 5
    assert gateway.log.find("shutting down")
    for connection in connections:
        connection.socket.settimeout(10)
        connection.read_to_end()
        connection.close()
    ends = [line["end-reason"] for line in gateway.log.find("http-request", response_code=200) if line.get("end-reason")]
    assert len(ends) == 21
    assert set(ends) == {"shutdown"}


def test_during_a_login(gateway):
    """While a password is being looked at by another thread."""
    import threading

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
    time.sleep(0.2)
    assert gateway.is_serving()
