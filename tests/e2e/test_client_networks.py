"""The client where the only way to the gateway is through a proxy; and tunnels, logins and other calls take the same way."""

import pytest

from lib.corporate import IN_URL, LOGIN, Inside, Squid
from lib.gateway import host, tcp_route
from lib.process import CLIENT, Process

@pytest.fixture(scope="module")
def squid(office):
    squid = Squid(office, [host("redis"), host("secret")], LOGIN)
    yield squid
    squid.stop()


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(tcp_route("redis", redis.port, allow_any_authenticated_user=True))


@pytest.fixture
def inside(office, make_client, gateway):
    return Inside(office, make_client(gateway))


REDIS = f"{host('redis')}:6379"


def assert_works(done):
    assert (done.returncode, done.stdout[:5]) == (0, "+PONG"), done.stderr
    assert "pass" not in done.stderr


def test_direct_way_is_closed(inside, gateway):
    done = inside.pipe(gateway.url("redis"), REDIS, "--proxy", "none")
    assert done.returncode == 6, done.stderr


def test_squid_with_login(inside, gateway, squid):
    """One login through the proxy, then a tunnel through it; the next tunnel needs no login."""
    url = gateway.url("redis")
    env = {"HTTPS_PROXY": squid.url("http", IN_URL)}
    assert_works(inside.pipe(url, REDIS, env=env))
    assert_works(inside.pipe(url, REDIS, env=env))
    assert inside.client.visit_count() == 1
    assert squid.has_logged(f"CONNECT {host('redis')}:{gateway.port} ada")


@pytest.mark.parametrize("variable", ["https_proxy", "all_proxy", "ALL_PROXY"])
def test_variables(inside, gateway, squid, variable):
    assert_works(inside.pipe(gateway.url("redis"), REDIS, env={variable: squid.url("http", IN_URL)}))


def test_flag_wins(inside, gateway, squid):
    env = {"HTTPS_PROXY": "http://192.0.2.1:9", "NO_PROXY": "*"}
    assert_works(inside.pipe(gateway.url("redis"), REDIS, "--proxy", squid.url("http", IN_URL), env=env))


def test_exceptions(inside, gateway, squid):
    env = {"HTTPS_PROXY": squid.url("http", IN_URL), "NO_PROXY": "example.com,.demo.localhost"}
    done = inside.pipe(gateway.url("redis"), REDIS, env=env)
    assert done.returncode == 6 and "proxy" not in done.stderr, done.stderr


@pytest.mark.parametrize("login, words", [
    ("", "asks for a user and a password (status 407)"),
    ("ada:sesame@", "does not accept the user and the password (status 407)"),
])
def test_refused_by_squid(inside, gateway, squid, login, words):
    done = inside.pipe(gateway.url("redis"), REDIS, "--proxy", squid.url("http", login))
    assert done.returncode == 6
    assert squid.url("http") in done.stderr and words in done.stderr
    assert "sesame" not in done.stderr


def test_forbidden_by_squid(inside, gateway, squid):
    done = inside.pipe(gateway.url("secret"), REDIS, "--proxy", squid.url("http", IN_URL))
    assert done.returncode == 6
    assert f"does not allow connections to {host('secret')}" in done.stderr


def test_squid_does_not_reach_it(inside, gateway, squid):
    done = inside.pipe(f"https://{host('redis')}:1", REDIS, "--proxy", squid.url("http", IN_URL))
    assert done.returncode == 6
    assert f"cannot reach {host('redis')}:1 (status 503)" in done.stderr


def test_tls_to_squid(office, inside, gateway, authority):
    certificate = authority.issue("squid", office.address)
    squid = Squid(office, [host("redis")], LOGIN, certificate)
    try:
        assert_works(inside.pipe(gateway.url("redis"), REDIS, "--proxy", squid.url("https", IN_URL)))
    finally:
        squid.stop()


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_dante(inside, gateway, dante, scheme):
    url = f"https://localhost:{gateway.port}"
    assert_works(inside.pipe(url, REDIS, "--proxy", dante.url(scheme)))


def test_dante_does_not_reach_it(inside, dante):
    done = inside.pipe("https://localhost:1", REDIS, "--proxy", dante.url("socks5h"))
    assert done.returncode == 6
    assert f"the proxy {dante.url('socks5h')} does not connect to localhost:1: " in done.stderr


def test_check_through_squid(inside, gateway, squid):
    done = inside.run("check", REDIS, "--pomerium-url", gateway.url("redis"), "--alternate-ca-path", gateway.ca,
                      "--proxy", squid.url("http", IN_URL))
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stdout.startswith(f"ok      proxy     {squid.url('http')} connects to "), done.stdout
    assert "pass" not in done.stdout.replace("CN=", "")


def test_password_is_not_among_the_arguments(inside, gateway, squid):
    """What ps shows of a client that has begun."""
    from lib.process import eventually

    command = [CLIENT, "tcp", REDIS, "--pomerium-url", gateway.url("redis"), "--proxy", squid.url("http", IN_URL)]
    process = Process("client-listening", inside.client.directory, command, env=inside.client.env())
    eventually(lambda: "started tcp listener" in process.stderr_text(), "the client listens")
    with open(f"/proc/{process.pid}/cmdline", "rb") as f:
        shown = f.read()
    assert b"word" not in shown and b"://xxx" in shown
    process.stop()


def test_bad_setting(inside, gateway):
    done = inside.pipe(gateway.url("redis"), REDIS, env={"HTTPS_PROXY": "ftp://sesame:sesame@proxy"})
    assert done.returncode == 2
    assert "HTTPS_PROXY does not name a proxy" in done.stderr and "sesame" not in done.stderr
