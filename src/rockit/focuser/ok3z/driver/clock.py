"""Time as the driver sees it. Tests replace it; nothing else of this project asks the time on the motion path."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock in seconds."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never runs backwards."""

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""


class WallClock(Clock, Protocol):
    """A clock that tells the time of day as well."""

    def utc_now(self) -> datetime:
        """The time of day, in UTC."""


class BootClock(WallClock, Protocol):
    """A clock that also counts from the machine's boot, which nobody can set."""

    def boot_s(self) -> float:
        """Seconds since the machine was booted, its sleep included."""


class SystemClock:
    """The clock of the machine."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def utc_now(self) -> datetime:
        return datetime.now(timezone.utc)

    def boot_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
