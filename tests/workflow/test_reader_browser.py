"""The blind test in a real browser, by keys alone: from the name to the saved answers, over a reload in the middle."""

import json
import time

import pandas as pd
import pytest
from chromium import NEEDED, chromium

from lungsynth.ct.files import write_text
from lungsynth.sets.tables import write_csv
from lungsynth.study.stages.utility import Reader
from lungsynth.utility.reader.answers import read_answers, read_key
from lungsynth.utility.reader.blind import make_test
from lungsynth.utility.reader.result import score
from tests.unit.blind_cases import a_test, made_side, real_side

pytest.importorskip("selenium", reason="selenium is not installed")
pytestmark = NEEDED
NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() {throw new DOMException('no', 'SecurityError')}})"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """The folder of a test: page and key as files."""
    folder, test = tmp_path_factory.mktemp("reader"), a_test()
    write_text(folder / "test.html", test.page)
    write_csv(folder / "key.csv", test.key)
    return folder


@pytest.fixture
def page(browser, sealed):
    """The page, opened from its file as if for the first time, as something that takes keys."""
    return Page(browser, sealed / "test.html")


class Page:
    """The open page, and nothing but its keys."""

    def __init__(self, browser, path):
        self.browser = browser
        browser.get(path.as_uri())
        # The page keeps its progress when it is left: not this time.
        browser.execute_script("localStorage.clear(); Storage.prototype.setItem = () => {}")
        browser.refresh()
        browser.get_log("browser")

    def press(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        for key in keys:
            known = getattr(Keys, key, None) if len(key) > 1 else None
            if known is None and key.startswith("shift+"):
                moved = getattr(Keys, key.removeprefix("shift+"))
                ActionChains(self.browser).key_down(Keys.SHIFT).send_keys(moved).key_up(Keys.SHIFT).perform()
            else:
                ActionChains(self.browser).send_keys(known or key).perform()

    def begin(self, name):
        """From the name past the orientation to the first question."""
        self.press(name, "ENTER", *["ARROW_RIGHT"] * 4, "ENTER")

    def text(self, name):
        return self.browser.execute_script(f"return document.getElementById('{name}').textContent")

    def is_shown(self, name):
        return self.browser.execute_script(f"return document.getElementById('{name}').checkVisibility()")

    def pressed(self):
        """The answer and the confidence that stand pressed."""
        return self.browser.execute_script(
            "const pressed = [...document.querySelectorAll('.panel [aria-pressed=true]')];"
            "return pressed.map(one => one.dataset.answer || one.dataset.sure)"
        )

    def ink(self):
        """A digest of what the picture shows, once it is drawn."""
        for _ in range(50):
            drawn = self.browser.execute_script("return document.getElementById('picture').toDataURL()")
            if drawn != self.browser.execute_script(
                "const one = document.getElementById('picture'), blank = document.createElement('canvas');"
                "blank.width = one.width; blank.height = one.height; return blank.toDataURL()"
            ):
                return hash(drawn)
            time.sleep(0.05)
        raise AssertionError("no picture was drawn")

    def failures(self):
        return [entry["message"] for entry in self.browser.get_log("browser")]


def saved(folder):
    """The file that the browser saved, as soon as it is whole."""
    for _ in range(100):
        if found := list(folder.glob("*.csv")):
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no answers were saved")


def test_a_whole_test_by_keys_alone(page, sealed, tmp_path):
    key = read_key(sealed / "key.csv", sealed / "test.html")
    labelled, asked = (key[key["part"] == part] for part in ("orientation", "question"))
    page.browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path), "eventsEnabled": False}
    )
    page.press('Ann "A." Lee', "ENTER")
    for number, truth in enumerate(labelled["truth"], 1):
        assert page.text("where") == f"orientation {number} of 4" and page.text("truth") == truth
        page.ink()
        page.press("ARROW_RIGHT")
    assert page.is_shown("ready")
    page.press("ENTER")

    # Every answer right but the first; the truth stands nowhere any more.
    answers = {"real": "r", "generated": "g"}
    wrong = {"real": "s", "generated": "r"}
    for number, truth in enumerate(asked["truth"], 1):
        assert page.text("where") == f"picture {number} of 10" and not page.is_shown("truth")
        page.press(wrong[truth] if number == 1 else answers[truth])
        assert page.text("where") == f"picture {number} of 10"  # the confidence is still to come
        page.press(str(1 + number % 5))
        if number == 6:
            page.browser.refresh()
    assert page.is_shown("end") and "all 10" in page.text("sum") and not page.is_shown("open")
    page.press("d")

    file = saved(tmp_path)
    table = pd.read_csv(file)
    assert table.columns.tolist() == ["test", "id", "answer", "confidence", "seconds", "reader"]
    assert set(table["reader"]) == {'Ann "A." Lee'} and set(table["test"]) == {key["test"].iloc[0]}
    assert table["confidence"].tolist() == [1 + number % 5 for number in range(1, 11)]
    assert (table["seconds"] >= 0).all() and table["seconds"].sum() > 0
    (scored,) = score(read_answers([file], key), key, "generated", 0.95)
    assert scored.table.n == 10 and scored.rates["accuracy"].value == 0.9
    assert page.failures() == []


def test_progress_is_found_again_after_a_reload(page):
    page.begin("Bo")
    page.press("r", "3", "g", "5")
    page.browser.refresh()
    assert page.text("where") == "picture 3 of 10"
    page.press("ARROW_LEFT")
    assert page.pressed() == ["generated", "5"]
    page.press("BACKSPACE")
    assert page.pressed() == ["real", "3"]


def test_an_answer_can_be_changed_and_an_open_one_is_found_at_the_end(page):
    page.begin("Cy")
    page.press("r", "2", "ARROW_LEFT", "s")
    assert page.pressed() == ["generated"]  # how sure one was of the other answer says nothing of this one
    page.press("ENTER", "ARROW_RIGHT")
    for _ in range(8):
        page.press("g", "1")
    assert page.is_shown("end") and "1 of 10 pictures are still open" in page.text("sum")
    page.press("u")
    assert page.text("where") == "picture 2 of 10"


def test_a_number_before_an_answer_does_nothing(page):
    page.begin("Di")
    page.press("4")
    assert page.text("where") == "picture 1 of 10" and page.pressed() == []


def test_zoom_and_window_change_what_is_seen_by_keys(page):
    page.begin("Ed")
    seen = [page.ink()]
    for key in ("+", "shift+ARROW_RIGHT", "-", "w", "]", ","):
        page.press(key)
        seen.append(page.ink())
    assert seen[3] == seen[0] and len({*seen}) == len(seen) - 1
    assert page.text("grey") == "level −350, width 1500 HU"
    assert page.text("where") == "picture 1 of 10"


def test_two_readers_share_a_computer(page):
    page.begin("Fay")
    for _ in range(10):
        page.press("r", "1")
    page.press("n", "Gus", "ENTER")
    assert page.text("where") == "orientation 1 of 4"
    page.press(*["ARROW_RIGHT"] * 4, "ENTER")
    assert page.pressed() == []
    kept = page.browser.execute_script(
        "return Object.entries(localStorage).filter(([key]) => key.startsWith('lungsynth'))"
    )
    assert [one["name"] for one in json.loads(kept[0][1])["readers"]] == ["Fay", "Gus"]


def test_without_confidence_a_key_answers_and_goes_on_and_pictures_have_no_window(browser, tmp_path):
    how = Reader(orientation=0, real=2, generated=2, confidence=False)
    test = make_test(real_side(), made_side(), how, 1, "Blind test", None)
    write_text(tmp_path / "test.html", test.page)
    page = Page(browser, tmp_path / "test.html")
    page.press("Hal", "ENTER")
    assert page.is_shown("ready")
    page.press("ENTER", "w", "[", "r", "g", "s", "r")
    assert page.is_shown("end") and "all 4" in page.text("sum") and not page.is_shown("window")
    assert page.failures() == []


def test_a_browser_that_keeps_nothing_says_so_and_the_test_goes_on(page):
    script = page.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NO_STORAGE})
    try:
        page.browser.refresh()
        assert page.is_shown("unkept")
        page.begin("Ida")
        page.press("r", "3")
        assert page.text("where") == "picture 2 of 10"
        for _ in range(9):
            page.press("g", "3")
        rows = page.browser.execute_script("return document.getElementById('text').value").splitlines()
        assert len(rows) == 11 and rows[1].split(",")[2] == "real"
    finally:
        page.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
        page.browser.execute_script("document.getElementById('other').click()")


def test_the_mouse_does_the_same(page):
    page.press("Jo", "ENTER")
    for _ in range(4):
        page.browser.find_element("id", "next").click()
    page.browser.find_element("id", "go").click()
    page.browser.find_element("css selector", "[data-answer=generated]").click()
    assert page.pressed() == ["generated"]
    page.browser.find_element("css selector", "[data-sure='2']").click()
    assert page.text("where") == "picture 2 of 10"


def test_only_the_page_itself_is_asked_for(page, sealed):
    page.browser.get("about:blank")
    page.browser.get_log("performance")
    address = (sealed / "test.html").as_uri()
    page.browser.get(address)
    page.begin("Kim")
    page.ink()
    events = [json.loads(entry["message"])["message"] for entry in page.browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert address in asked and [url for url in asked if url != address and not url.startswith("data:")] == []


@pytest.mark.parametrize("width", [420, 768, 1400])
def test_every_view_fits_the_window(page, width):
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    fits = "return document.documentElement.scrollWidth"
    try:
        assert page.browser.execute_script(fits) <= width
        page.press("Lu", "ENTER")
        assert page.browser.execute_script(fits) <= width
        page.press(*["ARROW_RIGHT"] * 4)
        assert page.browser.execute_script(fits) <= width
        page.press("ENTER")
        assert page.browser.execute_script(fits) <= width
        page.press(*["ARROW_RIGHT"] * 10)
        assert page.is_shown("end") and page.browser.execute_script(fits) <= width
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
