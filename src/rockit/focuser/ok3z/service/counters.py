"""What the service counts since its process began, for whoever watches many focusers over months.

It is told by those that know: the publisher, the log of motions, the link. One thread adds to each number, and any
thread reads them without a lock, for a reader that is one late does no harm. Only refused calls come from several
threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Callable

from ..driver.tally import Histogram as Histogram
from ..driver.tally import Tally
from .motion_log import RecordedMotion, Result
from .status import Snapshot

# In seconds: the longest move of a usual configuration takes 16 s.
MOVE_BOUNDS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 180.0)
# What the wire, the disk and repeated questions add to a move; 30 ms are usual.
OVERHEAD_BOUNDS_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
STOP_BOUNDS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
ENDS: tuple[Result, ...] = tuple(result for result in Result if result is not Result.RUNNING)


class Counters:
    """The numbers of one focuser.

    Args:
        now_s: the service's clock, in seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._refused: Counter[str] = Counter()
        self._before = Snapshot()
        self._begun_s = 0.0
        self._ideal_s: float | None = None
        self.wire = Tally()
        self.moves = dict.fromkeys(ENDS, 0)
        self.homings = dict.fromkeys(ENDS, 0)
        self.move_s = Histogram(MOVE_BOUNDS_S)
        """How long moves that arrived took, in seconds."""
        self.overhead_s = Histogram(OVERHEAD_BOUNDS_S)
        """How much longer than the motor alone would have needed, in seconds."""
        self.stop_s = Histogram(STOP_BOUNDS_S)
        """How long stops took until standstill was proven, in seconds."""
        self.travelled_steps = 0.0
        """How far the focuser was seen to run, in whatever direction, in steps."""
        self.link_losses = 0
        self.homing_scatter_steps: int | None = None
        """How far apart the approaches of the last homing ended, in steps; None before there was one."""

    def motion_begins(self) -> None:
        """A motion begins."""
        self._begun_s, self._ideal_s = self._now_s(), None

    def plans(self, ideal_s: float) -> None:
        """The motor alone would need so long for the move that begins, in seconds."""
        self._ideal_s = ideal_s

    def motion_ended(self, motion: RecordedMotion) -> None:
        """A motion has ended, or nobody sees it any more."""
        # The record tells of both as short; who watches for faults must not take a stop for one.
        result = Result.STOPPED if motion.was_stopped else motion.result
        if motion.homing:
            self.homings[result] += 1
        # Else somebody drove it by hand.
        elif motion.to_steps is not None:
            self.moves[result] += 1
            if result is Result.ARRIVED and motion.ended_s is not None:
                took_s = motion.ended_s - self._begun_s
                self.move_s.note(took_s)
                if self._ideal_s is not None:
                    self.overhead_s.note(max(0.0, took_s - self._ideal_s))

    def published(self, snapshot: Snapshot) -> None:
        """A snapshot takes the place of the one before."""
        before, self._before = self._before, snapshot
        if snapshot.current_steps is not None and before.current_steps is not None:
            self.travelled_steps += abs(snapshot.current_steps - before.current_steps)

    def refuse(self, reason: str) -> None:
        """A call was refused. Any thread.

        Args:
            reason: one of a few words of this program, never a caller's.
        """
        with self._lock:
            self._refused[reason] += 1

    @property
    def refused(self) -> dict[str, int]:
        """How many calls were refused, by reason."""
        with self._lock:
            return dict(self._refused)
