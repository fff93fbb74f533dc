"""Makes the pictures of the panel under docs/: `pytest browser/pictures.py`. It takes two minutes.

No test: it is not collected unless it is named.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

DOCS = Path(__file__).parent.parent / "docs"
# As fast as the real one, but for homing.
FOCUSER = {
    "serial_port": {"start_mm": 0.8, "time_scale": 1},
    "speed_mm_sec": 0.5,
    "anti_backlash_mm": 0.3,
}
# Seconds to wait, and where to go then: a search for the focus, as a program makes it.
SEARCH = [(1, 2.2), (4, 2.35), (4, 2.5), (4, 2.65), (4, 2.8), (5, 2.55)]


@pytest.mark.timeout(300)
def test_pictures(page: Any, make_daemon: Any) -> None:
    daemon = make_daemon(**FOCUSER)
    page.emulate(1280, 880, scale=1.5)
    page.open(daemon)
    assert daemon.call("initialize") == 0
    for wait_s, position_mm in SEARCH:
        time.sleep(wait_s)
        assert daemon.call("set_focus", position_mm) == 0
    time.sleep(3)
    page.set("4.5")
    page.wait_for("#state", "MOVING")
    time.sleep(1.5)
    page.press(Keys.ESCAPE)
    page.wait_for("#reason", "Stopped by").wait_for("#stop-says", "Stopped")
    time.sleep(2)
    page.set("2.58")
    page.wait_for("#answer", "Move to 2.580 mm: done.")
    time.sleep(3)
    page.click('[data-offset="-0.01"]')
    page.wait_for("#answer", "0.01 mm inward: done.")
    page.run("document.activeElement.blur()")
    time.sleep(5)
    picture(page, "panel.png")
    page.click("#night")
    page.run("document.activeElement.blur()")
    page.set("4.2")
    page.run("document.activeElement.blur()")
    page.wait_for("#state", "MOVING")
    time.sleep(1)
    picture(page, "panel-night.png")
    page.wait_for("#answer", "Move to 4.200 mm: done.")
    page.click("#night")
    page.emulate(360, 780, mobile=True, scale=2)
    page.run("document.activeElement.blur(); document.getElementById('page').scrollTo(0, 0)")
    time.sleep(1)
    picture(page, "panel-phone.png")


def picture(page: Any, name: str) -> None:
    # Nothing is pointed at.
    webdriver.ActionChains(page.driver).move_to_element(page.find("#name")).perform()
    time.sleep(0.5)
    page.driver.save_screenshot(str(DOCS / name))
