"""What is said of a stop: where one looks, at once, and for as long as it is true."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

NO_LINK = "STOP NOT CONFIRMED: no link to focusd. It was sent; if the motor must stand now, cut its power."
NO_ANSWER = "STOP NOT CONFIRMED: focusd does not answer. If the motor must stand now, cut its power."
STANDS = "Stopped: the focuser stands."
STANDS_NOW = "The stop was not confirmed then. The focuser stands now."
# Much longer than the daemon's sentences are.
LONG = " ".join(["Standstill was not seen within 2.0 s: the register went from 10240 to 10752."] * 4)
# Whether all of what is said of the stop can be read now: within the window, over everything, and beside the button.
SEEN = """
    const said = document.getElementById("stop-says");
    const box = said.getBoundingClientRect();
    const button = document.getElementById("stop").getBoundingClientRect();
    const points = [0.01, 0.5, 0.99].flatMap((x) => [0.05, 0.5, 0.95].map((y) => [x, y]));
    return {
      text: said.textContent,
      within: box.top >= 0 && box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight && box.height > 16,
      whole: said.scrollHeight <= said.clientHeight && said.scrollWidth <= said.clientWidth,
      covered: points.filter(([x, y]) => {
        const top = document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
        return top !== said;
      }).length,
      beside: box.bottom <= button.top && button.bottom <= innerHeight && button.height >= 48,
    };
"""
# What of the page cannot be scrolled to from under the bar.
HIDDEN_FOR_GOOD = """
    scrollTo(0, document.documentElement.scrollHeight);
    const bar = document.querySelector(".stop-bar").getBoundingClientRect();
    return document.getElementById("about").getBoundingClientRect().bottom > bar.top + 0.5;
"""
# Has every command answered with a failure in such words, once it was carried out.
FAIL = """
    const own = window.fetch;
    const message = arguments[0];
    window.fetch = async (...details) => {
      await own(...details);
      return {json: async () => ({done: false, code: "halt_failed", message})};
    };
"""


@pytest.fixture(params=[(360, 780), (844, 390)], ids=["upright", "lying"])
def phone(request: pytest.FixtureRequest, ready: Any) -> Any:
    """A telephone on which somebody looks at the moves."""
    ready.emulate(*request.param, mobile=True)
    to_the_moves(ready)
    return ready


def to_the_moves(page: Any) -> None:
    page.run("document.getElementById('moves-card').scrollIntoView({block: 'end'})")


def assert_seen(page: Any, text: str) -> None:
    seen = page.run(SEEN)
    assert text in seen.pop("text")
    assert seen == {"within": True, "whole": True, "covered": 0, "beside": True}
    page.wait_until(lambda: page.run(HIDDEN_FOR_GOOD) is False, "the end of the page over the bar")


def lose_focuser(page: Any, daemon: Any) -> None:
    daemon.tell("hang-up")
    page.wait_for("#state", "Focuser link lost")


# Where it is said


def test_on_a_telephone_what_is_said_is_seen_wherever_one_looks(phone: Any, daemon: Any) -> None:
    def stop_says(text: str) -> None:
        to_the_moves(phone)
        phone.find("#stop").click()
        phone.wait_for("#stop-says", text)
        assert_seen(phone, text)

    stop_says(STANDS)
    lose_focuser(phone, daemon)
    stop_says("STOP NOT CONFIRMED.")
    phone.run(FAIL, LONG)
    stop_says(LONG)


def test_the_button_stays_under_the_finger_when_something_is_said(phone: Any) -> None:
    where = """
        const {left, top, width, height} = document.getElementById("stop").getBoundingClientRect();
        return [left, top, width, height];
    """
    before = phone.run(where)
    phone.press(Keys.ESCAPE)
    phone.wait_for("#stop-says", STANDS)
    assert phone.run(where) == before


# Without a link


def test_without_a_link_it_is_said_at_once_that_nothing_is_confirmed(ready: Any, daemon: Any) -> None:
    daemon.send_signal(signal.SIGSTOP)
    ready.wait_for("#daemon-link", "No link to focusd")
    ready.press(Keys.ESCAPE)
    assert ready.text("#stop-says") == NO_LINK
    # It was sent: what came of it takes the place of that.
    daemon.send_signal(signal.SIGCONT)
    ready.wait_for("#stop-says", STANDS)


def test_a_link_that_goes_while_a_stop_waits_is_said(ready: Any, daemon: Any) -> None:
    daemon.send_signal(signal.SIGSTOP)
    ready.press(Keys.ESCAPE)
    assert ready.text("#stop-says") == "Stopping…"
    ready.wait_for("#stop-says", NO_LINK)
    daemon.send_signal(signal.SIGCONT)
    ready.wait_for("#stop-says", STANDS)


def test_a_page_that_nobody_sees_has_lost_nothing(ready: Any, daemon: Any) -> None:
    daemon.send_signal(signal.SIGSTOP)
    ready.press(Keys.ESCAPE)
    ready.hide(True)
    assert ready.text("#stop-says") == "Stopping…"
    ready.hide(False)
    assert ready.text("#stop-says") == "Stopping…"
    daemon.send_signal(signal.SIGCONT)
    ready.wait_for("#stop-says", STANDS)


# For how long


def test_an_alarm_ends_when_the_focuser_is_seen_standing(ready: Any, daemon: Any) -> None:
    ready.may_lose_daemon = True
    daemon.kill()
    ready.wait_for("#daemon-link", "No link to focusd")
    ready.press(Keys.ESCAPE)
    ready.wait_for("#stop-says", NO_ANSWER)
    daemon.start()
    # Of a focuser that is not connected it is not known.
    ready.wait_for("#daemon-link", "Live").wait_for("#state", "Disconnected")
    assert ready.text("#stop-says") == NO_ANSWER
    ready.initialise()
    ready.wait_for("#stop-says", STANDS_NOW)


def test_an_alarm_lasts_while_the_motor_moves(ready: Any) -> None:
    ready.set("5.5")
    ready.wait_for("#state", "Moving")
    ready.run("window.fetch = async () => { throw new TypeError('no way to focusd'); }")
    ready.press(Keys.ESCAPE)
    ready.wait_for("#stop-says", NO_ANSWER)
    position = ready.text("#position")
    ready.wait_until(lambda: ready.text("#position") != position, "the next position")
    assert ready.text("#stop-says") == NO_ANSWER
    ready.wait_for("#stop-says", STANDS_NOW)
    assert ready.text("#state") == "At rest"


def test_a_new_command_takes_back_what_was_said_and_no_alarm(ready: Any, daemon: Any) -> None:
    ready.press(Keys.ESCAPE)
    ready.wait_for("#stop-says", STANDS)
    ready.set("6.5")
    ready.wait_for("#refusal", "6.5 mm was asked for")
    assert ready.text("#stop-says") == ""
    lose_focuser(ready, daemon)
    ready.press(Keys.ESCAPE)
    ready.wait_for("#stop-says", "STOP NOT CONFIRMED.")
    ready.click("[data-opens=disconnect]")
    ready.click("#disconnect-now")
    ready.wait_for("#answer", "Disconnect: done.")
    assert "STOP NOT CONFIRMED." in ready.text("#stop-says")


def test_a_motion_of_others_takes_back_that_the_focuser_stands(ready: Any, daemon: Any) -> None:
    ready.press(Keys.ESCAPE)
    ready.wait_for("#stop-says", STANDS)
    # Seen standing since.
    ready.wait_until(lambda: daemon.status()["state"] == "idle", "rest")
    time.sleep(1.5)
    assert ready.text("#stop-says") == STANDS
    assert daemon.call("set_focus", 2.0) == 0
    assert ready.text("#stop-says") == ""
