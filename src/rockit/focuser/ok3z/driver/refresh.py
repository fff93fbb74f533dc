"""How often a controller renews the register that it tells. Pure: readings in.

Nobody knows whether an OK3Z tells its register as it is when it is asked, or as it was when its program looked last,
some tenths of a second ago. Of one that refreshes slowly the register stands for a while though the state says that the
motor runs, and changes once more though the state says that it stands. Then two equal registers prove a standstill only
if they are further apart than that (docs/decisions/0003-belief.md).
"""

from __future__ import annotations

from collections import deque

from .reading import Reading
from .registers import POSITION_TOLERANCE_STEPS, is_at

# A second reading at the same register, so much later, proves standstill: the slowest speed that a register can hold
# makes a step in 0.017 s.
STANDSTILL_GAP_S = 0.03
# Supposed of a controller of which too little was seen yet, in seconds.
UNKNOWN_INTERVAL_S = 0.7
# No interval is taken for longer: nobody could look meanwhile, or the motor has stalled.
LONGEST_INTERVAL_S = 2.0
# So many looks in a row at a running motor, each at another register, and it is renewed as often as it is asked for.
CHANGING_READINGS = 10
# The longest of so many intervals counts.
INTERVALS = 8
# A register that is renewed so often is never out of date by more than a look takes, in seconds.
NO_INTERVAL_S = 0.08
# A register that changes by more at rest was not renewed before. Less may be a flicker.
FLICKER_STEPS = 2 * POSITION_TOLERANCE_STEPS


class Refresh:
    """How often one controller renews its register, as far as that was seen. It is kept over a lost link."""

    def __init__(self) -> None:
        self._intervals: deque[float] = deque(maxlen=INTERVALS)
        # Between the changes that were seen last, and how far apart looks were that each saw another register.
        self._changes_s: deque[float] = deque(maxlen=CHANGING_READINGS)
        self._apart_s: deque[float] = deque(maxlen=CHANGING_READINGS)
        self._looks_apart_s: float | None = None
        self._last: Reading | None = None
        # The last reading before the register came to its value, and how often it was read there while the motor ran.
        self._before: Reading | None = None
        self._looks = 0
        # Of the register in this run; 0 if it was not seen changing.
        self._direction = 0

    @property
    def interval_s(self) -> float:
        """How long a register may be out of date, in seconds; 0 if none was seen standing in a run."""
        return max(self._intervals, default=0.0)

    @property
    def is_slow(self) -> bool:
        """Whether it was seen that the register is renewed less often than it is asked for."""
        return bool(self._intervals)

    @property
    def is_known(self) -> bool:
        """Whether enough was seen to tell."""
        return self.is_slow or self._looks_apart_s is not None

    @property
    def supposed_s(self) -> float:
        """How long a register may be out of date after a run, in seconds, also if little is known yet."""
        if self.is_slow or self._looks_apart_s is None:
            return self.interval_s or UNKNOWN_INTERVAL_S
        return 0.0 if self.is_prompt else min(self._looks_apart_s, LONGEST_INTERVAL_S)

    @property
    def blur_s(self) -> float:
        """The same, for a rate that is measured over a second: NO_INTERVAL_S is nothing there."""
        supposed_s = self.supposed_s
        return supposed_s if self.is_slow or supposed_s > NO_INTERVAL_S else 0.0

    @property
    def is_prompt(self) -> bool:
        """Whether it was seen that the register is renewed so often that STANDSTILL_GAP_S are enough."""
        apart_s = self._looks_apart_s
        return not self.is_slow and apart_s is not None and apart_s <= STANDSTILL_GAP_S

    def suppose(self, interval_s: float) -> None:
        """What was measured earlier, in seconds, until a run shows otherwise; 0: whenever it is asked."""
        if self.is_known:
            return
        if interval_s > NO_INTERVAL_S:
            self._note_interval(interval_s)
        else:
            self._looks_apart_s = interval_s

    def begin(self) -> None:
        """A run begins: what was read before it was at rest."""
        self._last = self._before = None
        self._looks = self._direction = 0

    def take(self, reading: Reading) -> None:
        """Take a reading of a run, of a halt, or of what came before a standstill."""
        last, self._last = self._last, reading
        if last is None:
            return
        if reading.register == last.register:
            self._looks += not reading.stands_still
            return
        step = reading.register - last.register
        if reading.stands_still and last.stands_still:
            if abs(step) > FLICKER_STEPS and step * self._direction >= 0:
                # The motor has stood since the last look, and the register comes only now. One that goes back is that
                # of a drive that falls back at the switch.
                self._note_interval(UNKNOWN_INTERVAL_S)
        elif self._before is not None:
            # Renewed after that at the earliest, and once more by now.
            self._note_change(self._before, last, reading)
        else:
            self._direction = 1 if step > 0 else -1
        self._before = last
        self._looks = int(not reading.stands_still)

    def _note_change(self, before: Reading, last: Reading, reading: Reading) -> None:
        longest_s = reading.at_s - before.earliest_s
        if self._looks > 1:
            if not is_at(reading.register, last.register):
                self._note_interval(longest_s)
            return
        if reading.stands_still:
            return
        self._changes_s.append(longest_s)
        # All looks take as long, so their ends are as far apart as the moments at which the register was read.
        self._apart_s.append((reading.at_s - before.at_s) / 2)
        if len(self._changes_s) == CHANGING_READINGS:
            longest_s, apart_s = max(self._changes_s), max(self._apart_s)
            self._looks_apart_s = min(self._looks_apart_s or apart_s, apart_s)
            if longest_s < self.interval_s:
                self._intervals.clear()
                # So many looks, none of them at an old register: it is renewed about as often as it is looked at.
                if apart_s > NO_INTERVAL_S:
                    self._intervals.append(longest_s)

    def _note_interval(self, seconds: float) -> None:
        self._intervals.append(min(seconds, LONGEST_INTERVAL_S))
        self._changes_s.clear()
        self._apart_s.clear()
