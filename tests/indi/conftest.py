"""The focuser as INDI has it, without a thread: what clients say goes in, and what they get is noted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rockit.focuser.ok3z.client.report import Status
from rockit.focuser.ok3z.indi.device import Device, Move
from rockit.focuser.ok3z.indi.stream import Cutter, parse
from tests.support.indi import NAME, Elements, new_number, new_switch
from tests.support.waiting import SetClock

MAX_STEPS = 30528


def status(state: str = "idle", steps: int | None = 5000, **report: Any) -> Status:
    """What the daemon says."""
    moving = state in ("moving", "stopping", "homing")
    label = {"idle": 1, "moving": 2, "stopping": 2}.get(state, 0)
    known = steps if label else None
    made = {"status": label, "state": state, "moving": moving, **report}
    return Status.of(made if known is None else {**made, "current_steps": known})


class Bench(Elements):
    """A device, and what it asks for and says.

    Attributes:
        asked: its requests, as (name, arguments).
        clock: its time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, Any]] = []
        self.clock = SetClock()
        self.device = Device(NAME, self.add, self, self.clock, lambda: "2026-11-30T20:00:00")
        self._cutter = Cutter()

    # What it asks for

    def connect(self, attempt: int) -> None:
        self.asked.append(("connect", attempt))

    def move(self, move: Move) -> None:
        self.asked.append(("move", move))

    def stop(self) -> None:
        self.asked.append(("stop", None))

    def drop(self) -> None:
        if self.asked and self.asked[-1][0] == "move":
            self.asked.append(("drop", None))

    @property
    def moves(self) -> list[Move]:
        return [what for name, what in self.asked if name == "move"]

    @property
    def stops(self) -> int:
        return sum(name == "stop" for name, _ in self.asked)

    # What is done to it

    def say(self, text: str) -> Bench:
        """A client says something, and nothing of before counts any more."""
        self.forget()
        for element in self._cutter.feed(text.encode()):
            self.device.take(parse(element))
        return self

    def set_abs(self, value: object) -> Bench:
        return self.say(new_number("ABS_FOCUS_POSITION", "FOCUS_ABSOLUTE_POSITION", value))

    def set_rel(self, value: object) -> Bench:
        return self.say(new_number("REL_FOCUS_POSITION", "FOCUS_RELATIVE_POSITION", value))

    def press(self, name: str, switch: str) -> Bench:
        return self.say(new_switch(name, switch))

    def online(self, now: Status | None = None) -> Bench:
        """Connected, at rest unless another status is given."""
        self.press("CONNECTION", "CONNECT")
        self.device.connected(self.asked[-1][1], MAX_STEPS, now or status())
        self.forget()
        return self

    def hear(self, now: Status) -> Bench:
        """The daemon says something, a second later."""
        self.forget()
        self.clock.now_s += 1.0
        self.device.heard(now)
        return self

    def arrive(self, steps: int, failure: str = "", **changes: Any) -> Bench:
        """The last move ends."""
        self.forget()
        self.device.moved(self.moves[-1], failure, replace(status(steps=steps), **changes))
        return self

    def wait_s(self, seconds: float) -> Bench:
        self.clock.now_s += seconds
        return self


@pytest.fixture
def bench() -> Bench:
    """A device that nobody has connected yet."""
    return Bench()


@pytest.fixture
def focuser(bench: Bench) -> Bench:
    """A focuser that is connected, and stands at 5000 steps."""
    return bench.online()
