"""Clocks for the virtual controller: the real one, and one that tests move by hand.

Every wait of the simulator goes through one of these, so that a test can run hours of focusing in
milliseconds. `VirtualClock` has `monotonic()` and `sleep()`, so the same instance can also serve the
driver under test.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where a simulator takes its time from. All times are seconds of one monotonic scale."""

    def monotonic(self) -> float:
        """Now."""

    def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed."""

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        """Return when `condition`, which the caller holds, is notified, or after `seconds` (None: no limit).

        It may return early: callers look again at what they wait for.
        """


class SystemClock:
    """The time of the machine."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        condition.wait(seconds)


class EndlessWaitError(RuntimeError):
    """Something waits without a limit for what can never come in virtual time."""


class VirtualClock:
    """Time that passes only when somebody waits for it, and then at once.

    For lock-step tests: a read with a timeout jumps to the next byte, or to the end of the timeout.
    Safe to use from several threads, but then it is the threads' order that decides what happens.
    """

    def __init__(self, start_s: float = 1000.0) -> None:
        self._now_s = start_s
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        # Without the lock: a number is read at once, and nothing is asked as often.
        return self._now_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now_s += max(0.0, seconds)

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:  # noqa: ARG002
        if seconds is None:
            raise EndlessWaitError(
                "A read without a timeout found nothing and nothing is under way: in virtual time it would "
                "never end. Give the port a timeout."
            )
        self.sleep(seconds)
