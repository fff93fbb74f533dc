"""What the page says when it hears nothing of the daemon, or the daemon nothing of the focuser."""

from __future__ import annotations

import signal
from typing import Any

NO_POSITION = "\u2013.\u2013\u2013\u2013"


def is_grey(page: Any, selector: str) -> bool:
    """Whether what stands there is drawn weaker than it is."""
    script = """
        let opacity = 1;
        for (let at = document.querySelector(arguments[0]); at; at = at.parentElement) {
          opacity *= getComputedStyle(at).opacity;
        }
        return opacity < 0.7;
    """
    return bool(page.run(script, selector))


def test_a_daemon_that_dies_is_said_and_its_return_is_found(ready: Any, daemon: Any) -> None:
    ready.may_lose_daemon = True
    ready.set("1")
    ready.wait_for("#answer", "Move to 1.000 mm: done.").wait_for("#position", "1.000")
    assert not is_grey(ready, "#position")
    daemon.kill()
    ready.wait_for("#daemon-link", "No link to focusd").wait_for("#lost", "What is shown is old.")
    assert ready.find("#lost").is_displayed()
    assert is_grey(ready, "#position")
    assert ready.text("#position") == "1.000"
    # Its age grows.
    ready.wait_for("#lost-age", "for 2 s").wait_for("#lost-age", "for 4 s")
    assert ready.find("[data-opens=disconnect]").get_attribute("aria-disabled") == "true"
    ready.click('[data-offset="1"]')
    ready.wait_for("#refusal", "There is no link to focusd now.")
    ready.click("#stop")
    ready.wait_for("#stop-says", "STOP NOT CONFIRMED: focusd does not answer.")
    daemon.start()
    ready.wait_for("#daemon-link", "Live").wait_for("#state", "Disconnected")
    assert not ready.find("#lost").is_displayed()
    assert not is_grey(ready, "#position")


def test_a_daemon_that_hangs_is_said(ready: Any, daemon: Any) -> None:
    # Its connections stay open: only the silence shows.
    daemon.send_signal(signal.SIGSTOP)
    ready.wait_for("#daemon-link", "No link to focusd")
    daemon.send_signal(signal.SIGCONT)
    ready.wait_for("#daemon-link", "Live").wait_for("#state", "At rest")


def test_a_lost_focuser_is_said_and_its_return_is_found(ready: Any, daemon: Any) -> None:
    daemon.tell("hang-up")
    ready.wait_for("#state", "Focuser link lost").wait_for("#warnings", "Look at the focuser's power")
    ready.wait_for("#position", NO_POSITION).wait_for("#target", "\u2013").wait_for("#trust", "Unknown")
    assert ready.text("#daemon-link") == "Live"
    daemon.tell("return")
    ready.wait_for("#state", "At rest").wait_for("#position", "0.000").wait_for("#trust", "Resumed")


def test_a_focuser_that_is_lost_in_a_move_may_be_moving(ready: Any, daemon: Any) -> None:
    ready.set("5")
    ready.wait_for("#state", "Moving")
    daemon.tell("hang-up")
    ready.wait_for("#warnings", "THE MOTOR MAY BE RUNNING").wait_for("#moves li:first-child", "end not seen")
    # The failure of the move comes with the daemon's sentence.
    ready.wait_for("#refusal", "Move to 5.000 mm:")
    ready.click("#stop")
    ready.wait_for("#stop-says", "STOP NOT CONFIRMED.")
    daemon.tell("return")
    ready.wait_for("#daemon-link", "Live")


def title(page: Any) -> str:
    return str(page.run("return document.title"))


def test_a_page_that_nobody_sees_holds_no_connection(ready: Any, daemon: Any) -> None:
    connections = daemon.connections()
    ready.hide(True)
    # The stream ends; what the page was loaded over may stay for its next use.
    ready.wait_until(lambda: daemon.connections() == connections - 1, "one connection fewer")
    assert daemon.call("set_focus", 1.0) == 0
    assert ready.text("#position") == "0.000"
    ready.hide(False)
    ready.wait_for("#position", "1.000").wait_for("#moves", "0.000 → 1.000")


def test_no_title_says_an_old_position(ready: Any, daemon: Any) -> None:
    name = ready.text("#name")
    assert title(ready) == f"0.000 mm · {name}"
    ready.hide(True)
    assert title(ready) == name
    assert is_grey(ready, "#position")
    assert daemon.call("set_focus", 1.0) == 0
    assert title(ready) == name
    # Back, and not believed before the first word: the daemon says none.
    daemon.send_signal(signal.SIGSTOP)
    ready.hide(False)
    assert title(ready) == name
    assert is_grey(ready, "#position")
    assert not ready.find("#lost").is_displayed()
    assert ready.find("[data-opens=disconnect]").get_attribute("aria-disabled") == "true"
    ready.wait_for("#daemon-link", "No link to focusd")
    assert title(ready) == name
    daemon.send_signal(signal.SIGCONT)
    ready.wait_for("#daemon-link", "Live")
    assert title(ready) == f"1.000 mm · {name}"


def test_a_page_that_comes_back_the_same_is_not_loaded_for_ever(page: Any, daemon: Any) -> None:
    # What the stream says of permission never fits the page.
    script = """
        sessionStorage.setItem("loads", Number(sessionStorage.getItem("loads")) + 1);
        const parse = JSON.parse;
        JSON.parse = (text) => {
          const values = parse(text);
          if ("may_control" in values) values.may_control = false;
          return values;
        };
    """
    with page.script_in_every_document(script):
        page.open(daemon).wait_for("#about", "seen from")
        # Live again and again without another load.
        for _ in range(3):
            page.hide(True)
            page.hide(False)
            page.wait_for("#daemon-link", "Live")
        assert page.run("return sessionStorage.getItem('loads')") == "2"
    page.run("sessionStorage.clear()")
