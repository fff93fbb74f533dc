"""What goes wrong on the line and in the device: never a false position, never an unnoticed failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.errors import (
    DeviceError,
    HomingFailedError,
    LinkLostError,
    NoProgressError,
    PositionLostError,
    StoppedError,
)
from rockit.focuser.ok3z.service.status import State

REPLY_FAULTS = {
    "lost": {},
    "late in order": {"kind": "late", "seconds": 0.4, "order": "in"},
    "late out of order": {"kind": "late", "seconds": 0.4, "order": "out"},
    "very late out of order": {"kind": "late", "seconds": 0.9, "order": "out"},
    "cut": {},
    "garbled": {},
    "garbled clean": {"kind": "garbled", "clean": True},
    "merged": {},
    "doubled": {},
    "noise": {},
}


def inject(rig, name, **details):
    spec = {"kind": name, **REPLY_FAULTS[name], **details}
    rig.model.fault(spec.pop("kind"), **spec)


@pytest.mark.parametrize("fault", REPLY_FAULTS)
@pytest.mark.parametrize("query", ["S001", "P081"])
@pytest.mark.parametrize("count", [1, 2])
def test_one_bad_reply_anywhere_in_a_move_changes_nothing(make_rig, some_of, fault, query, count):
    for after in some_of(range(36), every=12) if count == 1 else some_of(range(0, 36, 5), every=5):
        rig = make_rig(start_mm=0.1, seed=after + 1)
        rig.home()
        inject(rig, fault, to=query, count=count, after=after)
        outcome = rig.move(0.3)
        rig.assert_honest()
        assert outcome is None, (after, outcome)
        rig.assert_stands_at(0.3)


@pytest.mark.parametrize("fault", REPLY_FAULTS)
@pytest.mark.parametrize("query", ["S051", "S001", "P081"])
def test_one_bad_reply_anywhere_in_homing_changes_nothing(make_rig, some_of, fault, query):
    for after in some_of(range(30), every=12):
        rig = make_rig(start_mm=0.1, seed=after + 1)
        inject(rig, fault, to=query, after=after)
        rig.home()
        rig.assert_stands_at(0.0)


@pytest.mark.parametrize("code", ["P092", "P103"])
def test_a_motion_command_lost_on_the_wire_is_repeated_after_a_look(make_rig, code):
    rig = make_rig(start_mm=0.5)
    rig.model.fault("command_lost", to=code)
    rig.home()
    assert rig.move(1.0) is None
    rig.assert_stands_at(1.0)


@pytest.mark.parametrize("code", ["P132", "P052", "P062", "P031", "E002"])
def test_a_setting_lost_on_the_wire_is_made_good(make_rig, code):
    rig = make_rig()
    rig.model.fault("command_lost", to=code)
    rig.home()
    state = rig.model.state()
    assert state["microstep_mode"] == 3
    assert state["limit_speed_mm_per_s"] == pytest.approx(0.4918, abs=0.001)


def test_settings_lost_in_a_power_cut_at_the_power_up_register_are_sent_again(make_rig):
    """The register reads 0 before and after: nothing on the wire shows the cut."""
    # The play lies between motor and carriage at first, so the origin is so much further in.
    rig = make_rig(start_mm=0.0, register=-round(0.2 * 5088))
    rig.home()
    assert rig.model.register == 0
    rig.model.power_cut()
    assert rig.move(1.0) is None
    assert rig.model.state()["limit_speed_mm_per_s"] == pytest.approx(0.4918, abs=0.001)
    rig.assert_stands_at(1.0)


def test_a_power_cut_that_fakes_an_arrival(make_rig):
    """The register after the cut is the target, further than the motor can have run."""
    rig = make_rig(start_mm=1.0)
    rig.home()
    origin = rig.model.register
    assert rig.move(3.0) is None
    rig.model.options.__dict__["power_up_register"] = origin

    def cut(number):
        if rig.model.is_moving and rig.model.carriage_mm < 2.5 and rig.model.register != origin:
            rig.model.power_cut()

    rig.at_exchange = cut
    assert isinstance(rig.move(0.0), PositionLostError)
    assert rig.status == FocuserStatus.Disabled


@pytest.mark.one_in(3)
@pytest.mark.parametrize("after", range(0, 60, 4))
def test_a_power_cut_in_a_move_loses_the_position_and_says_so(make_rig, after):
    """Also where the register after the cut lies on the way."""
    for power_up in (0, -40000, -38000):
        rig = make_rig(start_mm=0.1, power_up_register=power_up)
        rig.home()
        rig.model.fault("power_cut", to="P081", after=after, seconds=0.0)
        outcome = rig.move(1.2)
        if "power_cut" in str(rig.model.state()["faults"]):
            assert outcome is None
            continue
        assert isinstance(outcome, (PositionLostError, LinkLostError)), (power_up, outcome)
        assert rig.status == FocuserStatus.Disabled
        assert "ome" in rig.commands.snapshot.reason
        rig.model.clear_faults()
        rig.home()
        rig.assert_stands_at(0.0)


def test_a_power_cut_with_the_target_at_the_power_up_register(make_rig):
    rig = make_rig(start_mm=0.5)
    rig.home()
    target_mm = 2.0
    rig.model.options.__dict__["power_up_register"] = rig.model.register - round(target_mm * 5088)
    rig.model.fault("power_cut", to="P081", after=20, seconds=0.0)
    outcome = rig.move(target_mm)
    if outcome is None:
        pytest.fail("an arrival was believed that a power cut had faked")


@pytest.mark.one_in(3)
@pytest.mark.parametrize("after", range(0, 30, 3))
def test_a_power_cut_while_homing_makes_no_origin(make_rig, after):
    for power_up in (0, -40000, -39990, -39000):
        rig = make_rig(start_mm=0.8, power_up_register=power_up)
        rig.model.fault("power_cut", to="P081", after=after, seconds=0.0)
        outcome = rig.carry_out(rig.commands.initialize)
        if outcome is None:
            rig.assert_stands_at(0.0)
        else:
            assert rig.status == FocuserStatus.Disabled
            rig.model.clear_faults()
            rig.home()
            rig.assert_stands_at(0.0)


@pytest.mark.parametrize("motor", ["frozen", "reversed"])
def test_a_motor_that_does_not_obey_in_a_move(rig, motor):
    rig.move(2.0)
    rig.model.motor(motor)
    outcome = rig.move(1.0)
    assert isinstance(outcome, DeviceError)
    rig.assert_honest()
    assert not rig.model.is_moving
    if motor == "frozen":
        assert isinstance(outcome, NoProgressError)
        assert rig.status == FocuserStatus.Idle
        assert rig.position_mm == pytest.approx(2.0, abs=0.001)
    else:
        assert rig.status == FocuserStatus.Disabled


@pytest.mark.parametrize("motor", ["frozen", "reversed"])
@pytest.mark.parametrize("start_mm", [0.0, 3.0])
def test_a_motor_that_does_not_obey_is_not_homed(make_rig, motor, start_mm):
    rig = make_rig(start_mm=start_mm)
    rig.model.motor(motor)
    assert isinstance(rig.carry_out(rig.commands.initialize), DeviceError)
    assert rig.status == FocuserStatus.Disabled


def test_a_limit_switch_that_never_closes(make_rig):
    rig = make_rig(start_mm=2.0)
    rig.model.limit_switch("dead")
    assert isinstance(rig.carry_out(rig.commands.initialize), (HomingFailedError, DeviceError))
    assert rig.status == FocuserStatus.Disabled
    assert not rig.model.is_moving


def test_a_limit_switch_that_is_always_closed(make_rig):
    rig = make_rig(start_mm=2.0)
    rig.model.limit_switch("stuck")
    assert isinstance(rig.carry_out(rig.commands.initialize), DeviceError)
    assert rig.status == FocuserStatus.Disabled


def test_standing_short_is_no_arrival(rig):
    rig.move(2.0)
    rig.model.stand_short(100)
    assert rig.move(1.0) is None
    rig.assert_stands_at(1.0)
    assert rig.commands.snapshot.reason.startswith("the motor stalled once")


def test_standing_short_again_and_again_fails_and_keeps_the_position(rig):
    rig.move(2.0)
    rig.model.stand_short(100, count=20)
    outcome = rig.move(1.0)
    assert isinstance(outcome, NoProgressError)
    assert rig.commands.snapshot.reason == outcome.reason
    assert rig.position_mm == pytest.approx(1.0 + 100 / 5088, abs=0.001)
    rig.assert_honest()


def test_a_dead_link_is_never_idle(rig):
    rig.move(1.0)
    rig.model.hang_up()
    assert isinstance(rig.carry_out(rig.commands.watch_rest), LinkLostError)
    assert rig.status == FocuserStatus.Disabled
    assert "serial port failed" in rig.commands.snapshot.reason
    rig.model.come_back()
    rig.home()
    rig.assert_stands_at(1.0)


def test_a_silent_link_is_noticed_at_rest_within_three_seconds(rig):
    rig.move(1.0)
    rig.model.fault("lost", count=0)
    silent_from_s = rig.clock.monotonic()
    assert isinstance(rig.carry_out(rig.commands.watch_rest), LinkLostError)
    assert rig.clock.monotonic() - silent_from_s < 2.0  # and a look comes every second
    assert rig.status == FocuserStatus.Disabled


def test_8_is_never_said_of_a_dead_link(rig):
    rig.move(1.0)
    rig.model.fault("lost", count=0)
    assert isinstance(rig.carry_out(rig.commands.initialize), LinkLostError)
    rig.model.clear_faults()
    assert rig.carry_out(rig.commands.initialize) is None
    rig.assert_stands_at(1.0)


def test_a_link_that_dies_in_a_move(rig):
    rig.model.fault("lost", count=0, to="", after=60)
    outcome = rig.move(4.0)
    assert isinstance(outcome, LinkLostError)
    assert "#P021 F $" in rig.sent()[-1]
    assert not rig.model.is_moving  # the halts went out although nothing was answered
    assert rig.status == FocuserStatus.Disabled


@pytest.mark.parametrize("register", [False, True])
def test_a_hand_at_rest(rig, register):
    rig.move(2.0)
    rig.model.hand(0.3, register=register)
    outcome = rig.carry_out(rig.commands.watch_rest)
    if register:
        assert isinstance(outcome, PositionLostError)
        assert rig.status == FocuserStatus.Disabled
        assert rig.commands.snapshot.state is State.UNHOMED
    else:
        assert outcome is None  # nothing on the wire shows it


def test_a_hand_controller_that_drives_the_motor_is_halted_if_that_is_configured(make_rig):
    rig = make_rig()
    rig.settings = replace(rig.settings, keeps_hand=False)
    rig.start_process()
    rig.home()
    rig.move(2.0)
    rig.by_hand = True
    rig.model.hand(2.0, drive=True)
    rig.clock.sleep(1.0)
    assert rig.model.is_moving
    assert isinstance(rig.carry_out(rig.commands.watch_rest), PositionLostError)
    assert not rig.model.is_moving
    rig.by_hand = False


def test_a_power_cut_at_rest_is_noticed(rig):
    rig.move(2.0)
    rig.model.power_cut()
    assert isinstance(rig.carry_out(rig.commands.watch_rest), PositionLostError)
    assert rig.status == FocuserStatus.Disabled


def test_a_power_cut_at_rest_is_noticed_by_the_next_move(rig):
    rig.move(2.0)
    rig.model.power_cut()
    before = rig.sent()
    assert isinstance(rig.move(1.0), PositionLostError)
    assert not any("P092" in frame for frame in rig.sent()[len(before) :])


@pytest.mark.one_in(4)
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "rates",
    [
        {"reply_loss": 0.1},
        {"reply_late": 0.05, "late_s": 0.4},
        {"reply_cut": 0.1},
        {"reply_garble": 0.05},
        {"reply_merge": 0.1},
        {"command_loss": 0.1},
        {"command_garble": 0.05},
        {
            "reply_loss": 0.05,
            "reply_garble": 0.03,
            "reply_merge": 0.03,
            "reply_late": 0.02,
            "command_loss": 0.02,
        },
    ],
    ids=lambda rates: "+".join(rates),
)
def test_a_bad_line_never_makes_a_false_position(make_rig, rates, seed):
    rig = make_rig(start_mm=0.5, seed=seed, **rates)
    arrived = 0
    outcomes = []
    for target_mm in (1.0, 0.9, 0.85, 2.0, 1.2):
        if rig.status != FocuserStatus.Idle:
            outcomes.append(rig.carry_out(rig.commands.initialize))
            rig.assert_honest()
            if outcomes[-1]:
                continue
        if seed % 3 == 0:
            rig.interrupt_at(30)
        outcome = rig.move(target_mm)
        rig.assert_honest()
        if outcome is None:
            arrived += 1
            rig.assert_stands_at(target_mm)
        else:
            assert isinstance(outcome, (StoppedError, DeviceError, LinkLostError))
        outcomes.append(outcome)
    assert arrived or seed % 3 == 0, outcomes


def test_a_device_that_is_slow_to_start(make_rig):
    rig = make_rig(start_latency_s=0.5, start_mm=0.5)
    rig.home()
    for target_mm in (1.0, 0.9, 2.0):
        assert rig.move(target_mm) is None
        rig.assert_stands_at(target_mm)


@pytest.mark.parametrize(
    ("time_scale", "told"), [(5, False), (20, False), (5, True), (20, True), (100, True), (1000, True)]
)
def test_a_device_faster_than_its_registers_say(make_rig, time_scale, told):
    """A scaled simulator: what looks like a jump is speed."""
    rig = make_rig(start_mm=2.0, time_scale=time_scale, told=told)
    rig.home()
    for target_mm in (1.0, 0.9, 4.0, 0.0, 5.5):
        assert rig.move(target_mm) is None
        rig.assert_stands_at(target_mm)


def test_a_stop_in_a_fast_device_keeps_the_position(make_rig):
    for number in range(1, 30):
        rig = make_rig(start_mm=2.0, time_scale=50)
        rig.home()
        rig.interrupt_at(number)
        rig.move(5.0)
        assert rig.status == FocuserStatus.Idle, number
        rig.assert_honest()


def published_positions(rig):
    """Every position that is published from now on, beside the motor's true one."""
    pairs = []
    publish = rig.commands._publisher.publish

    def watched(snapshot):
        if snapshot.status != FocuserStatus.Disabled:
            pairs.append((snapshot.current_steps / 5088, rig.model.motor_mm))
        publish(snapshot)

    rig.commands._publisher.publish = watched
    return pairs


@pytest.mark.parametrize("how", ["look", "move", "stop"])
def test_after_a_power_cut_at_rest_no_false_position_is_published_not_even_while_halting(rig, how):
    assert rig.move(2.0) is None
    pairs = published_positions(rig)
    rig.model.power_cut(0.0)
    run = {
        "look": rig.commands.watch_rest,
        "move": lambda: rig.commands.move(3.0, False),
        "stop": rig.commands.halt_at_rest,
    }[how]
    rig.carry_out(run)
    assert rig.status == FocuserStatus.Disabled
    assert all(published == pytest.approx(true, abs=1 / 5088) for published, true in pairs)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("exchange", range(20, 300, 8))
def test_a_power_cut_in_a_move_past_the_power_up_register_publishes_no_false_position(make_rig, exchange):
    """0 lies on the way, and now and then within the motor's reach."""
    rig = make_rig(register=10000)
    rig.home()
    pairs = published_positions(rig)
    first = rig.exchanges + exchange

    def cut(number):
        if number == first:
            rig.model.power_cut(0.0)

    rig.at_exchange = cut
    rig.move(6.0)
    # A running motor is a little further than it was when it was asked.
    assert all(published == pytest.approx(true, abs=0.1) for published, true in pairs)
