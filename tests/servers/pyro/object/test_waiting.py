"""Waiting for a change of the status."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from rockit.focuser.ok3z.servers.pyro import LONGEST_WAIT_S
from rockit.focuser.ok3z.servers.pyro.later import Later
from rockit.focuser.ok3z.service.status import Snapshot, State


def wait(service: Any, *arguments: Any) -> Later:
    later = service.wait_for_change(*arguments)
    assert isinstance(later, Later)
    return later


def test_it_is_due_when_the_count_is_another(service: Any, focuser: Any) -> None:
    focuser.snapshot = replace(focuser.snapshot, change=7)
    later = wait(service, 7, 5)
    assert not later.is_due()
    focuser.snapshot = replace(focuser.snapshot, read_at_s=2.0)
    assert not later.is_due()
    focuser.snapshot = replace(focuser.snapshot, change=8)
    assert later.is_due()
    answer = later.answer()
    assert answer == {**service.report_status(), "change": 8, "date": answer["date"]}  # type: ignore[index]


def test_whatever_is_not_the_current_count_is_answered_at_once(service: Any, focuser: Any) -> None:
    focuser.snapshot = replace(focuser.snapshot, change=7)
    for since in (6, 8, -1, None, "7", 7.0, True, [7]):
        assert wait(service, since).is_due(), since


def test_a_service_that_does_not_answer_any_more_is_a_change(service: Any, focuser: Any) -> None:
    later = wait(service, 0)
    focuser.snapshot = Snapshot(state=State.FAULT)
    assert later.is_due()


def test_it_waits_for_twenty_seconds_at_most(service: Any) -> None:
    assert LONGEST_WAIT_S == 20.0
    assert wait(service, 0).patience_s == 20.0
    for timeout, patience_s in (
        (5, 5.0),
        (0.25, 0.25),
        (0, 0.0),
        (-3, 0.0),
        (1e9, 20.0),
        (math.inf, 20.0),
        (10**400, 20.0),
    ):
        assert wait(service, 0, timeout).patience_s == patience_s, str(timeout)[:9]
    for none in ("5", None, True, [5], math.nan):
        assert service.wait_for_change(0, none) == 1, none
        assert "a number of seconds was expected" in service.last_failure()["reason"]
