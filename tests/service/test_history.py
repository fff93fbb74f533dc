"""What the history knows of a focuser, against what truly moved: `no` needs a proof, and each motion leaves a row."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.errors import StoppedError
from rockit.focuser.ok3z.service import history as history_module
from rockit.focuser.ok3z.service.history import Asker
from rockit.focuser.ok3z.service.moved import NO, UNKNOWN, YES
from rockit.focuser.ok3z.storage.history_file import HistoryFile
from tests.service.chronicle import Chronicle

EXPOSURE_S = 20.0


@pytest.fixture(name="told")
def fixture_told(make_rig, tmp_path):
    """A homed focuser at 2 mm, and its history."""
    chronicle = Chronicle(make_rig(start_mm=5.5, register=-90000), tmp_path)
    chronicle.rig.home()
    assert chronicle.rig.move(2.0) is None
    chronicle.rig.by_hand = True
    yield chronicle
    chronicle.close()


def expose(told, meanwhile=lambda: None, seconds=EXPOSURE_S):
    """Let an exposure begin and end with something in its middle; what is said of it."""
    begin_s = told.now_s
    told.rig.rest(seconds / 2)
    meanwhile()
    told.rig.rest(seconds / 2)
    end_s = told.now_s
    # What was read last is not older than the end.
    told.rig.rest(2.0)
    return told.judge(begin_s, end_s)


# No


def test_at_rest_it_has_not_moved(told):
    told.rig.rest(2.0)
    verdict = expose(told)
    assert (verdict.moved, verdict.motions) == (NO, ())
    assert verdict.reason == "it was read standing at 2.000 mm from before it to after it."


@pytest.mark.parametrize("what", ["a move to where it stands", "an initialize", "a question", "a stop"])
def test_what_moves_nothing_changes_nothing(told, what):
    commands = told.rig.commands
    act = {
        "a move to where it stands": lambda: told.rig.move(2.0),
        "an initialize": lambda: told.rig.carry_out(commands.initialize),
        "a question": lambda: told.rig.carry_out(commands.watch_rest),
        "a stop": lambda: told.rig.carry_out(commands.halt_at_rest),
    }[what]
    told.rig.rest(2.0)
    assert expose(told, act).moved == NO


def test_a_minute_old_night_is_still_known_to_the_next_process(told):
    told.rig.rest(2.0)
    begin_s = told.now_s
    told.rig.rest(300.0)
    told.kill()
    assert told.moved(begin_s, begin_s + 200.0) == NO
    # What a kill hides is no more than a minute.
    assert told.moved(begin_s, begin_s + 300.0) == UNKNOWN


# Yes


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        ("move", lambda rig: rig.move(2.5)),
        ("audit", lambda rig: rig.carry_out(rig.commands.audit)),
        ("hand", lambda rig: rig.model.hand(1.0, drive=True)),
        (
            "homing",
            lambda rig: [rig.carry_out(run) for run in (rig.commands.shutdown, rig.commands.initialize)],
        ),
    ],
)
def test_a_motion_is_told(told, kind, act):
    told.rig.history.asked(Asker("10.0.0.1", "pyro", "filter R", "audit" if kind == "audit" else ""))
    told.rig.rest(2.0)
    verdict = expose(told, lambda: act(told.rig), seconds=40.0)
    assert verdict.moved == YES
    assert verdict.motions[0].kind == kind
    assert verdict.motions[0].address == ("" if kind == "hand" else "10.0.0.1")


def test_a_move_has_its_whole_row(told):
    told.rig.history.asked(Asker("10.0.0.1", "pyro", "filter R", "a move"))
    begin_s = told.now_s
    assert told.rig.move(3.0) is None
    row = told.rows("move")[-1]
    assert begin_s <= row.begin.utc_s < row.end.utc_s <= told.now_s
    assert row.begin.boot_s - row.begin.utc_s == pytest.approx(row.end.boot_s - row.end.utc_s)
    assert (row.from_steps, row.target_steps, row.to_steps) == (10176, 15264, 15264)
    assert (row.legs, row.result, row.trust) == (2, "arrived", "homed")
    assert (row.address, row.door, row.why) == ("10.0.0.1", "pyro", "filter R")


def test_a_move_that_was_stopped_has_moved(told):
    told.rig.rest(2.0)
    begin_s = told.now_s
    told.rig.interrupt_at(60)
    assert isinstance(told.rig.move(4.0), StoppedError)
    row = told.rows("move")[-1]
    assert row.result == "short"
    assert told.moved(begin_s, told.now_s) == YES
    assert told.truly_moved(begin_s, told.now_s)


# Unknown


def test_a_time_that_is_not_over_is_not_known(told):
    told.rig.rest(5.0)
    verdict = told.judge(told.now_s - 2.0, told.now_s + 5.0)
    assert verdict.moved == UNKNOWN
    assert "later than the last reading" in verdict.reason
    assert told.moved(told.now_s, told.now_s - 1.0) == UNKNOWN


def test_before_all_that_is_known_nothing_is(told):
    assert told.moved(1e9, 1e9 + 60.0) == UNKNOWN


@pytest.mark.parametrize("how", ["hang-up", "silence"])
def test_without_a_link_nothing_is_known(told, how):
    def lose_and_give_back():
        told.rig.lose(how)
        told.rig.rest(10.0)
        told.rig.give_back(how)
        told.rig.rest(20.0)

    told.rig.rest(2.0)
    verdict = expose(told, lose_and_give_back)
    assert verdict.moved == UNKNOWN
    assert verdict.reason.startswith("there was no link from 2026-")
    gap = told.rows("gap")[-1]
    assert gap.end is not None
    assert gap.end.boot_s - gap.begin.boot_s > 5.0
    assert expose(told).moved == NO


def test_a_restart_makes_unknown(told):
    told.rig.rest(2.0)

    def restart():
        told.kill()
        told.rig.resume()

    verdict = expose(told, restart)
    assert verdict.moved == UNKNOWN
    assert verdict.reason.startswith("the daemon was started at 2026-")
    assert "had no end" in told.rows("start")[-1].sentence
    assert expose(told).moved == NO


@pytest.mark.parametrize("by_mm", [0.3, -0.3, 0.0003, 0.002])
def test_a_hand_at_the_register_is_never_no(told, by_mm):
    told.rig.rest(2.0)
    verdict = expose(told, lambda: told.by_hand(by_mm, register=True))
    assert verdict.moved != NO
    told.rig.rest(5.0)


def test_a_look_that_surprised_is_no_proof(told):
    """Somebody drove it away and back while the first answer was asked again."""
    surprised = 0
    for number in range(1, 10):
        told.rig.rest(2.0)
        begin_s, before = told.now_s, told.rig.commands._axis.surprises
        told.rig.clock.sleep(0.1)

        def away_and_back(_, number=number):
            told.by_hand(0.5, register=True)
            told.rig.do_at(number, lambda: told.by_hand(-0.5, register=True))

        told.rig.at_exchange = away_and_back
        told.rig.carry_out(told.rig.commands.watch_rest)
        told.rig.rest(5.0)
        assert told.truly_moved(begin_s, told.now_s)
        if told.rig.commands._axis is not None and told.rig.commands._axis.surprises > before:
            surprised += 1
            assert told.moved(begin_s, told.now_s - 2.0) != NO
        told.rig.home() if told.rig.commands.snapshot.current_steps is None else told.rig.move(2.0)
    assert surprised


def test_a_pause_in_which_nobody_looked_is_no_proof(told):
    told.rig.rest(2.0)
    # The process is held up for some seconds.
    assert expose(told, lambda: told.rig.clock.sleep(5.0)).moved == UNKNOWN


@pytest.mark.parametrize("step_s", [3600.0, 2.0, -2.0, -3600.0])
def test_a_clock_that_is_set_makes_unknown(told, step_s):
    told.rig.rest(2.0)

    def set_clock():
        told.rig.late_clock.set_s += step_s

    begin_s = told.now_s
    told.rig.rest(10.0)
    set_clock()
    told.rig.rest(10.0)
    by_either = sorted((begin_s, told.now_s, begin_s + step_s, told.now_s + step_s))
    assert told.moved(begin_s, told.now_s + step_s) == UNKNOWN
    assert told.moved(by_either[0], by_either[-1]) == UNKNOWN
    assert told.rows("clock")[0].sentence == f"the clock was set by {step_s:+.3f} s."


@pytest.mark.parametrize("step_s", [30.0, -30.0])
def test_by_whichever_clock_one_asks_a_motion_is_never_no(told, step_s):
    told.rig.rest(60.0)
    assert told.rig.move(2.3) is None
    told.rig.rest(60.0)
    told.rig.late_clock.set_s += step_s
    told.rig.rest(60.0)
    assert told.rig.move(2.0) is None
    told.rig.rest(120.0)
    motions = [(row.begin, row.end) for row in told.rows("move")[1:]]
    assert len(motions) == 2
    # The clock was wrong until it was set; or it is since then, and others go by the time before.
    for (begin, end), other_s in zip(motions, (step_s, -step_s)):
        for ahead_s in (0.0, other_s):
            assert told.moved(begin.utc_s + ahead_s, end.utc_s + ahead_s) != NO


def test_a_clock_that_was_set_between_two_processes_is_noticed(told):
    told.rig.rest(70.0)
    begin_s = told.now_s
    told.rig.late_clock.set_s -= 40.0
    told.kill()
    assert told.rows("clock")[0].begin.utc_s > told.rows("clock")[0].end.utc_s
    assert told.moved(begin_s - 30.0, begin_s - 20.0) == UNKNOWN


def test_a_disk_that_loses_rows_makes_unknown(told):
    told.rig.rest(2.0)
    begin_s = told.now_s

    def move_unnoticed():
        told.ledger.is_lost = True
        assert told.rig.move(2.5) is None
        told.ledger.is_lost = False

    assert expose(told, move_unnoticed).moved == UNKNOWN
    assert told.truly_moved(begin_s, told.now_s)
    assert expose(told).moved == NO


def test_a_motion_whose_end_the_disk_has_lost_is_over_when_it_stands(told):
    told.rig.rest(2.0)
    begin_s = told.now_s
    told.rig.do_at(60, lambda: setattr(told.ledger, "is_lost", True))
    assert told.rig.move(2.5) is None
    told.ledger.is_lost = False
    assert told.rows("move")[-1].end is None
    told.rig.rest(5.0)
    assert told.moved(begin_s, told.now_s - 2.0) == YES
    assert expose(told).moved == NO


def test_a_mistake_in_the_telling_costs_no_motion(told, monkeypatch):
    told.rig.rest(2.0)

    def fail(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(history_module.History, "_tick", fail)
        verdict = expose(told, lambda: told.rig.move(2.5))
    assert verdict.moved != NO
    told.rig.assert_stands_at(2.5)


def test_a_position_that_is_lost_is_told(told):
    told.rig.rest(2.0)
    verdict = expose(told, lambda: told.rig.model.power_cut(0.2))
    assert verdict.moved == UNKNOWN
    assert told.rows("lost")[-1].result == "position lost"


def test_the_file_of_a_daemon_is_no_motion_of_another(told, tmp_path):
    """In another boot of the machine the clock may have been behind, so that a time was there twice."""
    told.rig.rest(2.0)
    begin_s = told.now_s
    told.rig.rest(20.0)
    told.rig.history.ends()
    told.ledger.file.close()
    file = HistoryFile(told._path, "3.0", told.rig.history.moment().earlier(15.0), "another boot")
    told.ledger.file = file
    assert told.moved(begin_s + 1.0, begin_s + 3.0) == NO
    assert told.moved(begin_s + 8.0, begin_s + 12.0) == UNKNOWN
