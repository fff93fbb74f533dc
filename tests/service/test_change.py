"""The count of what is new to readers, and when a motion ended."""

from __future__ import annotations

from rockit.focuser.ok3z.service.motion_log import Result


def test_the_count_grows_with_what_is_new_and_not_with_a_later_reading(rig):
    told = []
    rig.commands._publisher._changed = lambda: told.append(rig.commands.snapshot)
    resting = rig.commands.snapshot
    rig.rest(5.0)
    assert rig.commands.snapshot.read_at_s > resting.read_at_s
    assert rig.commands.snapshot.change == resting.change
    assert told == []
    rig.move(2.0)
    assert [snapshot.change for snapshot in told] == list(
        range(resting.change + 1, rig.commands.snapshot.change + 1)
    )
    assert told[-1] == rig.commands.snapshot


def test_a_move_of_no_length_to_another_target_is_new(rig):
    rig.move(2.0)
    before = rig.commands.snapshot.change
    rig.move(2.00001)
    assert rig.commands.snapshot.change == before + 1


def test_the_moment_when_a_motion_was_seen_standing_is_recorded(rig):
    rig.move(2.0)
    arrived = rig.commands.motions[-1]
    assert arrived.ended_s == rig.commands.snapshot.read_at_s
    rig.rest(10.0)
    rig.move(2.0)
    assert rig.commands.motions[-1] is arrived, "a move of no length is no motion"
    rig.interrupt_at(60)
    rig.move(4.0)
    assert rig.commands.motions[-1].ended_s > arrived.ended_s
    assert rig.commands.motions[-1].result is Result.SHORT


def test_a_motion_whose_end_nobody_saw_has_no_such_moment(rig):
    rig.lose_at(4.0, 2.0, "hang-up")
    assert rig.commands.motions[-1].result is Result.UNSEEN
    assert rig.commands.motions[-1].ended_s is None
