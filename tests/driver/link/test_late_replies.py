"""After a question without an answer: a late reply answers no later question, and the link soon answers again."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.link import LATE_REPLY_S
from rockit.focuser.ok3z.driver.protocol import (
    IDENTIFY,
    MOTION_STATE,
    POSITION_REGISTER,
    QUERIES,
    Query,
    Reply,
)
from rockit.focuser.ok3z.errors import ReplyTimeoutError

MakeLine = Callable[..., Any]
Fates = list[Optional[float]]

every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.code)


@every_query
@pytest.mark.parametrize("late_s", [0.28, 0.3, 0.4, 0.6, 1.0, 1.9])
@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("pause_s", [0.0, 0.02, 0.3, 0.7])
def test_a_late_reply_never_answers_a_later_question(
    query: Query, late_s: float, in_order: bool, pause_s: float, make_line: MakeLine
) -> None:
    line = make_line([late_s], in_order)
    with pytest.raises(ReplyTimeoutError):
        line.ask(query)
    for _ in range(60):
        line.port.clock.sleep(pause_s)
        line.answers(query)


prompt = st.floats(0.005, 0.03)
lost: st.SearchStrategy[Fates] = st.lists(st.one_of(prompt, st.none()), max_size=12)
# On a line that keeps order all others wait behind the late one.
late: st.SearchStrategy[Fates] = st.tuples(st.lists(prompt, max_size=8), st.floats(0.25, 1.75)).map(
    lambda prompt_and_late: [*prompt_and_late[0], prompt_and_late[1]]
)


@given(lost | late, st.lists(st.sampled_from(QUERIES), min_size=3, max_size=20))
def test_on_a_line_that_keeps_order_no_late_reply_answers_whatever_else_is_late(
    make_line: MakeLine, all_fates: Fates, questions: list[Query]
) -> None:
    line = make_line(all_fates)
    for query in questions:
        line.answers(query)


@given(
    st.lists(st.none() | st.floats(0.005, 0.03), max_size=30), st.lists(st.sampled_from(QUERIES), max_size=30)
)
def test_after_lost_replies_the_link_soon_answers_again(
    make_line: MakeLine, all_fates: Fates, questions: list[Query]
) -> None:
    line = make_line(all_fates)
    for query in questions:
        line.answers(query)
    line.port.lose_no_more()
    while not line.answers(POSITION_REGISTER):
        assert len(line.port.written) < 100
    assert line.answers(MOTION_STATE)
    assert line.answers(IDENTIFY)


@every_query
def test_after_a_timeout_another_question_goes_first_and_its_answer_shows_the_way(
    query: Query, make_line: MakeLine
) -> None:
    line = make_line([None])
    with pytest.raises(ReplyTimeoutError):
        line.ask(query)
    assert line.ask(query).argument == "2"
    assert [question == query.encode() for question in line.port.written] == [True, False, True]
    assert line.ask(query).argument == "3"


def test_an_answer_that_shows_the_way_does_so_for_all_questions(make_line: MakeLine) -> None:
    line = make_line([None, None])
    for query in (MOTION_STATE, POSITION_REGISTER):
        with pytest.raises(ReplyTimeoutError):
            line.ask(query)
    for query in (MOTION_STATE, POSITION_REGISTER):
        assert line.answers(query)
    asked = [IDENTIFY, MOTION_STATE, POSITION_REGISTER]
    assert line.port.written[2:] == [query.encode() for query in asked]


def test_with_every_question_abandoned_the_late_replies_are_waited_out(make_line: MakeLine) -> None:
    line = make_line([0.3, 0.3, 0.3])
    for query in QUERIES:
        with pytest.raises(ReplyTimeoutError):
            line.ask(query)
    assert len(line.port.written) == 3
    assert line.ask(POSITION_REGISTER).argument == "3"
    assert len(line.port.written) == 4


@pytest.mark.parametrize("apart_s", [0.0, 0.005])
@pytest.mark.parametrize("late_first", [True, False])
def test_two_replies_that_differ_shortly_after_a_timeout_are_both_refused(
    apart_s: float, late_first: bool, make_line: MakeLine
) -> None:
    """Together in one read, or one after the other: which of them is late cannot be told."""
    line = make_line([None], in_order=False)
    with pytest.raises(ReplyTimeoutError):
        line.ask(MOTION_STATE)
    # Another question takes the lead and is answered promptly; then this one is asked again.
    answered_s = 2 * line.port.prompt_s
    line.port.let_come(b"#S004 F 0$\n", answered_s - apart_s if late_first else answered_s + apart_s)
    with pytest.raises(ReplyTimeoutError, match="two different replies came for the motion state"):
        line.ask(MOTION_STATE)
    line.port.clock.sleep(LATE_REPLY_S)
    assert line.answers(MOTION_STATE)


def test_a_line_that_stalls_and_then_gives_out_everything_at_once_answers_nothing_old(
    make_line: MakeLine,
) -> None:
    """As USB adapters do: each question in turn is given up, and then all replies come in one read."""
    for stall_s in (0.3, 0.5, 0.8, 1.0, 1.2, 1.4, 1.6, 1.75):
        for query in QUERIES:
            line = make_line([stall_s])
            while not line.answers(query):
                assert len(line.port.written) < 20


@pytest.mark.parametrize("apart_s", [-0.005, 0.0, 0.005])
def test_two_replies_that_agree_shortly_after_a_timeout_are_one_answer(
    apart_s: float, make_line: MakeLine
) -> None:
    line = make_line([None], in_order=False)
    with pytest.raises(ReplyTimeoutError):
        line.ask(MOTION_STATE)
    line.port.let_come(b"#S004 F 2$\n", 2 * line.port.prompt_s + apart_s)
    assert line.ask(MOTION_STATE) == Reply("S004", "2")
