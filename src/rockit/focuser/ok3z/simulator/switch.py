"""The inner limit switch: where it ends a run, and what the drive does then. Nobody knows the real one's kind."""

from __future__ import annotations

import random

from .options import Options

SWITCH_STATES = ("works", "dead", "stuck")

_DUST = 1e-6
"""Steps by which a position may miss another that it is equal to."""


class LimitSwitch:
    """One switch, closed while the motor stands at or inward of its point (steps outward of 0)."""

    def __init__(self, options: Options) -> None:
        self.state = "works"
        self._options = options
        self._dice = random.Random(options.seed)
        self._point = 0.0
        self._is_homing = False
        self._was_closed = False

    def begin_run(self, motor: float, is_homing: bool) -> None:
        """A run begins with the motor here; its point is not quite that of the run before."""
        self._is_homing = is_homing
        self._point = float(self._dice.randint(0, self._options.switch_scatter_steps))
        if not is_homing:
            self._point += self._options.switch_lead_steps
        self._was_closed = True
        self.look(motor)

    def look(self, motor: float) -> None:
        """The motor has come here: once it is off the switch, the next closing is an edge."""
        self._was_closed = self._was_closed and motor <= self._point + _DUST

    def left(self, motor: float, inward: float) -> float | None:
        """Inward steps until the switch ends the run; None if the next `inward` steps pass."""
        if inward <= 0 or not self._acts:
            return None
        if self.state == "stuck":
            return 0.0
        left = max(0.0, motor - self._point)
        return left if inward >= left + _DUST else None

    def fall_back(self) -> int:
        """Steps that the drive falls back outward, now that the switch has ended the run."""
        steps = self._options.fall_back_steps
        if not self._is_homing or steps == 0:
            return 0
        return self._dice.randint(1, steps) if self._options.fall_back_random else steps

    @property
    def _acts(self) -> bool:
        if self.state == "dead" or not (self._is_homing or self._options.switch_stops == "all"):
            return False
        # A stuck switch never closes anew.
        return self._options.switch_kind == "level" or not (self._was_closed or self.state == "stuck")
