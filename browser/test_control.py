"""What somebody who may control can do on the page."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

NO_POSITION = "\u2013.\u2013\u2013\u2013"


def test_it_initialises_only_after_a_question_that_leaves_stop_in_reach(page: Any, daemon: Any) -> None:
    page.open(daemon).wait_for("#state", "Disconnected")
    page.click("[data-opens=initialise]")
    assert "through all of its range" in page.text("#initialise")
    assert daemon.status()["state"] == "disconnected"
    on_top = """
        const box = document.getElementById("stop").getBoundingClientRect();
        return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).id;
    """
    assert page.run(on_top) == "stop"
    page.click("#initialise-now")
    page.wait_for("#state", "At rest").wait_for("#position", "0.000").wait_for("#trust", "Homed").wait_for(
        "#homed", "UTC"
    )
    page.wait_for("#moves", "Homing").wait_for("#moves", "homed")
    page.wait_for("#answer", "Initialise: done.")
    assert not page.find("#initialise").is_displayed()


def test_a_question_can_be_taken_back(page: Any, daemon: Any) -> None:
    page.open(daemon)
    page.click("[data-opens=initialise]")
    page.click("[data-closes=initialise]")
    assert not page.find("#initialise").is_displayed()
    assert page.run("return document.activeElement.dataset.opens") == "initialise"
    assert daemon.status()["state"] == "disconnected"


def test_resuming_is_passed_on(page: Any, daemon: Any) -> None:
    page.open(daemon)
    page.click("[data-opens=initialise]")
    page.click("#resume")
    page.click("#initialise-now")
    page.wait_for("#answer", "Initialise, resuming: done.")
    # It was never homed: there is nothing to resume, and the trust says so.
    page.wait_for("#trust-reason", "could not be resumed")


def test_a_position_is_set_by_keys_alone(ready: Any, daemon: Any) -> None:
    ready.set("1.25")
    ready.wait_for("#answer", "Move to 1.250 mm: done.")
    ready.wait_for("#position", "1.250").wait_for("#target", "1.250 mm")
    ready.wait_for("#moves li:first-child", "0.000 → 1.250").wait_for("#moves li:first-child", "arrived")
    assert daemon.status()["current_mm"] == 1.25
    # A comma is a point.
    ready.set("0,5")
    ready.wait_for("#answer", "Move to 0.500 mm: done.")
    assert daemon.status()["current_mm"] == 0.5


def test_what_is_no_number_goes_nowhere(ready: Any, daemon: Any) -> None:
    for text in ("abc", "1.2.3", "0x10", "1e3", "Infinity", "-", ""):
        ready.run("document.getElementById('refusal').textContent = ''")
        ready.set(text)
        ready.wait_for("#refusal", "number of millimetres")
        assert ready.run("return document.activeElement.id") == "set-to"
    assert daemon.status()["target_mm"] == 0.0


def test_what_the_daemon_refuses_is_said_in_its_words(ready: Any) -> None:
    ready.set("6.5")
    ready.wait_for("#refusal", "6.5 mm was asked for; the focuser goes from 0 to 6.000 mm.")
    ready.set("0.2")
    ready.wait_for("#answer", "Move to 0.200 mm: done.")
    assert ready.text("#refusal") == ""


def test_every_offset_goes_where_it_says(ready: Any, daemon: Any) -> None:
    ready.set("2")
    ready.wait_for("#answer", "Move to 2.000 mm: done.")
    expected_steps = 2 * 5088
    for offset in ("1", "-1", "0.1", "-0.1", "0.01", "-0.01"):
        ready.wait_for("#state", "At rest")
        ready.click(f'[data-offset="{offset}"]')
        ready.wait_for("#answer", "ward: done.")
        expected_steps += round(float(offset) * 5088)
        ready.wait_for("#steps", str(expected_steps))
        # Its answer must not be taken for that of the next one.
        ready.run("document.getElementById('answer').textContent = ''")
    assert daemon.status()["current_steps"] == expected_steps


def test_a_dozen_clicks_at_once_are_one_command(ready: Any, daemon: Any) -> None:
    sent = """
        const own = window.fetch;
        window.sent = 0;
        window.fetch = (...details) => { window.sent += 1; return own(...details); };
        const button = document.querySelector('[data-offset="0.1"]');
        for (let count = 0; count < 12; count += 1) button.click();
        return [window.sent, button.getAttribute("aria-disabled")];
    """
    assert ready.run(sent) == [1, "true"]
    ready.wait_for("#answer", "0.1 mm outward: done.").wait_for("#position", "0.100")
    assert daemon.status()["target_mm"] == 0.1
    # It can be used again.
    ready.click('[data-offset="0.1"]')
    ready.wait_for("#position", "0.200")


@pytest.mark.parametrize("way", ["click", "key", "key in the field"])
def test_stop_ends_a_move(ready: Any, daemon: Any, way: str) -> None:
    ready.set("5.5")
    ready.wait_for("#state", "Moving")
    if way == "click":
        ready.click("#stop")
    else:
        ready.run(
            "(arguments[0] ? document.getElementById('set-to') : document.activeElement).focus()",
            "field" in way,
        )
        ready.press(Keys.ESCAPE)
    ready.wait_for("#state", "At rest").wait_for("#reason", "Stopped by 127.0.0.1.")
    assert daemon.status()["current_mm"] < 5.5
    ready.wait_for("#moves li:first-child", "ended at")
    ready.wait_for("#stop-says", "Stopped: the focuser stands.")
    # That the move was stopped is no alarm.
    ready.wait_for("#answer", "Move to 5.500 mm: Stopped by 127.0.0.1.")
    assert ready.text("#refusal") == ""


def test_stop_ends_the_homing_run(page: Any, make_daemon: Any) -> None:
    daemon = make_daemon(serial_port={"start_mm": 5})
    page.open(daemon)
    page.click("[data-opens=initialise]")
    page.click("#initialise-now")
    page.wait_for("#state", "Homing")
    page.press(Keys.ESCAPE)
    page.wait_for("#state", "Not homed").wait_for("#trust", "Unknown").wait_for("#position", NO_POSITION)
    page.wait_for("#moves li:first-child", "stopped")


def test_stop_closes_a_question(ready: Any) -> None:
    ready.click("[data-opens=disconnect]")
    ready.press(Keys.ESCAPE)
    ready.wait_for("#stop-says", "Stopped: the focuser stands.")
    assert not ready.find("#disconnect").is_displayed()


def test_it_disconnects_only_after_a_question(ready: Any, daemon: Any) -> None:
    ready.click("[data-opens=disconnect]")
    assert "takes the focuser away from everybody" in ready.text("#disconnect")
    assert daemon.status()["state"] == "idle"
    ready.click("#disconnect-now")
    ready.wait_for("#state", "Disconnected").wait_for("#position", NO_POSITION)
    assert daemon.status()["state"] == "disconnected"


def test_a_button_that_cannot_be_used_says_why(page: Any, daemon: Any) -> None:
    page.open(daemon)
    page.click('[data-offset="1"]')
    page.wait_for("#refusal", "Initialise it first.")
    page.initialise()
    page.wait_for("#state", "At rest")
    page.click("[data-opens=initialise]")
    page.wait_for("#refusal", "initialised already")
    assert not page.find("#initialise").is_displayed()
    page.set("5")
    page.wait_for("#state", "Moving")
    page.click('[data-offset="0.1"]')
    page.wait_for("#refusal", "Wait, or stop it.")
    assert page.find('[data-offset="0.1"]').get_attribute("aria-disabled") == "true"


def test_a_button_keeps_the_focus_while_its_move_runs(ready: Any) -> None:
    ready.run("""document.querySelector('[data-offset="1"]').focus()""")
    ready.press(Keys.ENTER)
    ready.wait_for("#state", "Moving")
    ready.wait_for("#answer", "1 mm outward: done.")
    assert ready.run("return document.activeElement.dataset.offset") == "1"


def test_moves_of_the_observatory_are_there_as_well(ready: Any, daemon: Any) -> None:
    moving = threading.Thread(target=daemon.call, args=("set_focus", 2.0))
    moving.start()
    ready.wait_for("#state", "Moving").wait_for("#target", "2.000 mm").wait_for("#moves", "under way")
    ready.wait_for("#state", "At rest").wait_for("#moves li:first-child", "0.000 → 2.000")
    ready.wait_for("#moves li:first-child", "arrived")
    moving.join()
