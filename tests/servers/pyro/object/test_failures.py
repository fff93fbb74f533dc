"""Every 1 has its reason, and everybody reads his own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import LinkLostError, NotConnectedError, StoppedError
from rockit.focuser.ok3z.servers.pyro import PyroFocuser
from rockit.focuser.ok3z.servers.pyro.callers import MOST_CALLERS
from rockit.focuser.ok3z.service.status import Snapshot

# More digits than Python writes of a number.
HUGE = 1 << 30000
CONTROL, OTHER, STRANGER = "10.2.5.115", "127.0.0.1", "1.2.3.4"
Calls = Callable[[PyroFocuser], int]


@pytest.mark.parametrize(
    ("call", "command", "reason"),
    [
        (
            lambda service: service.set_focus("2.5"),
            "set_focus",
            "the position is of type str; a number of millimetres was expected.",
        ),
        (
            lambda service: service.set_focus(True),
            "set_focus",
            "the position is of type bool; a number of millimetres was expected.",
        ),
        (
            lambda service: service.set_focus(1, "False"),
            "set_focus",
            "offset is of type str; True or False was expected.",
        ),
        (
            lambda service: service.begin_move(1, 2),
            "begin_move",
            "offset is 2; True or False was expected.",
        ),
        (
            lambda service: service.set_focus(1, 1.0),
            "set_focus",
            "offset is 1.0; True or False was expected.",
        ),
        (
            lambda service: service.initialize(HUGE),
            "initialize",
            "resume is inf; True or False was expected.",
        ),
        (
            lambda service: service.initialize(restore="no"),
            "initialize",
            "restore is of type str; True or False was expected.",
        ),
        (
            lambda service: service.wait_for_change(0, "10"),
            "wait_for_change",
            "timeout is of type str; a number of seconds was expected.",
        ),
    ],
)
def test_a_wrong_call_has_its_reason(call: Calls, command: str, reason: str, service: PyroFocuser) -> None:
    assert call(service) == 1
    assert service.report_status()["reason"] == reason
    failure = service.last_failure()
    assert failure == {"command": command, "status": 1, "reason": reason, "date": failure["date"]}
    assert failure["date"].endswith("Z")


def test_a_stop_without_a_link_has_its_reason(service: PyroFocuser, stand_in: Any) -> None:
    stand_in.snapshot = Snapshot()
    stand_in.failure = NotConnectedError(
        "the focuser is not connected: whether its motor stands cannot be told."
    )
    assert service.stop() == 1
    assert service.report_status()["reason"] == str(stand_in.failure)
    assert service.last_failure()["status"] == 1


def test_why_the_link_is_lost_is_not_hidden_by_a_stop_that_failed(
    service: PyroFocuser, stand_in: Any
) -> None:
    stand_in.snapshot = Snapshot(reason="the port hung up.")
    stand_in.failure = NotConnectedError("the focuser is not connected.")
    assert service.stop() == 1
    assert service.report_status()["reason"] == "the port hung up."


def test_a_mistake_of_the_daemon_has_its_reason(service: PyroFocuser, stand_in: Any) -> None:
    stand_in.failure = ZeroDivisionError("/a/path")
    assert service.set_focus(1.0) == 1
    assert "made a mistake (ZeroDivisionError)" in service.report_status()["reason"]


def test_a_service_that_gives_no_answer_is_a_failure(
    command: str, service: PyroFocuser, stand_in: Any, call: Any
) -> None:
    stand_in.hangs, stand_in.patience_s = True, 0.01
    assert call(service, command) == 1
    reason = service.last_failure()["reason"]
    assert reason.startswith("the focuser's thread gave no answer for 0 s. Look at the daemon's log")


def test_a_wrong_call_explains_until_the_next_that_succeeds(service: PyroFocuser) -> None:
    service.set_focus("2.5")
    assert service.set_focus(2.0) == 0
    assert "reason" not in service.report_status()
    assert service.last_failure()["command"] == "set_focus"


def test_what_happens_to_the_focuser_later_comes_first(service: PyroFocuser, stand_in: Any) -> None:
    stand_in.snapshot = replace(stand_in.snapshot, reason="the overshoot was short.")
    service.set_focus("2.5")
    assert "of type str" in service.report_status()["reason"]
    stand_in.snapshot = Snapshot(reason="the port hung up.")
    assert service.report_status()["reason"] == "the port hung up."


@pytest.mark.parametrize(
    ("failure", "status"), [(StoppedError("stopped by X."), 1), (LinkLostError("gone."), 1)]
)
def test_a_failure_that_the_status_tells_is_the_last_one_too(
    failure: Exception, status: int, service: PyroFocuser, stand_in: Any
) -> None:
    stand_in.failure = failure
    stand_in.snapshot = replace(stand_in.snapshot, reason="what the status tells.")
    assert service.set_focus(1.0) == status
    assert service.report_status()["reason"] == "what the status tells."
    assert service.last_failure()["reason"] == str(failure)


@pytest.mark.parametrize(("position", "status"), [(7.0, 6), (float("nan"), 6)])
def test_other_refusals_are_failures_too(position: float, status: int, service: PyroFocuser) -> None:
    assert service.set_focus(position) == status
    assert service.last_failure()["status"] == status
    assert "reason" not in service.report_status()


def test_nobody_reads_another_s_failure(service: PyroFocuser, called_from: Callable[[str], None]) -> None:
    assert service.last_failure() == {}
    service.set_focus("2.5")
    for address in (OTHER, STRANGER):
        called_from(address)
        assert service.last_failure() == {}
        assert "reason" not in service.report_status()


def test_a_stranger_reads_of_its_own_refusals(
    service: PyroFocuser, called_from: Callable[[str], None]
) -> None:
    called_from(STRANGER)
    assert service.stop() == 3
    reason = "1.2.3.4 is not among control_machines."
    failure = service.last_failure()
    assert failure == {"command": "stop", "status": 3, "reason": reason, "date": failure["date"]}
    assert "reason" not in service.report_status()


def test_what_the_port_refuses_is_a_failure_too(
    service: PyroFocuser, called_from: Callable[[str], None]
) -> None:
    service.refused(CONTROL, "set_focus", TypeError("x"), "set_focus: use float(x).")
    assert service.last_failure()["reason"] == service.report_status()["reason"] == "set_focus: use float(x)."
    service.refused(CONTROL, "set_focus", 2, "too many calls.")
    assert service.last_failure()["status"] == 2
    service.refused(CONTROL, "", ValueError("x"), "no message.")
    assert service.last_failure()["status"] == 2
    service.refused(STRANGER, "audit", 3, "not among control_machines.")
    called_from(STRANGER)
    assert service.last_failure()["command"] == "audit"


def test_strangers_in_any_number_push_out_nobody_but_each_other(
    service: PyroFocuser, called_from: Callable[[str], None]
) -> None:
    service.set_focus("2.5")
    strangers = [f"10.9.0.{number}" for number in range(MOST_CALLERS + 1)]
    for address in strangers:
        service.refused(address, "stop", 3, "no.")
    assert service.last_failure()["command"] == "set_focus"
    called_from(strangers[0])
    assert service.last_failure() == {}
    called_from(strangers[1])
    assert service.last_failure()["command"] == "stop"
