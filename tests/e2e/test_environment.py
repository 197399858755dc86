"""Settings from variables of the environment: alone, and instead of what the file says."""

import base64
import json

import pytest

from lib.gateway import Gateway, base_config, run_gateway, tcp_route, write_config
from lib.process import environment
from lib.users import DEMO, EVERYBODY


def encoded(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.fixture
def variables(tmp_path, certificate):
    """A configuration that is complete and works, without any file of settings."""
    users = tmp_path / "users.yaml"
    users.write_text(json.dumps([user.entry() for user in EVERYBODY]))
    config = base_config(*certificate, [], [])
    return {
        "ADDRESS": config["address"],
        "HEALTH_CHECK_ADDR": config["health_check_addr"],
        "WORKERS": "1",
        "CERTIFICATE": encoded(certificate[0].read_bytes()),
        "CERTIFICATE_KEY": encoded(certificate[1].read_bytes()),
        "SHARED_SECRET": config["shared_secret"],
        "COOKIE_SECRET": config["cookie_secret"],
        "IDP_PROVIDER": "local",
        "LOCAL_USERS_FILE": users,
        "RUNTIME_FLAGS": json.dumps({"pomerium_jwt_endpoint": True}),
    }


def routes(*routes):
    return encoded(json.dumps(routes))


@pytest.fixture
def start(tmp_path, authority):
    """Starts a gateway with variables, and with a file if there is one."""
    started = []

    def start(variables, config=None):
        path = tmp_path / f"environment{len(started)}.yaml"
        arguments = []
        if config is not None:
            arguments = ["--config", write_config(path, config)]
        started.append(Gateway(path, authority.ca, env=environment(**variables), arguments=arguments))
        return started[-1]

    yield start
    for gateway in started:
        assert gateway.stop() == 0


def test_variables_alone(start, variables, redis, make_client):
    """Everything but the file: a login and a tunnel."""
    variables["ROUTES"] = routes(tcp_route("redis", redis.port, allowed_users=[DEMO.email]))
    gateway = start(variables)
    done = make_client(gateway).pipe("redis", b"PING\r\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "+PONG\r\n"


def test_without_file_and_routes():
    done = run_gateway()
    assert done.returncode == 2
    assert "--config" in done.stderr and "ROUTES" in done.stderr


def test_variables_win_over_the_file(start, variables, make_gateway, upstream):
    config = make_gateway.config([tcp_route("file", upstream.port)], users=[], log_level="nonsense")
    del variables["ADDRESS"]
    variables.update(LOG_LEVEL="debug", WORKERS="", ROUTES=routes(tcp_route("redis", upstream.port, allow_any_authenticated_user=True)))
    gateway = start(variables, config)
    assert gateway.connect("redis").status == 302
    assert gateway.connect("file").status == 404
    assert gateway.log.find("listening")


PROBLEMS = {
    "LOG_LEVEL": ("loud", "log level"),
    "COOKIE_EXPIRE": ("14", "duration"),
    "ROUTES": ("[]", "base64"),
    "RUNTIME_FLAGS": ("{", "RUNTIME_FLAGS:"),
    "HEADERS": ("X-A", "Name:Value"),
    "SHARED_SECRET": ("hunter2", "base64"),
    "DOWNSTREAM_MTLS_ENFORCEMENT": ("perhaps", "reject_connection"),
    "POLICY_FILE": ("/x", "no longer"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_names_the_variable(variables, name):
    value, words = PROBLEMS[name]
    variables.update({"ROUTES": routes(tcp_route("redis", 1)), name: value})
    done = run_gateway(env=environment(**variables))
    assert done.returncode == 1
    assert f"environment: {name}:" in done.stderr and words in done.stderr
    assert "hunter2" not in done.stderr


def test_a_problem_inside_routes_has_its_place(variables):
    variables["ROUTES"] = encoded("- from: tcp+https://a:1\n  to: tcp://b\n- from: nonsense\n")
    done = run_gateway(env=environment(**variables))
    assert done.returncode == 1
    assert "environment: ROUTES:3:9: routes[1].from:" in done.stderr


def test_validate_counts_variables(tmp_path, make_gateway):
    path = write_config(tmp_path / "good.yaml", make_gateway.config([tcp_route("redis", 1)]))
    assert run_gateway("validate", "--config", path).returncode == 0
    done = run_gateway("validate", "--config", path, env=environment(LOG_LEVEL="loud"))
    assert done.returncode == 1
    assert "environment: LOG_LEVEL:" in done.stderr
