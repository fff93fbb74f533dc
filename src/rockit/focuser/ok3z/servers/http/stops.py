"""A stop, awaited: for the thread of the connections, which never waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Callable, Optional, cast

from ...errors import FocuserError
from ...service.focuser import STOP_PATIENCE_S, Focuser, no_answer

Stop = Callable[[str], Awaitable[Optional[FocuserError]]]
"""`stopped`, of one focuser."""


async def stopped(focuser: Focuser, by: str) -> FocuserError | None:
    """Stop any motion. It needs no thread of its own, so there is nothing that could keep it from the service.

    Args:
        focuser: the service.
        by: who asks, for the observatory's log. Of those who share a stop the first is named.

    Returns:
        Why standstill could not be confirmed; None: it is.
    """
    try:
        ended = asyncio.wrap_future(focuser.begin_stop(by))
    except FocuserError as error:
        return error
    # Nobody may be left to ask for it, where the client has gone away.
    ended.add_done_callback(asyncio.Future.exception)
    # Who goes away takes nobody else's stop along: this cancels nothing.
    done, _ = await asyncio.wait({ended}, timeout=STOP_PATIENCE_S)
    # The service ends it with nothing else.
    return cast("FocuserError | None", ended.exception()) if done else no_answer(STOP_PATIENCE_S)
