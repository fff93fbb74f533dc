"""A link on a scripted port in virtual time."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest

from rockit.focuser.ok3z.driver.link import READ_SLICE_S, Link
from rockit.focuser.ok3z.driver.protocol import MOTION_STATE, POSITION_REGISTER, QUERIES, Query, Reply
from rockit.focuser.ok3z.errors import ReplyTimeoutError
from rockit.focuser.ok3z.simulator.clock import VirtualClock

REPLY_CODE = {query.encode(): query.reply_code for query in QUERIES}

BOTH = (MOTION_STATE, POSITION_REGISTER)

Fate = Optional[float]
"""How long a question's reply takes, in seconds; None: it is lost."""


class ScriptedPort:
    """A pyserial port in virtual time, at its end a controller that numbers the questions it gets.

    The answer to the n-th question (from 0) has the argument `n`, so that nobody can take one for another.

    Args:
        fates: of the questions, in their order; what comes after them is answered promptly.
        in_order: whether a reply waits for those before it, as on a line.
    """

    prompt_s = 0.01

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
        for frame in data.splitlines(keepends=True):
            if frame in REPLY_CODE:
                fate = self._fates.pop(0) if self._fates else self.prompt_s
                if fate is not None:
                    self._answer(f"#{REPLY_CODE[frame]} F {self._questions}$\n".encode(), fate)
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


def never_interrupted() -> None:
    """A checkpoint that always lets the wait go on."""


class Line:
    """A link and the port that it is on."""

    def __init__(self, fates: list[Fate] | None = None, in_order: bool = True) -> None:
        self.port = ScriptedPort(fates, in_order)
        # It has of a pyserial port what a Link uses.
        bare: Any = self.port
        self.link = Link(bare, self.port.clock)

    def ask(
        self, query: Query, checkpoint: Callable[[], None] = never_interrupted, deadline_s: float = 0.25
    ) -> Reply:
        return self.link.exchange(query, deadline_s, checkpoint)

    def ask_all(self, checkpoint: Callable[[], None] = never_interrupted) -> list[str | None]:
        """Both questions of a reading in one write: the arguments of their answers."""
        replies = self.link.exchange_all(BOTH, 0.25, checkpoint)
        assert [reply.code for reply in replies] == [query.reply_code for query in BOTH]
        return [reply.argument for reply in replies]

    def answers_all(self) -> bool:
        """Whether both questions have an answer, which must be their own."""
        try:
            arguments = self.ask_all()
        except ReplyTimeoutError:
            return False
        last = int(self.port.last_question)
        assert arguments == [str(last - 1), str(last)], "an answer to an earlier question"
        return True

    def answers(self, query: Query) -> bool:
        """Whether a question has an answer, which must be its own."""
        try:
            reply = self.ask(query)
        except ReplyTimeoutError:
            return False
        assert reply.code == query.reply_code
        assert reply.argument == self.port.last_question, "an answer to an earlier question"
        return True


@pytest.fixture(scope="session")
def make_line() -> Callable[..., Line]:
    """Makes links on scripted ports: with the fates of the questions, and whether the replies keep order."""
    return Line
