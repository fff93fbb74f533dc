"""Terms: several programs' corrections add up, and programs that know none see what they always saw."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import pytest

from rockit.focuser.ok3z.driver.planning import steps_from_mm
from rockit.focuser.ok3z.errors import (
    HeldError,
    InvalidArgumentError,
    NotConnectedError,
    OutsideLimitsError,
    StalledError,
    StoppedError,
)
from rockit.focuser.ok3z.service.terms import LONGEST_TTL_S, unwanted, wanted
from rockit.focuser.ok3z.storage.state_file import decode, encode
from rockit.focuser.ok3z.storage.term import MOST_TERMS
from tests.service.terms_bench import KilledError, TermsBench

FIRST_LIGHT = datetime(2026, 11, 22, 20, 0, 0, tzinfo=timezone.utc)


@pytest.fixture(name="bench")
def fixture_bench(make_rig):
    """A focuser that stands at 2 mm, which was asked for."""
    bench = TermsBench(make_rig())
    assert bench.initialize() is None
    assert bench.move(2.0) is None
    return bench


def stands(bench, position_mm):
    bench.rig.model.forget_extremes()
    steps = bench.focuser.snapshot.current_steps
    assert steps == pytest.approx(position_mm * 5088, abs=1.6)
    assert bench.rig.model.carriage_mm == pytest.approx(position_mm, abs=3 / 5088)


def test_corrections_of_several_programs_add_up_and_leave_alone(bench):
    assert bench.set("filter", 0.12, "camera") is None
    assert bench.set("temperature", -0.05, "weather") is None
    stands(bench, 2.07)
    assert (bench.base_mm, bench.target_mm) == (2.0, 2.07)
    assert bench.set("filter", 0.02, "camera") is None
    stands(bench, 1.97)
    assert bench.clear("temperature", "weather") is None
    assert bench.clear("filter", "camera") is None
    stands(bench, 2.0)
    assert bench.terms == {}


def test_an_unmodified_autofocus_and_a_sweep_see_what_they_always_saw(bench):
    """They ask for positions, step inward, jump, stay, and compare the text of what they asked for."""
    assert bench.set("filter", 0.12) is None
    asked = [2.2, 2.15, 2.1, 2.05, 2.0, 2.0, 2.075, 2.0875, 2.1]
    for position_mm in asked:
        assert bench.move(position_mm) is None
        assert bench.target_mm == position_mm
        stands(bench, position_mm)
        assert bench.base_mm == pytest.approx(position_mm - 0.12, abs=1e-6)
    assert bench.move(-0.05, offset=True) is None
    assert bench.target_mm == 2.05
    assert bench.terms == {"filter": 0.12}
    # What it found holds with the filter that it was found with; another one moves by the difference.
    assert bench.set("filter", 0.02) is None
    stands(bench, 1.95)


def test_an_owner_changes_no_others_term(bench):
    assert bench.set("filter", 0.12, "camera") is None
    for outcome in (bench.set("filter", 0.5, "weather"), bench.clear("filter", "weather")):
        assert isinstance(outcome, InvalidArgumentError)
        assert "the term filter is camera's" in str(outcome)
    stands(bench, 2.12)
    assert bench.clear("nothing", "weather") is None


def test_a_sum_outside_the_range_changes_nothing(bench):
    assert bench.set("filter", 0.12) is None
    rows = len(bench.ledger.of("term"))
    for name, mm in (("tilt", 3.9), ("tilt", -2.2), ("filter", 4.1)):
        assert isinstance(bench.set(name, mm), OutsideLimitsError)
    assert (bench.terms, bench.base_mm) == ({"filter": 0.12}, 2.0)
    stands(bench, 2.12)
    assert len(bench.ledger.of("term")) == rows


def test_there_are_no_more_than_so_many(bench):
    for number in range(MOST_TERMS):
        assert bench.set(f"t{number}", 0.0) is None
    assert isinstance(bench.set("one.more", 0.0), InvalidArgumentError)
    assert bench.set("t3", 0.1) is None


@pytest.mark.parametrize(
    "arguments",
    [
        *[(name, 0.1, "me") for name in ("", "x" * 41, "two words", "ä", 5, None, b"filter", "new\nline")],
        *[("filter", 0.1, owner) for owner in ("", "a b", None)],
        *[("filter", mm, "me") for mm in ("0.1", None, True)],
        *[
            ("filter", 0.1, "me", ttl_s)
            for ttl_s in (0, -1, LONGEST_TTL_S + 1, math.nan, math.inf, True, "1h")
        ],
    ],
)
def test_what_is_no_term_is_refused(arguments):
    with pytest.raises(InvalidArgumentError):
        wanted(*arguments)


def test_what_is_no_position_is_outside_the_range():
    for mm in (math.nan, math.inf, -math.inf, 9.1, 10**400):
        with pytest.raises(OutsideLimitsError):
            wanted("filter", "me", mm)
    with pytest.raises(InvalidArgumentError):
        unwanted("filter", "")


def test_a_focuser_that_is_not_connected_has_no_base_and_takes_no_term(make_rig):
    bench = TermsBench(make_rig())
    assert isinstance(bench.set("filter", 0.12), NotConnectedError)
    assert bench.base_mm is None
    # At 0 mm the base is what the terms leave over, as everywhere.
    assert bench.initialize() is None
    assert bench.set("filter", 0.12) is None
    assert bench.base_mm == 0.0
    assert bench.run(bench.focuser.begin_shutdown) is None
    assert bench.base_mm is None
    assert bench.initialize() is None
    assert (bench.base_mm, bench.terms) == (-0.12, {"filter": 0.12})


# Stops, failures, kills


def test_a_stop_ends_a_terms_move_and_the_same_call_again_goes_to_the_right_sum(bench):
    bench.stop_at(40)
    assert isinstance(bench.set("filter", 0.12), StoppedError)
    assert (bench.terms, bench.base_mm) == ({}, 2.0)
    assert 2.0 < bench.target_mm < 2.7
    assert bench.set("filter", 0.12) is None
    stands(bench, 2.12)


def test_after_a_stop_a_position_that_is_asked_for_is_the_sum(bench):
    assert bench.set("filter", 0.12) is None
    bench.stop_at(40)
    assert isinstance(bench.move(3.0), StoppedError)
    assert bench.base_mm == pytest.approx(bench.target_mm - 0.12, abs=1e-6)
    assert bench.terms == {"filter": 0.12}


def test_a_motor_that_does_not_run_sets_no_term(bench):
    bench.rig.model.motor("frozen")
    assert bench.set("filter", 0.12) is not None
    assert (bench.terms, bench.base_mm) == ({}, 2.0)
    bench.rig.model.motor("works")
    assert bench.set("filter", 0.12) is None
    stands(bench, 2.12)


def test_a_kill_at_any_point_leaves_what_is_true_of_the_focuser(make_rig):
    """Until it is answered the term is not set, and the same call again goes to the right sum."""
    number = 0
    finished = False
    while not finished:
        number += 7
        bench = TermsBench(make_rig())
        assert bench.initialize() is None
        assert bench.move(2.0) is None
        assert bench.set("tilt", 0.05) is None
        bench.kill_at(number)
        try:
            assert bench.set("filter", 0.12) is None
            finished = True
        except KilledError:
            bench.at_checkpoint = lambda number: None
            bench.restart()
            assert bench.terms == {"tilt": 0.05}
            assert bench.initialize(resume=True) is None
            if bench.focuser.snapshot.confidence.trust.value == "homed":
                assert bench.base_mm == -0.05
                continue
            assert bench.base_mm == 2.0
            assert bench.set("filter", 0.12) is None
        stands(bench, 2.17)
        assert bench.keeper.kept.terms == bench.focuser.terms()
    assert number > 20


def test_a_kill_at_a_writing_leaves_the_term_with_its_target_or_neither(bench):
    for dies_at in (1, 2):
        before = bench.keeper.kept
        writings = []

        def die(entry, durable, dies_at=dies_at, writings=writings):
            writings.append((entry, durable))
            if len(writings) == dies_at:
                raise KilledError

        bench.keeper.at_write = die
        with pytest.raises(KilledError):
            bench.set("filter", 0.12)
        bench.keeper.at_write = lambda entry, durable: None
        kept = bench.keeper.kept
        assert (kept.terms, kept.base_mm, kept.target_mm) == ((), 2.0, 2.0)
        assert kept.way is None if dies_at == 1 else kept.way is not None
        assert before.terms == ()
        bench.restart()
        assert bench.initialize(resume=True) is None
        assert bench.base_mm == 2.0
    # The last one has both, and is on the disk before anybody hears of it.
    seen = []
    bench.keeper.at_write = lambda entry, durable: seen.append((entry, durable))
    assert bench.set("filter", 0.12) is None
    entry, durable = seen[-1]
    assert (entry.target_mm, [term.name for term in entry.terms], durable) == (2.12, ["filter"], True)
    bench.restart()
    assert bench.initialize(resume=True) is None
    assert (bench.base_mm, bench.target_mm, bench.terms) == (2.0, 2.12, {"filter": 0.12})


def test_terms_are_read_as_they_were_written(bench):
    assert bench.set("filter", 0.12, ttl_s=60.0) is None
    entry = bench.keeper.kept
    assert decode(encode(entry, "night", FIRST_LIGHT), "night") == (entry, FIRST_LIGHT)


# Time and holds


def test_a_term_that_is_over_waits_for_the_holds_and_moves_once(bench):
    assert bench.set("filter", 0.12, ttl_s=60.0) is None
    assert bench.set("tilt", 0.05, ttl_s=50.0) is None
    token = bench.focuser.hold("cam1", 600)
    assert isinstance(bench.set("other", 0.01), HeldError)
    bench.rest(100.0)
    stands(bench, 2.17)
    assert set(bench.terms) == {"filter", "tilt"}
    moves = len(bench.ledger.of("move"))
    bench.focuser.release(token)
    for _ in range(3):
        bench.rest(1.0)
    stands(bench, 2.0)
    assert (bench.terms, bench.base_mm) == ({}, 2.0)
    last = bench.ledger.of("move")[moves:]
    assert [(row.why, row.address) for row in last] == [("the end of a term", "")]
    assert [row.why for row in bench.ledger.of("term") if row.result == "ended"] == [
        "term filter ended",
        "term tilt ended",
    ]


def test_a_stop_of_the_end_of_a_term_is_not_overruled(bench):
    assert bench.set("filter", 0.5, ttl_s=60.0) is None
    bench.stop_at(30)
    bench.rest(100.0)
    here_mm = bench.target_mm
    assert 2.0 < here_mm < 2.6
    for _ in range(3):
        bench.rest(30.0)
    assert bench.target_mm == here_mm
    assert (bench.terms, bench.base_mm) == ({}, 2.0)


def test_after_a_stop_or_a_failure_no_end_of_a_term_moves_it(bench):
    def in_a_move():
        bench.stop_at(60)
        assert isinstance(bench.move(4.5), StoppedError)
        bench.at_checkpoint = lambda number: None

    def at_rest():
        stop = bench.focuser.begin_stop("somebody")
        bench.focuser._turn()
        assert stop.done()

    def by_a_stall():
        bench.rig.model.motor("frozen")
        assert isinstance(bench.move(4.5), StalledError)
        bench.rig.model.motor("works")

    for ends in (in_a_move, at_rest, by_a_stall):
        assert bench.move(2.0) is None
        assert bench.set("filter", 0.5, ttl_s=60.0) is None
        bench.rig.clock.sleep(59.5 if ends is not at_rest else 61.0)
        ends()
        here_mm = bench.target_mm
        for _ in range(3):
            bench.rest(30.0)
        assert (bench.target_mm, bench.terms) == (here_mm, {}), ends.__name__


def test_a_position_that_is_asked_for_takes_up_what_is_over(bench):
    assert bench.set("filter", 0.12, ttl_s=60.0) is None
    bench.rig.clock.sleep(100.0)
    assert bench.move(3.0) is None
    bench.rest(1.0)
    assert (bench.terms, bench.base_mm, bench.target_mm) == ({}, 3.0, 3.0)


def test_a_term_lasts_over_a_restart_for_what_is_left_of_it_whatever_the_clock_is_set_to(bench):
    assert bench.set("filter", 0.12, ttl_s=600.0) is None
    bench.rig.late_clock.set_s = 86400.0
    bench.rest(100.0)
    assert bench.terms == {"filter": 0.12}
    bench.rig.late_clock.set_s = -86400.0
    bench.restart()
    assert bench.initialize(resume=True) is None
    bench.rest(1.0)
    bench.rest(500.0)
    assert bench.terms == {"filter": 0.12}
    bench.rest(200.0)
    bench.rest(1.0)
    assert bench.terms == {}
    stands(bench, 2.0)


def test_a_term_that_cannot_be_taken_back_is_taken_up_by_the_base(bench):
    assert bench.set("filter", 0.5, ttl_s=60.0) is None
    assert bench.move(0.2) is None
    bench.rest(100.0)
    bench.rest(1.0)
    assert (bench.terms, bench.base_mm, bench.target_mm) == ({}, 0.2, 0.2)
    stands(bench, 0.2)


def test_a_hand_at_the_controller_is_taken_up_by_the_base(bench):
    assert bench.set("filter", 0.12) is None
    bench.rig.model.hand(1.2, drive=True)
    for _ in range(20):
        bench.rest(1.0)
    here_mm = bench.target_mm
    assert here_mm == pytest.approx(3.32, abs=0.001)
    assert bench.base_mm == pytest.approx(here_mm - 0.12, abs=1e-6)
    assert bench.keeper.kept.base_mm is None
    # It has moved, and nobody's programs asked for it.
    assert bench.focuser.history.left_alone_s() < 20.0


def test_each_change_is_a_row_with_who_asked(bench):
    assert bench.set("filter", 0.12, "camera") is None
    assert bench.clear("filter", "camera") is None
    told = [(row.result, row.why) for row in bench.ledger.of("term")]
    assert told == [
        ("set", "term filter +0.120 mm, of camera"),
        ("cleared", "term filter cleared, of camera"),
    ]
    assert [row.why for row in bench.ledger.of("move")[-2:]] == [why for _, why in told]
    assert steps_from_mm(2.12) == bench.ledger.of("move")[-2].target_steps
