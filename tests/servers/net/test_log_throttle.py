"""What strangers cause in the log."""

from __future__ import annotations

import logging

import pytest

from rockit.focuser.ok3z.servers.net.log_throttle import MAX_KINDS, LogThrottle


def test_a_flood_is_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tally = LogThrottle("Some port")
    assert tally.due_s is None
    for number in range(5000):
        tally.count("knock" if number % 2 else f"kind {number}")
        tally.say(100.0 + number / 100)
    assert [record.getMessage() for record in caplog.records] == ["Some port: kind 0 (1)"]
    assert tally.due_s == 160.0
    tally.say(160.0)
    (_, line) = [record.getMessage() for record in caplog.records]
    assert "knock (2500)" in line
    assert line.count("(") == MAX_KINDS + 1
    assert tally.due_s is None
