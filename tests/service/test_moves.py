"""Homing and moves without trouble: the true carriage must end where it was sent."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.errors import (
    AlreadyConnectedError,
    InvalidArgumentError,
    NoProgressError,
    NotConnectedError,
    OutsideLimitsError,
)


@pytest.mark.matrix
@pytest.mark.parametrize("start_mm", [0.0, 0.001, 0.3, 2.0, 9.0])
@pytest.mark.parametrize("register", [-40000, 0, 1, 2_000_000_000])
def test_homing_finds_the_switch_from_everywhere(make_rig, start_mm, register):
    rig = make_rig(start_mm=start_mm, register=register)
    rig.home()
    rig.assert_stands_at(0.0)


@pytest.mark.matrix
@pytest.mark.parametrize("speed_mm_sec", [0.012, 0.05, 0.12, 0.2])
def test_homing_from_far_out_succeeds_where_the_controller_keeps_it_to_the_configured_speed(
    make_rig, speed_mm_sec
):
    rig = make_rig(start_mm=9.0, backlash_mm=0.0, speed_mm_sec=speed_mm_sec, move_timeout_s=3600.0)
    ends_s = []

    def look(number):
        snapshot = rig.commands.snapshot
        if rig.model.is_moving and snapshot.homing_travelled_mm and snapshot.time_left_s:
            ends_s.append(rig.clock.monotonic() + snapshot.time_left_s)

    rig.at_exchange = look
    rig.home()
    rig.assert_stands_at(0.0)
    # All the way it was foretold when it would end.
    assert ends_s[0] == pytest.approx(rig.clock.monotonic(), abs=1.0)
    assert max(ends_s) - min(ends_s) < 1.0


@pytest.mark.parametrize("speed_mm_sec", [0.05, 0.5])
def test_a_motor_that_hangs_in_a_homing_run_is_noticed_long_before_its_deadline(make_rig, speed_mm_sec):
    rig = make_rig(start_mm=9.0, speed_mm_sec=speed_mm_sec, move_timeout_s=3600.0)
    hung_s = []

    def hang(number):
        if rig.model.motor_mm < 8.9:
            rig.at_exchange = lambda number: None
            rig.model.motor("frozen")
            rig.model.fault("replaced", to="S001", count=40, text="SM")
            hung_s.append(rig.clock.monotonic())

    rig.at_exchange = hang
    assert isinstance(rig.carry_out(rig.commands.initialize), NoProgressError)
    assert rig.clock.monotonic() - hung_s[0] < 10.0


def test_the_bring_up_keeps_the_order_of_the_device(make_rig):
    rig = make_rig()
    rig.home()
    settings = ["#P132 F 41$", "#P052 F 437$", "#P062 F 437$", "#P031 F $", "#E002 F 3$"]
    # In, out by the backlash and 0.25 mm, and in again, each with the settings before it.
    in_, out = "#P103 F V 21341$", f"#P092 F {rig.model.register - 3816}$"
    twice = [*settings, *settings]
    assert rig.sent() == [*twice, in_, *twice, out, in_, "#P021 F $"]
    assert rig.model.refused == []


def test_moves_arrive_with_the_backlash_taken_up(rig):
    for target_mm in (2.5, 2.45, 2.4, 2.3, 5.0, 0.0, 0.1, 0.05, 5.4, 5.5):
        assert rig.move(target_mm) is None
        rig.assert_stands_at(target_mm)


def test_a_move_outward_overshoots_and_a_move_inward_goes_straight(rig):
    before = len(rig.sent())
    origin = rig.model.register
    rig.move(2.0)
    rig.move(1.95)
    assert rig.sent()[before:] == [f"#P092 F {origin - round(mm * 5088)}$" for mm in (2.5, 2.0, 1.95)]


def test_a_move_to_where_it_stands_moves_nothing(rig):
    rig.move(2.0)
    before = rig.sent()
    assert rig.move(2.0) is None
    assert rig.move(0.0, offset=True) is None
    assert rig.sent() == before


def test_offsets_count_from_the_target(rig):
    """From what was asked for, and not from its rounded step: a quarter of a step counts too."""
    rig.move(2.0)
    for _ in range(10):
        assert rig.move(-0.00005, offset=True) is None
    rig.assert_stands_at(1.9995)
    assert rig.commands.snapshot.target_mm == 1.9995
    assert rig.move(-0.25, offset=True) is None
    rig.assert_stands_at(1.7495)


def test_the_target_is_what_was_asked_for_and_after_a_stop_where_it_stands(rig):
    rig.move(2.0125)
    assert rig.commands.snapshot.target_mm == 2.0125
    assert rig.carry_out(rig.commands.halt_at_rest) is None
    assert rig.commands.snapshot.target_mm == 2.0125
    assert rig.move(2.01252) is None, "the same step: nothing moves"
    assert rig.commands.snapshot.target_mm == 2.01252
    rig.interrupt_at(60)
    assert rig.move(3.0) is not None
    assert rig.commands.snapshot.target_mm is None
    assert rig.commands.snapshot.target.steps == rig.commands.snapshot.current_steps


def test_an_audit_returns_to_what_was_asked_for(rig):
    rig.move(2.0125)
    assert rig.carry_out(rig.commands.audit) is None
    rig.assert_stands_at(2.0125)
    assert rig.commands.snapshot.target_mm == 2.0125


def test_the_overshoot_is_shortened_at_the_outer_limit_and_reported(rig):
    assert rig.move(5.8) is None
    assert rig.model.highest_mm <= 6.0 + 1 / 5088
    assert rig.commands.snapshot.shortfall_steps == round(0.3 * 5088)
    assert "0.300 mm short" in rig.commands.snapshot.reason
    assert rig.move(3.0) is None
    assert rig.commands.snapshot.shortfall_steps == 0
    assert rig.commands.snapshot.reason == ""
    rig.assert_stands_at(3.0)


def test_a_stated_travel_leaves_room_for_the_whole_overshoot(make_rig):
    rig = make_rig(travel_mm=6.5)
    rig.home()
    assert rig.move(6.0) is None
    assert rig.commands.snapshot.shortfall_steps == 0
    rig.assert_stands_at(6.0)


@pytest.mark.parametrize(
    "position", [float("nan"), float("inf"), -float("inf"), 10**400, -0.001, 6.001, 1e300]
)
def test_what_is_outside_never_reaches_the_wire(rig, position):
    before = rig.model.journal
    assert isinstance(rig.move(position), OutsideLimitsError)
    assert isinstance(rig.move(position, offset=True), OutsideLimitsError) or position in (6.001, 0.001)
    assert rig.model.journal == before


@pytest.mark.parametrize("position", ["1.0", None, True, [1.0], {"mm": 1}, b"1", 1j])
def test_what_is_no_number_never_reaches_the_wire(rig, position):
    before = rig.model.journal
    assert isinstance(rig.move(position), InvalidArgumentError)
    assert rig.model.journal == before


def test_nothing_moves_before_homing(make_rig):
    rig = make_rig()
    assert isinstance(rig.move(1.0), NotConnectedError)
    assert rig.model.journal == []


def test_a_connected_focuser_is_not_initialised_again(rig):
    before = rig.sent()
    assert isinstance(rig.carry_out(rig.commands.initialize), AlreadyConnectedError)
    assert rig.sent() == before


def test_shutdown_closes_the_port_once(rig):
    assert rig.carry_out(rig.commands.shutdown) is None
    assert not rig.model.is_port_open
    assert rig.status == FocuserStatus.Disabled
    assert isinstance(rig.carry_out(rig.commands.shutdown), NotConnectedError)


def test_status_is_offline_while_homing_and_moving_while_moving(make_rig):
    rig = make_rig()
    seen = set()
    rig.at_exchange = lambda number: seen.add((rig.commands.snapshot.state.value, rig.status))
    rig.carry_out(rig.commands.initialize)
    assert seen == {("disconnected", 0), ("connecting", 0), ("homing", 0)}
    seen.clear()
    rig.at_exchange = lambda number: seen.add((rig.commands.snapshot.state.value, rig.status))
    rig.move(1.0)
    assert seen == {("moving", 2)}


def test_the_target_is_published_during_the_overshoot(rig):
    seen = []

    def look(number):
        snapshot = rig.commands.snapshot
        if snapshot.leg:
            seen.append((snapshot.leg.overshoot, snapshot.target_steps, snapshot.current_steps))

    rig.at_exchange = look
    rig.move(2.0)
    assert {target for _, target, _ in seen} == {2 * 5088}
    assert [overshoot for overshoot, _, _ in seen] == sorted((o for o, _, _ in seen), reverse=True)
    assert max(current for _, _, current in seen) > 2.4 * 5088
