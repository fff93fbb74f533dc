"""The temperature's reference: who sets it, what outlives the process, and whatever comes in whatever order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rockit.focuser.ok3z.errors import (
    BusyError,
    NotConnectedError,
    ThermometerError,
)
from rockit.focuser.ok3z.service.status import State, Trust
from rockit.focuser.ok3z.service.temperature import TERM
from rockit.focuser.ok3z.service.temperature_model import STEADY_S
from tests.support.temperature import ABSURD, ACTIVE, HOUR_S, LOOK_S, SHADOW, Night, night


def test_a_filter_move_that_resets_the_temperatures_reference() -> None:
    # Known of others: the reference was wherever the focuser was moved to last, so that each change of the filter took
    # back what the temperature had asked for since the last autofocus.
    one = night()
    one.cool(9.8, HOUR_S)
    before = one.keeper.kept
    assert before is not None
    assert TERM not in one.focus.terms, "not yet worth a motion"
    one.focus.terms["filter"] = 0.12
    one.rest(10 * LOOK_S)
    one.focus.set_focus(one.focus.at_mm - 0.05)
    one.rest(10 * LOOK_S)
    assert one.keeper.kept == before
    one.cool(9.0, HOUR_S)
    one.rest(HOUR_S)
    assert one.focus.terms[TERM] == pytest.approx(0.03, abs=0.01)
    assert one.focus.terms[TERM] == pytest.approx(-0.03 * (9.667 - 10.0), abs=0.02)
    assert one.status["reference_celsius"] == 10.0
    assert one.status["reference_date"] == before.utc
    assert one.focus.at_mm == pytest.approx(2.5 + 0.12 - 0.05 + one.focus.terms[TERM])


def test_a_jump_is_believed_if_somebody_has_focused_there() -> None:
    one = night()
    one.celsius = 2.0
    assert one.look()["state"] == "frozen"
    one.focus.set_focus(2.74)
    assert one.set_reference().exception() is None
    status = one.rest(3 * LOOK_S)
    assert (status["state"], status["reference_celsius"], status["celsius"]) == ("rests", 2.0, 2.0)


@pytest.mark.parametrize("refuse", ["moving", "disk"])
def test_a_jump_is_not_believed_if_the_reference_is_refused(refuse: str) -> None:
    one = night()
    before = one.keeper.kept
    one.celsius = 2.0
    one.look()
    if refuse == "moving":
        one.focus.state = State.MOVING
    else:
        one.keeper.refuses = OSError("no space left")
    assert one.set_reference().exception() is not None
    one.focus.state, one.keeper.refuses = State.IDLE, None
    assert (one.look()["state"], one.keeper.kept) == ("frozen", before)
    assert (one.status["reference_celsius"], one.focus.corrections) == (10.0, [])


def test_the_terms_of_others_are_no_drift_of_the_focus() -> None:
    one = night()
    one.focus.terms["filter"] = 0.12
    one.rest(HOUR_S)
    assert one.set_reference().exception() is None
    assert one.status["drift_mm"] == pytest.approx(0.0, abs=0.0003)
    row = one.of_kind("reference")[-1]
    assert (row.target_steps, row.to_steps) == (round(2.5 * 5088), round(2.62 * 5088))


def test_without_a_reference_nothing_moves_and_it_says_what_to_do() -> None:
    one = Night(ACTIVE)
    one.cool(2.0, HOUR_S)
    assert one.status["state"] == "unset"
    assert "focus reference" in str(one.status["says"])
    assert one.focus.corrections == []


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        ({"state": State.MOVING}, BusyError),
        ({"state": State.UNHOMED}, NotConnectedError),
        ({"trust": Trust.UNKNOWN}, NotConnectedError),
    ],
)
def test_a_reference_is_refused_while_nobody_knows_where_it_stands(
    spoil: dict[str, Any], error: type[Exception]
) -> None:
    one = Night(SHADOW)
    one.look()
    vars(one.focus).update(spoil)
    assert isinstance(one.set_reference().exception(), error)
    assert one.keeper.kept is None


def test_a_reference_is_refused_without_a_temperature_or_a_disk() -> None:
    one = Night(SHADOW)
    one.celsius = None
    assert isinstance(one.set_reference().exception(), ThermometerError)
    one.celsius = 10.0
    one.rest(STEADY_S + LOOK_S)
    one.keeper.refuses = OSError("no space left")
    failed = one.set_reference().exception()
    assert "would not outlive" in str(failed)


def test_one_reference_is_set_at_a_time() -> None:
    one = Night(SHADOW)
    first = one.temperature.begin_set_reference()
    with pytest.raises(BusyError):
        one.temperature.begin_set_reference()
    one.look()
    assert first.exception() is None


def test_a_new_process_goes_on_from_the_reference_of_the_last_one() -> None:
    one = night()
    one.cool(8.0, 2 * HOUR_S)
    corrected = len(one.focus.corrections)
    one.start_process()
    one.rest(HOUR_S)
    assert len(one.focus.corrections) <= corrected + 2, "what lagged behind, and no more"
    assert one.focus.at_mm == pytest.approx(2.5 + 0.03 * 2, abs=0.011)


def test_a_process_that_dies_in_a_correction_knows_the_term_as_its_own() -> None:
    one = night()
    one.focus.is_slow = True
    one.cool(9.0, HOUR_S)
    assert one.status["state"] == "moves"
    assert len(one.focus.corrections) == 1, "one at a time"
    one.focus.is_slow = False
    one.start_process()
    one.rest(HOUR_S)
    assert one.focus.at_mm == pytest.approx(2.53, abs=0.011)


def test_a_term_that_is_lost_or_another_is_not_guessed() -> None:
    one = night()
    one.cool(8.0, 2 * HOUR_S)
    del one.focus.terms[TERM]
    one.start_process()
    one.said.clear()
    status = one.rest(HOUR_S)
    assert status["state"] == "unset"
    assert "set the reference again" in str(status["says"])
    assert TERM not in one.focus.terms
    assert one.set_reference().exception() is None
    assert one.look()["state"] == "rests"


def test_a_damaged_reference_is_said_and_none() -> None:
    one = Night(ACTIVE)
    one.keeper.refuses = ValueError("it is damaged")
    assert one.look()["state"] == "unset"
    assert one.said == ["the reference of the temperature cannot be read: it is damaged."]


def test_from_the_shadow_it_becomes_active_and_catches_up_once() -> None:
    one = night(SHADOW)
    one.cool(9.0, HOUR_S)
    one.rest(HOUR_S)
    one.start_process(active=True)
    one.rest(HOUR_S)
    assert len(one.focus.corrections) == 1
    assert one.focus.at_mm == pytest.approx(2.53, abs=0.001)


events = st.lists(
    st.one_of(
        st.tuples(st.just("cool"), st.floats(-5.0, 5.0)),
        st.tuples(st.just("absurd"), st.sampled_from(ABSURD)),
        st.tuples(st.just("dead"), st.floats(10.0, 4000.0)),
        st.tuples(st.just("hold"), st.floats(10.0, 4000.0)),
        st.tuples(st.just("unhomed"), st.floats(10.0, 4000.0)),
        st.tuples(st.just("focus"), st.floats(1.0, 5.0)),
        st.tuples(st.just("filter"), st.floats(-0.2, 0.2)),
        st.tuples(st.just("clock"), st.floats(-1e6, 1e6)),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("reference"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(events=events, is_active=st.booleans())
def test_whatever_comes_in_whatever_order(events: list[tuple[str, Any]], is_active: bool) -> None:
    one = night(ACTIVE if is_active else SHADOW)
    for what, value in events:
        happen(one, what, value)
    one.rest(2 * HOUR_S)
    reference, celsius = one.keeper.kept, one.status["celsius"]
    assert reference is not None
    assert isinstance(celsius, float)
    wanted_mm = reference.term_mm - 0.03 * (celsius - reference.celsius)
    if is_active:
        assert one.focus.terms.get(TERM, 0.0) == pytest.approx(wanted_mm, abs=0.02 + 1e-4)
    else:
        # PaperFocus looks at each correction; here there is none.
        assert one.focus.corrections == []
    assert one.status["wanted_mm"] == pytest.approx(wanted_mm, abs=2e-4)


def happen(one: Night, what: str, value: Any) -> None:
    good, focus = float(str(one.celsius)), one.focus
    if what == "cool":
        one.cool(min(max(good + value, -30.0), 40.0), HOUR_S)
    elif what == "absurd":
        one.celsius = value
        one.rest(100.0)
        one.celsius = good
    elif what == "dead":
        one.fails = ThermometerError("no answer.")
        one.rest(value)
        one.fails = None
    elif what == "hold":
        focus.held = "cam1 holds it."
        one.rest(value)
        focus.held = ""
    elif what == "unhomed":
        focus.state = State.UNHOMED
        one.rest(value)
        focus.state = State.IDLE
    elif what == "focus":
        focus.set_focus(value)
    elif what == "filter":
        focus.terms["filter"] = value
    elif what == "clock":
        one.clock.set_s = value
    elif what == "restart":
        one.start_process()
    else:
        one.set_reference()
    one.look()
