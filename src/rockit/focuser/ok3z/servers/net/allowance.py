"""How often something may be done. Pure."""

from __future__ import annotations


class Allowance:
    """So much at once after a silence, and so much a second."""

    def __init__(self, at_once: float, per_s: float) -> None:
        self._at_once, self._per_s = at_once, per_s
        self._left = at_once
        self._counted_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Whether there is one more at this moment, in seconds of a clock that never goes back."""
        since_s = 0.0 if self._counted_s is None else now_s - self._counted_s
        self._counted_s = now_s
        self._left = min(self._at_once, self._left + since_s * self._per_s)
        if self._left < 1:
            return False
        self._left -= 1
        return True
