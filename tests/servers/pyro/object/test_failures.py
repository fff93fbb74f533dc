"""Every 1 has its reason, and everybody reads his own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.errors import LinkLostError, NotConnectedError, StoppedError
from rockit.focuser.ok3z.servers.pyro.callers import MOST_CALLERS
from rockit.focuser.ok3z.service.status import Snapshot

# More digits than Python writes of a number.
HUGE = 1 << 30000
CONTROL, OTHER, STRANGER = "10.2.5.115", "127.0.0.1", "1.2.3.4"
YES_OR_NO, MILLIMETRES = "True or False was expected.", "a number of millimetres was expected."


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        ("set_focus", ("2.5",), f"the position is of type str; {MILLIMETRES}"),
        ("set_focus", (True,), f"the position is of type bool; {MILLIMETRES}"),
        ("set_focus", (1, "False"), f"offset is of type str; {YES_OR_NO}"),
        ("begin_move", (1, 2), f"offset is 2; {YES_OR_NO}"),
        ("set_focus", (1, 1.0), f"offset is 1.0; {YES_OR_NO}"),
        ("initialize", (HUGE,), f"resume is inf; {YES_OR_NO}"),
        ("initialize", (None, "no"), f"restore is of type str; {YES_OR_NO}"),
        ("wait_for_change", (0, "10"), "timeout is of type str; a number of seconds was expected."),
    ],
)
def test_a_wrong_call_has_its_reason(command: str, arguments: Any, reason: str, service: Any) -> None:
    assert getattr(service, command)(*arguments) == 1
    assert service.report_status()["reason"] == reason
    failure = service.last_failure()
    assert failure == {"command": command, "status": 1, "reason": reason, "date": failure["date"]}
    assert failure["date"].endswith("Z")


@pytest.mark.parametrize("reason", ["", "the port hung up."])
def test_a_stop_without_a_link_has_its_reason_and_does_not_hide_why_it_is_lost(
    service: Any, focuser: Any, reason: str
) -> None:
    focuser.snapshot = Snapshot(reason=reason)
    focuser.failure = NotConnectedError("whether its motor stands cannot be told.")
    assert service.stop() == 1
    assert service.report_status()["reason"] == (reason or str(focuser.failure))
    assert service.last_failure()["status"] == 1


def test_a_wrong_call_explains_until_the_next_that_succeeds(service: Any) -> None:
    service.set_focus("2.5")
    assert service.set_focus(2.0) == 0
    assert "reason" not in service.report_status()
    assert service.last_failure()["command"] == "set_focus"


def test_what_happens_to_the_focuser_later_comes_first(service: Any, focuser: Any) -> None:
    focuser.snapshot = replace(focuser.snapshot, reason="the overshoot was short.")
    service.set_focus("2.5")
    assert "of type str" in service.report_status()["reason"]
    focuser.snapshot = Snapshot(reason="the port hung up.")
    assert service.report_status()["reason"] == "the port hung up."


def test_a_failure_that_the_status_tells_is_the_last_one_too(service: Any, focuser: Any) -> None:
    focuser.snapshot = replace(focuser.snapshot, reason="what the status tells.")
    for failure in (StoppedError("stopped by X."), LinkLostError("gone.")):
        focuser.failure = failure
        assert service.set_focus(1.0) == 1
        assert service.report_status()["reason"] == "what the status tells."
        assert service.last_failure()["reason"] == str(failure)


def test_other_refusals_are_failures_too(service: Any) -> None:
    for position in (7.0, float("nan")):
        assert service.set_focus(position) == 6
        assert service.last_failure()["status"] == 6
        assert "reason" not in service.report_status()


# Whose failure it is


def test_nobody_reads_another_s_failure(service: Any, called_from: Callable[[str], None]) -> None:
    assert service.last_failure() == {}
    service.set_focus("2.5")
    for address in (OTHER, STRANGER):
        called_from(address)
        assert service.last_failure() == {}
        assert "reason" not in service.report_status()


def test_a_stranger_reads_of_its_own_refusals(service: Any, called_from: Callable[[str], None]) -> None:
    called_from(STRANGER)
    assert service.stop() == 3
    reason = "1.2.3.4 is not among control_machines."
    failure = service.last_failure()
    assert failure == {"command": "stop", "status": 3, "reason": reason, "date": failure["date"]}
    assert "reason" not in service.report_status()


def test_what_the_port_refuses_is_a_failure_too(service: Any, called_from: Callable[[str], None]) -> None:
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
    service: Any, called_from: Callable[[str], None]
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
