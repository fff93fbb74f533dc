"""The audit: how many steps were lost since the last homing, counted only where the whole run was watched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rockit.focuser.ok3z.errors import LinkLostError, StoppedError
from rockit.focuser.ok3z.service.status import State, Trust

# From the look at rest to the proof of standstill, behind which the homing run is commanded.
EXCHANGES_BEFORE_THE_RUN = range(1, 9)


@pytest.mark.parametrize("lost_steps", [0, 120, -80])
def test_an_audit_finds_the_steps_that_were_lost_and_returns(rig, lost_steps):
    assert rig.move(2.0) is None
    rig.model.lose_steps(lost_steps)
    since = rig.confidence.homed_at
    assert rig.carry_out(rig.commands.audit) is None
    found = rig.commands.snapshot.audit
    assert found.lost_steps == pytest.approx(lost_steps, abs=2)
    assert found.since == since
    assert found.at == rig.confidence.homed_at > since
    assert rig.confidence.trust is Trust.HOMED
    rig.assert_stands_at(2.0)


@pytest.mark.matrix
def test_a_stop_in_an_audit_leaves_the_position_unknown_or_true(rig):
    for number in range(5, 400, 23):
        assert rig.move(2.0) is None
        rig.interrupt_at(number)
        ended = rig.carry_out(rig.commands.audit)
        rig.assert_honest()
        assert not rig.model.is_moving
        if ended is None:
            break
        if rig.commands.snapshot.state is State.UNHOMED:
            assert rig.keeper.kept.origin_register is None
            rig.home()
    rig.assert_honest()


def left_at_2_mm(rig):
    assert rig.move(2.0) is None
    return rig.confidence, rig.keeper.kept, len(rig.sent())


@pytest.mark.matrix
@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("number", EXCHANGES_BEFORE_THE_RUN)
def test_an_audit_that_is_stopped_before_it_runs_leaves_all_as_it_was(rig, number, resumed):
    confidence, kept, sent = left_at_2_mm(rig)
    if resumed:
        rig.restart()
        rig.resume()
        # What is sent again without harm is sent here already.
        assert rig.move(1.0) is None
        confidence, kept, sent = left_at_2_mm(rig)
        assert confidence.trust is Trust.RESUMED
    rig.interrupt_at(number)
    assert isinstance(rig.carry_out(rig.commands.audit), StoppedError)
    if len(rig.sent()) > sent + 1:
        # Its settings were sent, and a motor that is released may slip.
        assert rig.commands.snapshot.state is State.UNHOMED
        return
    assert rig.sent()[sent:] == ["#P021 F $"]
    assert rig.confidence == confidence
    assert rig.keeper.kept == replace(kept, homings=rig.homings)
    assert rig.commands.snapshot.audit is None
    rig.assert_stands_at(2.0)


def test_an_audit_whose_run_was_commanded_gives_the_position_up(rig):
    _, _, sent = left_at_2_mm(rig)

    def stop(exchange):
        if any(frame.startswith("#P103") for frame in rig.sent()[sent:]):
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.carry_out(rig.commands.audit), StoppedError)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.confidence.trust is Trust.UNKNOWN
    assert rig.keeper.kept.origin_register is None


def test_an_audit_whose_link_is_lost_before_it_runs_costs_no_position(rig):
    confidence, _, sent = left_at_2_mm(rig)
    rig.do_at(4, rig.model.hang_up)
    assert isinstance(rig.carry_out(rig.commands.audit), LinkLostError)
    rig.model.come_back()
    rig.rest(20.0)
    assert not any(frame.startswith("#P103") for frame in rig.sent()[sent:])
    rig.assert_stands_at(2.0)
    assert rig.confidence.trust is Trust.RESUMED
    assert rig.confidence.homed_at == confidence.homed_at


def test_an_audit_that_finds_the_focuser_moved_before_it_runs_believes_nothing_of_before(rig):
    left_at_2_mm(rig)
    rig.by_hand = True

    def move_it(entry, durable):
        rig.keeper.at_write = lambda entry, durable: None
        rig.model.hand(0.5, register=True)

    rig.keeper.at_write = move_it
    rig.carry_out(rig.commands.audit)
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.confidence.trust is Trust.UNKNOWN
    assert all(entry.origin_register is None for entry, _ in rig.keeper.written[-2:])


@pytest.mark.one_in(5)
@pytest.mark.parametrize("cut", [False, True], ids=["by hand", "power cut"])
@pytest.mark.parametrize("moved_at", range(1, 10))
@pytest.mark.parametrize("stopped_after", range(3))
def test_an_audit_that_is_stopped_when_the_focuser_has_been_moved_keeps_no_false_position(
    rig, moved_at, stopped_after, cut
):
    left_at_2_mm(rig)
    rig.by_hand = True

    def disturb(number):
        if number == moved_at:
            rig.model.power_cut(0.0) if cut else rig.model.hand(0.5, register=True)
        if number == moved_at + stopped_after:
            raise StoppedError("stopped by the test.")

    rig.exchanges = 0
    rig.at_exchange = disturb
    assert isinstance(rig.carry_out(rig.commands.audit), StoppedError)
    rig.at_exchange = lambda number: None
    assert rig.commands.snapshot.state is State.UNHOMED
    assert rig.confidence.trust is Trust.UNKNOWN
    assert rig.keeper.kept.origin_register is None


def assert_counted_nothing_false(rig, ended) -> None:
    rig.assert_honest()
    if ended is None:
        assert rig.commands.snapshot.audit.lost_steps in (None, 0, 1, -1)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("exchange", [*range(2, 12), *range(12, 130, 9)])
def test_an_audit_that_did_not_see_the_whole_run_counts_nothing(rig, exchange):
    """A power cut in the homing run begins the register anew: two registers then say nothing of lost steps."""
    assert rig.move(4.0) is None
    rig.do_at(exchange, rig.model.power_cut)
    assert_counted_nothing_false(rig, rig.carry_out(rig.commands.audit))


def test_a_power_cut_while_the_disk_notes_the_audit_counts_nothing_false(rig):
    assert rig.move(4.0) is None

    def cut(entry, durable):
        rig.keeper.at_write = lambda entry, durable: None
        rig.model.power_cut()

    rig.keeper.at_write = cut
    assert_counted_nothing_false(rig, rig.carry_out(rig.commands.audit))


def test_an_audit_needs_a_position(make_rig):
    rig = make_rig()
    assert rig.carry_out(rig.commands.audit).code == "not_connected"


def test_an_audit_after_a_power_cut_that_no_register_shows_sends_the_settings_first(make_rig):
    rig = make_rig(register=5000)
    rig.home()
    assert rig.move(rig.model.register / 5088, exact=True) is None
    assert rig.model.register == 0
    rig.model.power_cut(0.0)
    assert rig.model.state()["microstep_mode"] is None
    assert rig.carry_out(rig.commands.audit) is None
    assert rig.model.state()["microstep_mode"] == 3
    rig.assert_honest()
