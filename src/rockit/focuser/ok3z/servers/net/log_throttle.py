"""Says in one line a minute what strangers could otherwise fill the log with."""

from __future__ import annotations

import logging
from collections import Counter

PERIOD_S = 60.0
MAX_KINDS = 20

_log = logging.getLogger(__name__)


class LogThrottle:
    """Counts events by kind. The first is logged at once, later ones together, PERIOD_S after the last line.

    Args:
        port: what the port is called in the log.
    """

    def __init__(self, port: str) -> None:
        self._port = port
        self._counts: Counter[str] = Counter()
        self._quiet_until_s = 0.0

    def count(self, kind: str) -> None:
        """One more event; `kind` is a phrase for the log."""
        known = kind in self._counts or len(self._counts) < MAX_KINDS
        self._counts[kind if known else "something else"] += 1

    @property
    def due_s(self) -> float | None:
        """When there is something to say; None: nothing."""
        return self._quiet_until_s if self._counts else None

    def say(self, now_s: float) -> None:
        """Log what was counted, if it is time to."""
        if not self._counts or now_s < self._quiet_until_s:
            return
        _log.info("%s: %s", self._port, "; ".join(f"{kind} ({n})" for kind, n in self._counts.items()))
        self._counts.clear()
        self._quiet_until_s = now_s + PERIOD_S
