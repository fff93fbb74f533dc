"""A stop, awaited: for the thread of the connections, which never waits."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Callable

from ...errors import FocuserError
from ...service.focuser import Focuser
from .awaiting import Outcome, outcome_of

Stop = Callable[[str], Awaitable[Outcome]]
"""`stopped`, of one focuser."""


async def stopped(focuser: Focuser, by: str) -> Outcome:
    """Stop any motion. However many commands are awaited, nothing keeps it from the service.

    Args:
        focuser: the service.
        by: who asks, for the observatory's log. Of those who share a stop the first is named.

    Returns:
        Why standstill could not be confirmed; None: it is.
    """
    try:
        ending = focuser.begin_stop(by)
    except FocuserError as error:
        return error
    # Who goes away takes nobody else's stop along.
    return await outcome_of(ending)
