"""The books of a run: what happened, what was checked, what was violated. Any thread may write."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Callable

KEPT_EVENTS = 50
MOST_VIOLATIONS = 10

INVARIANTS = {
    "arrival": "0 of set_focus: the carriage is at the target",
    "limits": "no leg goes outside the limits",
    "idle": "never idle while the motor runs",
    "position": "the published position is the true one",
    "standstill": "0 of stop: the motor stands",
    "honesty": "offline is said with its reason, and in time",
    "recovery": "back to a good state after every fault",
    "health": "without a fault nothing fails",
    "resources": "no growth of memory, threads, files",
    "log": "the log is not flooded, and tells of no mistake",
}


@dataclass(frozen=True)
class Violation:
    """A broken promise: which, during which action, in words, and what went before."""

    invariant: str
    during: str
    what: str
    events: list[str]
    log: list[str]
    trace: list[str]


class Ledger:
    """Counts and events. For a violation, `log` gives the last lines of the daemon's log and `trace` those on the
    wire."""

    def __init__(self, log: Callable[[], list[str]] = list, trace: Callable[[], list[str]] = list) -> None:
        self._lock = threading.Lock()
        self._log = log
        self._trace = trace
        self._began_s = time.monotonic()
        self._events: deque[str] = deque(maxlen=KEPT_EVENTS)
        self.during = "the start"
        self.counts: Counter[str] = Counter()
        self.highest: dict[str, float] = {}
        self.judged: Counter[str] = Counter()
        self.undecided: Counter[str] = Counter()
        self.violations: list[Violation] = []

    def event(self, text: str) -> None:
        with self._lock:
            self._events.append(f"{time.monotonic() - self._began_s:9.3f} s  {text}")

    def count(self, name: str, number: int = 1) -> None:
        with self._lock:
            self.counts[name] += number

    def measure(self, name: str, value: float) -> None:
        """Keep the highest value."""
        with self._lock:
            self.highest[name] = max(value, self.highest.get(name, value))

    def check(self, invariant: str, problem: str | None) -> bool:
        """Book one judgement; `problem` says what is wrong, None that all is well. Returns whether it is."""
        with self._lock:
            self.judged[invariant] += 1
        if problem is None:
            return True
        if any((known.invariant, known.during) == (invariant, self.during) for known in self.violations):
            self.count("violations like another")
            return False
        self.event(f"VIOLATION of {invariant}: {problem}")
        try:
            trace = self._trace()
        except (OSError, ValueError, RuntimeError) as error:
            trace = [f"no trace: {error}"]
        with self._lock:
            found = Violation(invariant, self.during, problem, list(self._events), self._log(), trace)
            self.violations.append(found)
        print(f"VIOLATION of {invariant} ({INVARIANTS[invariant]}), during {found.during}", file=sys.stderr)
        print(f"  {problem}", file=sys.stderr, flush=True)
        return False

    def leave_open(self, invariant: str) -> None:
        """Book a look that could not be judged."""
        with self._lock:
            self.undecided[invariant] += 1

    @property
    def is_full(self) -> bool:
        """Whether so much is wrong that going on tells nothing new."""
        return len(self.violations) >= MOST_VIOLATIONS
