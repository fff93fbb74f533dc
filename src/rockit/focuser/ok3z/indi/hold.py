"""After somebody else's stop no move is taken from INDI for a while. Pure.

Somebody at the telescope who stops the focuser in Ekos' autofocus must not see it run again a second later, because
Ekos returns to where it began. And Ekos takes the Alert of that refusal for one more failure, and asks for its return
again within milliseconds, for ever (seen with KStars 3.6.2: 40 times a second, until the hold was over and it was
obeyed). So who insists is answered late, and is held back for as long as it insists.
"""

from __future__ import annotations

import math
from typing import Callable

# How long after somebody else's stop no move is taken, in seconds.
HOLD_S = 10.0
# Who asks for the same again so soon after a refusal, in seconds, and so often, is a program that insists.
INSISTS_WITHIN_S = 0.5
MOST_REFUSED_AT_ONCE = 3
# How the daemon says it.
STOPPED = "stopped by"


class Hold:
    """Whether moves are taken.

    Args:
        monotonic_s: the time, in seconds.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._until_s = -math.inf
        self._refused: object = None
        self._refused_at_s = -math.inf
        self._times_refused = 0
        self._due_s = 0.0

    def begin(self, reason: str) -> str:
        """Somebody else has stopped the focuser. Gives the sentence for that."""
        self._until_s = self._monotonic_s() + HOLD_S
        who = reason if reason.startswith(STOPPED) else f"{STOPPED} somebody else."
        return f"The focuser was {who} No move is taken from INDI for {HOLD_S:.0f} s."

    @property
    def why_not(self) -> str:
        """Why no move is taken now; empty if one is."""
        left_s = self._until_s - self._monotonic_s()
        if left_s <= 0:
            return ""
        return (
            "The focuser was stopped by somebody else: no move is taken from INDI for "
            f"{math.ceil(min(left_s, HOLD_S))} s."
        )

    def is_answered_late(self, asked: object) -> bool:
        """A move is refused: whether that is to be said when it `is_due`, because a program insists on it."""
        now_s = self._monotonic_s()
        insists = self._refused == asked and now_s < self._refused_at_s + INSISTS_WITHIN_S
        self._times_refused = self._times_refused + 1 if insists else 1
        self._refused, self._refused_at_s = asked, now_s
        if self._times_refused <= MOST_REFUSED_AT_ONCE:
            return False
        self._due_s = now_s + HOLD_S
        # Until it is answered.
        self._until_s = math.inf
        return True

    @property
    def is_due(self) -> bool:
        """Whether what is answered late is to be answered now."""
        return self._monotonic_s() >= self._due_s

    def answer(self) -> None:
        """It is answered. It asks again at once, and shall not be obeyed then."""
        self._refused_at_s = self._monotonic_s()
        self._until_s = self._refused_at_s + 2 * INSISTS_WITHIN_S
