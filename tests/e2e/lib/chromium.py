"""Headless Chromium driven through chromedriver, on loopback names only."""

import os

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--disable-default-apps", "--no-default-browser-check", "--no-proxy-server", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
]


def start_chromium(directory):
    """A driver with a profile of its own in that directory; the caller quits it."""
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={directory / 'profile'}"]:
        options.add_argument(flag)
    options.set_capability("acceptInsecureCerts", True)
    service = Service("/usr/bin/chromedriver", env={"PATH": os.environ["PATH"], "HOME": str(directory)})
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(60)
    return driver


def submit(driver, user=None):
    """Sends the page's form: a login, or without a user whatever its button says."""
    if user:
        driver.find_element(By.NAME, "email").send_keys(user.email)
        driver.find_element(By.NAME, "password").send_keys(user.password)
    driver.find_element(By.CSS_SELECTOR, "button, input[type=submit]").click()


def text(driver):
    return driver.find_element(By.TAG_NAME, "body").text


def wait_for_text(driver, wanted):
    # A page may be replaced between finding its body and reading it.
    WebDriverWait(driver, 30, ignored_exceptions=[StaleElementReferenceException]).until(lambda d: wanted in text(d))


def address_script(path, opened):
    """Writes a program for --browser-cmd that only notes the address, for a browser the test drives itself."""
    path.write_text(f"#!/bin/sh\nprintf %s \"$1\" >{opened}.new && mv {opened}.new {opened}\n")
    path.chmod(0o755)
    return path
