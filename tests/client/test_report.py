"""A status report as a program in Python gets it: typed, whatever the daemon says."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from itertools import product
from typing import Any

import pytest

from rockit.focuser.ok3z.client.report import Status
from rockit.focuser.ok3z.servers import pyro
from rockit.focuser.ok3z.service.status import Audit, Confidence, Snapshot, State, Trust

IDLE = {
    "date": "2026-11-22T20:00:00Z",
    "status": 1,
    "state": "idle",
    "moving": False,
    "current_mm": 2.0,
    "target_mm": 2.0,
    "current_steps": 10176,
    "reading_age_s": 0.2,
    "position_trust": "homed",
    "homed_at": "2026-11-22T19:00:00Z",
    "audit": {"date": "2026-11-22T19:30:00Z", "since": None, "lost_steps": 3, "lost_mm": 0.001},
    "version": "1.0.0",
}
KINDS: dict[Any, set[type]] = {
    "int": {int},
    "bool": {bool},
    "str": {str},
    "int | None": {int, type(None)},
    "float | None": {float, type(None)},
}


def test_what_the_daemon_says_is_there_under_the_same_names() -> None:
    status = Status.of(IDLE)

    said = {key: value for key, value in IDLE.items() if key != "audit"}
    assert {key: getattr(status, key) for key in said} == said
    assert (status.lost_steps, status.label, status.idle) == (3, "IDLE", True)
    assert (status.speed_mm_sec, status.time_left_s, status.reason) == (None, None, "")


def test_it_never_changes() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Status.of(IDLE).status = 2  # type: ignore[misc]


def test_keys_of_tomorrow_are_kept_and_break_nothing() -> None:
    report = {**IDLE, "temperature_c": 4.5, "change": 17}

    status = Status.of(report)

    assert status.report == report
    assert dataclasses.replace(status, report=IDLE) == Status.of(IDLE)


def test_the_first_daemons_say_less() -> None:
    moving = Status.of({"date": "now", "status": 2, "current_mm": 1.0, "target_mm": 2.0})
    assert (moving.moving, moving.label, moving.target_mm, moving.current_steps) == (
        True,
        "MOVING",
        2.0,
        None,
    )
    offline = Status.of({"date": "now", "status": 0})
    assert (offline.moving, offline.label, offline.current_mm) == (False, "OFFLINE", None)


def test_a_value_of_another_kind_is_as_good_as_none() -> None:
    values = (None, "", "text", float("nan"), 10**400, True, [1], {}, 1.5)
    for key, value in product(IDLE, values):
        status = Status.of({**IDLE, key: value})
        for field in dataclasses.fields(Status):
            if field.name != "report":
                kind = type(getattr(status, field.name))
                assert kind in KINDS[field.type], (field.name, str(value)[:9])


def test_an_empty_report_is_neither_idle_nor_moving() -> None:
    assert (Status.of({}).idle, Status.of({}).moving, Status.of({}).label) == (False, False, "UNKNOWN")


def test_every_name_is_a_key_that_the_daemon_publishes() -> None:
    full = Snapshot(
        *(State.MOVING, "why", 10, 10, None, 0.5, 3.0, 1.0, 7, 2.0),
        confidence=Confidence(Trust.RESUMED, "why", "then"),
        audit=Audit("now", "then", 3),
    )
    published = pyro.report(full, 0.1, datetime(2026, 11, 22, tzinfo=timezone.utc))
    names = {field.name for field in dataclasses.fields(Status)}
    assert names - {"report", "lost_steps"} <= set(published)
    assert Status.of(published).lost_steps == 3
