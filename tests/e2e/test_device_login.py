"""A login for a machine without a browser, answered for on another one."""

import json
import re

import pytest

from lib.accounts import create_account
from lib.chromium import start_chromium, submit, text, wait_for_text
from lib.clock import Clock
from lib.database import Database
from lib.device import AUTHORIZATION, TOKEN, Machine, answer, eventually_refused, open_question, post
from lib.gateway import host, tcp_route
from lib.idp import AUTHENTICATE, ProviderBrowser, World
from lib.idp import log_in as log_in_at_provider
from lib.login import Browser
from lib.tokens import token_claims
from lib.users import ALICE, DEMO

LIFE = 600  # seconds of a code


@pytest.fixture(scope="module")
def world(tmp_path_factory, authority, certificate):
    world = World(tmp_path_factory.mktemp("provider"), authority, certificate)
    yield world
    world.stop()


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("postgres"))
    yield database
    database.stop()


@pytest.fixture(scope="module")
def gateway(make_shared_gateway, world, redis):
    return make_shared_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **world.settings())


@pytest.fixture
def local(make_gateway, redis):
    """Local users; for tests that try the patience of the guard."""
    return make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email]))


@pytest.fixture
def chromium(tmp_path):
    driver = start_chromium(tmp_path)
    yield driver
    driver.quit()


# ---- the protocol ----

def test_what_a_machine_is_told(gateway):
    asked = Machine(gateway).asked
    assert asked.keys() == {"device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in",
                            "interval"}
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", asked["user_code"])
    assert asked["verification_uri"] == f"https://{AUTHENTICATE}:{gateway.port}/.pomerium/device"
    assert asked["verification_uri_complete"] == f"{asked['verification_uri']}?user_code={asked['user_code']}"
    assert (asked["expires_in"], asked["interval"]) == (600, 2)
    assert len(asked["device_code"]) >= 43


def test_where_programs_find_it(gateway):
    document = json.loads(gateway.get("redis", "/.well-known/pomerium").text)
    authority = f"https://{host('redis')}:{gateway.port}"
    assert document["device_authorization_endpoint"] == authority + AUTHORIZATION
    assert document["token_endpoint"] == authority + TOKEN


@pytest.mark.parametrize("path, body", [
    (AUTHORIZATION, b"client_name=a&client_name=b"), (AUTHORIZATION, b"client_name=%ff%fe%zz"),
    (AUTHORIZATION, b'{"client_name":"a"}'), (TOKEN, b""), (TOKEN, b"grant_type=password&username=a&password=b"),
    (TOKEN, b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"),
    (TOKEN, b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code="),
    (TOKEN, b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=x"),
    (TOKEN, b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=" + b"A" * 43),
    (TOKEN, b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=" + b"A" * 9000),
    (TOKEN, b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=a&device_code=b"),
])
def test_requests_that_are_none(gateway, path, body):
    status, said = post(gateway, path, body)
    if path == AUTHORIZATION and status == 200:
        assert said["device_code"]  # a name that cannot be shown is no reason to refuse
    else:
        assert status in (400, 413), said
        assert "access_token" not in str(said)
    assert gateway.is_serving()


def test_other_methods(gateway):
    for path in (AUTHORIZATION, TOKEN):
        assert gateway.get("redis", path).status == 405


# ---- the journey ----

def test_a_code_is_good_for_one_token(gateway):
    machine = Machine(gateway)
    assert machine.is_pending()
    answer(ProviderBrowser(gateway.ca), machine, DEMO)
    token = machine.token()
    assert machine.poll() == (400, {"error": "expired_token",
                                    "error_description": "The device code is too old, or was used already."})
    assert gateway.connect("redis", token=token).status == 200


def test_a_code_that_has_expired(make_gateway, redis, tmp_path):
    clock = Clock(tmp_path)
    gateway = clock.start(make_gateway, tcp_route("redis", redis.port, allowed_users=[DEMO.email]))
    machines = [Machine(gateway, name) for name in ("unanswered", "too late", "not fetched")]
    browser = Browser(gateway.ca)
    question = open_question(browser, machines[1], DEMO)
    answer(Browser(gateway.ca), machines[2], DEMO)
    clock.leap(LIFE - 30)
    assert machines[0].is_pending()
    clock.leap(60)
    page = browser.submit(question, answer="yes")
    assert page.status == 400, page.text[:300]
    for machine in machines:
        status, said = machine.poll()
        assert (status, said["error"]) == (400, "expired_token")


def test_a_person_in_chromium(chromium, gateway):
    machine = Machine(gateway, "the machine in the <b>cellar</b>")
    chromium.get(machine.asked["verification_uri_complete"])
    submit(chromium, DEMO)
    wait_for_text(chromium, "May it know who you are?")
    submit(chromium)
    wait_for_text(chromium, machine.asked["user_code"])
    shown = text(chromium)
    assert "the machine in the <b>cellar</b>" in shown and "127.0.0.1" in shown and DEMO.email in shown
    assert machine.is_pending()
    assert chromium.execute_script("return performance.getEntriesByType('resource').every("
                                   "entry => entry.name.startsWith(location.origin))")
    chromium.find_element("css selector", "button[value=yes]").click()
    wait_for_text(chromium, "is logged in")
    assert gateway.connect("redis", token=machine.token()).status == 200


def test_a_code_typed_by_hand(gateway):
    """Blanks, dashes and small letters do not matter."""
    machine = Machine(gateway)
    browser, _ = log_in_at_provider(gateway)
    page = browser.get(machine.asked["verification_uri"])
    assert page.status == 200 and 'name="user_code"' in page.text
    typed = machine.asked["user_code"].lower().replace("-", "+")
    page = browser.get(f"{machine.asked['verification_uri']}?user_code={typed}")
    assert browser.submit(page, answer="yes").status == 200
    assert machine.token()


def test_no_is_no(gateway):
    machine = Machine(gateway)
    answer(ProviderBrowser(gateway.ca), machine, DEMO, "no")
    status, said = machine.poll()
    assert (status, said["error"]) == (400, "access_denied")


def test_the_machine_is_who_said_yes(gateway):
    machine = Machine(gateway)
    answer(ProviderBrowser(gateway.ca), machine, ALICE)
    token = machine.token()
    assert token_claims(token)["sub"] == "id-of-alice"
    assert gateway.connect("redis", token=token).status == 403


def test_it_ends_with_the_login_of_whoever_said_yes(gateway):
    machine = Machine(gateway)
    browser = ProviderBrowser(gateway.ca)
    answer(browser, machine, DEMO)
    token = machine.token()
    page = browser.follow(browser.get(f"https://{AUTHENTICATE}:{gateway.port}/.pomerium/sign_out"))
    browser.submit(page)
    eventually_refused(gateway, token)


def test_local_users_can_as_well(local):
    machine = Machine(local)
    browser = Browser(local.ca)
    answer(browser, machine, DEMO)
    assert local.connect("redis", token=machine.token()).status == 200


def test_asked_at_one_gateway_answered_at_the_other(make_gateway, world, redis, database):
    where = {"databroker_storage_type": "postgres", "databroker_storage_connection_string": database.create()}
    here, there = (make_gateway(
        tcp_route("redis", redis.port, allowed_users=[DEMO.email]), **world.settings(place, address=address, **where))
        for place, address in ((0, "127.0.0.1:0"), (1, f"127.0.0.1:{world.places[1].port}")))
    machine = Machine(here)
    url = f"https://{AUTHENTICATE}:{there.port}/.pomerium/device?user_code={machine.asked['user_code']}"
    browser = ProviderBrowser(there.ca)
    assert browser.submit(open_question(browser, machine, DEMO, url), answer="yes").status == 200
    status, said = machine.poll(there)
    assert status == 200, said
    for gateway in (here, there):
        assert gateway.connect("redis", token=said["access_token"]).status == 200
    assert machine.poll(here)[1]["error"] == "expired_token"


# ---- what must not work ----

def test_a_link_alone_says_nothing(gateway):
    """Whoever is logged in and follows a stranger's link has not agreed to anything."""
    machine = Machine(gateway)
    browser, _ = log_in_at_provider(gateway)
    for _ in range(2):
        assert browser.get(machine.asked["verification_uri_complete"] + "&answer=yes").status == 200
    assert machine.is_pending()


@pytest.mark.parametrize("csrf", [None, "", "A" * 43])
def test_a_form_of_somebody_elses(gateway, csrf):
    machine = Machine(gateway)
    browser = ProviderBrowser(gateway.ca)
    open_question(browser, machine, DEMO)
    fields = {"csrf": csrf, "user_code": machine.asked["user_code"], "answer": "yes"}
    body = "&".join(f"{name}={value}" for name, value in fields.items() if value is not None).encode()
    page = browser.request("POST", machine.asked["verification_uri"], body)
    assert page.status == 400
    other = ProviderBrowser(gateway.ca)
    strange = other.submit(open_question(other, machine, ALICE), csrf=open_question(browser, machine, DEMO).form()[2]["csrf"],
                           answer="yes")
    assert strange.status == 400
    assert machine.is_pending()


def test_a_form_sent_from_another_site(gateway):
    machine = Machine(gateway)
    browser = ProviderBrowser(gateway.ca)
    page = browser.submit(open_question(browser, machine, DEMO), answer="yes",
                          headers=[("Origin", "https://evil.example.com")])
    assert page.status in (400, 403)
    assert machine.is_pending()


def test_one_code_one_answer(gateway):
    """Said yes twice, from two windows: the second learns that it is too late, and nobody gets two tokens."""
    machine = Machine(gateway)
    browser = ProviderBrowser(gateway.ca)
    question = open_question(browser, machine, DEMO)
    assert browser.submit(question, answer="no").status == 200
    assert browser.submit(question, answer="yes").status == 400
    assert machine.poll()[1]["error"] == "access_denied"


def test_polling_too_fast(gateway):
    machine = Machine(gateway)
    machine.poll()
    assert machine.poll_at_once()[1]["error"] == "slow_down"
    answer(ProviderBrowser(gateway.ca), machine, DEMO)
    assert machine.token()


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "x" * 5000, "\u202eevil\u0000\u0007", "a\r\nb", "", "😀" * 100])
def test_strange_names_of_machines(gateway, name):
    status, asked = post(gateway, AUTHORIZATION, {"client_name": name})
    if status == 200:
        browser, _ = log_in_at_provider(gateway)
        page = browser.get(asked["verification_uri_complete"])
        assert page.status == 200 and "<script" not in page.text and len(page.text) < 20_000
        assert not any(character in page.text for character in "\u202e\u0000\u0007")
    else:
        assert status in (400, 413)


def test_a_service_account_cannot_say_yes(local):
    """Or whoever has stolen a program's token could make many of it."""
    machine = Machine(local)
    browser = Browser(local.ca)
    assert 'name="csrf"' in open_question(browser, machine, DEMO).text
    for cookie in ("_pomerium", "_pomerium_authenticate"):
        browser.cookies[host("redis")] = {cookie: create_account(local, "--email", DEMO.email)["token"]}
        page = browser.follow(browser.get(machine.asked["verification_uri_complete"]))
        assert 'name="password"' in page.text, page.text[:500]
    assert machine.is_pending()


def test_guessing_codes_is_slowed(local):
    browser = Browser(local.ca)
    machine = Machine(local)
    open_question(browser, machine, DEMO)
    base = machine.asked["verification_uri"]
    statuses = [browser.get(f"{base}?user_code=BCDF-GH{a}{b}").status for a in "JKLM" for b in "NPQR"]
    assert statuses[0] == 400 and statuses[-1] == 429
    # Then the right one is not looked at either.
    page = browser.get(machine.asked["verification_uri_complete"])
    assert page.status == 429 and int(page.header("retry-after")) > 0


def test_asking_without_end_is_slowed(local):
    statuses = [post(local, AUTHORIZATION, {})[0] for _ in range(70)]
    assert statuses[0] == 200 and statuses[-1] == 429
    assert local.is_serving()
