"""The nights that are kept, on the page: also those before the daemon was started."""

from __future__ import annotations

from typing import Any


def test_last_night_is_there_after_a_restart(ready: Any, daemon: Any) -> None:
    ready.set("1.25")
    ready.wait_for("#answer", "Move to 1.250 mm: done.")
    ready.wait_for("#history li:first-child", "0.000 → 1.250").wait_for(
        "#history li:first-child", "127.0.0.1 (panel)"
    )
    assert ready.find("#history-chart canvas").is_displayed()
    ready.may_lose_daemon = True
    daemon.end()
    daemon.start()
    ready.open(daemon)
    ready.wait_for("#no-moves", "None since focusd started.")
    ready.wait_for("#history", "0.000 → 1.250").wait_for("#history", "focusd began")
    day = ready.text("#history-day")
    assert ready.run("return document.getElementById('history-csv').href").endswith(
        f"/panel/history.csv?day={day}"
    )
    ready.click("#history-before")
    ready.wait_for("#no-history", "Nothing is known of this night.")
    ready.click("#history-after")
    ready.wait_for("#history-day", day).wait_for("#history", "0.000 → 1.250")
