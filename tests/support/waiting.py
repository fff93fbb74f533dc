"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Found = TypeVar("Found")

# How long anything may take before a test gives up on it. Nothing is expected to need a tenth of it.
BOUND_S = 20.0
POLL_S = 0.005


def wait_until(condition: Callable[[], Found], what: str = "", timeout_s: float = BOUND_S) -> Found:
    """Poll until `condition` gives something true, and give that; fail after so many seconds."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"this never came: {what or condition}"
        time.sleep(POLL_S)


class SetClock:
    """A clock that stands until the test sets it, and counts how often it is looked at."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now_s
