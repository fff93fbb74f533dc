"""Readings that are one round trip: when they are, when they are no more, and that neither costs a position."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.driver.controller import PAIRS_TO_AGREE
from rockit.focuser.ok3z.errors import StoppedError

MakeRig = Callable[..., Any]
FAULTS: dict[str, dict[str, Any]] = {
    "lost": {},
    "late": {"seconds": 0.3},
    "much too late": {"kind": "late", "seconds": 1.1},
    "overtaken": {"kind": "late", "seconds": 0.3, "order": "out"},
    "cut": {},
    "garbled": {},
    "spoilt": {"kind": "garbled", "clean": True},
    "merged": {},
    "doubled": {},
    "noise": {},
    "command_lost": {},
}


def questions(rig: Any, since_s: float = 0.0) -> list[str]:
    return [
        data.decode()[1:5]
        for at_s, data in rig.model.journal
        if at_s >= since_s and data.rstrip().endswith(b" F$")
    ]


def at_rest_at(rig: Any, position_mm: float) -> None:
    rig.assert_stands_at(position_mm)
    rig.rest(3)
    rig.assert_stands_at(position_mm)


def idle(rig: Any) -> None:
    for _ in range(2):
        assert rig.status == FocuserStatus.Idle, rig.commands.snapshot.reason
        rig.assert_honest()
        rig.rest(3)


def test_a_reading_is_one_round_trip_when_so_many_at_rest_agreed(make_rig: MakeRig) -> None:
    rig = make_rig(baud_pacing=True)
    rig.home()
    assert not rig.asks_both
    for _ in range(PAIRS_TO_AGREE):
        assert not rig.asks_both
        assert rig.commands.rest_s(1.0) == 0.0
        begun_s = rig.clock.monotonic()
        assert rig.carry_out(rig.commands.watch_rest) is None
        assert questions(rig, begun_s) == ["S001", "P081"] * 2
    assert rig.asks_both
    assert rig.commands.rest_s(1.0) == 1.0
    begun_s = rig.clock.monotonic()
    assert rig.carry_out(rig.commands.watch_rest) is None
    assert questions(rig, begun_s) == ["S001", "P081"]
    # 18 bytes of questions, of which the first 9 come before the 28 of the answers.
    assert rig.clock.monotonic() - begun_s < 40 * 10 / 38400


def test_a_move_needs_no_more_time_on_the_line_than_its_round_trips(make_rig: MakeRig) -> None:
    took_s = []
    for paired in (False, True):
        rig = make_rig(baud_pacing=True, usb_latency_ms=16, paired=paired)
        rig.home()
        assert rig.move(1.0) is None
        begun_s = rig.clock.monotonic()
        assert rig.move(0.9) is None
        took_s.append(rig.clock.monotonic() - begun_s)
        at_rest_at(rig, 0.9)
    assert took_s[1] < took_s[0] - 0.035


@pytest.mark.parametrize("two_questions", ["first", "last", "swapped"])
def test_a_controller_that_cannot_take_both_is_asked_one_at_a_time(
    make_rig: MakeRig, two_questions: str
) -> None:
    rig = make_rig(baud_pacing=True, two_questions=two_questions)
    rig.home()
    rig.rest(5)
    assert not rig.asks_both
    assert rig.commands.rest_s(1.0) == 1.0
    for position_mm in (1.0, 0.5, 2.0):
        assert rig.move(position_mm) is None
        at_rest_at(rig, position_mm)
    rig.interrupt_at(60)
    assert isinstance(rig.move(0.5), StoppedError)
    idle(rig)
    assert "fault" not in str(rig.announced)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("query", ["S001", "P081"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_any_doubt_in_a_move_ends_it_for_this_link_and_costs_no_position(
    make_rig: MakeRig, name: str, query: str, after: int
) -> None:
    rig = make_rig(baud_pacing=True, paired=True)
    rig.home()
    assert rig.move(1.0) is None
    assert rig.asks_both
    rig.model.fault(**{"kind": name, "to": query, "after": after, **FAULTS[name]})
    assert rig.move(0.6) is None
    at_rest_at(rig, 0.6)
    # A state may be said with any letters, and nobody sees that one of them is wrong.
    assert not rig.asks_both or name in ("garbled", "spoilt")
    assert rig.move(0.9) is None
    at_rest_at(rig, 0.9)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("query", ["S001", "P081"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_any_doubt_in_a_stop_leaves_it_a_stop(make_rig: MakeRig, name: str, query: str, after: int) -> None:
    rig = make_rig(baud_pacing=True, paired=True)
    rig.home()
    assert rig.move(1.0) is None

    def stop(number: int) -> None:
        if rig.model.motor_mm > 1.3:
            rig.model.fault(**{"kind": name, "to": query, "after": after, **FAULTS[name]})
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.move(3.0), StoppedError)
    idle(rig)
    assert rig.move(0.9) is None
    at_rest_at(rig, 0.9)


@pytest.mark.parametrize("number", range(1, 60, 3))
def test_a_stop_is_the_next_thing_on_the_wire_whatever_is_under_way(make_rig: MakeRig, number: int) -> None:
    rig = make_rig(baud_pacing=True, paired=True)
    rig.home()
    assert rig.move(1.0) is None
    stopped_s: list[float] = []
    first = rig.exchanges + number

    def stop(exchange: int) -> None:
        if exchange >= first:
            stopped_s.append(rig.clock.monotonic())
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.move(0.5), StoppedError)
    halts_s = [at_s for at_s, data in rig.model.journal if data.startswith(b"#P021") and at_s >= stopped_s[0]]
    # At most both questions are ahead of it on the line.
    assert halts_s[0] - stopped_s[0] <= (18 + 11) * 10 / 38400 + 1e-6
    idle(rig)
    assert rig.asks_both


def test_after_a_doubt_a_new_link_is_tried_anew(make_rig: MakeRig) -> None:
    rig = make_rig(baud_pacing=True, paired=True)
    rig.home()
    rig.model.fault("lost", to="P081")
    rig.rest(5)
    assert not rig.asks_both
    rig.lose("hang-up")
    rig.rest(5)
    rig.give_back("hang-up")
    rig.rest(10)
    assert rig.asks_both
    at_rest_at(rig, 0.0)


def test_a_doubt_at_rest_before_it_is_relied_on_ends_it(make_rig: MakeRig) -> None:
    rig = make_rig(baud_pacing=True)
    rig.home()
    rig.model.fault("doubled", to="P081", after=2 * PAIRS_TO_AGREE - 3)
    rig.rest(5)
    assert not rig.asks_both
    at_rest_at(rig, 0.0)


@pytest.mark.parametrize("how", ["hang-up", "silence"])
def test_a_dead_link_shows_as_soon(make_rig: MakeRig, how: str) -> None:
    rig = make_rig(baud_pacing=True, paired=True)
    rig.home()
    rig.rest(2)
    rig.lose(how)
    rig.rest(3)
    assert rig.commands.is_reconnecting


@pytest.mark.parametrize("reply_delay_s", [0.1, 0.3, 0.7])
def test_a_stop_among_slow_answers_waits_for_those_it_cut_off_and_for_two_readings(
    make_rig: MakeRig, reply_delay_s: float
) -> None:
    rig = make_rig(baud_pacing=True, reply_delay_s=reply_delay_s, paired=True)
    rig.home()
    begun_s: list[float] = []
    first = rig.exchanges + 4

    def stop(exchange: int) -> None:
        if exchange >= first:
            begun_s.append(rig.clock.monotonic())
            raise StoppedError("stopped by the test.")

    rig.at_exchange = stop
    assert isinstance(rig.move(2.0), StoppedError)
    assert rig.clock.monotonic() - begun_s[0] < 3.3 * reply_delay_s
    idle(rig)
    assert rig.asks_both
