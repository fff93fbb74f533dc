"""Somebody drives the focuser at its controller while nothing is commanded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rockit.focuser.ok3z.driver.hand import HandWatch
from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.errors import PositionLostError, StoppedError
from rockit.focuser.ok3z.service.status import State, Trust

AT_REST_S = 20.0


@pytest.fixture(name="at_2_mm")
def fixture_at_2_mm(make_rig):
    rig = make_rig(start_mm=5.5, register=-90000)
    rig.home()
    assert rig.move(2.0) is None
    rig.by_hand = True
    return rig


@pytest.mark.one_in(3)
@pytest.mark.parametrize("phase_s", [0.05, 0.35, 0.65, 0.95])
@pytest.mark.parametrize("by_mm", [-1.2, 1.0, 3.5])
def test_a_position_that_was_watched_all_the_way_is_kept_and_that_is_said(at_2_mm, by_mm, phase_s):
    rig = at_2_mm
    rig.clock.sleep(phase_s)
    sent = len(rig.sent())
    rig.model.hand(by_mm, drive=True)
    rig.rest(AT_REST_S)
    assert rig.commands.snapshot.state is State.IDLE
    assert rig.confidence.trust is Trust.HOMED
    assert rig.position_mm == pytest.approx(2.0 + by_mm, abs=0.001)
    assert rig.commands.snapshot.reason.startswith(
        "somebody drove the focuser at its controller from 2.000 mm to"
    )
    assert rig.sent()[sent:] == [], "nobody is halted who drives it on purpose"
    assert rig.keeper.kept.register == rig.model.register
    rig.assert_honest()
    assert rig.move(2.5) is None
    rig.assert_stands_at(2.5)


def test_it_is_moving_and_never_idle_meanwhile(at_2_mm):
    rig = at_2_mm
    states = set()

    def look(number):
        if rig.commands.snapshot.state is not State.IDLE:
            states.add((rig.commands.snapshot.state, rig.commands.snapshot.reason))

    rig.at_exchange = look
    rig.model.hand(3.0, drive=True)
    rig.rest(0.2)
    rig.carry_out(rig.commands.watch_rest)
    assert rig.commands.snapshot.state is State.IDLE
    rig.at_exchange = look
    rig.clock.sleep(0.5)
    rig.model.hand(-0.9, drive=True)
    rig.clock.sleep(0.5)
    rig.at_exchange = look
    rig.carry_out(rig.commands.watch_rest)
    assert (State.MOVING, "somebody drives the focuser at its controller.") in states


def test_a_stop_halts_it_and_the_position_is_not_known_then(at_2_mm):
    rig = at_2_mm
    rig.model.hand(3.0, drive=True)
    rig.clock.sleep(0.3)

    def stop(number):
        if rig.commands.snapshot.state is State.MOVING:
            rig.at_exchange = lambda number: None
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.carry_out(rig.commands.watch_rest), StoppedError)
    assert not rig.model.is_moving
    assert rig.commands.snapshot.state is State.UNHOMED


def test_the_configuration_can_forbid_that(make_rig):
    rig = make_rig(start_mm=5.5, register=-90000, paired=True)
    rig.settings = replace(rig.settings, keeps_hand=False)
    rig.start_process()
    rig.home()
    assert rig.move(2.0) is None
    rig.by_hand = True
    rig.model.hand(1.5, drive=True)
    rig.rest(AT_REST_S)
    assert rig.commands.snapshot.state is State.UNHOMED


@pytest.mark.parametrize("by_mm", [0.2, -0.2])
def test_a_run_that_nobody_saw_is_not_believed(at_2_mm, by_mm):
    """It was over between two looks, as a power cut is."""
    at_2_mm.rest(0.1)
    at_2_mm.model.hand(by_mm, drive=True)
    at_2_mm.clock.sleep(0.9)
    at_2_mm.rest(5.0)
    assert at_2_mm.commands.snapshot.state is State.UNHOMED


@pytest.mark.parametrize("by_mm", [-5.0, 20.0])
def test_a_drive_to_an_end_of_the_travel_is_not_believed(at_2_mm, by_mm):
    at_2_mm.model.hand(by_mm, drive=True)
    at_2_mm.rest(30.0)
    assert at_2_mm.commands.snapshot.state is State.UNHOMED


def test_a_power_cut_and_a_hand_from_there_on_is_not_believed(make_rig):
    """The register begins anew so near that the motor might have run there."""
    for power_up in (-45000, -47500):
        rig = make_rig(start_mm=0.5, register=-40000, power_up_register=power_up)
        rig.home()
        # As it was seen after an earlier cut.
        rig.model.power_cut()
        rig.rest(3.0)
        rig.home()
        here_mm = (rig.model.register - power_up + 1500) / 5088
        assert rig.move(here_mm) is None
        rig.by_hand = True
        rig.clock.sleep(0.3)
        rig.model.power_cut()
        rig.model.hand(1.0, drive=True)
        rig.rest(AT_REST_S)
        rig.assert_honest()
        assert rig.commands.snapshot.state is State.UNHOMED


# The judgement alone


def watch(left_register=0, power_ups=()):
    left = Reading(left_register, True, 100.0)
    return HandWatch(
        left,
        inner_register=20000,
        outer_register=-25000,
        fastest_steps_s=3800,
        power_ups=power_ups,
        unseen_s=0.3,
    )


def run(judge, readings):
    return [judge.take(Reading(register, stands, 100.0 + at_s)) for register, stands, at_s in readings]


def test_a_beginning_that_the_rate_explains_is_believed():
    judge = watch(5000)
    told = run(judge, [(6000, False, 0.8), (6100, False, 0.88), (6300, False, 1.04), (6500, False, 1.2)])
    assert told == [False] * 4
    assert run(judge, [(6600, True, 1.3), (6600, True, 1.4)])[-1]
    assert not judge.went_outward


def test_a_beginning_too_far_away_for_the_rate_is_not():
    judge = watch(5000)
    run(judge, [(7500, False, 0.8), (7510, False, 0.88), (7530, False, 1.04)])
    with pytest.raises(PositionLostError, match="the beginning of its run was not seen"):
        run(judge, [(7540, True, 1.3), (7540, True, 1.4)])


def going_down(from_register):
    """Past the register of a power cut in small steps, and at rest on it."""
    return [
        (register, False, 1.1 + (from_register - register) / 2000)
        for register in range(from_register, 0, -100)
    ]


AT_POWER_UP = [*going_down(5400), (0, True, 3.85), (0, True, 3.95)]


def slowly(first_register, steps_s, for_s=1.0):
    """From where it was found, 0.9 s after it was left, until it stands."""
    running = [
        (round(first_register + steps_s * n / 10), False, 0.9 + n / 10) for n in range(round(10 * for_s))
    ]
    end_register, _, end_s = running[-1]
    return [*running, (end_register, True, end_s + 0.1), (end_register, True, end_s + 0.2)]


@pytest.mark.parametrize(("register", "steps_s"), [(426, -254), (966, 254), (240, -509), (3000, -2544)])
def test_near_the_register_of_a_power_cut_its_direction_and_rate_tell_where_it_began(register, steps_s):
    left_register = {426: 698, 966: 698, 240: 698, 3000: 5000}[register]
    assert run(watch(left_register), slowly(register, steps_s, 0.5))[-1]


@pytest.mark.parametrize(
    ("left_register", "register", "steps_s"),
    # From 0 on, at this rate, it had come there, too.
    [
        (-100, 200, 254),
        (698, 200, 254),
        (700, 900, 1000),
        (-1500, -900, -1000),
        (40, 60, 10),
        (3000, 2000, 2544),
    ],
)
def test_a_run_that_may_have_begun_at_the_register_of_a_power_cut_is_not_believed(
    left_register, register, steps_s
):
    with pytest.raises(
        PositionLostError, match=r"may have begun at the register of a power cut|was not seen"
    ):
        run(watch(left_register), slowly(register, steps_s))


@pytest.mark.parametrize(
    ("readings", "why"),
    [
        ([(6000, True, 0.8)], "nobody saw it run"),
        ([(15000, False, 0.8)], "its register jumped"),
        ([(5500, False, 0.5), (9000, False, 0.6)], "its register jumped"),
        ([(19999, False, 5.0)], "an end of the travel"),
        # A controller that loses its power meanwhile begins within reach of a motor that nobody looked at.
        ([(6000, False, 0.8), (6100, False, 0.9), (4500, False, 2.4)], "nobody could look for 1.5 s"),
        (
            [(5900, False, 0.8), (5600, False, 0.9), (5500, False, 1.0), *AT_POWER_UP],
            "the register of a power cut",
        ),
    ],
)
def test_what_a_power_cut_may_look_like_is_not(readings, why):
    with pytest.raises(PositionLostError, match=why):
        run(watch(5000), readings)


def test_at_the_limit_switch_a_motor_that_only_says_it_runs_is_not_driven_to_it():
    judge = watch(20000)
    assert run(judge, [(20000, False, 0.8), (20000, True, 0.9), (20000, True, 1.0)]) == [False, False, True]
