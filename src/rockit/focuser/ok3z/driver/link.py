"""The serial line to the controller: one exchange at a time, of one question or of several in one write, each with a
deadline of its own.

The only module that knows pyserial. A `Link` belongs to one thread. The protocol numbers nothing, so
this is where a late reply to an abandoned question is kept from passing for the answer to the next
one (docs/decisions/0002-late-replies.md).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import queue
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

import serial

from ..errors import LinkLostError, PortUnavailableError, ReplyTimeoutError
from .adapter import make_prompt
from .clock import Clock
from .protocol import QUERIES, Command, Query, Received, Reply, ReplyParser
from .recorder import Recorder
from .tally import Tally

_log = logging.getLogger(__name__)

Checkpoint = Callable[[], None]
"""Called between short waits; ends the wait by raising."""

# How long one read waits at most, and so how long a stop waits while a reply is outstanding.
READ_SLICE_S = 0.02
WRITE_TIMEOUT_S = 0.5
# How long after an abandoned question its reply may still come, and how long an answer is then watched
# for a second one beside it.
LATE_REPLY_S = 2.0
LINGER_S = 0.05
# So long the reply to a question that was cut off is waited for, at least: it takes 10 ms, 30 ms through a USB adapter.
OWED_REPLY_S = 0.06
# With every kind of question abandoned, none is left to tell the replies apart: they are waited out.
WAIT_OUT_S = 0.5
# A wait looks at the clock every READ_SLICE_S. If it was away for longer than this, the process was held up.
HELD_UP_S = 0.5
# A port that gives out more than so many reads hold is no focuser; its noise must not hold the thread.
MAX_DRAIN_READS = 1000

# Of what a port says before it hangs up, so many characters stand in the message.
MAX_LAST_WORDS = 80

_PORT_FAILURES = (OSError, termios.error)


class Link:
    """An open port. Made by `open_link`; `close` it from the thread that uses it. All that goes over it is recorded."""

    def __init__(self, port: serial.SerialBase, clock: Clock, recorder: Recorder | None = None) -> None:
        self._port = port
        self._clock = clock
        self._recorder = recorder or Recorder(clock)
        self._recorder.opened()
        self._parser = ReplyParser()
        self._abandoned: set[str] = set()
        self._late_until_s: dict[str, float] = {}
        self._wait_out_s = WAIT_OUT_S
        self._owed: tuple[Query, ...] = ()
        self._looked_at_s = clock.monotonic()
        self.held_up_s = 0.0
        """How long this process was held up altogether while it waited for an answer: a suspended machine, a signal."""
        self.owed_reply_s = OWED_REPLY_S
        """How long the reply to a question that was cut off is waited for, in seconds."""
        self.replies = 0
        """How many replies came, to whatever question."""
        self.doubts = 0
        """How often something came that was not asked for, or an answer did not come."""
        self.tally = Tally()
        """Counts the same over all links."""
        # What was no frame since the last reply: a serial server may say why it hangs up.
        self._last_words = b""
        self.noise_sample = b""
        """The first bytes that were no frame, for the message about a port that is no focuser."""

    def conclude(self, sentence: str) -> None:
        """Have it recorded what was concluded from what came."""
        self._recorder.concluded(sentence)

    def close(self) -> None:
        """Give the port back. Never raises: a port that hung up may fail to close."""
        try:
            self._port.close()
        except _PORT_FAILURES as error:
            _log.debug("closing the port failed: %s", error)

    def send(self, command: Command | Query) -> None:
        """Put a command on the wire. It is never answered. (The answer to a question that is sent so, nobody takes.)

        Raises:
            LinkLostError: the port hung up, or took no bytes for WRITE_TIMEOUT_S.
        """
        self._write(command.encode())

    def exchange(self, query: Query, deadline_s: float, checkpoint: Checkpoint) -> Reply:
        """Ask one question and give its answer.

        Args:
            query: what to ask.
            deadline_s: how long to wait for the answer, in seconds.
            checkpoint: called before the question and every READ_SLICE_S while waiting; what it raises
                abandons the question.

        Raises:
            ReplyTimeoutError: no answer, or none that is surely the answer to this question.
            LinkLostError: the port hung up.
        """
        self._begin(checkpoint)
        if query.reply_code in self._abandoned:
            self._outrun_late_replies(deadline_s, checkpoint)
        return self._ask(query, deadline_s, checkpoint)

    def exchange_all(
        self, queries: Sequence[Query], deadline_s: float, checkpoint: Checkpoint
    ) -> list[Reply]:
        """Ask several questions of different kinds in one write, and give their answers.

        They must come in the order of the questions, and with nothing beside them: where several questions are under
        way, that is all that tells whose an answer is.

        Args, Raises: as for `exchange`; the deadline is that of all answers together.
        """
        self._begin(checkpoint)
        self._drain()
        if not self.is_clear(queries):
            raise ReplyTimeoutError("answers to earlier questions may still come.")
        self._write(b"".join(query.encode() for query in queries))
        self._abandoned.update(query.reply_code for query in queries)
        replies: list[Reply] = []
        try:
            self._await_all(queries, replies, deadline_s, checkpoint)
        except ReplyTimeoutError:
            for query in queries:
                self._expect_late(query)
            # One deadline has passed for several kinds.
            self._wait_out_s = WAIT_OUT_S + (len(queries) - 1) * deadline_s
            raise
        except Exception:
            self._owed = tuple(queries[len(replies) :])
            raise
        finally:
            if self._owed or len(replies) == len(queries):
                self._abandoned.difference_update(reply.code for reply in replies)
        return replies

    def becomes_clear(self, queries: Sequence[Query], checkpoint: Checkpoint) -> bool:
        """Wait a moment for the answers to questions that a stop cut off. Gives whether the line is clear then.

        Raises:
            LinkLostError: the port hung up.
        """
        self._begin(checkpoint)
        return self.is_clear(queries)

    def is_clear(self, queries: Sequence[Query]) -> bool:
        """Whether no answer to an earlier question of these kinds can come any more."""
        codes = {query.reply_code for query in queries}
        now_s = self._clock.monotonic()
        return not codes & self._abandoned and all(
            now_s >= self._late_until_s.get(code, now_s) for code in codes
        )

    def _begin(self, checkpoint: Checkpoint) -> None:
        checkpoint()
        self._looked_at_s = self._clock.monotonic()
        if self._owed:
            self._await_owed(checkpoint)

    def find(self, query: Query, deadline_s: float, checkpoint: Checkpoint) -> Reply:
        """Ask a question of which any answer will do, also one to the same question that was asked before.

        Args, Raises: as for `exchange`.
        """
        checkpoint()
        self._looked_at_s = self._clock.monotonic()
        is_again = query.reply_code in self._abandoned
        if not is_again:
            self._drain()
        self._abandoned.add(query.reply_code)
        self._write(query.encode())
        expires_s = self._awake_s() + deadline_s
        while not (answers := self._receive_answers([query])):
            if self._awake_s() >= expires_s:
                self._expect_late(query)
                raise _no_reply(query, deadline_s)
            checkpoint()
        if not is_again:
            self._abandoned.discard(query.reply_code)
        return answers[-1]

    def _ask(self, query: Query, deadline_s: float, checkpoint: Checkpoint) -> Reply:
        self._drain()
        self._write(query.encode())
        # Until the answer is here the question counts as abandoned, whatever ends the wait.
        self._abandoned.add(query.reply_code)
        try:
            reply = self._await_reply(query, deadline_s, checkpoint)
        except ReplyTimeoutError:
            self._expect_late(query)
            raise
        except Exception:
            self._owed = (query,)
            raise
        if self._clock.monotonic() < self._late_until_s.get(query.reply_code, 0.0):
            self._expect_no_other(query, reply, checkpoint)
        self._abandoned.discard(query.reply_code)
        return reply

    def _await_all(
        self, queries: Sequence[Query], replies: list[Reply], deadline_s: float, checkpoint: Checkpoint
    ) -> None:
        """Add the answers to `replies` as they come."""
        expires_s = self._awake_s() + deadline_s
        doubts = self.doubts
        while True:
            for reply in self._receive():
                query = queries[min(len(replies), len(queries) - 1)]
                if _is_echo(reply, queries):
                    continue
                if len(replies) == len(queries) or reply.code != query.reply_code:
                    raise ReplyTimeoutError(f"{reply} came while the {query.name} was waited for.")
                replies.append(reply)
            now_s = self._awake_s()
            if self.doubts > doubts:
                raise ReplyTimeoutError("something that is no answer came beside the answers.")
            if len(replies) == len(queries):
                return
            if now_s >= expires_s:
                raise _no_reply(queries[len(replies)], deadline_s)
            checkpoint()

    def _expect_late(self, query: Query) -> None:
        self._doubted(1)
        self._watch_late(query)

    def _watch_late(self, query: Query) -> None:
        self._late_until_s[query.reply_code] = self._clock.monotonic() + LATE_REPLY_S

    def _await_owed(self, checkpoint: Checkpoint) -> None:
        """Questions that a stop cut off are not unanswered: their replies are on the way, and settle the matter."""
        owed, self._owed = list(self._owed), ()
        # Counted as late until they are here, whatever ends the wait.
        late_until_s = dict(self._late_until_s)
        for query in owed:
            self._watch_late(query)
        expires_s = self._awake_s() + self.owed_reply_s
        while self._awake_s() < expires_s:
            for reply in self._receive_answers(owed):
                code = reply.code
                self._abandoned.discard(code)
                self._late_until_s[code] = late_until_s.get(code, 0.0)
                owed = [query for query in owed if query.reply_code != code]
            if not owed:
                return
            checkpoint()

    def _await_reply(self, query: Query, deadline_s: float, checkpoint: Checkpoint) -> Reply:
        expires_s = self._awake_s() + deadline_s
        while True:
            answers = self._receive_answers([query])
            now_s = self._awake_s()
            if answers:
                return _only(query, answers)
            if now_s >= expires_s:
                raise _no_reply(query, deadline_s)
            checkpoint()

    def _outrun_late_replies(self, deadline_s: float, checkpoint: Checkpoint) -> None:
        """Get past the replies to abandoned questions: the line keeps order, so the answer to a question
        of another kind comes after all of them."""
        for query in QUERIES:
            if query.reply_code not in self._abandoned:
                self._ask(query, deadline_s, checkpoint)
                self._abandoned.clear()
                return
        expires_s = self._awake_s() + self._wait_out_s
        self._wait_out_s = WAIT_OUT_S
        while self._awake_s() < expires_s:
            self._receive()
            checkpoint()
        self._abandoned.clear()

    def _expect_no_other(self, query: Query, answer: Reply, checkpoint: Checkpoint) -> None:
        """Shortly after a timeout a reply may be a late one even out of order: of two that differ, neither
        is believed."""
        expires_s = self._awake_s() + LINGER_S
        while self._awake_s() < expires_s:
            _only(query, [answer, *self._receive_answers([query])])
            checkpoint()

    def _awake_s(self) -> float:
        """The clock, without the time in which this process was held up: what came meanwhile lies in the port, and was
        not late."""
        now_s = self._clock.monotonic()
        away_s, self._looked_at_s = now_s - self._looked_at_s, now_s
        if away_s > HELD_UP_S:
            self.held_up_s += away_s
            _log.warning("this process was held up for %.1f s. Look at the load of its machine.", away_s)
        return now_s - self.held_up_s

    def _receive_answers(self, queries: Sequence[Query]) -> list[Reply]:
        """What came now under the codes of these questions' answers, and is no echo of a question."""
        answers = []
        for reply in self._receive():
            if _is_echo(reply, queries):
                continue
            if any(reply.code == query.reply_code for query in queries):
                answers.append(reply)
            else:
                self._doubt(reply)
                _log.debug("unexpected while waiting for the %s: %s", queries[0].name, reply)
        return answers

    def _receive(self) -> list[Reply]:
        try:
            data = self._port.read(max(1, self._waiting()))
        except _PORT_FAILURES as error:
            raise self._hung_up(error) from error
        self._recorder.received(data)
        return self._note(self._parser.feed(data) if data else self._parser.silence())

    def _waiting(self) -> int:
        # pyserial's base class lacks the property in its type stubs; every port has it.
        return int(getattr(self._port, "in_waiting"))  # noqa: B009

    def _note(self, received: Received) -> list[Reply]:
        for noise in received.noise:
            _log.debug("<- no frame: %r", noise.data)
            self._note_noise(noise.data)
        for reply in received.replies:
            _log.debug("<- %s", reply)
            self._last_words = b""
            self.replies += 1
        return received.replies

    def _note_noise(self, data: bytes) -> None:
        self._doubted(bool(data.strip()))
        self.noise_sample = self.noise_sample or data
        self._last_words = (self._last_words + data)[:MAX_LAST_WORDS]

    def _doubt(self, reply: Reply) -> None:
        """Nobody asked for a reply. If its question was cut off it was known to come."""
        self._doubted(reply.code not in self._abandoned)

    def _doubted(self, times: int) -> None:
        self.doubts += times
        self.tally.surprises["line"] += times

    def _drain(self) -> None:
        """Take what nobody asked for off the line, so that it answers nothing."""
        try:
            for _ in range(MAX_DRAIN_READS):
                # Not one read for all: socket:// says 1 however much there is.
                if not (waiting := self._waiting()):
                    break
                data = self._port.read(waiting)
                self._recorder.received(data)
                for reply in self._note(self._parser.feed(data)):
                    self._doubt(reply)
                    _log.debug("drained: %s", reply)
        except _PORT_FAILURES as error:
            raise self._hung_up(error) from error
        if cut := self._parser.reset():
            _log.debug("drained: %r", cut)
            self._note_noise(cut)

    def _write(self, data: bytes) -> None:
        _log.debug("-> %s", data.decode("ascii").rstrip("\n"))
        self._recorder.sent(data)
        try:
            self._port.write(data)
        except _PORT_FAILURES as error:
            # What it said meanwhile was not read yet.
            with contextlib.suppress(LinkLostError):
                self._receive()
            raise self._hung_up(error) from error

    def _hung_up(self, error: Exception) -> LinkLostError:
        look = "Look at the adapter, its cable and its power."
        self._note_noise(self._parser.reset())
        number = _system_error_number(error)
        public = f"the serial port failed ({os.strerror(number)})" if number else "the serial port failed"
        # Recordings go to strangers who help: they name no address.
        self._recorder.lost(public)
        return LinkLostError(
            f"the serial port failed ({error}).{_quoted(self._last_words)} {look}", public=f"{public}. {look}"
        )


def _no_reply(query: Query, deadline_s: float) -> ReplyTimeoutError:
    return ReplyTimeoutError(
        f"no reply to the question for the {query.name} came within {deadline_s:g} s. "
        "Look at the controller's power and the cable."
    )


def _is_echo(reply: Reply, queries: Sequence[Query]) -> bool:
    """Whether it is one of these questions, sent back."""
    return reply.argument is None and any(reply.code == query.code for query in queries)


def _only(query: Query, answers: list[Reply]) -> Reply:
    """The answer, if all that came agree."""
    if any(answer != answers[0] for answer in answers):
        raise ReplyTimeoutError(
            f"two different replies came for the {query.name}; one is late, neither is believed."
        )
    return answers[0]


def _quoted(words: bytes) -> str:
    """What a port said before it hung up, as a sentence for those who may control; nothing for nothing."""
    text = "".join(char if char.isprintable() else " " for char in words.decode("ascii", "replace"))
    text = " ".join(text.replace("\N{REPLACEMENT CHARACTER}", "?").split())[:MAX_LAST_WORDS]
    return f' It said "{text}" and hung up.' if text else ""


def open_link(url: str, baud: int, clock: Clock, recorder: Recorder | None = None) -> Link:
    """Open the port for this process alone.

    Args:
        url: whatever `serial.serial_for_url` takes.
        baud: bits per second; 8 data bits, no parity, 1 stop bit, no flow control (docs/protocol.md).
        recorder: records what goes over it.

    Raises:
        PortUnavailableError: the port is absent, not permitted, no serial port, or held by another process.
    """
    port = None
    try:
        port = serial.serial_for_url(url, do_not_open=True)
        port.baudrate = baud
        port.timeout = READ_SLICE_S
        if not url.lower().startswith("rfc2217:"):
            # pyserial's client for this protocol refuses one; its socket has a timeout of its own.
            port.write_timeout = WRITE_TIMEOUT_S
        port.exclusive = True
        # What a server says at once would be thrown away. A Link drains by itself what nobody asked for.
        port.reset_input_buffer = lambda: None  # type: ignore[method-assign]
        port.open()
    except Exception as error:
        # Whatever the handler of a URL may raise: pyserial has many, and a site may add its own.
        raise _unavailable(url, error, _said_while_opening(port)) from error
    if isinstance(port, serial.Serial):
        # A port of this machine, and no handler's.
        make_prompt(url, port.fileno())
    return Link(port, clock, recorder)


@dataclass(frozen=True)
class Device:
    """What a path leads to, told from what it led to before: by its node, and by who may open that."""

    node: tuple[int, int, int]
    access: tuple[int, int, int]


def device_at(url: str) -> Device | None:
    """What is at the end of a path now; None if there is nothing, and if a URL is no path."""
    try:
        found = os.stat(url)
    except (OSError, ValueError):
        return None
    node = (found.st_dev, found.st_ino, found.st_rdev)
    return Device(node, (found.st_mode, found.st_uid, found.st_gid))


class SerialPort:
    """A configured port, whether there is one at its end or not. See `open_link`."""

    def __init__(self, url: str, baud: int, clock: Clock, recorder: Recorder | None = None) -> None:
        self._url = url
        self._baud = baud
        self._clock = clock
        self._recorder = recorder

    def open(self) -> Link:
        """See `open_link`."""
        return open_link(self._url, self._baud, self._clock, self._recorder)

    def device(self) -> Device | None:
        """What its path leads to now. See `device_at`."""
        return device_at(self._url)


def _said_while_opening(port: object) -> bytes:
    """What a server of rfc2217:// said instead of agreeing on the settings of its port. pyserial's client for this
    protocol keeps it in a queue, byte by byte, which cannot be read of a port that is not open."""
    waiting = getattr(port, "_read_buffer", None)
    words = b""
    while isinstance(waiting, queue.Queue) and len(words) < MAX_LAST_WORDS and not waiting.empty():
        words += waiting.get_nowait() or b""
    return words


def _unavailable(url: str, error: Exception, words: bytes) -> PortUnavailableError:
    advice: dict[int | None, str] = {
        errno.ENOENT: "There is no such device: is the adapter plugged in, and the udev rule installed?",
        errno.EACCES: "This user may not open it: it must be in the group of the device (dialout).",
        errno.EAGAIN: "Another process holds it: end that one first (perhaps a second focusd).",
        errno.EBUSY: "Another process holds it: end that one first (perhaps a second focusd).",
        errno.ENOTTY: "It is no serial port: look at serial_port in the configuration.",
    }
    number = _system_error_number(error)
    hint = advice.get(number, "Look at serial_port in the configuration.")
    what = os.strerror(number) if number else _without_its_port(str(error), url)
    # What a handler says of its own may repeat any part of the configured URL.
    public = f"the serial port cannot be opened: {what}" if number else "the serial port cannot be opened"
    return PortUnavailableError(
        f"the serial port cannot be opened: {url}: {what}.{_quoted(words)} {hint}", public=f"{public}. {hint}"
    )


def _without_its_port(text: str, url: str) -> str:
    """What a handler says, without the URL that the sentence around it names already."""
    prefix = f"could not open port {url}: "
    return text[len(prefix) :] if text.lower().startswith(prefix.lower()) else text


def _system_error_number(error: BaseException | None) -> int | None:
    """The errno behind an error of pyserial, which wraps some of them without it."""
    while error is not None:
        # termios.error is no OSError: its number is only in its arguments.
        number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
        # Those of name servers are negative, and other words belong to them.
        if isinstance(number, int) and number > 0:
            return number
        error = error.__context__
    return None
