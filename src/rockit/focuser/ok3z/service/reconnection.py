"""When a lost port is tried again, and how often that is worth a message. Pure: moments in, decisions out."""

from __future__ import annotations

SHORT_PAUSE_S = 0.5
LONG_PAUSE_S = 10.0
# How long a trouble may last before the pauses are long.
PATIENCE_S = 300.0
# A link that is lost again sooner than this is the same trouble.
STEADY_S = 60.0
# An adapter with a loose contact would fill the observatory's log.
QUIET_S = 300.0


class Reconnection:
    """The attempts to get a lost link back. All moments are seconds of one clock."""

    def __init__(self) -> None:
        self.attempts = 0
        """Attempts since the link was lost."""
        self._trouble_since_s = 0.0
        self._lost_at_s: float | None = None
        self._next_s = 0.0
        self._returned_at_s: float | None = None
        self._told_at_s: float | None = None
        self._telling = True
        self._untold = 0

    @property
    def is_under_way(self) -> bool:
        """Whether a lost link is waited for."""
        return self._lost_at_s is not None

    def lost(self, now_s: float) -> bool:
        """The link is lost; True if that is worth a message. Losing a lost link changes nothing."""
        if self.is_under_way:
            return False
        if self._returned_at_s is None or now_s - self._returned_at_s >= STEADY_S:
            self._trouble_since_s = now_s
        self._lost_at_s, self._next_s, self.attempts = now_s, now_s + self._pause_s(now_s), 0
        self._telling = self._told_at_s is None or now_s - self._told_at_s >= QUIET_S
        if self._telling:
            self._told_at_s = now_s
        else:
            self._untold += 1
        return self._telling

    def due_in_s(self, now_s: float) -> float:
        """How long until the next attempt, in seconds."""
        return max(0.0, self._next_s - now_s)

    def failed(self, now_s: float) -> bool:
        """An attempt has failed: the next one comes after a pause.

        Returns:
            Whether that is worth a message: nothing was said of this loss, and it lasts.
        """
        self.attempts += 1
        self._next_s = now_s + self._pause_s(now_s)
        if self._telling or self._told_at_s is None or now_s - self._told_at_s < QUIET_S:
            return False
        self._telling, self._told_at_s = True, now_s
        return True

    def hurry(self, now_s: float) -> None:
        """It is due at once: an attempt was interrupted, or there is news of the port."""
        self._next_s = now_s

    def returned(self, now_s: float) -> str:
        """The link is back: the message that is worth passing on, or nothing."""
        away_s = now_s - (now_s if self._lost_at_s is None else self._lost_at_s)
        self._lost_at_s, self._returned_at_s = None, now_s
        if not self._telling:
            return ""
        untold, self._untold = self._untold, 0
        more = f" It had been lost {untold} more times, of which nothing was said." if untold else ""
        return f"the link is back after {away_s:.1f} s.{more}"

    def end(self) -> None:
        """The link is not wanted any more, or was made anew."""
        self._lost_at_s = None

    def _pause_s(self, now_s: float) -> float:
        return SHORT_PAUSE_S if now_s - self._trouble_since_s < PATIENCE_S else LONG_PAUSE_S
