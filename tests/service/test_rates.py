"""The rate of the register: what it proves of the settings, and that a device at half or twice of it works as well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rockit.focuser.ok3z.driver.rates import RateWatch, agree
from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.errors import SettingsLostError
from rockit.focuser.ok3z.storage.state_file import Entry

RATE = 2500.0
RAMP_STEPS = 120.0


def run(steps_s, *, ratio=1.0, length=6000, every_s=0.06, answer_s=0.01, refresh_s=0.0, misread=()):
    """A watch that has seen a run inward from 0, at so many steps/s; `misread`: what some readings say instead."""
    watch = RateWatch(Reading(0, True, 0.0, 0.0), length, RATE, RAMP_STEPS, ratio)
    for number in range(1, round(length / steps_s / every_s)):
        asked_s = number * every_s
        true_s = asked_s + answer_s / 2
        if refresh_s:
            true_s -= true_s % refresh_s
        register = dict(misread).get(number, round(steps_s * true_s))
        watch.take(Reading(register, False, asked_s + answer_s, asked_s))
    return watch


@pytest.mark.parametrize("answer_s", [0.001, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("off", [0.9, 1.0, 1.1])
def test_a_rate_near_its_ratio_is_no_surprise_however_slow_the_answers(off, answer_s):
    run(RATE * off, answer_s=answer_s, every_s=0.06 + 2 * answer_s)


@pytest.mark.parametrize("answer_s", [0.001, 0.01, 0.05, 0.3])
@pytest.mark.parametrize(
    ("factor", "says"), [(0.25, "slowly"), (0.5, "slowly"), (2.0, "fast"), (4.0, "fast")]
)
def test_the_rate_of_another_mode_means_that_the_settings_were_lost(factor, says, answer_s):
    with pytest.raises(SettingsLostError, match=f"too {says}.*focus init"):
        run(
            RATE * factor,
            length=round(12000 * max(factor, 1)),
            answer_s=answer_s,
            every_s=0.06 + 2 * answer_s,
        )


def test_what_was_measured_before_is_expected_and_not_what_was_computed():
    run(RATE * 2, ratio=2.0)
    with pytest.raises(SettingsLostError, match="too slowly"):
        run(RATE, ratio=2.0, length=20000)


def test_a_ratio_that_is_not_known_excludes_nothing():
    watch = run(RATE / 2, ratio=None)
    assert not watch.is_proven
    assert watch.measured(6000) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("number", range(3, 40, 4))
@pytest.mark.parametrize("digit", [-4000, -100, 100, 900, 4000])
def test_one_misread_digit_proves_nothing(number, digit):
    register = round(RATE * (number * 0.06 + 0.005)) + digit
    run(RATE, misread={number: register})


@pytest.mark.parametrize("refresh_s", [0.1, 0.25])
def test_a_register_that_is_renewed_slowly_has_no_other_rate(refresh_s):
    run(RATE, every_s=0.03, length=20000, refresh_s=refresh_s)
    with pytest.raises(SettingsLostError):
        run(RATE / 2, every_s=0.03, length=20000, refresh_s=refresh_s)


def test_a_long_run_proves_its_rate_and_a_short_one_cannot():
    assert run(RATE, every_s=0.03).is_proven
    assert not run(RATE, length=400, every_s=0.03).is_proven


def test_a_ratio_is_learnt_from_what_was_surely_made_at_one_speed():
    assert run(RATE, ratio=None, every_s=0.03).measured(6000) == pytest.approx(1.0, rel=0.02)
    assert run(RATE, ratio=None, length=300).measured(300) is None
    assert run(RATE, ratio=None, answer_s=1.0, every_s=1.1).measured(6000) is None


def test_what_could_not_be_measured_contradicts_nothing():
    assert agree(1.0, 1.1)
    assert agree(None, 2.0)
    assert not agree(1.0, 2.0)
    assert not agree(0.5, 1.0)


# With a controller


def ratios(rig):
    return rig.commands._axis.ratios


@pytest.mark.matrix
@pytest.mark.parametrize("homing_rate", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("leg_rate", [0.5, 1.0, 2.0])
def test_a_device_at_half_or_twice_of_what_is_computed_works_in_homing_and_in_legs(
    make_rig, homing_rate, leg_rate
):
    rig = make_rig(homing_rate=homing_rate, leg_rate=leg_rate)
    rig.home()
    assert ratios(rig).homing == pytest.approx(homing_rate, rel=0.05)
    assert ratios(rig).legs == pytest.approx(leg_rate, rel=0.05)
    for position_mm in (2.0, 1.95, 1.9, 4.0, 0.0, 3.0):
        assert rig.move(position_mm) is None
        rig.assert_stands_at(position_mm)
    assert rig.carry_out(rig.commands.audit) is None
    rig.assert_stands_at(3.0)


@pytest.mark.parametrize("reply_delay_s", [0.1, 0.3])
def test_slow_answers_make_no_good_night_faulty(make_rig, reply_delay_s):
    rig = make_rig(reply_delay_s=reply_delay_s)
    rig.home()
    for position_mm in (2.0, 1.95, 1.9, 4.0, 0.0):
        assert rig.move(position_mm) is None
        rig.assert_stands_at(position_mm)


@pytest.mark.parametrize(("leg_rate", "says"), [(2.0, "too fast"), (0.5, "too slowly")])
@pytest.mark.parametrize("target_mm", [4.0, 0.3])
def test_a_leg_at_another_rate_than_before_is_halted_within_half_a_millimetre(
    make_rig, leg_rate, says, target_mm
):
    rig = make_rig()
    rig.home()
    assert rig.move(2.0) is None
    rig.model.change(leg_rate=leg_rate)
    outcome = rig.move(target_mm)
    assert isinstance(outcome, SettingsLostError)
    assert says in outcome.reason
    assert "focus init" in outcome.reason
    assert abs(rig.model.motor_mm - 2.0) < 0.5
    assert not rig.commands._axis.homed


@pytest.mark.parametrize("homing_rate", [0.5, 2.0])
def test_a_homing_at_another_rate_than_before_fails_until_the_controller_is_called_another(
    make_rig, homing_rate
):
    rig = make_rig()
    rig.home()
    rig.carry_out(rig.commands.shutdown)
    rig.model.change(homing_rate=homing_rate)
    assert isinstance(rig.carry_out(rig.commands.initialize), SettingsLostError)
    assert rig.carry_out(lambda: rig.commands.initialize(new_controller=True)) is None
    assert ratios(rig).homing == pytest.approx(homing_rate, rel=0.05)
    rig.assert_stands_at(0.0)


def test_ratios_are_kept_over_a_restart_and_resuming(make_rig):
    rig = make_rig(homing_rate=2.0, leg_rate=0.5)
    rig.home()
    assert rig.move(2.0) is None
    known = ratios(rig)
    rig.restart()
    rig.resume()
    assert ratios(rig) == known
    rig.restart()
    rig.home()
    assert ratios(rig) == known


def test_ratios_of_other_settings_say_nothing(make_rig):
    rig = make_rig(leg_rate=2.0)
    rig.home()
    kept = rig.keeper.kept
    other = make_rig(leg_rate=0.5, speed_mm_sec=0.25)
    other.keeper.kept = kept
    other.start_process()
    other.home()
    assert ratios(other).legs == pytest.approx(0.5, rel=0.05)
    assert other.move(2.0) is None


def test_a_ratio_is_not_learnt_from_a_homing_that_lost_its_settings(make_rig):
    rig = make_rig(power_up_mode=4, register=0, slow_until_set=False, power_up_speed=60)
    rig.model.fault("reset", to="P103", when="before")
    rig.home()
    assert ratios(rig).homing == pytest.approx(1.0, rel=0.05)
    assert ratios(rig).legs == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    "options", [{"power_up_mode": 4, "power_up_speed": 41}, {"power_up_mode": 2, "power_up_speed": 41}]
)
@pytest.mark.parametrize("reply_delay_s", [0.25, 0.3])
def test_where_answers_are_too_slow_for_a_ratio_of_legs_the_time_tells_of_lost_settings(
    make_rig, options, reply_delay_s
):
    """At a power-up register, and the settings are lost just as the run begins."""
    rig = make_rig(register=10000, reply_delay_s=reply_delay_s, slow_until_set=False, **options)
    rig.home()
    rig.commands._axis.ratios = replace(rig.commands._axis.ratios, legs=None)
    here_mm = rig.commands._axis.origin_register / 5088
    assert rig.move(here_mm, exact=True) is None
    rig.model.fault("reset", to="P092", when="before")
    assert rig.move(here_mm - 1.2) is not None
    rig.home()
    assert rig.move(here_mm, exact=True) is None
    assert rig.move(here_mm - 1.2) is None
    rig.assert_stands_at(here_mm - 1.2)


# What the first night measured (commission/)


def measured(rig):
    """What the links of a process take for granted of their controller."""
    session = rig.commands._session
    return session._answers.usual_s, session._refresh.is_known, session._refresh.interval_s


@pytest.mark.parametrize(
    ("refresh_s", "known"), [(0.0, (True, 0.0)), (0.4, (True, 0.4)), (None, (False, 0.0))]
)
def test_the_driver_uses_what_the_first_night_measured(make_rig, refresh_s, known):
    rig = make_rig(reply_delay_s=0.3)
    rig.keeper.kept = Entry("the rig", None, None, None, 0, None, None, answer_s=0.3, refresh_s=refresh_s)
    rig.start_process()
    axis = rig.commands._session.open(5.0, lambda: None)
    answer_s, *refresh = measured(rig)
    assert answer_s == pytest.approx(0.3)
    assert tuple(refresh) == known
    axis.come_to_rest(halting=False)
    # No question was asked twice, though an answer takes longer than an unknown controller is waited for.
    assert rig.model.frames_seen["S001"] == rig.model.frames_seen["P081"]


def test_another_controller_is_not_taken_for_the_measured_one(make_rig):
    rig = make_rig()
    rig.keeper.kept = Entry("the rig", None, None, None, 0, None, None, answer_s=0.3, refresh_s=0.4)
    rig.start_process()
    assert rig.carry_out(lambda: rig.commands.initialize(new_controller=True)) is None
    assert (rig.keeper.kept.answer_s, rig.keeper.kept.refresh_s) == (None, None)
    assert measured(rig) == (pytest.approx(0, abs=0.05), True, 0.0)


def test_a_register_that_is_renewed_otherwise_than_measured_is_found_out(make_rig):
    rig = make_rig(register_refresh_s=0.4)
    rig.keeper.kept = Entry("the rig", None, None, None, 0, None, None, answer_s=0.0, refresh_s=0.0)
    rig.start_process()
    rig.home()
    assert rig.move(2.0) is None
    rig.assert_stands_at(2.0)
    assert measured(rig)[2] > 0.3
