"""One exchange at a time: which reply answers a question, and what nobody asked for."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.driver.link import READ_SLICE_S
from rockit.focuser.ok3z.driver.protocol import (
    HALT,
    IDENTIFY,
    MOTION_STATE,
    POSITION_REGISTER,
    QUERIES,
    Query,
    Reply,
)
from rockit.focuser.ok3z.errors import ReplyTimeoutError

DEADLINE_S = 0.25
MakeLine = Callable[..., Any]

every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.code)


# One question, one answer


@every_query
def test_a_question_is_answered_by_its_reply(query: Query, make_line: MakeLine) -> None:
    line = make_line()
    assert line.ask(query) == Reply(query.reply_code, "0")
    assert line.port.written == [query.encode()]


def test_a_reply_that_comes_byte_by_byte_is_one_reply(make_line: MakeLine) -> None:
    line = make_line([None])
    for number, byte in enumerate(b"#P081 F -1234$\n"):
        line.port.let_come(bytes([byte]), 0.01 + number * 0.005)
    assert line.ask(POSITION_REGISTER) == Reply("P081", "-1234")


def test_a_reply_at_the_last_moment_still_counts_and_one_after_it_does_not(make_line: MakeLine) -> None:
    in_time = make_line([DEADLINE_S - 0.001])
    assert in_time.ask(MOTION_STATE, deadline_s=DEADLINE_S).argument == "0"
    too_late = make_line([DEADLINE_S + READ_SLICE_S + 0.001])
    with pytest.raises(
        ReplyTimeoutError, match=r"^no reply to the question for the motion state came within 0\.25 s"
    ):
        too_late.ask(MOTION_STATE, deadline_s=DEADLINE_S)


def test_silence_lasts_as_long_as_the_deadline(make_line: MakeLine) -> None:
    for deadline_s in (0.05, 0.25, 2.5):
        line = make_line([None])
        began_s = line.port.clock.monotonic()
        with pytest.raises(ReplyTimeoutError):
            line.ask(IDENTIFY, deadline_s=deadline_s)
        assert deadline_s <= line.port.clock.monotonic() - began_s <= deadline_s + 2 * READ_SLICE_S


def test_a_prompt_reply_costs_no_more_than_itself(make_line: MakeLine) -> None:
    line = make_line()
    began_s = line.port.clock.monotonic()
    for _ in range(10):
        line.ask(MOTION_STATE)
        line.ask(POSITION_REGISTER)
    assert line.port.clock.monotonic() - began_s <= 20 * (line.port.prompt_s + READ_SLICE_S)
    assert len(line.port.written) == 20


def test_other_replies_and_noise_do_not_answer(make_line: MakeLine) -> None:
    line = make_line([0.05])
    line.port.let_come(b"\x00\xff#S004 F NS$\n#P081 F 12\n#Z999 F 0$\n#P081 F 7$", 0.01)
    assert line.ask(POSITION_REGISTER) == Reply("P081", "0")


def test_a_command_is_sent_and_nothing_is_awaited(make_line: MakeLine) -> None:
    line = make_line()
    before_s = line.port.clock.monotonic()
    line.link.send(HALT)
    assert line.port.written == [b"#P021 F $\n"]
    assert line.port.clock.monotonic() == before_s


# What nobody asked for


@every_query
def test_what_lies_on_the_line_before_the_question_does_not_answer_it(
    query: Query, make_line: MakeLine
) -> None:
    line = make_line()
    for stale in (b"", b"xyz", b"#P081 F 99$\n"):
        line.port.let_come(stale + f"#{query.reply_code} F 99$\n".encode() * 3 + stale)
    assert line.ask(query).argument == "0"


@every_query
def test_the_beginning_of_a_stale_reply_does_not_join_what_follows(query: Query, make_line: MakeLine) -> None:
    whole = f"#{query.reply_code} F 99$\n".encode()
    for cut in range(1, len(whole)):
        line = make_line()
        line.port.let_come(whole[:cut])
        line.port.let_come(whole[cut:], 0.005)
        assert line.ask(query).argument == "0", cut


def test_a_port_that_tells_of_one_byte_at_a_time_is_drained_all_the_same(make_line: MakeLine) -> None:
    """As `socket://` does: its in_waiting is 1 however much there is."""
    line = make_line()
    line.port.most_waiting_told = 1
    line.port.let_come(b"#P081 F 99$\n" * 3)
    assert line.ask(POSITION_REGISTER).argument == "0"


def test_a_flood_is_drained_within_bounds(make_line: MakeLine) -> None:
    """A port that is fed faster than it is read must not hold the thread for ever."""
    line = make_line()
    port = line.port
    port.most_waiting_told = 1
    port.let_come(b"x" * 100_000)
    reads = 0
    read = port.read

    def counted(size: int = 1) -> bytes:
        nonlocal reads
        reads += 1
        port.let_come(b"x")
        data: bytes = read(size)
        return data

    port.read = counted
    with pytest.raises(ReplyTimeoutError):
        line.ask(POSITION_REGISTER, lambda: port.clock.sleep(0.001))
    assert reads < 10_000


# What a port says that is no focuser


def test_the_first_noise_is_kept_for_the_message(make_line: MakeLine) -> None:
    line = make_line([None])
    line.port.let_come(b"login: \n", 0.05)
    line.port.let_come(b"Password: \n", 0.1)
    assert line.link.noise_sample == b""
    with pytest.raises(ReplyTimeoutError):
        line.ask(IDENTIFY)
    assert line.link.noise_sample == b"login: "


def test_noise_without_a_line_end_is_kept_too(make_line: MakeLine) -> None:
    line = make_line([None, None])
    line.port.let_come(b"\xff\xfe\xfd", 0.05)
    for _ in range(2):
        with pytest.raises(ReplyTimeoutError):
            line.ask(IDENTIFY)
    assert line.link.noise_sample == b"\xff\xfe\xfd"


def test_good_replies_leave_no_noise(make_line: MakeLine) -> None:
    line = make_line()
    for query in QUERIES:
        line.ask(query)
    assert line.link.noise_sample == b""
