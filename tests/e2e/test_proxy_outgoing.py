"""A provider that only a forward proxy can reach."""

import pytest

from lib.forward_proxy import NameProxy, TinyProxy
from lib.gateway import Gateway, tcp_route, write_config
from lib.idp import World, log_in, obtain_token
from lib.net import free_port
from lib.process import eventually
from lib.users import DEMO

# No resolver knows it: it is reserved never to exist.
NAME = "idp.corp.invalid"
SUFFIX = ".corp.invalid"


@pytest.fixture(scope="module")
def name_proxy():
    proxy = NameProxy(SUFFIX)
    yield proxy
    proxy.stop()


@pytest.fixture
def start(make_gateway, redis):
    """Starts a gateway with that environment."""

    def start(settings, **environ):
        path = write_config(make_gateway.directory / f"proxied{len(make_gateway.started)}.yaml", make_gateway.config(
            [tcp_route("redis", redis.port, allowed_users=[DEMO.email])], **settings))
        gateway = Gateway(path, make_gateway.authority.ca, env=environ)
        make_gateway.started.append(gateway)
        return gateway

    return start


@pytest.fixture(scope="module")
def hidden(tmp_path_factory, authority):
    """A world whose provider has a name that does not exist."""
    world = World(tmp_path_factory.mktemp("hidden"), authority, authority.issue("hidden", NAME), name=NAME)
    yield world
    world.stop()


@pytest.fixture(scope="module")
def open_world(tmp_path_factory, authority, certificate):
    world = World(tmp_path_factory.mktemp("open"), authority, certificate)
    yield world
    world.stop()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, name_proxy):
    proxy = TinyProxy(tmp_path_factory.mktemp("tinyproxy"), SUFFIX, name_proxy.port)
    yield proxy
    proxy.stop()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_everything_goes_through_the_proxy(start, hidden, tiny, name_proxy, variable):
    name_proxy.asked.clear()
    gateway = start(hidden.settings(), **{variable: f"http://127.0.0.1:{tiny.port}"})
    assert gateway.connect("redis", token=obtain_token(gateway)).status == 200
    assert name_proxy.asked and set(name_proxy.asked) == {NAME}
    eventually(lambda: NAME in tiny.log(), tiny.log)


def test_the_direct_way_does_not_exist(start, hidden):
    """Else the test above would prove nothing."""
    browser, page = log_in(start(hidden.settings()))
    assert page.status in (502, 503, 504)


@pytest.mark.parametrize("exception", [".demo.localhost", "demo.localhost", "other.example.com,idp.demo.localhost", "*"])
def test_no_proxy_for_some(start, open_world, exception):
    dead = f"http://127.0.0.1:{free_port()}"
    gateway = start(open_world.settings(), HTTPS_PROXY=dead, NO_PROXY=exception)
    assert gateway.connect("redis", token=obtain_token(gateway)).status == 200


def test_a_dead_proxy_is_named(start, open_world):
    port = free_port()
    gateway = start(open_world.settings(), HTTPS_PROXY=f"http://127.0.0.1:{port}")
    browser, page = log_in(gateway)
    assert page.status in (502, 503, 504)
    assert f"proxy 127.0.0.1:{port}" in gateway.log.wait("login refused")["error"]


def test_a_proxy_that_refuses(start, open_world, name_proxy):
    gateway = start(open_world.settings(), HTTPS_PROXY=f"http://127.0.0.1:{name_proxy.port}")
    browser, page = log_in(gateway)
    assert page.status in (502, 503, 504)
    assert f"proxy 127.0.0.1:{name_proxy.port}" in gateway.log.wait("login refused")["error"]


def test_a_proxy_with_a_password(start, hidden, name_proxy, tmp_path):
    password = "password-of-the-proxy"
    proxy = TinyProxy(tmp_path / "tinyproxy", SUFFIX, name_proxy.port, login=("someone", password))
    gateway = start(hidden.settings(), HTTPS_PROXY=f"http://someone:{password}@127.0.0.1:{proxy.port}")
    assert gateway.connect("redis", token=obtain_token(gateway)).status == 200
    refused = start(hidden.settings(1), HTTPS_PROXY=f"http://someone:wrong-password@127.0.0.1:{proxy.port}")
    browser, page = log_in(refused)
    assert page.status in (502, 503, 504)
    for text in (gateway.stdout_text(), refused.stdout_text(), page.text):
        assert password not in text and "wrong-password" not in text
    proxy.stop()
