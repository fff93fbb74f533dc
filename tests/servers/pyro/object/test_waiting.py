"""Waiting for a change of the status."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.servers.pyro import LONGEST_WAIT_S, PyroFocuser
from rockit.focuser.ok3z.servers.pyro.later import Later
from rockit.focuser.ok3z.service.status import Snapshot, State


def wait(service: PyroFocuser, *arguments: Any) -> Later:
    later = service.wait_for_change(*arguments)
    assert isinstance(later, Later)
    return later


def test_it_is_due_when_the_count_is_another(service: PyroFocuser, stand_in: Any) -> None:
    stand_in.snapshot = replace(stand_in.snapshot, change=7)
    later = wait(service, 7, 5)
    assert not later.is_due()
    stand_in.snapshot = replace(stand_in.snapshot, read_at_s=2.0)
    assert not later.is_due()
    stand_in.snapshot = replace(stand_in.snapshot, change=8)
    assert later.is_due()
    answer = later.answer()
    assert answer == {**service.report_status(), "change": 8, "date": answer["date"]}  # type: ignore[index]


@pytest.mark.parametrize("since", [6, 8, -1, None, "7", 7.0, True, [7]])
def test_whatever_is_not_the_current_count_is_answered_at_once(
    since: Any, service: PyroFocuser, stand_in: Any
) -> None:
    stand_in.snapshot = replace(stand_in.snapshot, change=7)
    assert wait(service, since).is_due()


def test_a_service_that_does_not_answer_any_more_is_a_change(service: PyroFocuser, stand_in: Any) -> None:
    later = wait(service, 0)
    stand_in.snapshot = Snapshot(state=State.FAULT)
    assert later.is_due()


@pytest.mark.parametrize(
    ("timeout", "patience_s"),
    [
        (5, 5.0),
        (0.25, 0.25),
        (0, 0.0),
        (-3, 0.0),
        (1e9, LONGEST_WAIT_S),
        (math.inf, LONGEST_WAIT_S),
        (10**400, 20.0),
    ],
)
def test_it_waits_for_twenty_seconds_at_most(timeout: Any, patience_s: float, service: PyroFocuser) -> None:
    assert wait(service, 0, timeout).patience_s == patience_s
    assert wait(service, 0).patience_s == LONGEST_WAIT_S


@pytest.mark.parametrize("timeout", ["5", None, True, [5], math.nan])
def test_what_is_no_time_is_1(timeout: Any, service: PyroFocuser) -> None:
    assert service.wait_for_change(0, timeout) == 1
    assert "a number of seconds was expected" in service.last_failure()["reason"]


def test_a_stranger_may_not_wait(service: PyroFocuser, called_from: Callable[[str], None]) -> None:
    called_from("1.2.3.4")
    assert service.wait_for_change(0) == 3
