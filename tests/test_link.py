"""One exchange at a time on a scripted port in virtual time: whose answer is it, and what if none comes."""

from __future__ import annotations

import errno
import termios
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.errors import LinkLostError, ReplyTimeoutError, StoppedError
from rockit.focuser.ok3z.link import LATE_REPLY_S, READ_SLICE_S, Link
from rockit.focuser.ok3z.simulator.clock import VirtualClock
from rockit.focuser.ok3z.wire import HALT, IDENTIFY, MOTION_STATE, POSITION_REGISTER, QUERIES, Query, Reply

DEADLINE_S = 0.25
PROMPT_S = 0.01
REPLY_CODE = {query.encode(): query.reply_code for query in QUERIES}

Fate = Optional[float]
"""How long a question's reply takes, in seconds; None: it is lost."""


class ScriptedPort:
    """A pyserial port in virtual time, at its end a controller that numbers the questions it gets.

    The answer to the n-th question (from 0) has the argument `n`, so that nobody can take one for another.

    Args:
        fates: of the questions, in their order; what comes after them is answered promptly.
        in_order: whether a reply waits for those before it, as on a line.
    """

    def __init__(self, fates: list[Fate] | None = None, in_order: bool = True) -> None:
        self.clock = VirtualClock()
        self.timeout: float = READ_SLICE_S
        self.written: list[bytes] = []
        self.closed = False
        self.failing: dict[str, Exception] = {}
        self.most_waiting_told = 10**6
        self._fates = list(fates or [])
        self._in_order = in_order
        self._arrivals: list[tuple[float, bytes]] = []
        self._questions = 0

    def let_come(self, data: bytes, after_s: float = 0.0) -> None:
        """Bytes that nobody asked for."""
        self._arrivals.append((self.clock.monotonic() + after_s, data))
        self._arrivals.sort(key=lambda arrival: arrival[0])

    def _arrived(self) -> bytes:
        return b"".join(data for at_s, data in self._arrivals if at_s <= self.clock.monotonic())

    @property
    def in_waiting(self) -> int:
        self._fail("in_waiting")
        return min(self.most_waiting_told, len(self._arrived()))

    def read(self, size: int = 1) -> bytes:
        self._fail("read")
        until_s = self.clock.monotonic() + self.timeout
        while len(self._arrived()) < size and self.clock.monotonic() < until_s:
            coming = [at_s for at_s, _ in self._arrivals if self.clock.monotonic() < at_s < until_s]
            self.clock.sleep(min([*coming, until_s]) - self.clock.monotonic())
            if not coming:
                break
        arrived = self._arrived()
        self._arrivals = [arrival for arrival in self._arrivals if arrival[0] > self.clock.monotonic()]
        if arrived[size:]:
            self._arrivals.insert(0, (self.clock.monotonic(), arrived[size:]))
        return arrived[:size]

    def write(self, data: bytes) -> int:
        self._fail("write")
        self.written.append(data)
        if data in REPLY_CODE:
            fate = self._fates.pop(0) if self._fates else PROMPT_S
            if fate is not None:
                self._answer(f"#{REPLY_CODE[data]} F {self._questions}$\n".encode(), fate)
            self._questions += 1
        return len(data)

    def _answer(self, reply: bytes, fate_s: float) -> None:
        at_s = self.clock.monotonic() + fate_s
        if self._in_order and self._arrivals:
            at_s = max(at_s, self._arrivals[-1][0])
        self.let_come(reply, at_s - self.clock.monotonic())

    def close(self) -> None:
        self.closed = True
        self._fail("close")

    def _fail(self, what: str) -> None:
        if what in self.failing:
            raise self.failing[what]

    def lose_no_more(self) -> None:
        """Answer promptly from now on."""
        self._fates = []

    @property
    def last_question(self) -> str:
        """The number of the question that was asked last."""
        return str(self._questions - 1)


def link_on(port: ScriptedPort) -> Link:
    # It has of a pyserial port what a Link uses.
    bare: Any = port
    return Link(bare, port.clock)


def never_interrupted() -> None:
    """A checkpoint that always lets the wait go on."""


def ask(link: Link, query: Query, checkpoint: Callable[[], None] = never_interrupted) -> Reply:
    return link.exchange(query, DEADLINE_S, checkpoint)


def interrupted_after(calls: int) -> Callable[[], None]:
    """A checkpoint at which somebody presses stop."""
    left = iter(range(calls))

    def checkpoint() -> None:
        if next(left, None) is None:
            raise StoppedError("stopped by a test.")

    return checkpoint


every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.code)


# One question, one answer


@every_query
def test_a_question_is_answered_by_its_reply(query: Query) -> None:
    port = ScriptedPort()
    assert ask(link_on(port), query) == Reply(query.reply_code, "0")
    assert port.written == [query.encode()]


def test_a_reply_that_comes_byte_by_byte_is_one_reply() -> None:
    port = ScriptedPort([None])
    for number, byte in enumerate(b"#P081 F -1234$\n"):
        port.let_come(bytes([byte]), 0.01 + number * 0.005)
    assert ask(link_on(port), POSITION_REGISTER) == Reply("P081", "-1234")


def test_a_reply_at_the_last_moment_still_counts_and_one_after_it_does_not() -> None:
    assert ask(link_on(ScriptedPort([DEADLINE_S - 0.001])), MOTION_STATE).argument == "0"
    with pytest.raises(
        ReplyTimeoutError, match=r"^no reply to the question for the motion state came within 0\.25 s"
    ):
        ask(link_on(ScriptedPort([DEADLINE_S + READ_SLICE_S + 0.001])), MOTION_STATE)


def test_silence_lasts_as_long_as_the_deadline() -> None:
    for deadline_s in (0.05, 0.25, 2.5):
        port = ScriptedPort([None])
        began_s = port.clock.monotonic()
        with pytest.raises(ReplyTimeoutError):
            link_on(port).exchange(IDENTIFY, deadline_s, never_interrupted)
        assert deadline_s <= port.clock.monotonic() - began_s <= deadline_s + 2 * READ_SLICE_S


def test_a_prompt_reply_costs_no_more_than_itself() -> None:
    port = ScriptedPort()
    began_s = port.clock.monotonic()
    link = link_on(port)
    for _ in range(10):
        ask(link, MOTION_STATE)
        ask(link, POSITION_REGISTER)
    assert port.clock.monotonic() - began_s <= 20 * (PROMPT_S + READ_SLICE_S)
    assert len(port.written) == 20


def test_other_replies_and_noise_do_not_answer() -> None:
    port = ScriptedPort([0.05])
    port.let_come(b"\x00\xff#S004 F NS$\n#P081 F 12\n#Z999 F 0$\n#P081 F 7$", 0.01)
    assert ask(link_on(port), POSITION_REGISTER) == Reply("P081", "0")


def test_a_command_is_sent_and_nothing_is_awaited() -> None:
    port = ScriptedPort()
    before_s = port.clock.monotonic()
    link_on(port).send(HALT)
    assert port.written == [b"#P021 F $\n"]
    assert port.clock.monotonic() == before_s


# What nobody asked for


@every_query
def test_what_lies_on_the_line_before_the_question_does_not_answer_it(query: Query) -> None:
    port = ScriptedPort()
    for stale in (b"", b"xyz", b"#P081 F 99$\n"):
        port.let_come(stale + f"#{query.reply_code} F 99$\n".encode() * 3 + stale)
    assert ask(link_on(port), query).argument == "0"


@every_query
def test_the_beginning_of_a_stale_reply_does_not_join_what_follows(query: Query) -> None:
    whole = f"#{query.reply_code} F 99$\n".encode()
    for cut in range(1, len(whole)):
        port = ScriptedPort()
        link = link_on(port)
        port.let_come(whole[:cut])
        port.let_come(whole[cut:], 0.005)
        assert ask(link, query).argument == "0", cut


def test_a_port_that_tells_of_one_byte_at_a_time_is_drained_all_the_same() -> None:
    """As `socket://` does: its in_waiting is 1 however much there is."""
    port = ScriptedPort()
    port.most_waiting_told = 1
    port.let_come(b"#P081 F 99$\n" * 3)
    assert ask(link_on(port), POSITION_REGISTER).argument == "0"


def test_a_flood_is_drained_within_bounds() -> None:
    """A port that is fed faster than it is read must not hold the thread for ever."""
    port = ScriptedPort()
    port.most_waiting_told = 1
    port.let_come(b"x" * 100_000)
    reads = 0
    read = port.read

    def counted(size: int = 1) -> bytes:
        nonlocal reads
        reads += 1
        port.let_come(b"x")
        return read(size)

    port.read = counted  # type: ignore[method-assign]
    link = link_on(port)
    with pytest.raises(ReplyTimeoutError):
        link.exchange(POSITION_REGISTER, DEADLINE_S, _tick(port))
    assert reads < 10_000


def _tick(port: ScriptedPort) -> Callable[[], None]:
    return lambda: port.clock.sleep(0.001)


# Late replies


@every_query
@pytest.mark.parametrize("late_s", [0.28, 0.3, 0.4, 0.6, 1.0, 1.9])
@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("pause_s", [0.0, 0.02, 0.3, 0.7])
def test_a_late_reply_never_answers_a_later_question(
    query: Query, late_s: float, in_order: bool, pause_s: float
) -> None:
    port = ScriptedPort([late_s], in_order)
    link = link_on(port)
    with pytest.raises(ReplyTimeoutError):
        ask(link, query)
    for _ in range(60):
        port.clock.sleep(pause_s)
        _ask_and_compare(link, port, query)


def _ask_and_compare(link: Link, port: ScriptedPort, query: Query) -> bool:
    try:
        reply = ask(link, query)
    except ReplyTimeoutError:
        return False
    assert reply.code == query.reply_code
    assert reply.argument == port.last_question, "an answer to an earlier question"
    return True


prompt = st.floats(0.005, 0.03)
lost: st.SearchStrategy[list[Fate]] = st.lists(st.one_of(prompt, st.none()), max_size=12)
# On a line that keeps order all others wait behind the late one.
late: st.SearchStrategy[list[Fate]] = st.tuples(st.lists(prompt, max_size=8), st.floats(0.25, 1.75)).map(
    lambda prompt_and_late: [*prompt_and_late[0], prompt_and_late[1]]
)


@given(lost | late, st.lists(st.sampled_from(QUERIES), min_size=3, max_size=20))
def test_on_a_line_that_keeps_order_no_late_reply_answers_whatever_else_is_late(
    all_fates: list[Fate], questions: list[Query]
) -> None:
    port = ScriptedPort(all_fates)
    link = link_on(port)
    for query in questions:
        _ask_and_compare(link, port, query)


@given(
    st.lists(st.none() | st.floats(0.005, 0.03), max_size=30), st.lists(st.sampled_from(QUERIES), max_size=30)
)
def test_after_lost_replies_the_link_soon_answers_again(
    all_fates: list[Fate], questions: list[Query]
) -> None:
    port = ScriptedPort(all_fates)
    link = link_on(port)
    for query in questions:
        _ask_and_compare(link, port, query)
    port.lose_no_more()
    while not _ask_and_compare(link, port, POSITION_REGISTER):
        assert len(port.written) < 100
    assert _ask_and_compare(link, port, MOTION_STATE)
    assert _ask_and_compare(link, port, IDENTIFY)


@every_query
def test_after_a_timeout_another_question_goes_first_and_its_answer_shows_the_way(query: Query) -> None:
    port = ScriptedPort([None])
    link = link_on(port)
    with pytest.raises(ReplyTimeoutError):
        ask(link, query)
    assert ask(link, query).argument == "2"
    assert [REPLY_CODE[question] == query.reply_code for question in port.written] == [True, False, True]
    assert ask(link, query).argument == "3"


def test_an_answer_that_shows_the_way_does_so_for_all_questions() -> None:
    port = ScriptedPort([None, None])
    link = link_on(port)
    for query in (MOTION_STATE, POSITION_REGISTER):
        with pytest.raises(ReplyTimeoutError):
            ask(link, query)
    for query in (MOTION_STATE, POSITION_REGISTER):
        assert _ask_and_compare(link, port, query)
    asked = [IDENTIFY, MOTION_STATE, POSITION_REGISTER]
    assert port.written[2:] == [query.encode() for query in asked]


def test_with_every_question_abandoned_the_late_replies_are_waited_out() -> None:
    port = ScriptedPort([0.3, 0.3, 0.3])
    link = link_on(port)
    for query in QUERIES:
        with pytest.raises(ReplyTimeoutError):
            ask(link, query)
    assert len(port.written) == 3
    assert ask(link, POSITION_REGISTER).argument == "3"
    assert len(port.written) == 4


@pytest.mark.parametrize("apart_s", [0.0, 0.005])
@pytest.mark.parametrize("late_first", [True, False])
def test_two_replies_that_differ_shortly_after_a_timeout_are_both_refused(
    apart_s: float, late_first: bool
) -> None:
    """Together in one read, or one after the other: which of them is late cannot be told."""
    port = ScriptedPort([None], in_order=False)
    link = link_on(port)
    with pytest.raises(ReplyTimeoutError):
        ask(link, MOTION_STATE)
    # Another question takes the lead and is answered after PROMPT_S; then this one is asked again.
    answered_s = 2 * PROMPT_S
    port.let_come(b"#S004 F 0$\n", answered_s - apart_s if late_first else answered_s + apart_s)
    with pytest.raises(ReplyTimeoutError, match="two different replies came for the motion state"):
        ask(link, MOTION_STATE)
    port.clock.sleep(LATE_REPLY_S)
    assert _ask_and_compare(link, port, MOTION_STATE)


def test_a_line_that_stalls_and_then_gives_out_everything_at_once_answers_nothing_old() -> None:
    """As USB adapters do: each question in turn is given up, and then all replies come in one read."""
    for stall_s in (0.3, 0.5, 0.8, 1.0, 1.2, 1.4, 1.6, 1.75):
        for query in QUERIES:
            port = ScriptedPort([stall_s])
            link = link_on(port)
            while not _ask_and_compare(link, port, query):
                assert len(port.written) < 20


@pytest.mark.parametrize("apart_s", [-0.005, 0.0, 0.005])
def test_two_replies_that_agree_shortly_after_a_timeout_are_one_answer(apart_s: float) -> None:
    port = ScriptedPort([None], in_order=False)
    link = link_on(port)
    with pytest.raises(ReplyTimeoutError):
        ask(link, MOTION_STATE)
    port.let_come(b"#S004 F 2$\n", 2 * PROMPT_S + apart_s)
    assert ask(link, MOTION_STATE) == Reply("S004", "2")


# Interrupted waits


def test_an_interruption_before_the_question_keeps_it_off_the_wire() -> None:
    port = ScriptedPort()
    with pytest.raises(StoppedError):
        ask(link_on(port), MOTION_STATE, interrupted_after(0))
    assert port.written == []


def test_an_interruption_ends_the_wait_within_a_read() -> None:
    port = ScriptedPort([None])
    began_s = port.clock.monotonic()
    with pytest.raises(StoppedError):
        ask(link_on(port), MOTION_STATE, interrupted_after(1))
    assert port.clock.monotonic() - began_s <= READ_SLICE_S + 1e-9


@every_query
@pytest.mark.parametrize("late_s", [0.03, 0.05, 0.1, 0.2, 0.24, 0.5])
@pytest.mark.parametrize("in_order", [True, False])
def test_the_reply_to_an_interrupted_question_never_answers_a_later_one(
    query: Query, late_s: float, in_order: bool
) -> None:
    for calls in range(1, 12):
        port = ScriptedPort([late_s], in_order)
        link = link_on(port)
        try:
            ask(link, query, interrupted_after(calls))
        except (StoppedError, ReplyTimeoutError):
            pass
        else:
            continue
        for _ in range(30):
            _ask_and_compare(link, port, query)


def test_an_interruption_reaches_through_the_detours_after_a_timeout() -> None:
    for fates_so_far in ([None, None], [None, None, None, None]):
        for calls in range(1, 40):
            port = ScriptedPort(list(fates_so_far))
            link = link_on(port)
            for query in QUERIES[: len(fates_so_far) - 1]:
                with pytest.raises(ReplyTimeoutError):
                    ask(link, query)
            questions = len(port.written)
            began_s = port.clock.monotonic()
            try:
                ask(link, IDENTIFY, interrupted_after(calls))
            except StoppedError:
                assert port.clock.monotonic() - began_s <= calls * (READ_SLICE_S + 1e-9)
                assert len(port.written) - questions <= 2
            except ReplyTimeoutError:
                pass
            assert _ask_and_compare(link, port, IDENTIFY) or _ask_and_compare(link, port, IDENTIFY)


def test_a_command_goes_out_at_once_while_replies_are_outstanding() -> None:
    port = ScriptedPort([0.2])
    link = link_on(port)
    with pytest.raises(StoppedError):
        ask(link, MOTION_STATE, interrupted_after(2))
    link.send(HALT)
    assert port.written[-1] == HALT.encode()


# A port that fails

FAILURES = [
    OSError(errno.EIO, "Input/output error"),
    serial.SerialException("device reports readiness to read but returned no data"),
    serial.SerialTimeoutException("Write timeout"),
    termios.error(errno.EIO, "Input/output error"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("what", ["read", "write", "in_waiting"])
def test_a_port_that_hangs_up_is_a_lost_link(what: str, failure: Exception) -> None:
    port = ScriptedPort()
    port.failing[what] = failure
    with pytest.raises(
        LinkLostError, match=r"^the serial port failed \(.*\)\. Look at the adapter"
    ) as caught:
        ask(link_on(port), MOTION_STATE)
    assert str(failure) in str(caught.value)
    assert caught.value.__cause__ is failure


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_command_on_a_port_that_hangs_up_is_a_lost_link(failure: Exception) -> None:
    port = ScriptedPort()
    port.failing["write"] = failure
    with pytest.raises(LinkLostError):
        link_on(port).send(HALT)


@pytest.mark.parametrize("what", ["read", "in_waiting"])
def test_a_hang_up_in_the_middle_of_a_wait_is_a_lost_link(what: str) -> None:
    port = ScriptedPort([None])
    failing: Iterator[None] = iter(())

    def hang_up() -> None:
        if next(failing, None) is None and port.written:
            port.failing[what] = OSError(errno.ENODEV, "No such device")

    with pytest.raises(LinkLostError, match="No such device"):
        ask(link_on(port), MOTION_STATE, hang_up)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_closing_a_port_that_hung_up_raises_nothing(failure: Exception) -> None:
    port = ScriptedPort()
    port.failing["close"] = failure
    link_on(port).close()
    assert port.closed


# What a port says that is no focuser


def test_the_first_noise_is_kept_for_the_message() -> None:
    port = ScriptedPort([None])
    port.let_come(b"login: \n", 0.05)
    port.let_come(b"Password: \n", 0.1)
    link = link_on(port)
    assert link.noise_sample == b""
    with pytest.raises(ReplyTimeoutError):
        ask(link, IDENTIFY)
    assert link.noise_sample == b"login: "


def test_noise_without_a_line_end_is_kept_too() -> None:
    port = ScriptedPort([None, None])
    port.let_come(b"\xff\xfe\xfd", 0.05)
    link = link_on(port)
    for _ in range(2):
        with pytest.raises(ReplyTimeoutError):
            ask(link, IDENTIFY)
    assert link.noise_sample == b"\xff\xfe\xfd"


def test_good_replies_leave_no_noise() -> None:
    link = link_on(ScriptedPort())
    for query in QUERIES:
        ask(link, query)
    assert link.noise_sample == b""
