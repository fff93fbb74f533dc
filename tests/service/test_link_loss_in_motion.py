"""A link that is lost while the motor runs: who halts it, and what is known of it afterwards."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.errors import LinkLostError, NotConnectedError
from rockit.focuser.ok3z.service.resume_proof import HAND_NEEDS_S, HAND_TRAVEL_STEPS
from rockit.focuser.ok3z.service.status import State, Trust

LOST = "position lost: home the focuser"


def test_a_motor_that_does_not_stand_on_the_return_is_halted_until_it_does_and_its_position_kept(rig):
    assert isinstance(rig.lose_at(4.0, 2.0, "hang-up"), LinkLostError)
    rig.model.fault("replaced", to="S001", count=0, text="SM")
    rig.give_back("hang-up")
    rig.rest(20.0)
    assert rig.commands.snapshot.status == FocuserStatus.Disabled
    assert rig.commands.snapshot.motor_may_run
    assert "not seen standing" in rig.commands.snapshot.reason
    rig.model.clear_faults()
    rig.rest(20.0)
    assert rig.commands.snapshot.state is State.IDLE
    assert not rig.commands.snapshot.motor_may_run
    rig.assert_honest()


def test_a_link_that_falls_silent_in_a_move_shows_within_3_s(rig):
    assert rig.move(1.0) is None
    silent_from_s, offline_at_s = [], []

    def watch(number):
        if rig.model.motor_mm > 2.0 and not silent_from_s:
            rig.lose("silence")
            silent_from_s.append(rig.clock.monotonic())
        if silent_from_s and rig.status == FocuserStatus.Disabled and not offline_at_s:
            offline_at_s.append(rig.clock.monotonic())

    publish = rig.commands._publisher.publish

    def published(snapshot):
        publish(snapshot)
        watch(0)

    rig.at_exchange = watch
    rig.commands._publisher.publish = published
    assert isinstance(rig.move(6.0), LinkLostError)
    assert offline_at_s[0] - silent_from_s[0] <= 3.0


@pytest.mark.parametrize("twitch_steps", [-4, 0, 3])
def test_a_halt_that_moves_the_motor_after_a_power_cut_proves_nothing_either(make_rig, twitch_steps):
    """0 lies on the way, and a motor that twitches when it is halted reads a little beside it."""
    rig = make_rig(register=10000)
    rig.home()
    assert isinstance(rig.lose_at(5.5, 1.2, "hang-up"), LinkLostError)
    rig.model.power_cut(0.0)
    rig.by_hand = True
    rig.model.hand(-twitch_steps / 5088, register=True)
    assert rig.model.register == twitch_steps
    rig.give_back("hang-up")
    rig.rest(15.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.commands.snapshot.reason.startswith(LOST)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("how", ["hang-up", "silence"])
@pytest.mark.parametrize(("target_mm", "at_mm"), [(4.0, 2.5), (4.0, 4.2), (1.0, 1.7)])
@pytest.mark.parametrize("away_s", [0.2, 30.0])
def test_a_link_lost_in_a_move_says_afterwards_where_it_stands(make_rig, how, target_mm, at_mm, away_s):
    # Its register there may be that of a power cut: far from where it is left.
    rig = make_rig(start_mm=8.0)
    rig.home()
    assert rig.move(2.0) is None
    assert isinstance(rig.lose_at(target_mm, at_mm, how), LinkLostError)
    snapshot = rig.commands.snapshot
    assert snapshot.state is State.RECONNECTING
    assert snapshot.motor_may_run
    rig.rest(away_s)
    rig.give_back(how)
    rig.rest(20.0)
    rig.assert_honest()
    snapshot = rig.commands.snapshot
    assert snapshot.state is State.IDLE
    assert snapshot.confidence.trust is Trust.RESUMED
    assert "move" in snapshot.reason
    assert not snapshot.motor_may_run
    assert rig.move(3.0) is None
    rig.assert_stands_at(3.0)
    assert rig.move(2.9) is None
    rig.assert_stands_at(2.9)


def test_a_motor_that_still_runs_when_the_link_is_back_is_halted(rig):
    assert isinstance(rig.lose_at(6.0, 1.0, "hang-up"), LinkLostError)
    rig.give_back("hang-up")
    assert rig.model.is_moving
    before = len(rig.sent())
    rig.rest(2.0)
    assert rig.sent()[before] == "#P021 F $"
    assert not rig.model.is_moving
    assert rig.model.motor_mm < 3.0
    rig.assert_honest()


@pytest.mark.parametrize("how", ["hang-up", "silence"])
def test_a_power_cut_while_the_link_is_lost_in_a_move_loses_the_position(rig, how):
    assert rig.move(2.0) is None
    assert isinstance(rig.lose_at(4.0, 3.0, how), LinkLostError)
    rig.model.power_cut(1.0)
    rig.rest(5.0)
    rig.give_back(how)
    rig.rest(20.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.commands.snapshot.reason.startswith(LOST)


def test_a_link_lost_while_homing_leaves_the_position_unknown_and_the_motor_standing(make_rig):
    rig = make_rig(start_mm=3.0)

    def lose_there(number: int) -> None:
        if rig.model.is_moving:
            rig.at_exchange = lambda number: None
            rig.lose("hang-up")

    rig.at_exchange = lose_there
    assert isinstance(rig.carry_out(rig.commands.initialize), LinkLostError)
    assert rig.commands.snapshot.motor_may_run
    rig.give_back("hang-up")
    rig.rest(15.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.commands.snapshot.reason.startswith(LOST)
    assert not rig.model.is_moving
    rig.home()
    rig.assert_stands_at(0.0)


def test_a_stop_tries_the_lost_link_at_once_and_halts(rig):
    assert isinstance(rig.lose_at(6.0, 1.0, "hang-up"), LinkLostError)
    rig.give_back("hang-up")
    assert rig.carry_out(rig.commands.halt_at_rest) is None
    assert not rig.model.is_moving
    assert rig.commands.snapshot.state is State.IDLE
    rig.assert_honest()


def test_a_stop_without_a_link_says_that_it_halted_nothing(rig):
    assert isinstance(rig.lose_at(6.0, 1.0, "hang-up"), LinkLostError)
    assert isinstance(rig.carry_out(rig.commands.halt_at_rest), NotConnectedError)
    assert rig.commands.snapshot.state is State.RECONNECTING
    assert rig.commands.snapshot.motor_may_run


@pytest.mark.one_in(3)
@pytest.mark.parametrize("hand_steps", [-2500, -500, 0, 6, 100, 500, 2000, 4000])
@pytest.mark.parametrize("away_s", [HAND_NEEDS_S, 3.0, 30.0])
def test_a_hand_that_counts_on_from_a_power_cut_is_not_believed_because_it_lies_on_the_way(
    make_rig, hand_steps, away_s
):
    """The controller was power-cycled while its cable was out, and somebody tried its hand control."""
    rig = make_rig(start_mm=1.0, register=0)
    rig.home()
    assert rig.move(1.5) is None
    assert isinstance(rig.lose_at(0.1, 1.2, "hang-up"), LinkLostError)
    rig.model.power_cut(0.0)
    rig.by_hand = True
    rig.model.hand(-hand_steps / 5088, register=True)
    assert rig.model.register == hand_steps
    rig.rest(away_s)
    rig.give_back("hang-up")
    rig.rest(20.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.commands.snapshot.reason.startswith(LOST)


@pytest.mark.parametrize("away_s", [0.1, 0.4, 0.7])
def test_a_gap_too_short_for_a_hand_keeps_the_position_near_a_power_cut(make_rig, away_s):
    rig = make_rig(start_mm=1.0, register=0)
    rig.home()
    assert rig.move(1.5) is None
    assert isinstance(rig.lose_at(0.1, 1.2, "hang-up"), LinkLostError)
    rig.clock.sleep(away_s)
    rig.give_back("hang-up")
    rig.rest(20.0)
    assert abs(rig.model.register) < HAND_TRAVEL_STEPS, "else it proves nothing"
    assert rig.commands.snapshot.state is State.IDLE
    rig.assert_honest()


@pytest.mark.one_in(12)
@pytest.mark.parametrize("how", ["hang-up", "silence"])
@pytest.mark.parametrize(("start_mm", "target_mm"), [(5.0, 0.5), (0.5, 5.0), (2.0, 1.9), (3.0, 3.2)])
@pytest.mark.parametrize("later", range(1, 120, 17))
@pytest.mark.parametrize(
    ("away_s", "device"),
    [(0.0, {}), (0.6, {}), (1.4, {"start_latency_s": 0.15}), (3.0, {}), (0.6, {"stop_mode": "hard"})],
)
def test_wherever_in_a_move_the_link_goes_and_comes_back_the_position_is_kept(
    make_rig, how, start_mm, target_mm, later, away_s, device
):
    # Far from the register of a power cut, where nothing is believed of a motor on its way.
    rig = make_rig(start_mm=8.5, register=60000, **device)
    rig.home()
    assert rig.move(start_mm) is None

    rig.do_at(later, lambda: rig.lose(how))
    rig.move(target_mm)
    rig.clock.sleep(away_s)
    rig.give_back(how)
    rig.rest(20.0)
    rig.assert_honest()
    assert rig.commands.snapshot.state is State.IDLE
    assert rig.move(3.0) is None
    rig.assert_stands_at(3.0)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("power_up_register", [0, 8000, 10000, 11500])
@pytest.mark.parametrize("away_s", [0.1, 1.0, 3.0, 30.0])
def test_a_power_cut_to_another_register_on_the_way_is_found(make_rig, power_up_register, away_s):
    """It lies on the way, and not where the motor must be by now."""
    rig = make_rig(register=30000, power_up_register=power_up_register)
    rig.home()
    assert rig.move(2.0) is None
    assert isinstance(rig.lose_at(5.5, 2.5, "hang-up"), LinkLostError)
    rig.model.power_cut(0.0)
    rig.rest(away_s)
    rig.give_back("hang-up")
    rig.rest(20.0)
    assert rig.commands.snapshot.state is State.UNHOMED


@pytest.mark.one_in(3)
@pytest.mark.parametrize("number", range(1, 30, 2))
def test_a_link_that_is_lost_again_while_it_is_judged_proves_nothing_by_what_was_found(rig, number):
    """What was read of a motor of unknown position is no sighting of it."""
    assert rig.move(1.5) is None
    assert isinstance(rig.lose_at(0.1, 1.2, "hang-up"), LinkLostError)
    rig.model.power_cut(0.0)
    rig.by_hand = True
    rig.model.hand(-500 / 5088, register=True)
    rig.rest(0.2)
    rig.give_back("hang-up")
    rig.do_at(number, lambda: rig.lose("hang-up"))
    rig.carry_out(lambda: rig.commands.initialize(resume=True))
    rig.at_exchange = lambda number: None
    rig.give_back("hang-up")
    rig.rest(20.0)
    rig.assert_honest()
