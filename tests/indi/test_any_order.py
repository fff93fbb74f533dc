"""Whatever comes in whatever order: Busy is before every Ok and Alert, nothing is Ok on the way, nothing stays Busy."""

from __future__ import annotations

from typing import Callable

from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.indi.hold import HOLD_S
from tests.indi.conftest import MAX_STEPS, Bench, status
from tests.support.indi import ABORT, CONNECT, DISCONNECT

BUSY_FIRST = ("ABS_FOCUS_POSITION", "REL_FOCUS_POSITION")


class Night(Bench):
    """A device whose requests are answered in any order, and which keeps all that was told."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = 0
        self.stopped = 0

    def forget(self) -> None:
        """All of it is looked at in the end."""

    def end_connect(self) -> None:
        attempts = [what for name, what in self.asked if name == "connect"]
        if attempts:
            self.device.connected(attempts[-1], MAX_STEPS, status())

    def end_move(self, failure: str = "") -> None:
        if self.ended < len(self.moves):
            self.device.moved(self.moves[self.ended], failure, status(steps=4000 + self.ended))
            self.ended += 1

    def end_stop(self, failure: str = "") -> None:
        if self.stopped < self.stops:
            self.stopped = self.stops
            self.device.stopped(failure, status(steps=3000))

    def check(self) -> None:
        before = dict.fromkeys(BUSY_FIRST, "")
        for each in self.all:
            if each.name in BUSY_FIRST:
                is_set = each.tag.startswith("set")
                assert not is_set or each.state not in ("Ok", "Alert") or before[each.name] == "Busy"
                before[each.name] = each.state
                assert 0 <= int(each.value or 0) <= MAX_STEPS

    def rest(self) -> None:
        """Everything ends, and a while passes."""
        while self.ended < len(self.moves):
            self.end_move()
        self.end_stop()
        for _ in range(3):
            self.wait_s(HOLD_S).hear(status(steps=2222))


EVENTS: dict[str, Callable[[Night], object]] = {
    "connect": lambda night: night.say(CONNECT),
    "connected": lambda night: night.end_connect(),
    "disconnect": lambda night: night.say(DISCONNECT),
    "move": lambda night: night.set_abs(7000),
    "move elsewhere": lambda night: night.set_abs(100),
    "move by": lambda night: night.set_rel(200),
    "move wrongly": lambda night: night.set_abs("nan"),
    "abort": lambda night: night.say(ABORT),
    "arrived": lambda night: night.end_move(),
    "failed": lambda night: night.end_move("the motor did not start."),
    "stopped by others": lambda night: night.end_move("stopped by 10.2.5.1."),
    "stopped": lambda night: night.end_stop(),
    "not stopped": lambda night: night.end_stop("no answer."),
    "idle": lambda night: night.hear(status(steps=5100)),
    "on the way": lambda night: night.hear(status("moving", 5200)),
    "overshoot": lambda night: night.hear(status("moving", 31000)),
    "others stop": lambda night: night.hear(status("stopping", 5300)),
    "unhomed": lambda night: night.hear(status("unhomed", reason="home it.")),
    "homing": lambda night: night.hear(status("homing")),
    "lost": lambda night: night.device.lost("gone."),
    "later": lambda night: night.wait_s(3.0),
    "told anew": lambda night: night.device.tell_all(),
}


@given(st.lists(st.sampled_from(list(EVENTS)), max_size=40))
def test_any_order(names: list[str]) -> None:
    night = Night()
    night.online()
    for name in names:
        EVENTS[name](night)
    night.rest()
    night.check()
    if night.device.online:
        for vector in (night.device.abs, night.device.rel, night.device.abort):
            assert vector.state.value != "Busy", vector.name
        assert night.device.abs.values == {"FOCUS_ABSOLUTE_POSITION": "2222"}
        night.set_abs(7000)
        assert night.device.abs.state.value == "Busy"
