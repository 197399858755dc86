"""The mariadb client against a real MariaDB server, which speaks first."""

import subprocess

import pytest

from lib.gateway import tcp_route
from lib.users import DEMO


@pytest.fixture
def client(make_gateway, make_client, mariadb):
    gateway = make_gateway(tcp_route("db", mariadb.port, 3306, allowed_domains=["example.com"]))
    return make_client(gateway, DEMO)


@pytest.fixture
def port(client):
    return client.listen("db", 3306).port


def command(port):
    return ["mariadb", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", str(port), "-u", "demo", "-N", "-B",
            "--max-allowed-packet=64M", "demo"]


def query(port, text, *arguments):
    done = subprocess.run([*command(port), *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_query(port):
    assert query(port, "select 6 * 7;") == "42\n"


def test_the_greeting_comes_before_anything_is_sent(client):
    """Even before the client's standard input has a single byte."""
    pipe = client.start_pipe("db", 3306)
    header = pipe.popen.stdout.read(5)
    greeting = header[4:] + pipe.popen.stdout.read(int.from_bytes(header[:3], "little") - 1)
    assert greeting[0] == 10 and b"MariaDB" in greeting
    pipe.popen.stdin.close()
    assert pipe.wait() == 0


def test_rows_in_and_out(port):
    rows = [(n, "x" * (n % 97)) for n in range(20000)]
    values = ",".join(f"({n},'{text}')" for n, text in rows)
    query(port, f"create table big (n int primary key, t text); insert into big values {values};")
    assert query(port, "select count(*), sum(length(t)) from big;") == f"20000\t{sum(n % 97 for n in range(20000))}\n"
    assert query(port, "select * from big order by n;") == "".join(f"{n}\t{text}\n" for n, text in rows)
    query(port, "drop table big;")


def test_a_large_value(port):
    wanted = query(port, "select repeat('0123456789abcdef', 1 << 20);")
    assert wanted == "0123456789abcdef" * (1 << 20) + "\n"


def test_several_sessions_at_once(port):
    """A lock that one has taken is seen by the other, and is gone with the session."""
    first = subprocess.Popen([*command(port), "--unbuffered"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first.stdin.write("select get_lock('door', 0);\n")
    first.stdin.flush()
    assert first.stdout.readline() == "1\n"
    assert query(port, "select get_lock('door', 0);") == "0\n"
    assert first.communicate("select 'done';\n", timeout=30)[0] == "done\n"
    assert query(port, "select get_lock('door', 30);") == "1\n"
