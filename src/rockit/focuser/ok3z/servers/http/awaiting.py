"""Commands and stops of the service, awaited: on the thread of the connections, which never waits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Callable, NamedTuple, Optional

from ...errors import BusyError, FocuserError, InternalError
from ...service import outcomes
from ...service.focuser import Ending, Focuser
from ...service.status import Snapshot

_log = logging.getLogger(__name__)

Outcome = Optional[FocuserError]
"""Why a command did not do what it was told; None: it did."""
Stop = Callable[[str], Awaitable[Outcome]]
"""`stopped`, of one focuser."""


async def outcome_of(ending: Ending) -> Outcome:
    """How a command ends, or that the service gives no answer. Who waits no longer cancels nothing."""
    loop = asyncio.get_running_loop()
    has_come: asyncio.Future[None] = loop.create_future()

    def come() -> None:
        if not has_come.done():
            has_come.set_result(None)

    def tell(_: object) -> None:
        # A loop that is closed by now has nobody who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(come)

    ending.add_done_callback(tell)
    await asyncio.wait({has_come}, timeout=ending.patience_s)
    return ending.failure


async def stopped(focuser: Focuser, door: str, by: str) -> Outcome:
    """Stop any motion. However many commands are awaited, nothing keeps it from the service.

    Args:
        focuser: the service.
        door: by which of the ways in.
        by: who asks, for the observatory's log. Of those who share a stop the first is named.

    Returns:
        Why standstill could not be confirmed; None: it is.
    """
    try:
        ending = focuser.begin_stop(by, door)
    except FocuserError as error:
        return error
    # Who goes away takes nobody else's stop along.
    return await outcome_of(ending)


class Told(NamedTuple):
    """What the log says of a command.

    Args:
        what: what was asked for, and by whom.
        how: how it stands when it has ended, of `outcomes`.
    """

    what: str
    how: Callable[[Snapshot], str]

    def log(self, outcome: Outcome, snapshot: Snapshot, took_s: float) -> None:
        """Say how it has ended, and what is known now."""
        if outcome is None:
            end = outcomes.succeeded(self.how(snapshot), took_s)
        else:
            end = outcomes.failed(outcome, snapshot, took_s)
        _log.info("%s: %s", self.what, end)


class Calls:
    """The commands that are awaited, at most `most` at a time.

    Each goes on, and its end is logged, even if nobody waits for it any more.

    Args:
        focuser: the service.
        most: how many may be awaited.
    """

    def __init__(self, focuser: Focuser, most: int) -> None:
        self._focuser = focuser
        self._most = most
        # Else nobody would hold those of which the client is gone.
        self._awaited: set[asyncio.Future[Outcome]] = set()

    def begin(self, begin: Callable[[], Ending], told: Told | None = None) -> asyncio.Future[Outcome]:
        """Begin a command, at once. From a running loop.

        Args:
            begin: hands it to the service.
            told: what the log says of it; None: nothing.

        Returns:
            What ends with its outcome, and never with an exception: with BusyError if too many are awaited already. Who
            cancels it waits no longer, and that is all.
        """
        if len(self._awaited) >= self._most:
            return _known(BusyError("too many calls wait already. Try again."))
        began_s = time.monotonic()
        try:
            ending = begin()
        except FocuserError as refusal:
            return _known(self._logged(told, refusal, began_s))
        # Of SystemExit too: who waits must hear of its end.
        except BaseException as error:
            return _known(mistaken(error))
        awaited = asyncio.ensure_future(self._awaited_and_logged(ending, told, began_s))
        self._awaited.add(awaited)
        awaited.add_done_callback(self._awaited.discard)
        return asyncio.shield(awaited)

    async def _awaited_and_logged(self, ending: Ending, told: Told | None, began_s: float) -> Outcome:
        return self._logged(told, await outcome_of(ending), began_s)

    def _logged(self, told: Told | None, outcome: Outcome, began_s: float) -> Outcome:
        try:
            if told is not None:
                told.log(outcome, self._focuser.snapshot, time.monotonic() - began_s)
        except Exception as error:
            return mistaken(error)
        return outcome


def mistaken(error: BaseException) -> InternalError:
    """What to tell of a mistake in this program, which is logged."""
    _log.error("a mistake in this program", exc_info=error)
    return InternalError(f"the daemon made a mistake ({type(error).__name__}); its log has the details.")


def _known(outcome: Outcome) -> asyncio.Future[Outcome]:
    known: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    known.set_result(outcome)
    return known
