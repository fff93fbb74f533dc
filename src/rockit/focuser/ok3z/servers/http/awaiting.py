"""Calls of the service that wait, awaited: a lane makes them, and the thread of the connections goes on."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Callable

from ...errors import BusyError, FocuserError, InternalError
from ...service import outcomes
from ...service.focuser import Focuser
from ...service.status import Snapshot
from ..net.lane import Lane

_log = logging.getLogger(__name__)


def made_on(lane: Lane, call: Callable[[], None]) -> asyncio.Future[FocuserError | None]:
    """Make a call of the service. From a running loop.

    Args:
        lane: whose threads make it.
        call: what waits.

    Returns:
        What it raised, as the result and never as an exception; None: nothing. BusyError where the lane is full.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[FocuserError | None] = loop.create_future()
    outcome: FocuserError | None = None

    def job() -> None:
        nonlocal outcome
        outcome = _outcome(call)

    def deliver() -> None:
        if not ended.done():
            ended.set_result(outcome)

    def tell() -> None:
        # A loop that is closed by now has nobody who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver)

    if not lane.submit(job, tell):
        ended.set_result(BusyError("too many calls wait already. Try again."))
    return ended


def logged(
    focuser: Focuser, what: str, how: Callable[[Snapshot], str], call: Callable[[], None]
) -> Callable[[], None]:
    """A call of the service whose end is logged, even if nobody waits for it any more.

    Args:
        focuser: the service.
        what: what was asked for, and by whom.
        how: how it stands when the call has ended, of `outcomes`.
        call: the call.
    """

    def run() -> None:
        began_s = time.monotonic()
        try:
            call()
        except FocuserError as error:
            took_s = time.monotonic() - began_s
            _log.info("%s: %s", what, outcomes.failed(error, focuser.snapshot, took_s))
            raise
        took_s = time.monotonic() - began_s
        _log.info("%s: %s", what, outcomes.succeeded(how(focuser.snapshot), took_s))

    return run


def _outcome(call: Callable[[], None]) -> FocuserError | None:
    try:
        call()
    except FocuserError as error:
        return error
    # Of SystemExit too: who waits must hear of its end.
    except BaseException as error:
        _log.exception("a mistake in this program")
        return InternalError(f"the daemon made a mistake ({type(error).__name__}); its log has the details.")
    return None
