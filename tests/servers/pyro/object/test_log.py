"""What the log answers to "what was it told last night?"."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import AlreadyConnectedError, StoppedError
from rockit.focuser.ok3z.servers.pyro import refusals
from rockit.focuser.ok3z.service.status import Audit, Confidence, Snapshot, State, Trust

ASKED = "asked by NGTSDASNUC (10.2.5.115)"
SECONDS = re.compile(r"\d+\.\d s")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged, with `7.4 s` for whatever it took."""
    caplog.set_level(logging.INFO)
    return lambda: [SECONDS.sub("7.4 s", record.getMessage()) for record in caplog.records]


def test_a_move_tells_what_was_asked_for_and_where_it_came_to(service: Any, focuser: Any, lines: Any) -> None:
    for arguments, asked in (
        ((2.0125,), "2.0125 mm"),
        ((2,), "2 mm"),
        ((0.1, True), "by +0.1 mm"),
        ((-0.05, 1), "by -0.05 mm"),
    ):
        service.set_focus(*arguments)
        assert lines()[-1] == f"set_focus {asked}, {ASKED}: arrived at 2.000 mm after 7.4 s"
    focuser.failure = StoppedError("stopped by 10.2.5.3.", public="stopped.")
    service.set_focus(2.5)
    assert lines()[4:] == [f"set_focus 2.5 mm, {ASKED}: ended at 2.000 mm after 7.4 s: stopped by 10.2.5.3."]


def test_a_refused_move_tells_of_anything_that_was_sent(service: Any, lines: Any) -> None:
    for number, (arguments, shown) in enumerate(
        (
            (("2.5",), "a str"),
            (("2.5", True), "a str"),
            ((None,), "a NoneType"),
            ((float("nan"),), "nan mm"),
            ((10**300,), "1e+300 mm"),
            ((1 << 30000,), "inf mm"),
            ((-1 << 30000, True), "by -inf mm"),
        )
    ):
        assert service.set_focus(*arguments) in (1, 6)
        assert lines()[number].startswith(f"set_focus {shown}, {ASKED}: refused: ")


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (None, "arrived at 2.000 mm after 7.4 s"),
        (StoppedError("stopped."), "ended at 2.000 mm after 7.4 s: stopped."),
    ],
)
def test_a_begun_move_has_a_line_at_its_beginning_and_at_its_end(
    service: Any, focuser: Any, lines: Any, failure: Any, end: str
) -> None:
    focuser.move_gate.close()
    assert service.begin_move(2.5) == 0
    assert service.last_failure() == {}
    focuser.failure = failure
    focuser.move_gate.open()
    begun = f"begin_move 2.5 mm, {ASKED}"
    assert lines() == [f"{begun}: under way", f"{begun}: {end}"]
    # What becomes of it later is its caller's failure.
    if failure:
        assert service.last_failure()["command"] == "begin_move"
        assert service.report_status()["reason"] == "stopped."


def test_a_begun_move_of_no_length_has_one_line(service: Any, lines: Any) -> None:
    assert service.begin_move(2.0) == 0
    assert lines() == [f"begin_move 2.0 mm, {ASKED}: arrived at 2.000 mm after 7.4 s"]


def test_the_other_commands(service: Any, focuser: Any, lines: Any) -> None:
    focuser.snapshot = replace(focuser.snapshot, audit=Audit("now", "then", 3))
    service.initialize()
    focuser.snapshot = replace(focuser.snapshot, confidence=Confidence(Trust.RESUMED))
    service.initialize()
    service.audit()
    service.stop()
    focuser.snapshot = Snapshot(state=State.UNHOMED)
    service.stop()
    service.shutdown()
    assert lines() == [
        f"initialize, {ASKED}: homed, stands at 2.000 mm after 7.4 s",
        f"initialize, {ASKED}: resumed, stands at 2.000 mm after 7.4 s",
        f"audit, {ASKED}: 3 steps were lost, stands at 2.000 mm after 7.4 s",
        f"stop, {ASKED}: stands at 2.000 mm after 7.4 s",
        f"stop, {ASKED}: stands at an unknown position after 7.4 s",
        f"shutdown, {ASKED}: disconnected after 7.4 s",
    ]


def test_a_machine_without_a_name_goes_by_its_address(
    service: Any, focuser: Any, called_from: Callable[[str], None], lines: Any
) -> None:
    called_from("127.0.0.1")
    focuser.failure = AlreadyConnectedError("it is connected.")
    service.initialize()
    assert lines() == ["initialize, asked by 127.0.0.1: refused: it is connected."]


# What the port refuses


def test_a_call_that_the_port_refuses_is_a_line(service: Any, lines: Any) -> None:
    service.refused("10.2.5.115", "set_focus", TypeError("x"), "set_focus: use float(x).")
    service.refused("10.2.5.115", "", TypeError("x"), "it is no call.")
    service.refused("1.2.3.4", "set_focus", 3, "no.")
    assert lines() == [
        f"set_focus, {ASKED}: refused: set_focus: use float(x).",
        f"a message, {ASKED}: refused: it is no call.",
    ]


def test_refusals_fill_no_log(service: Any, lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    for _ in range(refusals.MOST_LINES + 7):
        service.refused("10.2.5.115", "fly", TypeError("x"), "no.")
    assert len(lines()) == refusals.MOST_LINES
    now_s += refusals.PERIOD_S
    service.refused("10.2.5.115", "fly", TypeError("x"), "no.")
    assert lines()[refusals.MOST_LINES :] == [
        "7 more calls of machines that may control were refused",
        f"fly, {ASKED}: refused: no.",
    ]
