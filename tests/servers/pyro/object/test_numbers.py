"""Which number a call answers, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rockit.focuser.ok3z import errors
from rockit.focuser.ok3z.errors import FocuserError
from rockit.focuser.ok3z.servers.pyro import COMMAND_STATUS_OF, PyroFocuser, command_status

# contract.md: what a call may answer for each cause. Whatever is not named is 1.
NAMED_STATUS: dict[type[FocuserError], int] = {
    errors.BusyError: 2,
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


def test_an_error_of_tomorrow_is_answered_as_its_ancestor_is() -> None:
    class StillBusyError(errors.BusyError):
        code = "still_busy"

    class OtherError(FocuserError):
        code = "other"

    assert command_status(StillBusyError("why")) == 2
    assert command_status(OtherError("why")) == 1


def test_the_table_is_total_and_names_no_stranger() -> None:
    assert FocuserError in COMMAND_STATUS_OF
    assert set(COMMAND_STATUS_OF) <= set(all_errors())


def test_no_error_reaches_the_caller_as_an_exception(
    command: str, service: PyroFocuser, stand_in: Any, call: Any
) -> None:
    for cls in all_errors():
        stand_in.failure = cls("why")
        status = call(service, command)
        expected = NAMED_STATUS.get(cls, 1)
        if command == "stop" and expected != 3:
            expected = 1
        assert status == expected, cls


@pytest.mark.parametrize(
    "failure", [ValueError("x"), KeyError("x"), RuntimeError(), AssertionError(), OSError(5, "x")]
)
def test_a_mistake_of_the_program_is_a_failed_command_and_logged(
    failure: Exception,
    command: str,
    service: PyroFocuser,
    stand_in: Any,
    call: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand_in.failure = failure
    assert call(service, command) == 1
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.levelname == "ERROR"
    assert command in record.getMessage()


def test_a_command_that_succeeds_is_0_and_reaches_the_focuser_once(
    command: str, service: PyroFocuser, stand_in: Any, call: Any
) -> None:
    assert call(service, command) == 0
    asked = "move" if command in ("set_focus", "begin_move") else command
    assert [name for name, *_ in stand_in.calls] == [asked]


def test_a_stop_says_who_asked(service: PyroFocuser, stand_in: Any) -> None:
    service.stop()
    assert stand_in.calls == [("stop", "10.2.5.115")]
