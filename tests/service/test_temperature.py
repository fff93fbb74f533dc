"""The focus follows a temperature, or says how it would: whole nights in virtual time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from rockit.focuser.ok3z.errors import (
    BusyError,
    DeviceError,
    HeldError,
    Sentence,
    StoppedError,
    ThermometerError,
    whole,
)
from rockit.focuser.ok3z.service import temperature_rows as room
from rockit.focuser.ok3z.service.status import State, Trust
from rockit.focuser.ok3z.service.temperature import HANGS_S, TERM
from rockit.focuser.ok3z.service.temperature_model import STEADY_S, Rules
from tests.support.temperature import ABSURD, ACTIVE, HOUR_S, LOOK_S, SHADOW, Night, night


def pairs(values: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Each with the one after it."""
    return zip(values, values[1:])


def test_active_it_follows_the_slope_in_steps_that_are_worth_a_motion() -> None:
    one = night()
    one.cool(2.0, 8 * HOUR_S)
    one.rest(HOUR_S)
    assert one.focus.at_mm == pytest.approx(2.5 + 0.03 * 8, abs=0.01)
    assert one.focus.terms[TERM] == pytest.approx(0.24, abs=0.01)
    assert one.focus.base_mm == 2.5
    steps = [after - before for (_, before), (_, after) in pairs(one.focus.corrections)]
    assert 20 <= len(one.focus.corrections) <= 24
    assert all(0.0099 < step < 0.011 for step in steps)
    assert one.status["state"] == "rests"


def test_in_the_shadow_it_moves_nothing_and_tells_each_motion_that_it_would_have_made() -> None:
    one = night(SHADOW)
    one.cool(2.0, 8 * HOUR_S)
    status = one.rest(HOUR_S)
    assert (one.focus.at_mm, one.focus.terms, one.focus.corrections) == (2.5, {}, [])
    assert sum(one.shadow_moves_mm()) == pytest.approx(0.24, abs=0.01)
    assert 20 <= len(one.shadow_moves_mm()) <= 24
    assert status["term_mm"] == pytest.approx(0.24, abs=0.01)
    first = one.of_kind("shadow")[0]
    assert first.sentence.startswith("it would move by +0.01")
    assert float(first.result) == pytest.approx(9.67, abs=0.03)


@pytest.mark.parametrize(("slope", "error_mm"), [(-0.03, 0.0), (+0.03, -0.24 - 0.24), (-0.3, 2.4 - 0.24)])
def test_a_wrong_slope_that_costs_focus_for_a_night(slope: float, error_mm: float) -> None:
    # Known of others: a slope with the wrong sign, or of another unit, that nobody sees before the images. The focus
    # truly goes outward by 0.03 mm for each K that it becomes colder.
    one = Night(Rules(slope, smoothing_s=300.0, quiet_s=120.0))
    one.look()
    one.set_reference()
    one.cool(2.0, 8 * HOUR_S)
    one.rest(HOUR_S)
    one.focus.set_focus(2.5 + 0.03 * 8)
    assert one.set_reference().exception() is None
    status = one.status
    assert status["model_error_mm"] == pytest.approx(error_mm, abs=0.002)
    assert status["drift_mm"] == pytest.approx(-0.24, abs=0.0002)
    told = one.of_kind("reference")[-1].sentence
    assert "by the slope the focus would be off by" in told
    assert told in one.said
    # Nothing has moved but by hand: the night was not lost.
    assert one.focus.corrections == []
    # What would have been is as far off as the reference says.
    would_mm = sum(one.shadow_moves_mm())
    assert would_mm - 0.24 == pytest.approx(error_mm, abs=0.011)


@pytest.mark.parametrize("rules", [ACTIVE, SHADOW])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"held": "cam1 holds the focuser."}, "cam1 holds the focuser"),
        ({"state": State.MOVING}, "it is moving"),
        ({"state": State.STOPPING}, "it is moving"),
        ({"state": State.HOMING}, "it is moving"),
        ({"state": State.UNHOMED}, "it does not stand at a known position"),
        ({"state": State.RECONNECTING}, "it does not stand at a known position"),
        ({"trust": Trust.UNKNOWN}, "it does not stand at a known position"),
        ({"base_mm": 5.999}, "is not within 0 and 6 mm"),
    ],
)
def test_it_waits_and_says_for_what(rules: Rules, spoil: dict[str, Any], words: str) -> None:
    one = night(rules)
    sound = {name: getattr(one.focus, name) for name in spoil}
    vars(one.focus).update(spoil)
    one.cool(9.0, HOUR_S)
    status = one.rest(HOUR_S)
    assert status["state"] == "waits"
    assert words in str(status["says"])
    assert (one.focus.corrections, one.of_kind("shadow")) == ([], [])
    vars(one.focus).update(sound)
    assert one.look()["state"] in ("moves", "would")


def test_it_leaves_a_focuser_alone_that_somebody_moves_again_and_again() -> None:
    one = night()
    one.cool(9.0, HOUR_S / 2)
    done = len(one.focus.corrections)
    for mm in (2.4, 2.5, 2.6, 2.55):
        one.focus.set_focus(mm)
        one.cool(float(str(one.celsius)) - 1.0, 110.0)
    assert len(one.focus.corrections) == done
    assert "left alone for" in str(one.status["says"])
    one.rest(120.0)
    assert len(one.focus.corrections) > done


def test_what_is_absurd_does_not_become_true_by_being_said_for_hours() -> None:
    one = night()
    one.cool(9.0, HOUR_S)
    one.rest(HOUR_S)
    stood_mm, one.celsius = one.focus.at_mm, 2.0
    for _ in range(6):
        one.rest(HOUR_S)
        assert one.status["state"] == "frozen"
    assert one.focus.at_mm == stood_mm
    one.celsius = 9.2
    one.rest(HOUR_S)
    assert one.status["state"] == "rests"


@pytest.mark.parametrize("absurd", ABSURD, ids=lambda value: str(value)[:8])
def test_an_absurd_thermometer_freezes_the_term_and_says_so_once(absurd: object) -> None:
    one = night()
    one.cool(9.0, HOUR_S)
    one.rest(HOUR_S)
    stood_mm, celsius = one.focus.at_mm, one.status["celsius"]
    one.said.clear()
    good, one.celsius = one.celsius, absurd
    assert one.look()["state"] == "frozen"
    status = one.rest(200.0)
    assert status["state"] == "frozen"
    assert str(status["says"]).startswith("the term stays as it is: the thermometer ")
    assert (one.focus.at_mm, status["celsius"]) == (stood_mm, celsius)
    assert status["term_mm"] == pytest.approx(one.focus.terms[TERM], abs=5e-5)
    assert len(one.said) == 1
    assert one.said[0].startswith("the focus does not follow the temperature: the thermometer ")
    one.celsius = good
    assert one.look()["state"] == "frozen", "not yet: it may come and go"
    one.rest(STEADY_S + LOOK_S)
    assert one.said[1:] == ["the temperature is known again."]
    assert one.status["state"] == "rests"


def test_a_dead_thermometer_freezes_the_term_and_strangers_read_no_address() -> None:
    one = night()
    one.cool(9.0, HOUR_S)
    one.said.clear()
    one.fails = ThermometerError("no answer: Nothing listens at 10.2.5.9:9000.", public="no answer.")
    one.rest(4 * HOUR_S)
    corrections = len(one.focus.corrections)
    assert one.said == [
        "the focus does not follow the temperature: no answer: Nothing listens at 10.2.5.9:9000."
    ]
    assert "10.2.5.9" in str(one.status["says"])
    assert "10.2.5.9" not in str(one.temperature.published(may_control=False)["says"])
    # Four hours later it is colder by more than could be within a minute, and that is believed.
    one.fails, one.celsius = None, 6.0
    one.rest(2 * HOUR_S)
    assert len(one.focus.corrections) > corrections
    assert one.focus.at_mm == pytest.approx(2.5 + 0.03 * 4, abs=0.011)
    assert len(one.said) == 2


def test_a_thermometer_that_repeats_one_measurement_is_too_old() -> None:
    one = night()
    one.stamps = itertools.chain(["20:00"] * 20, map(str, itertools.count()))
    one.rest(10 * LOOK_S)
    assert one.status["state"] == "rests"
    one.stamps = itertools.repeat("20:01")
    one.rest(SHADOW.oldest_s)
    assert one.status["state"] == "rests"
    status = one.rest(4 * LOOK_S)
    assert (status["state"], one.said[-1]) == (
        "frozen",
        "the focus does not follow the temperature: the last reading is older than 300 s.",
    )


def test_many_small_jumps_are_a_large_one() -> None:
    one = night()
    for celsius in (9.0, 8.0, 7.0, 6.0):
        one.celsius = celsius
        one.look()
    assert one.status["state"] == "frozen"
    assert "jumped from 8.0 to 6.0 °C" in str(one.status["says"])


def test_noise_moves_nothing() -> None:
    chance = random.Random(1)
    one = night(Rules(-0.03, smoothing_s=0.0, smallest_step_mm=0.01, quiet_s=0.0, active=True))
    for _ in range(2000):
        # 0.3 K are 0.009 mm: once a drift has asked for a motion, noise around that asks for it again and again.
        one.celsius = 9.75 + chance.uniform(-0.3, 0.3)
        one.look()
    assert 1 <= len(one.focus.corrections) <= 2


def test_smoothing_goes_by_the_time_that_has_passed_and_not_by_the_clock_on_the_wall() -> None:
    one = night()
    one.celsius = 9.0
    one.look()
    one.clock.set_s = -86400.0
    one.look()
    one.clock.set_s = 86400.0
    one.rest(280.0)
    # One time constant later, whatever the looks were like.
    assert one.status["celsius"] == pytest.approx(9 + 2.718 ** (-1), abs=0.02)
    other = night()
    other.celsius = 9.0
    other.clock.now_s += 290.0
    other.look()
    assert other.status["celsius"] == pytest.approx(one.status["celsius"], abs=0.02)


def test_a_correction_that_fails_is_tried_again_later_and_later_and_said_once() -> None:
    one = night()
    one.said.clear()
    one.focus.fails = DeviceError("the motor does not advance.")
    one.cool(9.0, HOUR_S)
    one.rest(7 * HOUR_S)
    times = [at_s for at_s, _ in one.focus.corrections]
    pauses = [after - before for before, after in pairs(times)]
    assert len(times) < 16
    assert pauses == sorted(pauses)
    assert one.said == ["the focus was not corrected for the temperature: the motor does not advance."]
    one.focus.fails = None
    one.rest(HOUR_S + LOOK_S)
    assert one.focus.at_mm == pytest.approx(2.53, abs=0.011)


def test_who_stops_a_correction_is_left_alone() -> None:
    one = night()
    one.focus.fails = StoppedError("stopped by 10.2.5.1.")
    one.cool(9.0, HOUR_S / 3)
    (at_s, _), *others = one.focus.corrections
    assert all(later_s - at_s >= ACTIVE.quiet_s for later_s, _ in others)


@pytest.mark.parametrize("error", [BusyError("a move is running."), HeldError("cam1 holds it.")])
def test_who_comes_first_is_waited_for(error: BusyError) -> None:
    one = night()
    one.said.clear()
    one.focus.refuses = error
    one.cool(9.0, HOUR_S)
    assert one.status["state"] == "waits"
    assert whole(error.reason) in str(one.status["says"])
    assert one.said == []
    one.focus.refuses = None
    assert one.look()["state"] == "moves"


def test_a_thread_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    one = night()
    one.clock.now_s += HANGS_S + 1
    status = one.status
    assert status["state"] == "frozen"
    assert "has not answered for 91 s" in str(status["says"])


def test_the_history_has_the_temperature_often_enough_for_a_fit_and_no_more() -> None:
    one = night(SHADOW)
    one.rest(6 * HOUR_S)
    assert 6 <= len(one.of_kind("temperature")) <= 8
    one.rows.clear()
    one.cool(2.0, 8 * HOUR_S)
    rows = one.of_kind("temperature")
    assert 28 <= len(rows) <= 40
    gaps = [float(one.result) - float(other.result) for one, other in pairs(rows)]
    assert max(gaps) < 0.3
    assert all(type(row.sentence) in (str, Sentence) for row in rows)
    assert room.RECORD_S == HOUR_S
