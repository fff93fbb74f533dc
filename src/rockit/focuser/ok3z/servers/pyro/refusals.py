"""Refused calls of machines that may control, a line each: so few that they fill no log."""

from __future__ import annotations

import logging
import threading
import time

_log = logging.getLogger(__name__)

PERIOD_S = 60.0
MOST_LINES = 20


class RefusalLog:
    """Logs at most MOST_LINES in PERIOD_S, and counts the rest. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began_s = time.monotonic()
        self._lines = 0

    def say(self, line: str) -> None:
        """Log a refusal, if there were not too many."""
        for text in self._due(line, time.monotonic()):
            _log.warning("%s", text)

    def _due(self, line: str, now_s: float) -> list[str]:
        with self._lock:
            unsaid = 0
            if now_s >= self._began_s + PERIOD_S:
                unsaid = max(0, self._lines - MOST_LINES)
                self._began_s, self._lines = now_s, 0
            self._lines += 1
            before = [f"{unsaid} more calls of machines that may control were refused"] if unsaid else []
            return [*before, line] if self._lines <= MOST_LINES else []
