"""A stop in the middle of an exchange: it ends the wait at once, and costs the questions after it little."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.driver.link import LINGER_S, OWED_REPLY_S, READ_SLICE_S
from rockit.focuser.ok3z.driver.protocol import HALT, IDENTIFY, MOTION_STATE, QUERIES, Query, Reply
from rockit.focuser.ok3z.errors import ReplyTimeoutError, StoppedError

MakeLine = Callable[..., Any]

every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.code)


def interrupted_after(calls: int) -> Callable[[], None]:
    """A checkpoint at which somebody presses stop."""
    left = iter(range(calls))

    def checkpoint() -> None:
        if next(left, None) is None:
            raise StoppedError("stopped by a test.")

    return checkpoint


def test_an_interruption_before_the_question_keeps_it_off_the_wire(make_line: MakeLine) -> None:
    line = make_line()
    with pytest.raises(StoppedError):
        line.ask(MOTION_STATE, interrupted_after(0))
    assert line.port.written == []


def test_an_interruption_ends_the_wait_within_a_read(make_line: MakeLine) -> None:
    line = make_line([None])
    began_s = line.port.clock.monotonic()
    with pytest.raises(StoppedError):
        line.ask(MOTION_STATE, interrupted_after(1))
    assert line.port.clock.monotonic() - began_s <= READ_SLICE_S + 1e-9


@every_query
@pytest.mark.parametrize("late_s", [0.03, 0.05, 0.1, 0.2, 0.24, 0.5])
@pytest.mark.parametrize("in_order", [True, False])
def test_the_reply_to_an_interrupted_question_never_answers_a_later_one(
    query: Query, late_s: float, in_order: bool, make_line: MakeLine
) -> None:
    for calls in range(1, 12):
        line = make_line([late_s], in_order)
        try:
            line.ask(query, interrupted_after(calls))
        except (StoppedError, ReplyTimeoutError):
            pass
        else:
            continue
        for _ in range(30):
            line.answers(query)


@every_query
@pytest.mark.parametrize("reply_s", [0.011, 0.03, 0.045])
def test_the_reply_to_an_interrupted_question_is_taken_and_nothing_lingers(
    query: Query, reply_s: float, make_line: MakeLine
) -> None:
    """A stop costs no detour: it is followed by the question itself, whose answer is believed at once."""
    line = make_line([reply_s])
    with pytest.raises(StoppedError):
        line.ask(query, interrupted_after(1))
    began_s = line.port.clock.monotonic()
    assert line.ask(query) == Reply(query.reply_code, line.port.last_question)
    assert line.port.written == [query.encode()] * 2
    assert line.port.clock.monotonic() - began_s <= reply_s + line.port.prompt_s + 1e-9


@every_query
def test_an_interrupted_question_whose_reply_never_comes_is_waited_for_shortly(
    query: Query, make_line: MakeLine
) -> None:
    line = make_line([None])
    with pytest.raises(StoppedError):
        line.ask(query, interrupted_after(1))
    began_s = line.port.clock.monotonic()
    assert line.answers(query)
    detour_s = READ_SLICE_S + 2 * line.port.prompt_s + 2 * LINGER_S
    assert line.port.clock.monotonic() - began_s <= OWED_REPLY_S + detour_s


def test_an_interruption_reaches_through_the_detours_after_a_timeout(make_line: MakeLine) -> None:
    for fates_so_far in ([None, None], [None, None, None, None]):
        for calls in range(1, 40):
            line = make_line(fates_so_far)
            for query in QUERIES[: len(fates_so_far) - 1]:
                with pytest.raises(ReplyTimeoutError):
                    line.ask(query)
            questions = len(line.port.written)
            began_s = line.port.clock.monotonic()
            try:
                line.ask(IDENTIFY, interrupted_after(calls))
            except StoppedError:
                assert line.port.clock.monotonic() - began_s <= calls * (READ_SLICE_S + 1e-9)
                assert len(line.port.written) - questions <= 2
            except ReplyTimeoutError:
                pass
            assert line.answers(IDENTIFY) or line.answers(IDENTIFY)


def test_a_command_goes_out_at_once_while_replies_are_outstanding(make_line: MakeLine) -> None:
    line = make_line([0.2])
    with pytest.raises(StoppedError):
        line.ask(MOTION_STATE, interrupted_after(2))
    line.link.send(HALT)
    assert line.port.written[-1] == HALT.encode()
