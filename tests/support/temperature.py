"""A night for a `Temperature`: a focuser on paper, a thermometer, and hours that take no time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from rockit.focuser.ok3z.driver.planning import mm_from_steps, steps_from_mm
from rockit.focuser.ok3z.errors import FocuserError, ThermometerError
from rockit.focuser.ok3z.service.history import Asker
from rockit.focuser.ok3z.service.status import Confidence, Snapshot, State, Trust
from rockit.focuser.ok3z.service.temperature import TERM, Temperature
from rockit.focuser.ok3z.service.temperature_model import Reading, Rules
from rockit.focuser.ok3z.storage.history_file import Moment, Motion
from rockit.focuser.ok3z.storage.reference_file import Reference

EVENING = datetime(2026, 11, 22, 20, 0, 0, tzinfo=timezone.utc)
LOOK_S = 10.0
RANGE_MM = 6.0
HOUR_S = 3600.0
# What no thermometer of a night at 10 degrees can mean.
ABSURD: list[object] = [None, True, "7.5", [7.5], float("nan"), float("inf"), 10**400, -41, 50.5, 2.0, 20.0]
SHADOW = Rules(slope_mm_per_k=-0.03, smoothing_s=300.0, smallest_step_mm=0.01, quiet_s=120.0)
ACTIVE = Rules(-0.03, smoothing_s=300.0, smallest_step_mm=0.01, quiet_s=120.0, active=True)


class PaperClock:
    """Time that passes when it is told to; `set_s` is by how much somebody has set the time of day."""

    def __init__(self) -> None:
        self.now_s = 500.0
        self.set_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def boot_s(self) -> float:
        return self.now_s

    def utc_now(self) -> datetime:
        return EVENING + timedelta(seconds=self.now_s + self.set_s)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def moment(self) -> Moment:
        return Moment(self.utc_now().timestamp(), self.now_s)


class PaperFocus:
    """A focuser that stands where its base and its terms add up to, at once."""

    def __init__(self, clock: PaperClock, at_mm: float = 2.5) -> None:
        self._clock = clock
        self.terms: dict[str, float] = {}
        self.base_mm = at_mm
        self.touched_s = -1e9
        self.held = ""
        self.state = State.IDLE
        self.trust = Trust.HOMED
        self.refuses: FocuserError | None = None
        self.fails: FocuserError | None = None
        self.is_slow = False
        self.corrections: list[tuple[float, float]] = []
        self.pending: Future[None] | None = None

    @property
    def at_mm(self) -> float:
        return self.base_mm + sum(self.terms.values())

    @property
    def snapshot(self) -> Snapshot:
        known = self.trust is not Trust.UNKNOWN
        steps = steps_from_mm(self.at_mm) if known else None
        return Snapshot(
            self.state, current_steps=steps, target_steps=steps, confidence=Confidence(self.trust)
        )

    def set_focus(self, mm: float) -> None:
        """Somebody moves it: the base absorbs that."""
        self.base_mm += mm - self.at_mm
        self.touched_s = self._clock.now_s

    def why_held(self) -> str:
        return self.held

    def left_alone_s(self) -> float:
        return self._clock.now_s - self.touched_s

    def terms_mm(self) -> dict[str, float]:
        return dict(self.terms)

    def correct(self, mm: float, least_quiet_s: float) -> Future[None]:
        # What must hold whenever it moves.
        assert self.left_alone_s() >= least_quiet_s
        assert not self.held
        assert self.state is State.IDLE
        assert self.trust is not Trust.UNKNOWN
        assert 0 <= self.at_mm - self.terms.get(TERM, 0.0) + mm <= RANGE_MM + 1e-3
        if self.refuses is not None:
            raise self.refuses
        ends: Future[None] = Future()
        self.corrections.append((self._clock.now_s, mm))
        if self.fails is not None:
            ends.set_exception(self.fails)
        else:
            self.terms[TERM] = mm
            if self.is_slow:
                self.pending = ends
            else:
                ends.set_result(None)
        return ends


class PaperKeeper:
    """Keeps a reference on paper."""

    def __init__(self) -> None:
        self.kept: Reference | None = None
        self.refuses: Exception | None = None

    def read(self) -> Reference | None:
        if self.refuses is not None:
            raise self.refuses
        return self.kept

    def write(self, reference: Reference) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.kept = reference


class Night:
    """A `Temperature` with all that it needs.

    Args:
        rules: how the focus follows.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.clock = PaperClock()
        self.focus = PaperFocus(self.clock)
        self.keeper = PaperKeeper()
        self.rows: list[Motion] = []
        self.said: list[str] = []
        self.celsius: object = 10.0
        self.stamps: Iterator[str] = itertools.repeat("")
        self.fails: ThermometerError | None = None
        self.start_process()

    def start_process(self, **rules: float | bool) -> None:
        """A new process, perhaps of another configuration, on the same focuser and disk."""
        self.rules = replace(self.rules, **rules)  # type: ignore[arg-type]
        self.temperature = Temperature(
            self.rules,
            self.focus,
            self.keeper,
            self.clock,
            self.clock.moment,
            self.rows.append,
            lambda _level, message: self.said.append(message),
            RANGE_MM,
        )

    def look(self) -> dict[str, object]:
        """One answer of the thermometer later: what is published."""
        self.clock.now_s += LOOK_S
        self.temperature.look(self.fails or Reading(self.celsius, next(self.stamps)))
        return self.status

    def rest(self, seconds: float) -> dict[str, object]:
        """So long nothing changes but the time."""
        for _ in range(int(seconds / LOOK_S)):
            self.look()
        return self.status

    def cool(self, to_c: float, seconds: float) -> None:
        """The temperature goes there, evenly."""
        assert isinstance(self.celsius, float)
        from_c, looks = self.celsius, int(seconds / LOOK_S)
        for number in range(1, looks + 1):
            self.celsius = from_c + (to_c - from_c) * number / looks
            self.look()

    def set_reference(self) -> Future[None]:
        """Somebody says that the focus is good."""
        done = self.temperature.begin_set_reference(Asker("10.2.5.1", "pyro"))
        self.look()
        return done

    @property
    def status(self) -> dict[str, object]:
        return self.temperature.published(may_control=True)

    def of_kind(self, kind: str) -> list[Motion]:
        """The rows of one kind."""
        return [row for row in self.rows if row.kind == kind]

    def shadow_moves_mm(self) -> list[float]:
        """By how much it would have moved each time."""
        return [
            mm_from_steps((row.target_steps or 0) - (row.from_steps or 0)) for row in self.of_kind("shadow")
        ]


def shadow_night(slope: float) -> Night:
    """A night in the shadow of a slope, with an autofocus every two hours; truly it is -0.03 mm/K."""
    one = Night(Rules(slope, smoothing_s=300.0, quiet_s=120.0))
    one.look()
    one.set_reference()
    for celsius in (8.0, 6.5, 4.0, 3.0):
        one.cool(celsius, 6000.0)
        one.rest(1200.0)
        one.focus.set_focus(2.5 - 0.03 * (celsius - 10.0))
        assert one.set_reference().exception() is None
    return one


def night(rules: Rules = ACTIVE) -> Night:
    """A night with a reference at 10 degrees."""
    begun = Night(rules)
    begun.look()
    assert begun.set_reference().exception() is None
    return begun
