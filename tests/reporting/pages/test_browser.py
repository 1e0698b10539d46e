"""Reports and plots in a real browser: what is seen, pointed at, reached by keyboard and loaded.

Needs `chromium` and `chromedriver` on PATH. Where ARCHDSL_ARTEFACTS names a folder,
screenshots are kept there.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

import archdsl
from archdsl.records import State
from archdsl.reporting.formatting import with_interval
from archdsl.reporting.pages.findings import read_findings
from archdsl.reporting.pages.report_page import report_html
from archdsl.store.store import Store, open_store

for program in ("chromium", "chromedriver"):
    if which(program) is None:
        pytest.skip(f"{program} is not on PATH", allow_module_level=True)

pytestmark = pytest.mark.slow

SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
DESKTOP, PHONE = (1280, 900), (390, 844)
COVERED = """(mark => {
  const box = mark.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  return !mark.contains(document.elementFromPoint(x, y));
})(arguments[0])"""
FRONT_BLUE, BASE_RED = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = which("chromium")
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the default search, trained and measured for a shorter time, and its pages."""
    folder = tmp_path_factory.mktemp("digits")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(archdsl.__file__).parents[1]),
    }
    shorter = ("--set", "evaluate.top1.epochs=2", "--set", "evaluate.latency.max_seconds=0.2")
    for words in (
        ("search", "digits", *shorter, "--trials", "8"),
        ("report",),
        ("front", "--plot", "front.html", "--published"),
    ):
        subprocess.run(
            [sys.executable, "-c", "from archdsl.cli.main import app_main; app_main()", *words],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
        )
    return folder


class Opened:
    """A page in the browser.

    Args:
        driver: the browser.
        path: of the page.
        size: width and height of the window, in pixels.
    """

    def __init__(self, driver: Any, path: Path, *, size: tuple[int, int] = DESKTOP) -> None:
        self.driver = driver
        width, height = size
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
        )
        for log in ("browser", "performance"):
            driver.get_log(log)  # what earlier pages left there
        driver.get(path.as_uri())
        self.uri = path.as_uri()

    def find(self, selector: str) -> list[Any]:
        found: list[Any] = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found

    def asked(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(f"return {script}", *arguments)

    def screenshot(self) -> bytes:
        """The whole page, as PNG."""
        shot = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True}
        )
        return base64.b64decode(shot["data"])

    def assert_quiet(self) -> None:
        """No error in the console, and nothing was asked for but the page itself."""
        assert [line for line in self.driver.get_log("browser") if line["level"] != "INFO"] == []
        logged = [json.loads(line["message"]) for line in self.driver.get_log("performance")]
        asked = [
            each["message"]["params"]["request"]["url"]
            for each in logged
            if each["message"]["method"] == "Network.requestWillBeSent"
        ]
        assert {url.partition("#")[0] for url in asked} == {self.uri}


def pixels(png: bytes) -> np.ndarray:
    """(height, width, 3)"""
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def part(picture: np.ndarray, place: dict[str, float]) -> np.ndarray:
    """Where an element stands on the page."""
    left, top = round(place["x"]), round(place["y"])
    return picture[top : top + round(place["height"]), left : left + round(place["width"])]


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """How many pixels are of a colour, or nearly."""
    return int((np.abs(picture - np.array(colour)).max(axis=-1) < 16).sum())


def keep(name: str, png: bytes) -> None:
    if folder := os.environ.get("ARCHDSL_ARTEFACTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_bytes(png)


def told(page: Opened) -> str:
    """What stands under the first picture."""
    return str(page.asked('document.querySelector(".told").textContent'))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pictures_are_drawn_and_nothing_else_is_loaded(
    browser: Any, searched: Path, size: tuple[int, int]
) -> None:
    page = Opened(browser, searched / "report.html", size=size)
    page.assert_quiet()
    shot = page.screenshot()
    keep(f"report-{'phone' if size == PHONE else 'desktop'}.png", shot)
    figures = page.find("figure.plot")
    assert len(figures) == 3, "the front, the hypervolume, the choices"
    pictures = [part(pixels(shot), figure.rect) for figure in figures]
    for picture in pictures:
        assert count(picture, FRONT_BLUE) > 20, "marks or lines of the front"
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    if size == DESKTOP:  # a phone shows the left part, and the rest when it is pulled there
        assert count(pictures[0], BASE_RED) > 10
    for drawing in filter(lambda found: found.is_displayed(), page.find(".archdsl-diagram")):
        assert len(np.unique(part(pixels(shot), drawing.rect).reshape(-1, 3), axis=0)) > 50
    assert page.asked("document.documentElement.scrollWidth") <= size[0], "nothing sticks out"


@pytest.mark.parametrize("name", ["report.html", "front.html"])
def test_pointing_at_a_mark_tells_of_its_member(browser: Any, searched: Path, name: str) -> None:
    page = Opened(browser, searched / name)
    with open_store(str(searched / "archdsl.db"), read_only=True) as store:
        members = {t.number: t for t in store.trials.front(store.studies.all()[0].id)}
    marks = [m for m in page.find(".plot:first-of-type .point[tabindex]") if m.rect["width"] < 60]
    seen: dict[int, tuple[float, float]] = {}
    for mark in marks:
        ActionChains(browser).move_to_element(mark).perform()
        if page.asked(COVERED, mark):  # a pointer finds the one above it; the keyboard finds all
            browser.execute_script("arguments[0].focus()", mark)
        said = told(page)
        found = re.match(r"(\d+) \((base, )?front\); ", said)
        if not found or int(found[1]) in seen:
            continue
        trial = members[int(found[1])]
        for objective, over in (("latency", ""), ("top1", "359 images")):
            assert with_interval(trial.values[objective], over) in said
        place = mark.rect
        seen[trial.number] = (place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        browser.execute_script("arguments[0].blur()", mark)
        browser.execute_script('document.querySelector(".told").textContent = ""')
        browser.execute_script("arguments[0].focus()", mark)
        assert told(page) == said, "the keyboard tells the same"
    assert seen.keys() == members.keys()
    by_latency = sorted(members.values(), key=lambda t: t.values["latency"].value)
    across = [seen[t.number][0] for t in by_latency]
    assert across == sorted(across)
    by_top1 = sorted(members.values(), key=lambda t: -t.values["top1"].value)
    down = [seen[t.number][1] for t in by_top1]
    assert down == sorted(down)
    page.assert_quiet()


def test_a_link_opens_the_card_it_leads_to(browser: Any, searched: Path) -> None:
    page = Opened(browser, searched / "report.html")
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = false")
    link = page.find("#front tbody a")[0]
    browser.execute_script("arguments[0].click()", link)
    target = link.get_attribute("href").partition("#")[2]
    shown = "document.getElementById(arguments[0]).closest('details').open"
    WebDriverWait(browser, 5).until(lambda _: page.asked(shown, target))


def test_the_printed_page_is_as_wide_as_paper(browser: Any, searched: Path) -> None:
    a4 = (794, 1123)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    page = Opened(browser, searched / "report.html", size=a4)
    assert page.asked("document.documentElement.scrollWidth") <= a4[0]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_all_is_printed(browser: Any, searched: Path) -> None:
    page = Opened(browser, searched / "report.html")
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = false")
    browser.execute_script(
        "addEventListener('beforeprint', () => {"
        "window.folded = document.querySelectorAll('details:not([open])').length})"
    )
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")
    assert page.asked("window.folded") == 0
    assert page.find("details[open]") == [], "as it was before"


HOSTILE = (
    "</title></p></td></svg></style><script>document.title = 'taken'</script>"
    "<img src=http://127.0.0.1:9/x.png onerror=\"document.title='taken'\"> \"'` 🚀 "
) + "x" * 10_000


def test_hostile_texts_run_nothing(
    browser: Any, fill: Callable[..., Any], made: Callable[..., Any], store: Store, tmp_path: Path
) -> None:
    device = {"name": HOSTILE, "torch": HOSTILE}
    protocol = {"latency": {"batch": 1, "dtype": HOSTILE, "threads": 1, "fingerprint": device}}
    unsteady = {"latency": {"steady": False, "unsteady": [HOSTILE]}}
    first = made(values={"latency": 2.0, "top1": 90.0}, protocol=protocol)
    other = made(sets=("depth=1",), values={"latency": 1.0, "top1": 80.0}, detail=unsteady,
                 params={HOSTILE: HOSTILE}, protocol=protocol)  # fmt: skip
    failed = made(sets=("depth=2",), state=State.FAILED, reason=HOSTILE)
    study = fill([first, other, failed], name=HOSTILE[:200])
    path = tmp_path / "hostile.html"
    path.write_text(report_html(read_findings(store, study)))
    for size in (DESKTOP, PHONE):
        page = Opened(browser, path, size=size)
        page.assert_quiet()
        assert page.asked("document.title").startswith("Search </title>")
        assert page.find("img, script:not(:last-of-type)") == []
        assert page.asked("document.documentElement.scrollWidth") <= size[0]
    for mark in page.find(".point[tabindex]"):
        browser.execute_script("arguments[0].focus()", mark)
        assert page.find(".told *") == []
