"""The report in a real browser: it opens offline, asks for nothing, shows every picture, and its buttons work."""

import json
from pathlib import Path

import pytest
from chromium import NEEDED, chromium

from lungsynth.report.page import page
from tests.unit.report_data import a_report

pytest.importorskip("selenium", reason="selenium is not installed")
pytestmark = NEEDED


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """The page, opened from a file, and the addresses that were asked for while it opened."""
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(a_report()), encoding="utf-8")
    # The browser's own start page asks for its parts for a while: it is left before anything is counted.
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(path.as_uri())
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return browser, path.as_uri(), asked


def test_nothing_but_the_page_itself_is_asked_for(opened):
    _, address, asked = opened
    assert address in asked
    assert [url for url in asked if url != address and not url.startswith("data:")] == []


def test_the_console_is_silent(opened):
    assert [entry["message"] for entry in opened[0].get_log("browser")] == []


def test_every_picture_loads(opened):
    widths = opened[0].execute_script("return [...document.images].map(one => one.naturalWidth)")
    assert len(widths) > 20 and min(widths) > 0


def test_outlines_can_be_switched_off_and_on(opened):
    browser = opened[0]
    shown = "return getComputedStyle(document.querySelector('.lesion')).display"
    assert browser.execute_script(shown) != "none"
    button = browser.find_element("id", "outlines")
    button.click()
    assert browser.execute_script(shown) == "none" and button.get_attribute("aria-pressed") == "false"
    button.click()
    assert browser.execute_script(shown) != "none" and button.get_attribute("aria-pressed") == "true"


def test_the_theme_changes_the_paper(opened):
    browser = opened[0]
    paper = "return getComputedStyle(document.body).backgroundColor"
    before = browser.execute_script(paper)
    browser.find_element("id", "theme").click()
    assert browser.execute_script(paper) != before


def test_a_picture_opens_large_and_closes(opened):
    browser = opened[0]
    browser.execute_script("document.querySelector('.strip .ct').click()")
    assert browser.execute_script("return document.getElementById('large').open")
    assert browser.execute_script("return document.querySelector('#large img').clientWidth") > 500
    browser.execute_script("document.getElementById('close').click()")
    assert not browser.execute_script("return document.getElementById('large').open")


def test_the_wiper_follows_its_range_and_the_pick_its_button(opened):
    browser = opened[0]
    browser.execute_script(
        "const range = document.querySelector('.stage input');range.value = 20; range.dispatchEvent(new Event('input'))"
    )
    assert browser.execute_script("return document.querySelector('.stage').style.getPropertyValue('--cut')") == "20%"
    browser.execute_script("document.querySelectorAll('.picks button')[1].click()")
    hidden = browser.execute_script("return [...document.querySelectorAll('.wiper')].map(one => one.hidden)")
    assert hidden == [index != 1 for index in range(len(hidden))] and len(hidden) > 1


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_nothing_is_wider_than_the_window(opened, width):
    browser = opened[0]
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
