"""psql against a real PostgreSQL server through a listening port."""

import subprocess

import pytest

from lib.gateway import tcp_route
from lib.users import DEMO


@pytest.fixture
def port(make_gateway, make_client, postgres):
    gateway = make_gateway(tcp_route("db", postgres.port, 5432, allowed_domains=["example.com"]))
    return make_client(gateway, DEMO).listen("db", 5432).port


def psql(port, *arguments, **options):
    done = subprocess.run(
        ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "demo",
         "-d", "postgres", *arguments],
        capture_output=True, text=True, timeout=60, **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_query(port):
    assert psql(port, "-c", "select 6 * 7") == "42"


def test_copy_in_and_out(port):
    rows = "".join(f"{n}\t{'x' * (n % 97)}\n" for n in range(20000))
    psql(port, "-c", "create table big (n int, t text)")
    psql(port, "-c", "copy big from stdin", input=rows)
    assert psql(port, "-c", "select count(*), sum(length(t)) from big") == (
        f"20000|{sum(n % 97 for n in range(20000))}"
    )
    assert psql(port, "-c", "copy (select * from big order by n) to stdout") == rows.strip()


def test_several_sessions_at_once(port):
    first = subprocess.Popen(
        ["psql", "-X", "-A", "-t", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "demo", "-d", "postgres"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    first.stdin.write("create temp table mine (n int);\nselect 'ready';\n")
    first.stdin.flush()
    assert first.stdout.readline() == "ready\n"
    assert psql(port, "-c", "select count(*) from pg_stat_activity where backend_type = 'client backend'") == "2"
    assert first.communicate("select count(*) from mine;\n", timeout=30)[0] == "0\n"
