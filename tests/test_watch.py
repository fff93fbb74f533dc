"""What readings mean: synthetic runs of a motor, one spoilt reading at a time, and what goes really wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Callable, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.errors import HomingFailedError, MoveTimeoutError, NoProgressError, PositionLostError
from rockit.focuser.ok3z.mechanics import Drive, steps_from_mm
from rockit.focuser.ok3z.motor import HOMING_SPEED_MM_SEC, LONGEST_PAUSE_S, SHORTEST_PAUSE_S
from rockit.focuser.ok3z.reading import Reading
from rockit.focuser.ok3z.registers import move_duration_s
from rockit.focuser.ok3z.watch import (
    HOMING_REACH_MM,
    STALL_S,
    STANDSTILL_GAP_S,
    START_GRACE_S,
    HomingWatch,
    LegWatch,
    Pace,
    StandstillWatch,
    Tracker,
    Verdict,
)

DRIVE = Drive.from_mm(0.5, 5)
SPEED = steps_from_mm(DRIVE.speed_mm_sec)
HOMING_SPEED = steps_from_mm(HOMING_SPEED_MM_SEC)
T0_S = 1000.0
EXCHANGES_S = 0.02
REGISTER_BITS = 20
# Up to so far from a register it cannot be seen that the register was lost: the motor could have run there.
BLIND_STEPS = 500
WRONG_WAY = r"wrong way|left its path"

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

    def watch(self, pace: Pace | None = None) -> Watch:
        start = Reading(self.start, True, T0_S)
        if self.homing:
            end = self.start + 2 * steps_from_mm(HOMING_REACH_MM)
            return HomingWatch(Tracker(start, end, HOMING_SPEED, pace or Pace()), T0_S + 80)
        deadline_s = T0_S + 2 * replace(self, scale=1.0).duration_s + 2
        return LegWatch(Tracker(start, self.end, SPEED, pace or Pace()), self.end, deadline_s)


def follow(
    run: Run, spoil: Spoil | None = None, watch: Watch | None = None
) -> Iterator[tuple[Reading, Verdict]]:
    """Read a run as the motion does, until it arrives, is not started, or raises."""
    watch = watch or run.watch()
    now_s = T0_S
    for number in range(5000):
        now_s += EXCHANGES_S
        reading = run.read(now_s)
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
            left_s = DRIVE.duration_s(run.end - watch.tracker.last.register)
            now_s += min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, left_s / 4))
    raise AssertionError("the watch never came to an end")


def outcome(run: Run, spoil: Spoil | None = None) -> str:
    """How a run ended, in a word: the register where it arrived, or what was raised."""
    watch = run.watch()
    try:
        *_, (_, verdict) = follow(run, spoil, watch)
    except (PositionLostError, NoProgressError, MoveTimeoutError, HomingFailedError) as error:
        return f"{type(error).__name__}: {error}"
    return f"{verdict.name} at {watch.tracker.last.register}"


def readings_of(run: Run) -> int:
    return len(list(follow(run)))


def instead(number: int, register: int) -> Spoil:
    """One false register, and nothing else wrong."""
    return lambda at, reading: replace(reading, register=register) if at == number else reading


def from_then_on(number: int, change: Callable[[Reading], Reading]) -> Spoil:
    return lambda at, reading: change(reading) if at >= number else reading


LEGS = [
    Run(-1000, 6632),
    Run(6632, -1000),
    Run(40000, 42544),
    Run(-42544, -45792),
    Run(42544, 42290),
    Run(100, 97),
    Run(0, 1),
]
HOMINGS = [Run(100, 6000, homing=True), Run(-3000, -2900, homing=True), Run(0, 31, homing=True)]
RUNS = LEGS + HOMINGS
every_run = pytest.mark.parametrize("run", RUNS, ids=str)
every_leg = pytest.mark.parametrize("leg", LEGS, ids=str)


# Nothing wrong


@every_run
@pytest.mark.parametrize("scale", [1, 2, 3, 5, 10, 20, 50, 100, 1000])
@pytest.mark.parametrize("obeys_after_s", [0.0, 0.03, 0.5])
def test_a_run_arrives_where_it_ends_however_fast_the_device_is(
    run: Run, scale: int, obeys_after_s: float
) -> None:
    run = replace(run, scale=scale, obeys_after_s=obeys_after_s)
    assert outcome(run) == f"ARRIVED at {run.end}"


@pytest.mark.parametrize("scale", [1, 10, 50])
def test_a_device_whose_pace_is_known_is_followed_without_doubts(scale: int) -> None:
    pace = Pace()
    run = Run(0, 30000, scale=scale)
    list(follow(run, watch=run.watch(pace)))
    again = [verdict for _, verdict in follow(run, watch=run.watch(pace))]
    assert again[:-2] == [Verdict.GOING] * len(again[:-2])
    assert again[-2:] == [Verdict.LOOK_AGAIN, Verdict.ARRIVED]


def test_the_pace_of_a_real_focuser_is_one() -> None:
    for run in (Run(0, 30000), Run(30000, 0), Run(0, 30000, homing=True)):
        pace = Pace()
        list(follow(run, watch=run.watch(pace)))
        assert pace.factor == 1.0


def test_a_pace_that_was_seen_once_is_not_forgotten() -> None:
    pace = Pace()
    for factor, expected in ((0.5, 1.0), (20.0, 20.0), (5.0, 20.0)):
        pace.learn(factor)
        assert pace.factor == expected


def test_the_speed_is_measured_over_the_last_readings() -> None:
    for run, sign in ((Run(0, 30000), 1), (Run(30000, 0), -1)):
        watch = run.watch()
        rates = [watch.tracker.rate_steps_s for _ in follow(run, watch=watch)]
        assert rates[len(rates) // 2] == pytest.approx(sign * SPEED, rel=0.01)
    assert Run(0, 100).watch().tracker.rate_steps_s == 0


# One garbled reading


def flips_of(register: int) -> Iterator[int]:
    """What one flipped bit makes of a register: of the number, and of the text that is on the wire; and what
    a lost digit makes of it."""
    yield from (register ^ (1 << bit) for bit in range(REGISTER_BITS))
    text = str(register)
    texts = [text[:at] + text[at + 1 :] for at in range(len(text))]
    texts += [
        text[:at] + chr(ord(text[at]) ^ (1 << bit)) + text[at + 1 :]
        for at in range(len(text))
        for bit in range(8)
    ]
    yield from (int(flipped) for flipped in texts if re.fullmatch(r"-?[0-9]+", flipped))


def spoilt_by_one_reading(run: Run) -> list[str]:
    """All moments and all flips after which the run does not end as it would have."""
    spoilt = []
    for number, (reading, _) in enumerate(list(follow(run))):
        for register in flips_of(reading.register):
            ended = outcome(run, instead(number, register))
            if ended != f"ARRIVED at {run.end}":
                spoilt.append(f"reading {number}: {register} for {reading.register}: {ended}")
    return spoilt


@every_run
def test_one_flipped_bit_neither_ends_a_run_nor_loses_the_position(run: Run) -> None:
    assert spoilt_by_one_reading(run) == []


@pytest.mark.parametrize("run", [RUNS[0], RUNS[1], RUNS[4], HOMINGS[0]], ids=str)
@pytest.mark.parametrize("scale", [3, 10, 50])
def test_one_flipped_bit_does_no_harm_on_a_fast_device_either(run: Run, scale: int) -> None:
    assert spoilt_by_one_reading(replace(run, scale=scale)) == []


@every_run
def test_one_flipped_bit_does_no_harm_before_the_motor_has_started(run: Run) -> None:
    late = replace(run, obeys_after_s=0.5)
    for number in range(3):
        for register in flips_of(run.start):
            assert outcome(late, instead(number, register)) == f"ARRIVED at {run.end}", (number, register)


@given(
    st.integers(-50_000, 50_000),
    st.integers(-9_000, 9_000),
    st.integers(0, 200),
    st.integers(-(10**6), 10**6),
)
def test_one_false_register_of_any_kind_does_no_harm(
    start: int, length: int, moment: int, error: int
) -> None:
    run = Run(start, start + (length or 1))
    moment %= readings_of(run)
    spoil: Spoil = lambda at, reading: (  # noqa: E731
        replace(reading, register=reading.register + error) if at == moment else reading
    )
    assert outcome(run, spoil) == f"ARRIVED at {run.end}"


@every_run
def test_one_false_state_neither_ends_a_run_nor_loses_the_position(run: Run) -> None:
    for moment in range(readings_of(run)):
        spoil: Spoil = lambda at, reading, moment=moment: (  # type: ignore[misc] # noqa: E731
            replace(reading, stands_still=not reading.stands_still) if at == moment else reading
        )
        assert outcome(run, spoil) == f"ARRIVED at {run.end}", moment


@every_leg
def test_a_target_that_is_read_by_mistake_is_no_arrival(leg: Run) -> None:
    """Even where the state says standstill in the same reading."""
    for moment, (reading, _) in enumerate(list(follow(leg))[:-2]):
        false = Reading(leg.end, True, reading.at_s)
        spoil: Spoil = lambda at, reading, moment=moment, false=false: (  # type: ignore[misc] # noqa: E731
            replace(false, at_s=reading.at_s) if at == moment else reading
        )
        assert outcome(leg, spoil) == f"ARRIVED at {leg.end}", moment
        verdicts = [verdict for _, verdict in follow(leg, spoil)]
        assert verdicts[moment] is not Verdict.ARRIVED


@every_run
def test_readings_that_are_late_do_no_harm(run: Run) -> None:
    """Lost replies: for a second and a half nothing is heard."""
    for moment in range(readings_of(run)):
        spoil: Spoil = lambda at, reading, moment=moment: (  # type: ignore[misc] # noqa: E731
            run.read(reading.at_s + 1.5) if at == moment else reading
        )
        assert outcome(run, spoil) == f"ARRIVED at {run.end}", moment


# Arrival


def test_an_arrival_takes_two_readings_in_a_row_at_the_target_and_at_rest() -> None:
    watch = Run(0, 100).watch()

    def take(register: int, stands_still: bool, at_s: float) -> Verdict:
        return watch.take(Reading(register, stands_still, T0_S + at_s))

    assert take(100, True, 0.3) is Verdict.LOOK_AGAIN
    assert take(100, False, 0.35) is Verdict.GOING
    assert take(100, True, 0.4) is Verdict.LOOK_AGAIN
    assert take(99, True, 0.45) is Verdict.GOING
    assert take(100, True, 0.5) is Verdict.LOOK_AGAIN
    assert take(100, True, 0.55) is Verdict.ARRIVED


def test_the_target_is_no_arrival_while_the_motor_runs() -> None:
    watch = Run(0, 100).watch()
    for number in range(1, 20):
        assert watch.take(Reading(100, False, T0_S + 0.3 + number * 0.05)) is Verdict.GOING


@every_leg
def test_one_step_beside_the_target_is_no_arrival(leg: Run) -> None:
    for beside in (leg.end + 1, leg.end - 1):
        spoil: Spoil = lambda _, reading, beside=beside: (  # type: ignore[misc] # noqa: E731
            replace(reading, register=beside) if reading.register == leg.end else reading
        )
        assert not outcome(leg, spoil).startswith("ARRIVED"), beside


# What goes really wrong


def test_a_motor_that_never_starts_is_told_after_the_grace_and_again_after_a_repetition() -> None:
    for run in (Run(0, 5000), Run(5000, 0), Run(0, 5000, homing=True)):
        watch = run.watch()
        dead: Spoil = lambda _, reading, run=run: replace(  # type: ignore[misc] # noqa: E731
            reading, register=run.start, stands_still=True
        )
        readings = list(follow(run, dead, watch))
        assert readings[-1][1] is Verdict.NOT_STARTED
        told_at_s = readings[-1][0].at_s
        assert START_GRACE_S < told_at_s - T0_S < START_GRACE_S + 0.2

        watch.restarted(told_at_s)
        assert watch.take(Reading(run.start, True, told_at_s + START_GRACE_S - 0.001)) is Verdict.GOING
        assert watch.take(Reading(run.start, True, told_at_s + START_GRACE_S + 0.001)) is Verdict.NOT_STARTED


@pytest.mark.parametrize("run", [Run(0, 5000), Run(0, 5000, homing=True)], ids=str)
def test_a_motor_that_is_found_at_rest_after_a_long_silence_has_not_started(run: Run) -> None:
    assert run.watch().take(Reading(run.start, True, T0_S + STALL_S + 1)) is Verdict.NOT_STARTED


def test_a_motor_that_starts_after_a_repetition_is_followed_to_its_end() -> None:
    run = Run(0, 5000, obeys_after_s=0.7)
    watch = run.watch()
    list(follow(run, watch=watch))
    watch.restarted(T0_S + 0.65)
    ended = [watch.take(run.read(T0_S + at_s)) for at_s in (0.75, 0.85, 1.0, 1.5, 2.0, 2.5, 2.9, 3.0)]
    assert ended[-2:] == [Verdict.LOOK_AGAIN, Verdict.ARRIVED]


@every_run
def test_a_motor_that_is_said_to_run_and_does_not_is_no_progress(run: Run) -> None:
    dead: Spoil = lambda _, reading: Reading(run.start, False, reading.at_s)  # noqa: E731
    with pytest.raises(NoProgressError, match=f"has stood at {run.start} for {STALL_S:g} s"):
        list(follow(run, dead))


@pytest.mark.parametrize("run", [LEGS[0], LEGS[1], HOMINGS[0]], ids=str)
def test_a_motor_that_stalls_half_way_is_no_progress(run: Run) -> None:
    moment = readings_of(run) // 2
    stuck = list(follow(run))[moment][0].register
    spoil = from_then_on(moment, lambda reading: Reading(stuck, False, reading.at_s))
    with pytest.raises(NoProgressError, match=f"has stood at {stuck}"):
        list(follow(run, spoil))


@pytest.mark.parametrize("leg", [LEGS[0], LEGS[1]], ids=str)
def test_a_motor_that_stands_short_of_its_target_has_lost_its_position(leg: Run) -> None:
    """A motor does not stop short by itself: the controller lost its power, or a hand was on it."""
    moment = readings_of(leg) // 2
    stuck = list(follow(leg))[moment][0].register
    spoil = from_then_on(moment, lambda reading: Reading(stuck, True, reading.at_s))
    missing = f"{abs(leg.end - stuck) / 5088:.3f} mm short of its target"
    with pytest.raises(PositionLostError, match=f"{missing}.*register {stuck}.*expected {leg.end}"):
        list(follow(leg, spoil))


@pytest.mark.parametrize("leg", LEGS, ids=str)
def test_a_motor_that_runs_the_wrong_way_loses_its_position(leg: Run) -> None:
    if abs(leg.end - leg.start) < 100:
        leg = replace(leg, end=leg.start + 100 * (1 if leg.end > leg.start else -1))
    mirrored: Spoil = lambda _, reading: replace(reading, register=2 * leg.start - reading.register)  # noqa: E731
    taken: list[Reading] = []
    with pytest.raises(PositionLostError, match=WRONG_WAY):
        taken.extend(reading for reading, _ in follow(leg, mirrored))
    assert sum(reading.register != leg.start for reading in taken) < 8


@pytest.mark.parametrize("run", [LEGS[0], LEGS[1], HOMINGS[0]], ids=str)
def test_a_motor_that_turns_round_half_way_loses_its_position(run: Run) -> None:
    moment = readings_of(run) // 2
    turned = list(follow(run))[moment][0].register
    spoil = from_then_on(moment, lambda reading: replace(reading, register=2 * turned - reading.register))
    taken: list[Reading] = []
    with pytest.raises(PositionLostError, match=WRONG_WAY):
        taken.extend(reading for reading, _ in follow(run, spoil))
    assert len(taken) < moment + 8


@pytest.mark.parametrize("leg", [LEGS[0], LEGS[1]], ids=str)
def test_a_motor_that_runs_past_its_target_loses_its_position(leg: Run) -> None:
    beyond = replace(leg, end=leg.end + (leg.end - leg.start))
    with pytest.raises(PositionLostError, match="left its path"):
        list(follow(beyond, watch=leg.watch()))


def test_a_motion_has_until_its_deadline() -> None:
    for run in (Run(0, 5000), Run(0, 5000, homing=True)):
        watch = run.watch()
        deadline_s = T0_S + (80 if run.homing else 2 * run.duration_s + 2)
        crawl = 0
        at_s = T0_S
        while at_s + 0.1 <= deadline_s:
            at_s, crawl = at_s + 0.1, crawl + 1
            assert watch.take(Reading(crawl, False, at_s)) is Verdict.GOING
        with pytest.raises(MoveTimeoutError, match=f"did not end in time: the register is {crawl}"):
            watch.take(Reading(crawl, False, deadline_s + 0.001))


def test_a_homing_run_that_meets_no_switch_fails() -> None:
    run = Run(500, 500 + steps_from_mm(HOMING_REACH_MM + 1), homing=True)
    taken: list[Reading] = []
    with pytest.raises(HomingFailedError, match="met no limit switch; the whole travel is 9 mm"):
        taken.extend(reading for reading, _ in follow(run))
    assert steps_from_mm(9.0) < taken[-1].register - run.start <= steps_from_mm(HOMING_REACH_MM + 0.1)


def test_a_homing_run_over_the_whole_travel_is_in_order() -> None:
    run = Run(-20000, -20000 + steps_from_mm(9.0), homing=True)
    assert outcome(run) == f"ARRIVED at {run.end}"


# A power cut: the register starts again from 0, or from wherever


@pytest.mark.parametrize("end", [-1000, 7000, 20000, -20000, 3000, -3000])
@pytest.mark.parametrize("length", [2544, 7632, -2544, -7632])
@pytest.mark.parametrize("gap_s", [0.0, 1.0])
def test_a_power_cut_in_a_leg_is_never_an_arrival(end: int, length: int, gap_s: float) -> None:
    leg = Run(end - length, end)
    for moment in range(readings_of(leg) - 2):
        cut = from_then_on(moment, lambda reading: Reading(0, True, reading.at_s))
        with pytest.raises(PositionLostError):
            list(follow(leg, _with_gap(cut, moment, gap_s)))


@pytest.mark.parametrize("length", [2544, 7632, 30000, -2544, -7632, -30000])
@pytest.mark.parametrize("gap_s", [0.0, 0.3, 1.0])
def test_a_power_cut_does_not_arrive_at_a_target_that_happens_to_be_its_register(
    length: int, gap_s: float
) -> None:
    leg = Run(-length, 0)
    for moment, (reading, _) in enumerate(list(follow(leg))):
        if abs(reading.register) <= BLIND_STEPS:
            break
        cut = from_then_on(moment, lambda reading: Reading(0, True, reading.at_s))
        with pytest.raises(PositionLostError, match="power"):
            list(follow(leg, _with_gap(cut, moment, gap_s)))


@pytest.mark.parametrize("length", [2544, 7632, -2544, -7632])
def test_a_power_cut_that_was_silent_does_not_arrive_however_near(length: int) -> None:
    leg = Run(-length, 0)
    for moment, (reading, _) in enumerate(list(follow(leg))):
        if reading.register == 0:
            break
        cut = from_then_on(moment, lambda reading: Reading(0, True, reading.at_s))
        with pytest.raises(PositionLostError, match="power"):
            list(follow(leg, _with_gap(cut, moment, 0.3)))


@pytest.mark.parametrize("start", [0, 10000, -3000, -6000, -20000, -45000])
@pytest.mark.parametrize("gap_s", [0.0, 1.0])
def test_a_power_cut_while_homing_is_no_end_that_anybody_saw(start: int, gap_s: float) -> None:
    run = Run(start, start + 7632, homing=True)
    for moment, (reading, _) in enumerate(list(follow(run))[:-4]):
        if abs(reading.register) <= BLIND_STEPS and not gap_s:
            continue
        cut = from_then_on(moment, lambda reading: Reading(0, True, reading.at_s))
        watch = run.watch()
        try:
            *_, (_, verdict) = follow(run, _with_gap(cut, moment, gap_s), watch)
        except PositionLostError:
            continue
        # Where the motor had not left a register of 0, it is simply told again to run.
        assert watch.tracker.came_unseen or verdict is Verdict.NOT_STARTED, moment


@pytest.mark.parametrize("leg", [LEGS[0], LEGS[1]], ids=str)
@pytest.mark.parametrize("register", [2**31, -(2**31), 100_000])
def test_a_register_that_starts_again_from_anywhere_is_a_fact_after_three_readings(
    leg: Run, register: int
) -> None:
    moment = readings_of(leg) // 2
    cut = from_then_on(moment, lambda reading: Reading(register, True, reading.at_s))
    verdicts: list[Verdict] = []
    with pytest.raises(PositionLostError, match=f"left its path: {register} was read after"):
        verdicts.extend(verdict for _, verdict in follow(leg, cut))
    assert verdicts[moment:] == [Verdict.LOOK_AGAIN] * 2


def test_a_jump_along_the_path_is_believed_when_three_readings_agree_and_marked() -> None:
    tracker = Tracker(Reading(0, True, T0_S), 30000, SPEED, Pace())
    assert not tracker.take(Reading(20000, True, T0_S + 0.02))
    assert tracker.last.register == 0
    assert not tracker.take(Reading(20000, True, T0_S + 0.04))
    assert tracker.last.register == 0
    assert tracker.take(Reading(20000, True, T0_S + 0.05))
    assert (tracker.last.register, tracker.jumped, tracker.came_unseen) == (20000, True, True)
    assert tracker.take(Reading(20000, True, T0_S + 0.06))
    assert tracker.jumped
    assert tracker.take(Reading(20050, False, T0_S + 0.08))
    assert not tracker.came_unseen


@pytest.mark.parametrize("run", [LEGS[0], LEGS[1], HOMINGS[0]], ids=str)
@pytest.mark.parametrize("back", [5, 40, 90])
def test_a_register_that_falls_back_a_little_and_stays_did_not_come_there_by_itself(
    run: Run, back: int
) -> None:
    """Either the last reading was garbled, or the register begins anew there: nobody can tell."""
    moment = readings_of(run) // 2
    passed = list(follow(run))[moment - 1][0].register
    fallen = passed - back if run.end > run.start else passed + back
    spoil = from_then_on(moment, lambda reading: Reading(fallen, True, reading.at_s))
    watch = run.watch()
    try:
        list(follow(run, spoil, watch))
    except PositionLostError:
        return
    assert watch.tracker.came_unseen


def test_what_came_while_nothing_was_heard_came_unseen() -> None:
    tracker = Tracker(Reading(0, True, T0_S), 30000, SPEED, Pace())
    assert tracker.take(Reading(100, False, T0_S + 0.1))
    assert not tracker.came_unseen
    assert tracker.take(Reading(900, True, T0_S + 0.5))
    assert tracker.came_unseen
    assert tracker.take(Reading(900, True, T0_S + 0.6))
    assert tracker.came_unseen
    assert tracker.take(Reading(901, False, T0_S + 0.7))
    assert not tracker.came_unseen


def _with_gap(spoil: Spoil, moment: int, gap_s: float) -> Spoil:
    """Nothing is heard for `gap_s` before the reading at that moment."""
    return lambda at, reading: spoil(
        at, replace(reading, at_s=reading.at_s + gap_s) if at == moment else reading
    )


# Standstill


def test_standstill_takes_two_readings_at_one_register_and_some_time_apart() -> None:
    watch = StandstillWatch()
    assert not watch.take(Reading(5, True, T0_S))
    assert not watch.take(Reading(5, True, T0_S + STANDSTILL_GAP_S - 0.001))
    assert watch.take(Reading(5, True, T0_S + STANDSTILL_GAP_S + 0.001))


@pytest.mark.parametrize("between", [Reading(5, False, T0_S + 0.1), Reading(6, True, T0_S + 0.1)])
def test_standstill_begins_anew_after_whatever_contradicts_it(between: Reading) -> None:
    watch = StandstillWatch()
    assert not watch.take(Reading(5, True, T0_S))
    assert not watch.take(between)
    assert not watch.take(Reading(5, True, T0_S + 0.2))
    assert watch.take(Reading(5, True, T0_S + 0.2 + STANDSTILL_GAP_S + 0.001))


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.floats(0.001, 0.2)), max_size=40))
def test_standstill_is_told_only_where_two_readings_prove_it(steps: list[tuple[int, bool, float]]) -> None:
    watch, taken, now_s = StandstillWatch(), [], T0_S
    for register, stands_still, later_s in steps:
        now_s += later_s
        taken.append(Reading(register, stands_still, now_s))
        proven = False
        for earlier in reversed(taken):
            if not earlier.stands_still or earlier.register != register:
                break
            proven = proven or now_s - earlier.at_s >= STANDSTILL_GAP_S
        assert watch.take(taken[-1]) == proven


@pytest.mark.parametrize("flipped_at", range(6))
def test_one_flipped_bit_delays_standstill_and_no_more(flipped_at: int) -> None:
    for register in flips_of(1234):
        watch = StandstillWatch()
        readings = [Reading(1234, True, T0_S + number * 0.03) for number in range(10)]
        readings[flipped_at] = replace(readings[flipped_at], register=register)
        told = [reading.register for reading in readings if watch.take(reading)]
        assert told
        assert set(told) == {1234}


def test_a_motor_that_creeps_does_not_stand() -> None:
    """The slowest speed that the register can hold, with a state that says standstill all the time."""
    watch = StandstillWatch()
    for number in range(200):
        at_s = number * EXCHANGES_S
        assert not watch.take(Reading(int(61 * at_s), True, T0_S + at_s))
