"""Which number a call answers, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rockit.focuser.ok3z import errors
from rockit.focuser.ok3z.errors import FocuserError
from rockit.focuser.ok3z.servers.pyro import COMMAND_STATUS_OF, command_status

# contract.md: what a call may answer for each cause. Whatever is not named is 1.
NAMED_STATUS: dict[type[FocuserError], int] = {
    errors.BusyError: 2,
    errors.HeldError: 2,
    errors.NotPermittedError: 3,
    errors.OutsideLimitsError: 6,
    errors.NotConnectedError: 7,
    errors.AlreadyConnectedError: 8,
}


def all_errors(cls: type[FocuserError] = FocuserError) -> Iterator[type[FocuserError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from all_errors(child)


def test_every_error_has_its_published_number() -> None:
    found = {cls: command_status(cls("why")) for cls in all_errors()}
    assert found == {cls: NAMED_STATUS.get(cls, 1) for cls in all_errors()}
    assert len(found) > 20
    assert FocuserError in COMMAND_STATUS_OF
    assert set(COMMAND_STATUS_OF) <= set(all_errors())


def test_an_error_of_tomorrow_is_answered_as_its_ancestor_is() -> None:
    class StillBusyError(errors.BusyError):
        code = "still_busy"

    class OtherError(FocuserError):
        code = "other"

    assert command_status(StillBusyError("why")) == 2
    assert command_status(OtherError("why")) == 1


def test_a_command_that_succeeds_is_0_and_reaches_the_focuser_once(
    command: str, service: Any, focuser: Any, call: Any
) -> None:
    assert call(service, command) == 0
    asked = "move" if command in ("set_focus", "begin_move") else command
    assert [name for name, *_ in focuser.calls] == [asked]


def test_no_error_reaches_the_caller_as_an_exception(
    command: str, service: Any, focuser: Any, call: Any
) -> None:
    for cls in all_errors():
        focuser.failure = cls("why")
        expected = NAMED_STATUS.get(cls, 1)
        if command == "stop" and expected != 3:
            expected = 1
        assert call(service, command) == expected, cls


def test_a_mistake_of_the_program_is_a_failed_command_and_logged(
    command: str, service: Any, focuser: Any, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for failure in (ValueError("x"), AssertionError(), OSError(5, "x")):
        focuser.failure = failure
        caplog.clear()
        assert call(service, command) == 1
        (record,) = [record for record in caplog.records if record.exc_info]
        assert record.levelname == "ERROR"
        assert command in record.getMessage()
        assert f"made a mistake ({type(failure).__name__})" in service.report_status()["reason"]


def test_a_service_that_gives_no_answer_is_a_failed_command(
    command: str, service: Any, focuser: Any, call: Any
) -> None:
    focuser.hangs, focuser.patience_s = True, 0.01
    assert call(service, command) == 1
    reason = service.last_failure()["reason"]
    assert reason.startswith("the focuser's thread gave no answer for 0 s. Look at the daemon's log")
