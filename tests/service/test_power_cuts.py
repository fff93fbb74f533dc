"""Power cuts whose register could be mistaken for where the motor stands."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import LinkLostError, StoppedError
from rockit.focuser.ok3z.service.status import State, Trust


@pytest.mark.parametrize("register", [10000, 30000])
@pytest.mark.parametrize("boot_s", [0.0, 0.3])
@pytest.mark.parametrize("disk_s", [0.0, 0.4])
def test_a_power_cut_while_the_disk_is_waited_for_is_found_before_the_motor_starts(
    make_rig, register, boot_s, disk_s
):
    """0 lies on the way, and a controller that was cut would run there from 0."""
    rig = make_rig(register=register, boot_s=boot_s)
    rig.home()
    assert rig.move(1.0) is None

    def cut(entry, durable):
        rig.keeper.at_write = lambda entry, durable: None
        rig.model.power_cut(0.0)
        rig.clock.sleep(disk_s)

    rig.keeper.at_write = cut
    assert rig.move(5.5) is not None
    rig.assert_honest()
    rig.rest(5.0)
    rig.assert_honest()


@pytest.mark.parametrize("register", [10000, 20000, 30000])
@pytest.mark.parametrize("target_mm", [3.0, 5.0])
def test_a_power_cut_between_two_legs_is_found(make_rig, register, target_mm):
    rig = make_rig(register=register)
    rig.home()
    assert rig.move(1.0) is None
    leg_begins = rig.commands._publisher.leg_begins
    publish = rig.commands._publisher.publish

    def cut_before_the_approach(snapshot):
        publish(snapshot)
        if snapshot.leg is not None and not snapshot.leg.overshoot and not cuts:
            cuts.append(leg_begins)
            rig.model.power_cut(0.0)

    cuts: list = []
    rig.commands._publisher.publish = cut_before_the_approach
    outcome = rig.move(target_mm)
    assert cuts
    if outcome is None:
        rig.assert_stands_at(target_mm)
    rig.rest(5.0)
    rig.assert_honest()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("past_steps", range(-400, 401, 40))
def test_a_stop_at_the_register_of_a_power_cut_loses_the_position(make_rig, past_steps):
    """The cut lies within the motor's reach of 0: what stands at 0 now stood somewhere else before."""
    rig = make_rig(register=10000)
    rig.home()

    def cut(number):
        if rig.model.register <= past_steps and not rig.cut:
            rig.cut = True
            rig.model.power_cut(0.0)
        elif rig.cut:
            raise StoppedError("stopped by the test.")

    rig.cut = False
    rig.at_exchange = cut
    rig.move(5.0)
    rig.rest(3.0)
    rig.assert_honest()


@pytest.mark.one_in(4)
@pytest.mark.parametrize("boot_s", [0.0, 0.3, 0.45])
@pytest.mark.parametrize("later", range(1, 60, 4))
def test_a_stop_after_the_register_of_a_power_cut_was_read_loses_the_position(make_rig, boot_s, later):
    """No answer came for a while, and 0 is not further than the motor could have run meanwhile."""
    rig = make_rig(register=10000, boot_s=boot_s)
    rig.home()

    def cut_and_stop_later(number):
        if rig.model.is_moving and rig.model.register <= 900:
            rig.model.power_cut()
            rig.interrupt_at(later)

    rig.at_exchange = cut_and_stop_later
    rig.move(5.0)
    assert rig.commands.snapshot.state is State.UNHOMED


@pytest.mark.one_in(3)
@pytest.mark.parametrize("exchange", range(12, 60, 3))
def test_a_power_cut_in_a_move_that_began_at_the_power_up_register_is_no_motor_that_never_started(
    make_rig, exchange
):
    """Unconfigured, slow and at 0 again: that the motor was seen running tells it from a command that was lost."""
    rig = make_rig(register=10000)
    rig.home()
    assert rig.move(rig.model.register / 5088, exact=True) is None
    assert rig.model.register == 0
    rig.do_at(exchange, rig.model.power_cut)
    rig.move(5.5)
    rig.rest(3.0)
    if rig.status:
        # What it ran before it was seen running is less than can be seen.
        assert rig.position_mm == pytest.approx(rig.model.motor_mm, abs=0.03)


@pytest.mark.parametrize("away_s", [1.8, 2.0, 2.4])
def test_a_controller_that_comes_back_while_it_is_halted_is_not_lost_but_its_position_is(rig, away_s):
    """It was silent for long enough to count as lost, and then the halt found it without its register."""
    assert rig.move(1.0) is None
    rig.do_at(40, lambda: rig.model.power_cut(away_s))
    assert isinstance(rig.move(4.0), LinkLostError)
    snapshot = rig.commands.snapshot
    assert snapshot.state is State.UNHOMED
    assert not snapshot.motor_may_run, "it was seen standing"
    assert "Was the controller's power cut" in snapshot.reason
    assert rig.confidence.trust is Trust.UNKNOWN
    rig.rest(5.0)
    assert rig.commands.snapshot.reason == snapshot.reason
    assert rig.carry_out(rig.commands.initialize) is None
    rig.assert_stands_at(0.0)


def cut_at_rest(rig):
    rig.model.power_cut(0.0)
    rig.rest(3.0)


def cut_without_a_link(rig):
    rig.lose("hang-up")
    rig.rest(3.0)
    rig.model.power_cut(0.0)
    rig.give_back("hang-up")
    rig.rest(15.0)


def cut_in_a_move(rig):
    rig.do_at(40, rig.model.power_cut)
    rig.move(5.0)
    rig.rest(3.0)


def cut_between_two_processes(rig):
    rig.kill_process()
    rig.model.power_cut(0.0)
    rig.start_process()
    rig.resume()


@pytest.mark.parametrize("cut", [cut_at_rest, cut_without_a_link, cut_in_a_move, cut_between_two_processes])
def test_where_the_register_was_found_after_a_power_cut_is_kept_and_proves_nothing_there(make_rig, cut):
    rig = make_rig(power_up_register=30000)
    rig.home()
    assert rig.move(2.0) is None
    cut(rig)
    assert rig.keeper.kept.power_up_registers == (30000,)
    rig.restart()
    rig.home()
    origin_register = rig.keeper.kept.origin_register
    assert rig.move((origin_register - 30000) / 5088, exact=True) is None
    assert rig.model.register == 30000
    rig.lose("hang-up")
    rig.rest(3.0)
    rig.give_back("hang-up")
    rig.rest(15.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.keeper.kept.power_up_registers == (30000,)


def test_of_what_was_found_after_power_cuts_only_the_last_are_kept(make_rig):
    rig = make_rig()
    rig.home()
    assert rig.move(2.0) is None
    rig.by_hand = True
    for number in range(1, 7):
        rig.model.hand(1.0 + 0.3 * number, register=True)
        found = rig.model.register
        rig.rest(2.0)
        rig.home()
    assert len(rig.keeper.kept.power_up_registers) == 4
    assert rig.keeper.kept.power_up_registers[-1] == found


def test_a_hand_that_tried_the_controller_is_no_power_cut(rig):
    assert rig.move(2.0) is None
    rig.by_hand = True
    rig.model.hand(0.3, register=True)
    rig.rest(3.0)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.keeper.kept.power_up_registers == ()
