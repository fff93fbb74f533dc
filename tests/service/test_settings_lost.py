"""A controller that loses its settings: whenever that is, no position is false, and no command says that all is well.

Left out knowingly are controllers whose register changes after a power cut as fast as with their settings, in steps of
another size (`shows_on_the_wire` of test_model.py): nobody can find that out (docs/decisions/0003-belief.md).
"""

from __future__ import annotations

import zlib

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.errors import PositionLostError, SettingsLostError
from rockit.focuser.ok3z.service.status import State

# A register beside the true one by more is a false position: the tolerance, and one.
FALSE_STEPS = 9
# What a controller is after a power cut: microstep mode, whether rates follow it, and the speed in force.
POWER_UPS = [
    {"power_up_mode": mode, "rate_follows_mode": follows, "power_up_speed": speed, "slow_until_set": slow}
    for mode, follows, speed, slow in (
        (2, True, 41, False),
        (4, True, 41, False),
        (7, True, 4, True),
        (2, False, 60, False),
        (4, False, 4, False),
        (7, False, 200, False),
        (4, True, 200, True),
    )
]
REGISTERS = [0, 30000, -2544]


def turn_of(*case):
    """A number for each case, the same one always."""
    return zlib.crc32(repr(case).encode())


def lose(rig, **fault):
    rig.model.fault("reset", **fault)


def assert_true(rig, outcome, position_mm=None):
    """Never Idle at a false position, and never success at one."""
    assert not rig.model.is_moving
    if outcome is None:
        assert rig.status == FocuserStatus.Idle
        if position_mm is not None:
            assert abs(rig.model.motor_mm - position_mm) <= FALSE_STEPS / 5088
    if rig.status == FocuserStatus.Idle:
        assert abs(rig.position_mm - rig.model.motor_mm) <= FALSE_STEPS / 5088


def assert_learnt_nothing_false(rig):
    legs = rig.commands._axis.ratios.legs
    assert legs is None or legs == pytest.approx(1.0, rel=0.1)


def assert_ends_well(rig):
    """Whatever has happened: at rest it shows, and homed it is as good as new."""
    rig.rest(2.0)
    assert_true(rig, None if rig.status else "lost")
    rig.model.clear_faults()
    if rig.status != FocuserStatus.Idle:
        assert rig.carry_out(rig.commands.initialize) is None
    assert rig.move(2.5) is None
    assert_true(rig, None, 2.5)
    rig.close()


def initialize(rig):
    outcome = rig.carry_out(rig.commands.initialize)
    assert_true(rig, outcome, 0.0)
    if outcome is None:
        assert_true(rig, rig.move(2.0), 2.0)


def move_out(rig):
    assert_true(rig, rig.move(3.3), 3.3)


def move_in(rig):
    assert_true(rig, rig.move(1.2), 1.2)


def audit(rig):
    assert_true(rig, rig.carry_out(rig.commands.audit))


def homed_at_2_mm(rig):
    rig.home()
    assert rig.move(2.0) is None


def from_the_start(rig):
    """Nothing was commanded yet."""


def where_a_power_cut_does_not_show(rig):
    rig.home()
    register = rig.model.options.power_up_register
    rig.model.power_cut(0.0)
    rig.rest(2.0)
    rig.home()
    here_mm = (rig.commands._axis.origin_register - register) / 5088
    assert rig.move(min(max(here_mm, 0.0), 4.0), exact=True) is None


@pytest.mark.one_in(8)
@pytest.mark.parametrize("code", ["P103", "P092", "P132", "P031", "E002", "P081"])
@pytest.mark.parametrize(
    ("before", "command"),
    [
        (from_the_start, initialize),
        (homed_at_2_mm, move_out),
        (homed_at_2_mm, audit),
        (where_a_power_cut_does_not_show, move_in),
        (where_a_power_cut_does_not_show, audit),
    ],
)
def test_no_position_is_false_after_a_reset_at_any_frame(make_rig, before, command, code):
    if command in (move_out, move_in) and code not in ("P092", "P132", "E002", "P081"):
        return
    for after, when in ((0, "before"), (0, "after"), (1, "before"), (2, "after")):
        turn = turn_of(before.__name__, command.__name__, code, after, when)
        power_up_register = REGISTERS[turn % len(REGISTERS)]
        rig = make_rig(
            # The normal state of the first homing after power-up.
            register=power_up_register if command is initialize else 5000,
            power_up_register=power_up_register,
            **POWER_UPS[turn % len(POWER_UPS)],
        )
        before(rig)
        lose(rig, to=code, after=after * (7 if code == "P081" else 1), when=when)
        command(rig)
        assert_ends_well(rig)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("options", POWER_UPS)
@pytest.mark.parametrize("start_mm", [0.0, 1.0])
def test_a_reset_as_the_first_homing_run_begins_at_register_0(make_rig, options, start_mm):
    """A motor that is energised: that is when weak supplies dip. Nothing in the register tells of it."""
    for when in ("before", "after"):
        rig = make_rig(start_mm=start_mm, register=0, **options)
        lose(rig, to="P103", when=when)
        initialize(rig)
        assert_ends_well(rig)


@pytest.mark.parametrize("options", POWER_UPS)
def test_a_reset_as_the_drive_backs_off_from_register_0(make_rig, options):
    """Both approaches would be of one scale, and agree."""
    rig = make_rig(start_mm=0.9, register=-round(1.1 * 5088), **options)
    lose(rig, to="P092")
    initialize(rig)
    assert_learnt_nothing_false(rig)
    assert_ends_well(rig)


@pytest.mark.parametrize("power_up_register", REGISTERS)
def test_a_reset_as_a_drive_backs_off_that_was_parked_at_the_switch(make_rig, some_of, power_up_register):
    """It stands where it began, at a register that no power cut changes, though nobody has seen one yet."""
    for options in some_of(POWER_UPS, every=3):
        rig = make_rig(
            start_mm=0.0,
            backlash_mm=0.0,
            register=power_up_register,
            power_up_register=power_up_register,
            **options,
        )
        lose(rig, to="P092")
        initialize(rig)
        assert_learnt_nothing_false(rig)
        assert_ends_well(rig)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.2, 0.35, 2.0])
@pytest.mark.parametrize("command", ["initialize", "audit"])
def test_a_power_cut_soon_after_a_homing_is_found(make_rig, command, delay_s):
    rig = make_rig(power_up_mode=4, register=-2544)
    rig.home()
    if command == "audit":
        assert rig.carry_out(rig.commands.audit) is None
    rig.clock.sleep(delay_s)
    rig.model.power_cut(0.0)
    assert_true(rig, rig.move(2.0), 2.0)
    assert_ends_well(rig)


@pytest.mark.parametrize("settings", ["P132", "P031", "E002"])
def test_a_register_that_a_power_cut_changes_between_the_settings_and_the_run(make_rig, settings):
    rig = make_rig(register=-2544, power_up_mode=2)
    lose(rig, to=settings, after=1, when="after")
    initialize(rig)
    assert_ends_well(rig)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("beside_steps", [-260, -150, -60, -9, -8, 0, 8, 9, 30, 90])
@pytest.mark.parametrize("leg_mm", [0.05, 0.3])
def test_a_reset_as_a_move_begins_near_the_register_of_a_power_cut(make_rig, beside_steps, leg_mm):
    """So small a jump passes for the beginning of the run."""
    options = POWER_UPS[turn_of(beside_steps, leg_mm) % len(POWER_UPS)]
    rig = make_rig(register=10000, baud_pacing=True, **options)
    rig.home()
    here_mm = (rig.commands._axis.origin_register - beside_steps) / 5088
    assert rig.move(here_mm, exact=True) is None
    for when in ("before", "after"):
        lose(rig, to="P092", when=when)
        assert_true(rig, rig.move(here_mm - leg_mm), here_mm - leg_mm)
        rig.rest(2.0)
        assert_true(rig, None if rig.status else "lost")
        rig.model.clear_faults()
        if rig.status != FocuserStatus.Idle:
            rig.home()
        here_mm = (rig.commands._axis.origin_register - beside_steps) / 5088
        assert rig.move(min(max(here_mm, leg_mm), 5.0), exact=True) is None


def test_a_move_is_stopped_that_began_at_register_0_and_lost_its_settings(make_rig, some_of):
    """Idle, homed and up to 18 micrometres wrong it was."""
    for number in some_of(range(1, 24, 2), every=3):
        options = POWER_UPS[number % len(POWER_UPS)]
        rig = make_rig(register=10000, baud_pacing=True, **options)
        rig.home()
        here_mm = rig.commands._axis.origin_register / 5088
        assert rig.move(here_mm, exact=True) is None
        lose(rig, to="P092", when="before" if number % 4 == 1 else "after")
        rig.interrupt_at(14 + 2 * number)
        assert_true(rig, rig.move(4.0), 4.0)
        rig.rest(2.0)
        assert_true(rig, None if rig.status else "lost")
        rig.close()


def test_a_target_beside_the_register_of_a_power_cut_is_not_reached_by_one(make_rig):
    """The register stands within the tolerance of the target, and the motor where it was."""
    rig = make_rig(register=10000)
    rig.home()
    origin_register = rig.commands._axis.origin_register
    assert rig.move((origin_register + 260) / 5088, exact=True) is None
    lose(rig, to="P092", when="after")
    outcome = rig.move((origin_register + 6) / 5088, exact=True)
    assert isinstance(outcome, PositionLostError)
    assert rig.commands.snapshot.state is State.UNHOMED


def test_settings_that_are_lost_away_from_home_lose_the_position_and_say_so(make_rig):
    rig = make_rig(register=10000, power_up_mode=4, power_up_speed=60, slow_until_set=False)
    rig.home()
    here_mm = rig.commands._axis.origin_register / 5088
    assert rig.move(here_mm, exact=True) is None
    lose(rig, to="P092", when="before")
    outcome = rig.move(here_mm + 1.0)
    assert isinstance(outcome, SettingsLostError)
    assert "lost its settings" in rig.commands.snapshot.reason
    assert "focus init" in rig.commands.snapshot.reason
    assert abs(rig.model.motor_mm - here_mm) < 0.5
