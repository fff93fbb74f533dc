"""What is counted of the wire, for whoever watches many focusers over months.

One thread adds to a tally, any thread reads it: it takes no lock, for a reader that is one late does no harm.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

# In seconds: an answer takes 10 ms, 30 ms through a USB adapter, and is waited for 0.25 s as a rule.
REPLY_BOUNDS_S = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)


class Histogram:
    """How often a value was how large.

    Args:
        bounds: the upper ends of all classes but the last, which has none; ascending.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        """One for each class."""
        self.sum = 0.0

    def note(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Tally:
    """What one thread has counted since its process began. It outlasts lost links."""

    def __init__(self) -> None:
        self.reply_s = Histogram(REPLY_BOUNDS_S)
        """How long answers took, in seconds; those to two questions in one write count as one."""
        self.surprises: Counter[str] = Counter()
        """How often what came was not believed at once, by kind: `line` where something came that was not asked for, or
        an answer did not; else the name of a `tracking.Surprise`, in lower case."""
