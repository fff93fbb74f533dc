"""Two questions in one write: both answers are their own, or none is believed."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.link import LATE_REPLY_S
from rockit.focuser.ok3z.driver.protocol import HALT, MOTION_STATE, POSITION_REGISTER, QUERIES, Query
from rockit.focuser.ok3z.errors import ReplyTimeoutError

MakeLine = Callable[..., Any]
Fates = list[Optional[float]]
BOTH = b"#S001 F$\n#P081 F$\n"


class StoppedHereError(Exception):
    """A stop, as the checkpoint raises it."""


def test_both_questions_go_out_in_one_write_and_both_are_answered(make_line: MakeLine) -> None:
    line = make_line()
    begun_s = line.port.clock.monotonic()
    assert line.ask_all() == ["0", "1"]
    assert line.port.written == [BOTH]
    assert line.port.clock.monotonic() - begun_s == pytest.approx(line.port.prompt_s)
    assert line.link.doubts == 0
    assert line.link.is_clear(QUERIES)


@pytest.mark.parametrize("fates", [[None], [0.01, None], [None, None], [0.01, 0.3], [0.3, 0.3]])
def test_an_answer_that_does_not_come_is_a_doubt(fates: Fates, make_line: MakeLine) -> None:
    line = make_line(fates)
    with pytest.raises(ReplyTimeoutError):
        line.ask_all()
    assert line.link.doubts
    assert not line.link.is_clear(QUERIES)


@pytest.mark.parametrize(
    "beside",
    [b"#S004 F NS$\n", b"#P081 F 7$\n", b"#S052 F 1$\n", b"#P081 F 12\n", b"\x00"],
)
@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.01])
def test_whatever_else_comes_is_a_doubt(beside: bytes, after_s: float, make_line: MakeLine) -> None:
    line = make_line()
    line.port.let_come(beside + b"\n", after_s)
    line.answers_all()
    line.port.clock.sleep(0.1)
    line.answers_all()
    assert line.link.doubts


def test_answers_in_the_wrong_order_are_none(make_line: MakeLine) -> None:
    line = make_line([0.02, 0.01], in_order=False)
    with pytest.raises(ReplyTimeoutError, match="came while the motion state was waited for"):
        line.ask_all()
    assert line.link.doubts


def test_echoes_of_both_questions_are_no_doubt(make_line: MakeLine) -> None:
    line = make_line()
    line.port.let_come(BOTH, 0.005)
    assert line.ask_all() == ["0", "1"]
    assert not line.link.doubts


prompt = st.floats(0.005, 0.03)
lost: st.SearchStrategy[Fates] = st.lists(st.one_of(prompt, st.none()), max_size=12)
# On a line that keeps order all others wait behind the late one.
late: st.SearchStrategy[Fates] = st.tuples(st.lists(prompt, max_size=8), st.floats(0.25, 1.75)).map(
    lambda prompt_and_late: [*prompt_and_late[0], prompt_and_late[1]]
)


@given(lost | late, st.lists(st.sampled_from((None, *QUERIES)), min_size=3, max_size=20))
def test_no_late_reply_answers_a_later_question(
    make_line: MakeLine, fates: Fates, questions: list[Query | None]
) -> None:
    line = make_line(fates)
    for query in questions:
        if query is None:
            line.answers_all()
        else:
            line.answers(query)


@given(st.integers(0, 4), st.floats(0.0, 0.06), st.lists(st.sampled_from((None, *QUERIES)), max_size=4))
def test_a_halt_goes_out_at_once_and_what_comes_late_is_sorted_out_after(
    make_line: MakeLine, checkpoint: int, prompt_s: float, questions: list[Query | None]
) -> None:
    line = make_line()
    line.port.prompt_s = prompt_s
    passes = iter(range(checkpoint))

    def stop() -> None:
        if next(passes, None) is None:
            raise StoppedHereError

    try:
        line.ask_all(stop)
    except StoppedHereError:
        line.link.send(HALT)
        assert line.port.written in ([HALT.encode()], [BOTH, HALT.encode()])
    for query in questions:
        assert line.answers_all() if query is None else line.answers(query)
    assert not line.link.doubts


def test_after_answers_that_a_stop_cut_off_and_that_never_came_single_questions_find_the_way(
    make_line: MakeLine,
) -> None:
    line = make_line([None, None])
    passes = iter(range(2))

    def stop() -> None:
        if next(passes, None) is None:
            raise StoppedHereError

    with pytest.raises(StoppedHereError):
        line.ask_all(stop)
    assert not line.answers_all()
    assert line.answers(MOTION_STATE)
    assert line.answers(POSITION_REGISTER)
    line.port.clock.sleep(LATE_REPLY_S)
    assert line.answers_all()
