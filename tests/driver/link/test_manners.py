"""Controllers that end, pad or echo otherwise: what a link takes for the answer, and how soon."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.driver.link import READ_SLICE_S
from rockit.focuser.ok3z.driver.protocol import MOTION_STATE, POSITION_REGISTER, SETTLED_FRAMES, Reply
from rockit.focuser.ok3z.errors import ReplyTimeoutError

MakeLine = Callable[..., Any]
ANSWER_S = 0.01


def ask(line: Any, answer: bytes) -> tuple[Reply, float]:
    """What a link takes from these bytes, that come byte by byte, and how long after the last of them."""
    for number, byte in enumerate(answer):
        line.port.let_come(bytes([byte]), ANSWER_S * (number + 1) / len(answer))
    begun_s = line.port.clock.monotonic()
    reply = line.ask(POSITION_REGISTER)
    return reply, line.port.clock.monotonic() - begun_s - ANSWER_S


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \n"])
@pytest.mark.parametrize("echo", [b"", b"#P081 F$\n", b"#P081 F$"])
def test_an_answer_with_a_line_feed_is_taken_at_once(make_line: MakeLine, end: bytes, echo: bytes) -> None:
    line = make_line([None] * 10)
    for number in range(5):
        reply, late_s = ask(line, echo + f"#P081 F {number}$".encode() + end)
        assert reply == Reply("P081", str(number))
        assert late_s == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("end", [b"", b"\r", b" "])
@pytest.mark.parametrize("echo", [b"", b"#P081 F$\n", b"#P081 F$"])
def test_without_a_line_feed_it_waits_for_silence_until_that_is_settled(
    make_line: MakeLine, end: bytes, echo: bytes
) -> None:
    line = make_line([None] * 10)
    late = []
    for number in range(SETTLED_FRAMES + 3):
        reply, late_s = ask(line, echo + f"#P081 F {number}$".encode() + end)
        assert reply == Reply("P081", str(number))
        late.append(late_s)
    assert all(0 < late_s <= READ_SLICE_S + 1e-6 for late_s in late[:SETTLED_FRAMES])
    assert all(late_s <= 1e-6 for late_s in late[SETTLED_FRAMES:])


def test_a_line_feed_that_was_seen_is_waited_for(make_line: MakeLine) -> None:
    line = make_line([None] * 10)
    ask(line, b"#P081 F 1$\n")
    with pytest.raises(ReplyTimeoutError, match="no reply"):
        ask(line, b"#P081 F 2$")


def test_an_echo_alone_is_no_answer(make_line: MakeLine) -> None:
    line = make_line([None])
    with pytest.raises(ReplyTimeoutError, match="no reply"):
        ask(line, b"#P081 F$\n")


def test_an_echo_contradicts_nothing_where_a_late_answer_is_watched_for(make_line: MakeLine) -> None:
    line = make_line([None] * 10)
    with pytest.raises(ReplyTimeoutError):
        line.ask(POSITION_REGISTER)
    line.port.lose_no_more()
    line.ask(MOTION_STATE)
    line.port.let_come(b"#P081 F$\n", 0.005)
    assert line.ask(POSITION_REGISTER).code == "P081"


def test_two_answers_without_a_line_feed_contradict_each_other(make_line: MakeLine) -> None:
    line = make_line([None])
    with pytest.raises(ReplyTimeoutError, match="two different replies"):
        ask(line, b"#P081 F 1$#P081 F 2$")
