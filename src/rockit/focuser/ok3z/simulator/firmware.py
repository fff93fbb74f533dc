"""The controller's firmware: frames in, motion registers, replies out (docs/protocol.md).

Commands are never answered. What the device would refuse is refused here without a word, and noted in
`refused`, so that a test can see it.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Callable

from .frames import Frame
from .mechanism import Mechanism
from .options import Options
from .ramp import Limits

# The motion registers are those of an ST L6470 with a tick of 250 ns, and four position steps make a
# full step (inferred; docs/protocol.md). Position steps/s and steps/s^2 for one unit of each register:
_TICK_S = 250e-9
_STEPS_PER_FULL_STEP = 4
SPEED_UNIT = _STEPS_PER_FULL_STEP / (_TICK_S * 2**18)
ACCELERATION_UNIT = _STEPS_PER_FULL_STEP / (_TICK_S**2 * 2**40)
RUN_SPEED_UNIT = _STEPS_PER_FULL_STEP / (_TICK_S * 2**28)

MICROSTEP_MODE = 3
"""The only mode in use, for which the steps of this simulator are meant. Mode m parts a full step in 2^m."""

_INTEGER = re.compile(r"-?[0-9]{1,10}")


class Firmware:
    """One controller's program, and the registers that a power cut wipes out."""

    def __init__(self, options: Options, mechanism: Mechanism) -> None:
        self._options = options
        self._mechanism = mechanism
        self._moving_turns = count()
        self._version_turns = count()
        self.frames_seen: Counter[str] = Counter()
        self.refused: deque[str] = deque(maxlen=200)
        self.stand_short_steps: deque[int] = deque()
        self._run_rate = options.leg_rate
        self._wipe()
        self._dice = random.Random(options.seed)
        self._refreshed_s = 0.0
        self._known_register = mechanism.register
        self._queries: dict[str, Callable[[], Frame]] = {
            "S051": self._identify,
            "S001": self._state,
            "P081": self._position,
        }
        self._commands: dict[str, Callable[[str], bool]] = {
            "P092": self._go_to,
            "P103": self._home,
            "P021": self._stop,
            "P031": self._release,
            "E002": self._set_microstep_mode,
            "P132": partial(self._set_motion, "speed_register", 2**10 - 1),
            "P052": partial(self._set_motion, "acceleration_register", 2**12 - 1),
            "P062": partial(self._set_motion, "deceleration_register", 2**12 - 1),
        }

    def power_up(self) -> None:
        """Begin anew after the power was away."""
        self._mechanism.restart_register(self._options.power_up_register)
        self._known_register = self._mechanism.register
        self._wipe()

    def advance(self, now_s: float) -> None:
        """Let the mechanics live until now, and look at the register as often as the firmware does."""
        period_s = self._options.register_refresh_s
        if period_s > 0:
            refresh_s = math.floor(now_s / period_s) * period_s
            if refresh_s <= self._refreshed_s:
                self._mechanism.advance(now_s)
                return
            self._mechanism.advance(refresh_s)
            self._refreshed_s = refresh_s
            self._known_register = self._mechanism.register
        self._mechanism.advance(now_s)

    def obey(self, frame: Frame) -> Frame | None:
        """Do what a frame says, now; give the reply, which commands have none of."""
        self.frames_seen[frame.code] += 1
        if frame.argument is None and frame.code in self._queries:
            return self._queries[frame.code]()
        if frame.code in self._commands:
            if not self._commands[frame.code](frame.argument or ""):
                self.refused.append(f"{frame.code} F {frame.argument}")
            return None
        self.refused.append(f"{frame.code} F" + ("" if frame.argument is None else f" {frame.argument}"))
        return self._answer_unknown(frame)

    @property
    def limits(self) -> Limits:
        """What a go-to may do at present, in position steps/s and steps/s^2 of the mode in force."""
        return self._limits(self._options.leg_rate)

    def _limits(self, rate: float) -> Limits:
        speed = self.speed_register
        if self._options.slow_until_set and self.microstep_mode != MICROSTEP_MODE:
            speed = min(speed, self._options.power_up_speed)
        rate *= self._steps_per_unit
        return Limits(
            speed * SPEED_UNIT * rate,
            self.acceleration_register * ACCELERATION_UNIT * rate,
            self.deceleration_register * ACCELERATION_UNIT * rate,
        )

    @property
    def _steps_per_unit(self) -> float:
        """How many position steps of the mode in force the motion registers mean by one of mode 3."""
        return 1 / self._mechanism.step_travel if self._options.rate_follows_mode else 1.0

    def _wipe(self) -> None:
        self.speed_register = self._options.power_up_speed
        self.acceleration_register = self._options.power_up_acceleration
        self.deceleration_register = self._options.power_up_acceleration
        self.microstep_mode: int | None = None
        self._mechanism.step_travel = _step_travel(self._options.power_up_mode)
        self.is_released = False

    # Queries

    def _identify(self) -> Frame:
        return Frame("S052", _in_turn(self._options.versions, self._version_turns))

    def _state(self) -> Frame:
        if not self._mechanism.is_moving:
            return Frame("S004", self._options.still_text)
        return Frame("S004", _in_turn(self._options.moving_texts, self._moving_turns))

    def _position(self) -> Frame:
        options = self._options
        register = self._known_register if options.register_refresh_s else self._mechanism.register
        register = _on_grid(register, options.register_grid)
        if options.register_flicker and self._mechanism.is_at_rest:
            register += self._dice.randint(-options.register_flicker, options.register_flicker)
        sign = "-" if register < 0 else "+" * options.register_plus
        number = sign + str(abs(register)).zfill(options.register_digits)
        return Frame("P081", number.rjust(options.register_width))

    def _answer_unknown(self, frame: Frame) -> Frame | None:
        if self._options.unknown == "echo":
            return frame
        if self._options.unknown == "question":
            return Frame(frame.code, "?")
        return None

    # Commands: each says whether it was accepted.

    def _go_to(self, argument: str) -> bool:
        target = _integer(argument, -(2**31), 2**31 - 1)
        if target is None:
            return False
        target = _on_grid(target, self._options.register_grid) + self._options.arrival_off_steps
        if self.stand_short_steps:
            short = self.stand_short_steps.popleft()
            target += short if target < self._mechanism.register else -short
        self.is_released = False
        self._run_rate = self._options.leg_rate
        self._mechanism.go_to(target, self.limits, self._options.start_latency_s)
        return True

    def _home(self, argument: str) -> bool:
        speed = _integer(argument[2:], 1, 2**20 - 1) if argument.startswith("V ") else None
        if speed is None:
            return False
        self.is_released = False
        self._run_rate = self._options.homing_rate
        run_speed = speed * RUN_SPEED_UNIT * self._steps_per_unit * self._run_rate
        self._mechanism.run_inward(run_speed, self._limits(self._run_rate), self._options.start_latency_s)
        return True

    def _stop(self, argument: str) -> bool:
        if argument:
            return False
        if self._options.stop_mode == "hard":
            self._mechanism.stop_at_once()
        else:
            self._mechanism.stop(self._limits(self._run_rate).deceleration)
        return True

    def _release(self, argument: str) -> bool:
        if argument:
            return False
        self._mechanism.stop_at_once()
        self.is_released = True
        return True

    def _set_microstep_mode(self, argument: str) -> bool:
        mode = _integer(argument, 0, 7)
        if mode is None or not self.is_released:
            return False
        self.microstep_mode = mode
        self._mechanism.step_travel = _step_travel(mode)
        return True

    def _set_motion(self, name: str, highest: int, argument: str) -> bool:
        value = _integer(argument, 1, highest)
        if value is not None:
            setattr(self, name, value)
        return value is not None


def _step_travel(mode: int) -> float:
    """How far a position step of a microstep mode goes, in those of mode 3."""
    return 2.0 ** (MICROSTEP_MODE - mode)


def _in_turn(texts: list[str], turns: Iterator[int]) -> str:
    return texts[next(turns) % len(texts)]


def _on_grid(steps: int, grid: int) -> int:
    """The multiple of `grid` that is next to a number of steps."""
    return math.floor(steps / grid + 0.5) * grid


def _integer(text: str, low: int, high: int) -> int | None:
    """The decimal number a text says, if it is one and in range."""
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if low <= number <= high else None
