"""Commands that are awaited, stops among them: how they end is never lost, and nobody waits for ever.

That they are bounded, and go on without who asked, is in tests/servers/panel/test_actions.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Callable, cast

import pytest

from rockit.focuser.ok3z.errors import (
    BusyError,
    FocuserError,
    HaltFailedError,
    InternalError,
    NotConnectedError,
    StoppedError,
)
from rockit.focuser.ok3z.servers.http.awaiting import Calls, Told, stopped
from rockit.focuser.ok3z.service.focuser import Ending, Focuser
from rockit.focuser.ok3z.service.status import Snapshot
from tests.support.focusers import FakeFocuser
from tests.support.waiting import BOUND_S

LOST = HaltFailedError("standstill was not seen.")


def run(test: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Run it on a loop on which nothing goes wrong unnoticed, with room for two commands."""
    mistakes: list[Any] = []

    async def main() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, mistake: mistakes.append(mistake))
        return await test(Calls(cast("Focuser", FakeFocuser()), 2))

    outcome = asyncio.run(main())
    assert mistakes == []
    return outcome


def ended(outcome: FocuserError | None = None) -> Ending:
    ending = Ending(BOUND_S)
    ending.resolve(outcome)
    return ending


def raising(error: BaseException) -> Callable[..., Any]:
    def begin(*_: object) -> Any:
        raise error

    return begin


def test_what_a_command_raises_or_ends_with_is_its_result() -> None:
    told, busy = StoppedError("stopped by a test."), BusyError("another one runs.")
    begins = (
        ended,
        lambda: ended(told),
        raising(busy),
        raising(ZeroDivisionError()),
        raising(SystemExit()),
        lambda: Ending(0.01),
    )

    async def test(calls: Any) -> list[FocuserError | None]:
        return [await calls.begin(begin) for begin in begins]

    nothing, stopped_error, refused, *mistakes, unanswered = run(test)
    assert (nothing, stopped_error, refused) == (None, told, busy)
    assert [type(mistake) for mistake in mistakes] == [InternalError] * 2
    assert "gave no answer" in str(unanswered)


def test_an_end_that_comes_after_the_port_has_closed_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    end = Ending(BOUND_S)

    async def test(calls: Any) -> None:
        calls.begin(lambda: end)
        await asyncio.sleep(0)

    run(test)
    end.resolve(None)
    assert caplog.records == []


def test_a_mistake_in_what_the_log_says_is_a_result_too(caplog: pytest.LogCaptureFixture) -> None:
    def blunder(_: Snapshot) -> str:
        raise ZeroDivisionError

    async def test(calls: Any) -> FocuserError | None:
        outcome: FocuserError | None = await calls.begin(ended, Told("a move", blunder))
        return outcome

    assert isinstance(run(test), InternalError)
    assert "a mistake in this program" in caplog.text


# Stops


class Stopping:
    """A focuser whose stop ends when the test says so."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.stop = Ending(BOUND_S)

    def begin_stop(self, by: str, door: str = "") -> Ending:
        self.begun.append(by)
        return self.stop

    def asked(self, by: str = "10.0.0.1") -> asyncio.Task[FocuserError | None]:
        return asyncio.ensure_future(stopped(cast("Focuser", self), "panel", by))


@pytest.mark.parametrize("outcome", [None, LOST])
def test_all_who_wait_for_a_stop_hear_how_it_ended_though_one_goes_away(outcome: FocuserError | None) -> None:
    async def test(_: Any) -> list[FocuserError | None]:
        focuser = Stopping()
        asking = [focuser.asked(f"10.0.0.{number}") for number in range(400)]
        await asyncio.sleep(0)
        # The service has heard of every one of them, and waits for no thread.
        assert focuser.begun == [f"10.0.0.{number}" for number in range(400)]
        gone = asking.pop()
        gone.cancel()
        await asyncio.sleep(0)
        assert gone.cancelled()
        assert not any(task.done() for task in asking)
        focuser.stop.resolve(outcome)
        return await asyncio.gather(*asking)

    assert run(test) == [outcome] * 399


def test_a_service_that_ends_or_does_not_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ending = NotConnectedError("the daemon is ending.")

    async def test(_: Any) -> list[FocuserError | None]:
        silent, leaving = Stopping(), Stopping()
        silent.stop = Ending(0.0)
        monkeypatch.setattr(leaving, "begin_stop", raising(ending))
        return [await silent.asked(), await leaving.asked()]

    unanswered, refused = run(test)
    assert "gave no answer" in str(unanswered)
    assert refused is ending
