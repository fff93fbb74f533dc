"""What the service counts, against the virtual controller: each number grows if the thing happens, and only then."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.driver.registers import STEPS_PER_MM
from rockit.focuser.ok3z.errors import NoProgressError, StoppedError
from rockit.focuser.ok3z.service.motion_log import Result
from rockit.focuser.ok3z.service.status import State


def test_a_quiet_focuser_has_moves_travel_and_replies_and_nothing_else(make_rig):
    rig = make_rig(baud_pacing=True)
    rig.home()
    counters = rig.commands.counters
    replies = sum(counters.wire.reply_s.counts)
    assert rig.move(2.0) is None
    assert rig.move(1.0) is None
    assert counters.moves[Result.ARRIVED] == 2
    assert sum(counters.moves.values()) == 2
    assert counters.homings[Result.ARRIVED] == 1
    # Out past the target by the backlash and in by as much, and in by 1 mm.
    assert counters.travelled_steps == pytest.approx((2.5 + 0.5 + 1.0) * STEPS_PER_MM, rel=0.01)
    assert sum(counters.wire.reply_s.counts) > replies + 20
    assert counters.wire.reply_s.counts[-1] == 0
    assert sum(counters.wire.surprises.values()) == 0
    assert counters.link_losses == 0
    assert counters.homing_scatter_steps == 0
    # What the wire adds to a move: far less than what the motor takes.
    assert 0 < counters.overhead_s.sum < 0.2
    assert counters.move_s.sum > 8


def test_a_lost_link_counts_once_however_often_it_is_tried_again(rig):
    assert rig.move(2.0) is None
    rig.lose("hang-up")
    rig.rest(60.0)
    assert rig.commands.snapshot.state is State.RECONNECTING
    assert rig.commands.counters.link_losses == 1
    rig.give_back("hang-up")
    rig.rest(15.0)
    rig.lose("hang-up")
    rig.rest(5.0)
    assert rig.commands.counters.link_losses == 2


def test_what_is_not_believed_at_once_counts_by_kind(rig):
    counters = rig.commands.counters
    rig.model.fault("lost", count=1)
    rig.rest(3.0)
    assert counters.wire.surprises["line"] >= 1
    assert not counters.wire.surprises["astray"]
    rig.model.fault("power_cut", to="P081", after=20, seconds=0.0)
    assert rig.move(5.0) is not None
    assert counters.wire.surprises["astray"] + counters.wire.surprises["back"] >= 1
    assert counters.moves[Result.FAILED] == 1


def test_a_move_that_somebody_stopped_counts_apart_from_one_that_a_fault_ended(rig):
    counters = rig.commands.counters
    rig.interrupt_at(20)
    assert isinstance(rig.move(2.0), StoppedError)
    assert (counters.moves[Result.STOPPED], counters.moves[Result.SHORT]) == (1, 0)
    # Both are short in the record.
    assert rig.commands.motions[-1].result is Result.SHORT
    rig.model.motor("frozen")
    assert isinstance(rig.move(3.0), NoProgressError)
    assert (counters.moves[Result.STOPPED], counters.moves[Result.SHORT]) == (1, 1)
    assert sum(counters.moves.values()) == 2


def test_a_switch_that_repeats_badly_shows_in_the_scatter(make_rig):
    rig = make_rig(switch_scatter_steps=60)
    rig.home()
    assert 0 < rig.commands.counters.homing_scatter_steps <= 60
