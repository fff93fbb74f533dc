"""What is kept for the next process, and when."""

from __future__ import annotations

from rockit.focuser.ok3z.errors import StoppedError


def test_it_is_kept_before_the_motor_starts_and_after_it_stands(rig):
    seen = []
    rig.keeper.at_write = lambda entry, durable: seen.append(
        (entry.way is not None, durable, rig.model.is_moving, rig.model.register)
    )
    start = rig.model.register
    assert rig.move(2.0) is None
    (sets_out, durable, moving, register), (under_way, _, still_moving, arrived_at) = seen
    assert (sets_out, durable, moving, register) == (True, True, False, start)
    assert (under_way, still_moving, arrived_at) == (False, False, rig.model.register)
    assert rig.keeper.kept.register == rig.model.register
    assert rig.keeper.kept.target_steps == 2 * 5088


def test_the_way_of_a_move_holds_its_overshoot(rig):
    start = rig.model.register
    ways = []
    rig.keeper.at_write = lambda entry, durable: ways.append(entry.way)
    assert rig.move(2.0) is None
    assert ways[0] == (start, start - round(2.5 * 5088), start - 2 * 5088)


def test_homing_forgets_before_it_starts(make_rig):
    rig = make_rig()
    seen = []
    rig.keeper.at_write = lambda entry, durable: seen.append(
        (entry.origin_register is None, durable, len(rig.sent()))
    )
    rig.home()
    assert seen[0] == (True, True, 0)
    assert seen[-1][0] is False


def test_a_move_of_no_length_and_rest_write_nothing(rig):
    assert rig.move(2.0) is None
    rig.keeper.written.clear()
    assert rig.move(2.0) is None
    rig.rest(60.0)
    assert rig.keeper.written == []


def test_a_lost_position_is_not_kept(rig):
    rig.by_hand = True
    rig.model.hand(0.5, register=True)
    rig.rest(2.0)
    assert rig.keeper.kept.origin_register is None
    assert rig.keeper.kept.homed_at is None


def test_a_stop_keeps_where_it_stands_and_the_last_good_target(rig):
    assert rig.move(2.0) is None
    rig.interrupt_at(60)
    assert isinstance(rig.move(4.0), StoppedError)
    assert rig.keeper.kept.way is None
    assert rig.keeper.kept.register == rig.model.register
    assert rig.keeper.kept.target_steps == 2 * 5088


def test_the_problem_of_the_keeper_is_published(rig):
    rig.keeper.problem = "the disk is full."
    assert rig.move(1.0) is None
    assert rig.commands.snapshot.state_file_problem == "the disk is full."
