"""Synthetic runs of a motor, read as the motion reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Callable, Union

import pytest

from rockit.focuser.ok3z.driver.motor import LONGEST_PAUSE_S, SHORTEST_PAUSE_S
from rockit.focuser.ok3z.driver.planning import HOMING_SPEED_MM_SEC, Drive, steps_from_mm
from rockit.focuser.ok3z.driver.rates import RateWatch
from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.driver.registers import move_duration_s
from rockit.focuser.ok3z.driver.run_watch import HOMING_REACH_MM, Allowance, HomingWatch, LegWatch, Verdict
from rockit.focuser.ok3z.driver.tracking import Tracker
from rockit.focuser.ok3z.errors import HomingFailedError, MoveTimeoutError, NoProgressError, PositionLostError

DRIVE = Drive.from_mm(0.5, 5)
SPEED = steps_from_mm(DRIVE.speed_mm_sec)
HOMING_SPEED = steps_from_mm(HOMING_SPEED_MM_SEC)
T0_S = 1000.0
EXCHANGES_S = 0.02
REGISTER_BITS = 20

Watch = Union[LegWatch, HomingWatch]
Spoil = Callable[[int, Reading], Reading]


@dataclass(frozen=True)
class Run:
    """A motor on its way from one register to another, as the real one runs, or `scale` times as fast.

    `obeys_after_s` is how long the command takes to show.
    """

    start: int
    end: int
    homing: bool = False
    scale: float = 1.0
    obeys_after_s: float = 0.03

    @property
    def speed_mm_sec(self) -> float:
        return HOMING_SPEED_MM_SEC if self.homing else DRIVE.speed_mm_sec

    @property
    def duration_s(self) -> float:
        length_mm = abs(self.end - self.start) / 5088
        return move_duration_s(
            length_mm, self.speed_mm_sec * self.scale, DRIVE.acceleration_mm_sec_sec * self.scale**2
        )

    def read(self, at_s: float) -> Reading:
        elapsed_s = at_s - T0_S - self.obeys_after_s
        run = min(self._run_steps(elapsed_s), abs(self.end - self.start))
        register = self.start + (run if self.end >= self.start else -run)
        return Reading(register, not 0 < elapsed_s < self.duration_s, at_s)

    def _run_steps(self, elapsed_s: float) -> int:
        if elapsed_s <= 0:
            return 0
        length = abs(self.end - self.start)
        if elapsed_s >= self.duration_s:
            return length
        acceleration = DRIVE.acceleration_mm_sec_sec * 5088 * self.scale**2
        top_speed = min(self.speed_mm_sec * 5088 * self.scale, math.sqrt(length * acceleration))
        ramp_s = top_speed / acceleration
        if elapsed_s < ramp_s:
            return int(acceleration * elapsed_s**2 / 2)
        if elapsed_s > self.duration_s - ramp_s:
            return length - int(acceleration * (self.duration_s - elapsed_s) ** 2 / 2)
        return int(top_speed * (elapsed_s - ramp_s / 2))

    def tracker(self, ratio: float | None = 1.0) -> Tracker:
        start = Reading(self.start, True, T0_S)
        if self.homing:
            end = self.start + 2 * steps_from_mm(HOMING_REACH_MM)
            return Tracker(start, end, HOMING_SPEED, ratio, falls_back=True)
        return Tracker(start, self.end, SPEED, ratio)

    def rate(self, ratio: float | None = 1.0) -> RateWatch:
        start = Reading(self.start, True, T0_S)
        end, speed = (None, HOMING_SPEED) if self.homing else (self.end, SPEED)
        return RateWatch(start, end, speed, DRIVE.ramp_steps(speed / 5088), ratio)

    def watch(self, ratio: float | None = None) -> Watch:
        """Who judges it; the device is known to be as fast as it is, unless a ratio is given."""
        ratio = self.scale if ratio is None else ratio
        tracker, rate = self.tracker(ratio), self.rate(ratio)
        if self.homing:
            return HomingWatch(tracker, rate, Allowance(80))
        duration_s = replace(self, scale=1.0).duration_s
        return LegWatch(tracker, rate, self.end, Allowance(2 * duration_s + 10), duration_s)

    def follow(
        self, spoil: Spoil | None = None, watch: Watch | None = None
    ) -> Iterator[tuple[Reading, Verdict]]:
        """Read it as the motion does, until it arrives, is not started, or raises.

        Args:
            spoil: gives what is read instead of the reading of this number.
            watch: who judges the readings, where it is not a new one.
        """
        watch = watch or self.watch()
        now_s = T0_S
        for number in range(5000):
            now_s += EXCHANGES_S
            reading = self.read(now_s)
            if spoil:
                reading = spoil(number, reading)
                now_s = reading.at_s
            verdict = watch.take(reading)
            yield reading, verdict
            if verdict in (Verdict.ARRIVED, Verdict.NOT_STARTED):
                return
            if verdict is Verdict.LOOK_AGAIN:
                now_s += SHORTEST_PAUSE_S
            else:
                left_s = DRIVE.duration_s(self.end - watch.tracker.last.register)
                now_s += min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, left_s / 4))
        raise AssertionError("the watch never came to an end")

    def outcome(self, spoil: Spoil | None = None) -> str:
        """How it ended, in a word: the register where it arrived, or what was raised."""
        watch = self.watch()
        try:
            *_, (_, verdict) = self.follow(spoil, watch)
        except (PositionLostError, NoProgressError, MoveTimeoutError, HomingFailedError) as error:
            return f"{type(error).__name__}: {error}"
        return f"{verdict.name} at {watch.tracker.last.register}"

    @property
    def readings(self) -> int:
        """How many readings it takes where nothing is spoilt."""
        return len(list(self.follow()))


LEGS = {
    "inward": Run(-1000, 6632),
    "outward": Run(6632, -1000),
    "approach": Run(40000, 42544),
    "negative": Run(-42544, -45792),
    "short": Run(42544, 42290),
    "three steps": Run(100, 97),
    "one step": Run(0, 1),
}
HOMINGS = {
    "homing": Run(100, 6000, homing=True),
    "short homing": Run(-3000, -2900, homing=True),
    "shortest homing": Run(0, 31, homing=True),
}
RUNS = {**LEGS, **HOMINGS}


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Run:
    """Each run, or those that a test names."""
    return RUNS[request.param]


@pytest.fixture(params=LEGS)
def leg(request: pytest.FixtureRequest) -> Run:
    """Each leg, or those that a test names."""
    return LEGS[request.param]


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """A maker of other runs: from a register to a register."""
    return Run


@pytest.fixture(scope="session")
def t0_s() -> float:
    """When every run begins."""
    return T0_S


@pytest.fixture(scope="session")
def from_then_on() -> Callable[[int, Callable[[Reading], Reading]], Spoil]:
    """Spoils all readings from one on."""

    def spoil_from(number: int, change: Callable[[Reading], Reading]) -> Spoil:
        return lambda at, reading: change(reading) if at >= number else reading

    return spoil_from


@pytest.fixture(scope="session")
def flips_of() -> Callable[[int], list[int]]:
    """What one flipped bit makes of a register: of the number, and of the text that is on the wire; and what a lost
    digit makes of it."""

    def flips(register: int) -> list[int]:
        text = str(register)
        texts = [text[:at] + text[at + 1 :] for at in range(len(text))]
        texts += [
            text[:at] + chr(ord(text[at]) ^ (1 << bit)) + text[at + 1 :]
            for at in range(len(text))
            for bit in range(8)
        ]
        numbers = [register ^ (1 << bit) for bit in range(REGISTER_BITS)]
        return numbers + [int(flipped) for flipped in texts if re.fullmatch(r"-?[0-9]+", flipped)]

    return flips
