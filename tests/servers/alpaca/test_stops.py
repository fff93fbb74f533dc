"""A stop that is awaited: one for all who ask while it is under way, and a new one for who asks after it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Callable, cast

import pytest

from rockit.focuser.ok3z.errors import FocuserError, HaltFailedError, NotConnectedError
from rockit.focuser.ok3z.servers.http.stops import stopped
from rockit.focuser.ok3z.service.focuser import Ending, Focuser

LOST = HaltFailedError("standstill was not seen.")


class Stopping:
    """A focuser whose stops end when the test says so."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.stop = Ending(10.0)
        self.refusal: FocuserError | None = None

    def begin_stop(self, by: str) -> Ending:
        if self.refusal:
            raise self.refusal
        self.begun.append(by)
        return self.stop


@pytest.fixture
def focuser() -> Stopping:
    return Stopping()


def run(test: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run it on a loop on which nothing goes wrong unnoticed."""
    mistakes: list[Any] = []

    async def main() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, mistake: mistakes.append(mistake))
        return await test()

    outcome = asyncio.run(main())
    assert mistakes == []
    return outcome


def asked(focuser: Stopping, by: str = "10.0.0.1") -> asyncio.Task[FocuserError | None]:
    return asyncio.ensure_future(stopped(cast("Focuser", focuser), by))


@pytest.mark.parametrize("outcome", [None, LOST])
def test_all_who_wait_hear_how_it_ended(focuser: Stopping, outcome: FocuserError | None) -> None:
    async def test() -> list[FocuserError | None]:
        asking = [asked(focuser, f"10.0.0.{number}") for number in range(400)]
        await asyncio.sleep(0)
        # The service has heard of every one of them, and waits for no thread.
        assert focuser.begun == [f"10.0.0.{number}" for number in range(400)]
        assert not any(task.done() for task in asking)
        focuser.stop.resolve(outcome)
        return await asyncio.gather(*asking)

    assert run(test) == [outcome] * 400


def test_a_service_that_ends_says_so(focuser: Stopping) -> None:
    focuser.refusal = NotConnectedError("the daemon is ending.")

    async def test() -> FocuserError | None:
        return await asked(focuser)

    assert run(test) is focuser.refusal


def test_a_service_that_does_not_answer_is_not_waited_for_for_ever(focuser: Stopping) -> None:
    focuser.stop = Ending(0.0)

    async def test() -> FocuserError | None:
        return await asked(focuser)

    assert "gave no answer" in str(run(test))


@pytest.mark.parametrize("outcome", [None, LOST])
def test_who_goes_away_takes_nobody_elses_stop_along(focuser: Stopping, outcome: FocuserError | None) -> None:
    async def test() -> FocuserError | None:
        gone, stays = asked(focuser), asked(focuser)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        assert gone.cancelled()
        assert not focuser.stop.cancelled()
        focuser.stop.resolve(outcome)
        return await stays

    assert run(test) is outcome
