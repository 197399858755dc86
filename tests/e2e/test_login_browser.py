"""The login in a real browser: headless Chromium driven through chromedriver."""

from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from lib.chromium import address_script, start_chromium, submit, text, wait_for_text
from lib.gateway import tcp_route
from lib.login import sign_in_url
from lib.process import eventually
from lib.users import ALICE, DEMO


@pytest.fixture
def chromium(tmp_path):
    driver = start_chromium(tmp_path)
    yield driver
    driver.quit()


@pytest.fixture
def gateway(make_gateway, redis):
    return make_gateway(tcp_route("redis", redis.port, allowed_users=[DEMO.email, ALICE.email]))


def test_login_of_the_client(chromium, gateway, make_client, redis, tmp_path):
    """The client opens a browser, which here only writes down the address; a person logs in at it."""
    opened = tmp_path / "opened"
    script = address_script(tmp_path / "browser", opened)
    listener = make_client(gateway).listen("redis", browser=script)
    with listener.dial(60) as connection:
        connection.sendall(b"PING\r\n")
        eventually(opened.exists, "the client opens a browser")
        chromium.get(opened.read_text())
        submit(chromium, DEMO)
        wait_for_text(chromium, "login complete, you may close this page")
        assert connection.recv(100) == b"+PONG\r\n"


def test_wrong_password_then_right_one(chromium, gateway):
    chromium.get(sign_in_url(gateway, "redis", "http://127.0.0.1:9/"))
    submit(chromium, type(DEMO)(DEMO.email, "wrong"))
    WebDriverWait(chromium, 30).until(lambda d: d.find_elements(By.CSS_SELECTOR, ".problem, [role=alert]"))
    assert chromium.find_element(By.NAME, "password").get_attribute("value") == ""
    chromium.find_element(By.NAME, "email").clear()
    submit(chromium, ALICE)
    # Nobody listens there: the browser shows its own error page at the right address.
    WebDriverWait(chromium, 30).until(lambda d: "pomerium_jwt=" in d.current_url)


def test_who_am_i_and_sign_out(chromium, gateway):
    home = gateway.url("redis", "/.pomerium/")
    chromium.get(sign_in_url(gateway, "redis", "http://127.0.0.1:9/"))
    submit(chromium, DEMO)
    WebDriverWait(chromium, 30).until(lambda d: "pomerium_jwt=" in d.current_url)
    chromium.get(home)
    wait_for_text(chromium, DEMO.email)
    cookie = chromium.get_cookie("_pomerium")
    assert cookie["httpOnly"] and cookie["secure"] and cookie["path"] == "/"

    chromium.get(gateway.url("redis", "/.pomerium/sign_out"))
    for button in chromium.find_elements(By.CSS_SELECTOR, "form button, form input[type=submit]"):
        button.click()
        break
    WebDriverWait(chromium, 30).until(lambda d: d.get_cookie("_pomerium") is None)
    assert gateway.connect("redis", token=cookie["value"]).status == 401
    chromium.get(home)
    assert DEMO.email not in text(chromium)


def test_the_page_fits_and_loads_nothing_from_elsewhere(chromium, gateway):
    chromium.set_window_size(500, 800)
    chromium.get(sign_in_url(gateway, "redis"))
    assert chromium.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    loaded = chromium.execute_script("return performance.getEntriesByType('resource').map(r => r.name)")
    assert [urlsplit(url)[1:3] for url in loaded] == [(urlsplit(chromium.current_url).netloc, "/.pomerium/index.css")]
    assert chromium.execute_script("return document.querySelectorAll('script').length") == 0
    labels = chromium.find_elements(By.TAG_NAME, "label")
    assert {label.get_attribute("for") for label in labels} >= {
        chromium.find_element(By.NAME, name).get_attribute("id") for name in ("email", "password")
    }
