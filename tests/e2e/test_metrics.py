"""/metrics: what happened is what is counted, and who may read it."""

import base64
import socket
import ssl
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lib.gateway import tcp_route
from lib.login import obtain_token
from lib.net import PlainConnection, free_port, request_bytes
from lib.process import eventually
from lib.users import DEMO, MALLORY


class Metrics:
    """One look at the page: samples by name and labels."""

    def __init__(self, text):
        self.types = {}
        self.samples = {}
        for family in text_string_to_metric_families(text):
            self.types[family.name] = family.type
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.samples, f"twice: {key}"
                self.samples[key] = sample.value

    def value(self, name, **labels):
        return self.samples[name, frozenset(labels.items())]


def scrape(port, scheme="http", **options):
    with urllib.request.urlopen(f"{scheme}://127.0.0.1:{port}/metrics", timeout=10, **options) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return Metrics(answer.read().decode())


def named_route(host, to_port, name, **settings):
    return {**tcp_route(host, to_port, **settings), "name": name}


@pytest.fixture
def metrics_port():
    return free_port()


@pytest.fixture
def gateway(make_gateway, redis, metrics_port):
    return make_gateway(
        named_route("redis", redis.port, "the redis", allowed_users=[DEMO.email]),
        tcp_route("dead", free_port(), allowed_users=[DEMO.email]),
        metrics_address=f"127.0.0.1:{metrics_port}")


def test_everything_has_a_name_and_a_type(gateway, metrics_port):
    types = scrape(metrics_port).types
    assert {name: kind for name, kind in types.items() if name.startswith("pomerium_")} == {
        "pomerium_tunnels_active": "gauge",
        "pomerium_tunnels_opened": "counter",
        "pomerium_tunnels_closed": "counter",
        "pomerium_tunnel_bytes": "counter",
        "pomerium_refusals": "counter",
        "pomerium_handshakes": "counter",
        "pomerium_handshake_failures": "counter",
        "pomerium_upstream_connect_seconds": "histogram",
        "pomerium_sessions": "gauge",
        "pomerium_config_reloads": "counter",
        "pomerium_config_last_reload_success": "gauge",
        "pomerium_config_last_reload_success_timestamp": "gauge",
        "pomerium_log_lines_dropped": "counter",
        "pomerium_store_errors": "counter",
        "pomerium_policy_count_total": "gauge",
        "pomerium_build_info": "gauge",
    }


def test_a_tunnel_counts_while_it_is_open(gateway, metrics_port):
    token = obtain_token(gateway, "redis", DEMO)
    before = scrape(metrics_port)
    with gateway.tunnel("redis", token=token) as tunnel:
        tunnel.send(b"PING\r\n")
        assert tunnel.read_exactly(7) == b"+PONG\r\n"
        during = scrape(metrics_port)
        assert during.value("pomerium_tunnels_active", route="the redis") == 1
        assert during.value("pomerium_tunnels_opened_total", route="the redis") == 1
        assert during.value("pomerium_tunnel_bytes_total", route="the redis", direction="received") == 6
        assert during.value("pomerium_tunnel_bytes_total", route="the redis", direction="sent") == 7
    eventually(lambda: scrape(metrics_port).value("pomerium_tunnels_active", route="the redis") == 0,
               "the tunnel is counted as closed")
    after = scrape(metrics_port)
    assert after.value("pomerium_tunnel_bytes_total", route="the redis", direction="received") == 6
    assert after.value("pomerium_tunnel_bytes_total", route="the redis", direction="sent") == 7
    closed = "pomerium_tunnels_closed_total"
    assert sum(after.value(closed, reason=reason) - before.value(closed, reason=reason)
               for reason in ("client-closed", "client-reset")) == 1
    assert after.value("pomerium_upstream_connect_seconds_count") == 1
    assert after.value("pomerium_upstream_connect_seconds_bucket", le="+Inf") == 1


def test_refusals_by_reason(gateway, metrics_port):
    token = obtain_token(gateway, "redis", DEMO)
    other = obtain_token(gateway, "redis", MALLORY)
    before = scrape(metrics_port)
    assert gateway.connect("redis", token=other).status == 403
    assert gateway.connect("dead", token=token).status == 503
    assert gateway.connect("nowhere", token=token).status == 404
    after = scrape(metrics_port)
    changed = {labels: value for (name, labels), value in after.samples.items()
               if name == "pomerium_refusals_total" and value != before.samples[name, labels]}
    assert changed == {frozenset({("reason", word)}): 1 for word in ("denied", "upstream-refused", "route-not-found")}


def test_handshakes(gateway, metrics_port):
    before = scrape(metrics_port)
    gateway.connect("redis")
    after = scrape(metrics_port)
    name = "pomerium_handshakes_total"
    assert (after.value(name, version="TLSv1.3", resumed="false")
            - before.value(name, version="TLSv1.3", resumed="false")) == 1
    assert after.value("pomerium_handshake_failures_total") == before.value("pomerium_handshake_failures_total")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as plain:
        with pytest.raises(ssl.SSLError):
            ssl.create_default_context().wrap_socket(plain, server_hostname="redis.example.com")
    failures = before.value("pomerium_handshake_failures_total") + 1
    eventually(lambda: scrape(metrics_port).value("pomerium_handshake_failures_total") == failures,
               "the handshake with a client that does not trust us is counted")


def test_two_routes_of_one_name_are_two_series(make_gateway, redis, metrics_port):
    make_gateway(named_route("a", redis.port, "same"), named_route("b", redis.port, "same"),
                 metrics_address=f"127.0.0.1:{metrics_port}")
    names = [dict(labels)["route"] for name, labels in scrape(metrics_port).samples
             if name == "pomerium_tunnels_active"]
    assert len(names) == 2 and len(set(names)) == 2
    assert all(name.startswith("same") for name in names)


def answer_to(port, path="/metrics", method="GET", headers=()):
    with PlainConnection(port) as connection:
        return connection.ask(request_bytes(method, path, f"127.0.0.1:{port}", headers), has_body=method != "HEAD")


def test_only_who_knows_the_password(make_gateway, redis, metrics_port):
    make_gateway(tcp_route("redis", redis.port), metrics_address=f"127.0.0.1:{metrics_port}",
                 metrics_basic_auth=base64.b64encode(b"prometheus:s3cret").decode())

    def basic(text):
        return [("Authorization", "Basic " + base64.b64encode(text).decode())]

    for headers in ([], basic(b"prometheus:s3cre"), basic(b"prometheus:s3cret2"), [("Authorization", "Basic !")]):
        refused = answer_to(metrics_port, headers=headers)
        assert refused.status == 401
        assert refused.header("www-authenticate").startswith("Basic ")
    assert answer_to(metrics_port, headers=basic(b"prometheus:s3cret")).status == 200


def test_inside_tls(make_gateway, redis, metrics_port, certificate, authority):
    make_gateway(tcp_route("redis", redis.port), metrics_address=f"127.0.0.1:{metrics_port}",
                 metrics_certificate_file=str(certificate[0]), metrics_certificate_key_file=str(certificate[1]))
    context = ssl.create_default_context(cafile=authority.ca)
    assert scrape(metrics_port, scheme="https", context=context).value("pomerium_policy_count_total") == 1


def test_other_requests(gateway, metrics_port):
    assert answer_to(metrics_port, path="/").status == 404
    assert answer_to(metrics_port, method="POST").status == 405
    assert answer_to(metrics_port, method="HEAD").status == 200
