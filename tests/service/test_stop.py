"""A stop that always stops: pressed before every single exchange of every motion."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.errors import HaltFailedError, NotConnectedError, StoppedError
from rockit.focuser.ok3z.service.status import State


def exchanges_of(make_rig, run, prepare=None) -> int:
    rig = make_rig(start_mm=0.4)
    if prepare:
        prepare(rig)
    before = rig.exchanges
    run(rig)
    return rig.exchanges - before


def assert_stopped_at_once(rig, outcome, sent_before):
    """The halt was the next command, and no leg came after it."""
    assert isinstance(outcome, StoppedError)
    assert rig.unhalted is None or isinstance(rig.unhalted, Exception)
    new = rig.sent()[sent_before:]
    halts = [number for number, frame in enumerate(new) if frame == "#P021 F $"]
    if halts:
        assert set(new[halts[0] :]) == {"#P021 F $"}
    assert not rig.model.is_moving
    rig.assert_honest()


@pytest.mark.timeout(300)
def test_in_every_exchange_of_the_bring_up(make_rig, some_of):
    count = exchanges_of(make_rig, lambda rig: rig.home())
    assert count > 20
    for number in some_of(range(1, count + 1), every=7):
        rig = make_rig(start_mm=0.4)
        rig.interrupt_at(number)
        outcome = rig.carry_out(rig.commands.initialize)
        assert_stopped_at_once(rig, outcome, 0)
        assert rig.status == FocuserStatus.Disabled
        if number % 10 == 0:
            rig.home()
            rig.assert_stands_at(0.0)


@pytest.mark.parametrize(("start_mm", "target_mm"), [(0.0, 0.8), (2.0, 1.6), (2.0, 1.9)])
def test_in_every_exchange_of_a_move(make_rig, some_of, start_mm, target_mm):
    def prepare(rig):
        rig.home()
        assert rig.move(start_mm) is None

    count = exchanges_of(make_rig, lambda rig: rig.move(target_mm), prepare)
    assert count > 10
    for number in some_of(range(1, count + 1), every=5):
        rig = make_rig(start_mm=0.4)
        prepare(rig)
        sent_before = len(rig.sent())
        rig.interrupt_at(number)
        outcome = rig.move(target_mm)
        assert_stopped_at_once(rig, outcome, sent_before)
        assert rig.sent()[-1] == "#P021 F $"
        snapshot = rig.commands.snapshot
        assert snapshot.state is State.IDLE
        assert snapshot.target_steps == snapshot.current_steps
        # It never leaks into the next move, and the next one takes up the backlash.
        assert rig.move(1.0) is None
        rig.assert_stands_at(1.0)
        assert rig.commands.snapshot.reason == ""


def test_between_any_two_bytes_of_a_reply(make_rig, some_of):
    for number in some_of(range(1, 1500, 23), every=5):
        rig = make_rig(start_mm=0.1, baud_pacing=True)
        rig.home()
        sent_before = len(rig.sent())
        rig.interrupt_at(number)
        assert_stopped_at_once(rig, rig.move(1.0), sent_before)
        assert rig.move(0.5) is None
        rig.assert_stands_at(0.5)


def test_a_stop_in_the_overshoot_leg_leaves_the_backlash_to_the_next_move(rig):
    rig.move(1.0)

    def stop_in_the_overshoot(number):
        leg = rig.commands.snapshot.leg
        if leg and leg.overshoot and rig.model.is_moving and rig.position_mm > 2.6:
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop_in_the_overshoot
    assert isinstance(rig.move(2.5), StoppedError)
    stood_mm = rig.position_mm
    assert stood_mm > 2.5
    before = len(rig.sent())
    # To where it stands: no zero-length move now, because the play is on the wrong side.
    assert rig.move(0.0, offset=True) is None
    assert len(rig.sent()) - before == 2
    rig.assert_stands_at(stood_mm)


def test_at_rest_a_stop_halts_all_the_same(rig):
    rig.move(1.0)
    assert rig.carry_out(rig.commands.halt_at_rest) is None
    assert rig.sent()[-1] == "#P021 F $"
    rig.assert_stands_at(1.0)


def test_without_a_link_a_stop_is_no_success(make_rig):
    rig = make_rig()
    assert isinstance(rig.carry_out(rig.commands.halt_at_rest), NotConnectedError)


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_a_halt_lost_on_the_wire_is_repeated(rig, lost):
    rig.interrupt_at(40)
    rig.model.fault("command_lost", to="P021", count=lost)
    assert isinstance(rig.move(5.0), StoppedError)
    assert rig.unhalted is None
    assert rig.position_mm < 3
    rig.assert_honest()
    assert rig.move(1.0) is None
    rig.assert_stands_at(1.0)


def test_while_the_daemon_connects_to_a_running_motor(make_rig):
    """A daemon that died left the motor running: the next one halts it before it touches the settings."""
    first = make_rig(start_mm=0.4)
    first.home()
    origin = first.model.register
    first.commands._session._controller._link.send(_go_to(origin - 30000))
    first.clock.sleep(1.0)
    assert first.model.is_moving
    first.kill_process()
    before = len(first.sent())
    first.home()
    assert first.sent()[before] == "#P021 F $"
    assert first.sent()[before + 1].startswith("#P132")
    first.assert_stands_at(0.0)


def _go_to(register):
    from rockit.focuser.ok3z.driver.protocol import go_to

    return go_to(register)


@pytest.mark.parametrize("stop_mode", ["hard", "soft"])
@pytest.mark.parametrize("lost", [1, 2])
def test_just_after_a_lost_reply_keeps_the_position(make_rig, some_of, stop_mode, lost):
    """The motor ran on while nobody heard it: that is no reason to home again."""
    cases = [(after, number) for after in range(4, 40, 5) for number in range(after, after + 30, 3)]
    for after, number in some_of(cases, every=7):
        rig = make_rig(start_mm=0.1, stop_mode=stop_mode)
        rig.home()
        rig.model.fault("lost", count=lost, after=after)
        rig.interrupt_at(number)
        assert isinstance(rig.move(3.0), StoppedError)
        assert rig.commands.snapshot.state is State.IDLE, (after, number, rig.commands.snapshot.reason)
        rig.assert_honest()


def test_a_shutdown_while_a_halt_is_unproven_does_not_let_go_of_a_running_motor(rig):
    rig.interrupt_at(40)
    rig.model.fault("command_lost", to="P021", count=0)
    rig.move(5.9)
    assert rig.commands.snapshot.state is State.STOPPING
    assert isinstance(rig.carry_out(rig.commands.shutdown), HaltFailedError)
    assert rig.model.is_moving
    assert rig.model.is_port_open
    rig.model.clear_faults()
    assert rig.carry_out(rig.commands.shutdown) is None
    assert not rig.model.is_moving
    assert not rig.model.is_port_open
