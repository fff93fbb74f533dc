"""The one thread that speaks to all connections, and waits for none of them."""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import socket
import threading
import time
from itertools import chain

from Pyro4.errors import MessageTooLargeError, ProtocolError

from ..net.allowance import Allowance
from ..net.listener import Manner
from ..net.log_throttle import LogThrottle
from .calls import Asker, RunningCalls
from .connection import Connection, TooLargeError
from .exposed import Answer, Exposed
from .later import AtEnd, Later
from .message import (
    Call,
    Header,
    NotPyroError,
    RefusedError,
    connected,
    failure,
    greeted_object,
    pong,
    read_call,
    rejected,
    result,
)
from .pool import Pool, allowed_files
from .waiting import Waiting

_log = logging.getLogger(__name__)

# How long a client may take to greet, to end a message that it began, to take an answer, and to hang up when told.
PATIENCE_S = 5.0
# What is done for strangers before it is looked again for others.
STRANGERS_TURN_S = 0.005
# Of all strangers together: each takes some milliseconds of this process.
QUESTIONS_AT_ONCE, QUESTIONS_PER_S = 50.0, 20.0
# A backlog as long as the system allows as a rule: a flood of newcomers pushes out others if it is full. Calls and
# answers are shorter than the buffers.
MANNER = Manner(backlog=4096, buffer_bytes=32768, keep_alive=True)
ACCEPTED_PER_TURN = 1000
# After an accept for which this machine had no means.
ACCEPT_AGAIN_S = 0.2


class PyroServer:
    """Serves a published object to Pyro4 proxies.

    Args:
        listener: from `listener.listen`, of the MANNER here; it is closed in the end.
        published: what is served.
        patience_s: how long a client may leave something half done, in seconds.
    """

    def __init__(self, listener: socket.socket, published: Exposed, patience_s: float = PATIENCE_S) -> None:
        self._listener = listener
        self._published = published
        self._patience_s = patience_s
        self._files = allowed_files()
        half = self._files.connections // 2
        self._rooms = {True: Pool(half), False: Pool(half)}
        self._tally = LogThrottle("Pyro port")
        # In the order in which they end, since all are equally long.
        self._deadlines: dict[Connection, float] = {}
        self._accept_again_s: float | None = None
        self._running = RunningCalls(self._ring)
        self._waiting = Waiting()
        self._questions = Allowance(QUESTIONS_AT_ONCE, QUESTIONS_PER_S)
        self._bell_out, self._bell_in = socket.socketpair()
        self._bell_out.setblocking(False)
        self._bell_in.setblocking(False)
        self._is_finishing, self._is_closing = threading.Event(), threading.Event()
        self._turns = 0
        self._turns_at_last_question = -1
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell_out, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: host and port."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    @property
    def connections(self) -> int:
        """How many connections there are. Any thread may ask."""
        return sum(len(room) for room in self._rooms.values())

    def serve_forever(self) -> None:
        """Serve until `finish` or `close`, which any other thread may call. Closes all sockets."""
        try:
            while not (self._is_closing.is_set() or (self._is_finishing.is_set() and self._owes_nothing)):
                self._turn()
        finally:
            self._close_all()

    def finish(self) -> None:
        """Have `serve_forever` end when all calls that run are answered."""
        self._is_finishing.set()
        self._ring()

    @property
    def _owes_nothing(self) -> bool:
        return not (self._running or any(one.has_unsent for one in chain(*self._rooms.values())))

    def close(self) -> None:
        """Have `serve_forever` end. Calls that run are not waited for."""
        self._is_closing.set()
        self._ring()

    def news(self) -> None:
        """There is news: answer those who wait for it. Any thread may say so; does not wait."""
        if len(self._waiting):
            self._ring()

    def lives(self) -> bool:
        """Whether the serving thread has turned since this was last asked. To be asked by one thread, every now and
        then: the question itself gives it a reason to."""
        turns_before, self._turns_at_last_question = self._turns_at_last_question, self._turns
        self._ring()
        return self._turns != turns_before

    # One turn

    def _turn(self) -> None:
        self._turns += 1
        events = self._selector.select(self._timeout_s())
        now_s = time.monotonic()
        ready = []
        for key, _ in events:
            if key.data is not None:
                ready.append(key.data)
            elif key.fileobj is self._bell_out:
                self._bell_out.recv(4096)
            else:
                self._accept_all(now_s)
        self._answer_ended(now_s)
        self._serve_ready(ready, now_s)
        self._answer_waiting(now_s)
        self._hang_up_overdue(now_s)
        self._resume_accepting(now_s)
        self._tally.say(now_s)

    def _timeout_s(self) -> float | None:
        first_deadline_s = next(iter(self._deadlines.values()), None)
        own = (first_deadline_s, self._accept_again_s, self._tally.due_s)
        due = [when_s for when_s in (*own, self._running.due_s, self._waiting.due_s) if when_s is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _serve_ready(self, ready: list[Connection], now_s: float) -> None:
        """Those that may control first, then those that have waited longest, for a while."""
        ready.sort(key=lambda one: (not one.may_control, one.heard_s))
        for connection in ready:
            if not connection.may_control and time.monotonic() > now_s + STRANGERS_TURN_S:
                return
            # One that gave way to a newcomer of this turn.
            if not connection.is_closed:
                self._serve(connection, now_s)

    def _serve(self, connection: Connection, now_s: float) -> None:
        connection.heard_s = now_s
        try:
            if connection.has_unsent:
                connection.flush()
            elif connection.is_leaving:
                connection.discard()
            elif connection in self._waiting:
                # It has hung up; or said more, which would begin only now.
                self._drop(connection)
                return
            else:
                self._receive(connection)
            self._settle(connection, now_s)
        except NotPyroError:
            self._drop(connection, "hung up on what is no Pyro client")
        except OSError:
            self._drop(connection)
        except Exception:
            _log.exception("a mistake in this program, with what %s sent", connection.address[0])
            self._drop(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            received = connection.receive()
        except TooLargeError as error:
            too_large = MessageTooLargeError(str(error))
            self._refuse(connection, too_large, _refusal(error.header, too_large))
            return
        if received:
            self._take(connection, *received)
            self._room_of(connection).heard(connection)

    def _settle(self, connection: Connection, now_s: float) -> None:
        """See to it that a client ends what it began, and listen for what it may do next."""
        if connection.owes:
            self._deadlines.setdefault(connection, now_s + self._patience_s)
        else:
            self._deadlines.pop(connection, None)
        if connection.is_leaving and not connection.has_unsent:
            connection.sock.shutdown(socket.SHUT_WR)
        self._listen_to(connection)

    def _listen_to(self, connection: Connection) -> None:
        # While its call runs nothing is read of it: a client has one call at a time.
        wanted = selectors.EVENT_READ if not connection.is_busy else 0
        if connection.has_unsent:
            wanted = selectors.EVENT_WRITE
        if wanted == connection.watched_for:
            return
        if not wanted:
            self._selector.unregister(connection.sock)
        elif not connection.watched_for:
            self._selector.register(connection.sock, wanted, connection)
        else:
            self._selector.modify(connection.sock, wanted, connection)
        connection.watched_for = wanted

    # What a message asks for

    def _take(self, connection: Connection, header: Header, data: bytes) -> None:
        if not connection.is_greeted:
            self._greet(connection, header, data)
        elif header.is_ping:
            connection.send(pong(header))
        elif header.is_call:
            self._take_call(connection, header, data)
        else:
            neither = ProtocolError("this message is neither a call nor a ping.")
            self._refuse(connection, neither, failure(header, neither))

    def _greet(self, connection: Connection, header: Header, data: bytes) -> None:
        try:
            if not header.is_greeting:
                raise RefusedError("a connection begins with a greeting.")
            header.require_plain()
            if header.wants_metadata and greeted_object(data) != self._published.object_id:
                raise RefusedError("unknown object")
        except RefusedError as error:
            self._refuse(connection, error, rejected(header, str(error)))
        else:
            connection.is_greeted = True
            connection.send(connected(header, self._published.methods))

    def _take_call(self, connection: Connection, header: Header, data: bytes) -> None:
        try:
            header.require_plain()
            answer = self._begin(connection, header, read_call(data), data)
        except RefusedError as error:
            self._refuse(connection, error, failure(header, ProtocolError(str(error))))
            return
        if answer and not header.wants_no_answer:
            connection.send(answer)

    def _begin(self, connection: Connection, header: Header, call: Call, data: bytes) -> bytes | None:
        """Make a call, and answer it. None: the answer comes later."""
        address = connection.address[0]
        unknown = self._published.why_unknown(call)
        if unknown:
            self._published.refused(address, call.method, unknown, str(unknown))
            return failure(header, unknown)
        if self._published.is_open(call):
            return self._published.answer_at_once(connection, header, call)
        is_question = self._published.is_question(call)
        if not (connection.may_control or is_question):
            # Its arguments have not been looked at, nor will they be.
            why = f"{address} is not among control_machines"
            self._tally.count(f"{call.method} refused: {why}")
            self._published.refused(address, call.method, self._published.not_permitted, f"{why}.")
            return result(header, self._published.not_permitted)
        asker = Asker(connection, header, self._published.is_urgent(call), is_question)
        now_s = time.monotonic()
        may_ask = connection.may_control or not is_question or self._questions.take(now_s)
        if self._running.is_full_for(asker) or not may_ask:
            why = "too many calls run already. Wait for the end of some."
            self._published.refused(address, call.method, self._published.busy, why)
            return result(header, self._published.busy)
        answer = self._published.answer(connection, header, call, data)
        return self._answer_if_there(asker, answer, now_s)

    def _answer_if_there(self, asker: Asker, answer: Answer, now_s: float) -> bytes | None:
        """What there is to send now. None: it comes later."""
        if isinstance(answer, AtEnd):
            self._running.add(asker, answer, now_s)
            if asker.holds:
                asker.connection.is_busy = True
            return None
        if asker.holds:
            asker.connection.is_busy = False
        if asker.header.wants_no_answer:
            return b""
        if isinstance(answer, Later):
            if self._waiting.could_add(asker.connection, asker.header, answer, now_s):
                return None
            return self._answer_now(asker.header, answer)
        return answer

    def _answer_now(self, header: Header, later: Later) -> bytes:
        answer = self._published.answer_after(header, later)
        assert isinstance(answer, bytes), "who has waited for news waits for nothing else"
        return answer

    def _ring(self) -> None:
        # Full: it rings already. Closed: nobody is there to hear it.
        with contextlib.suppress(OSError):
            self._bell_in.send(b"x")

    def _answer_ended(self, now_s: float) -> None:
        for call in self._running.take_due(now_s):
            asker, connection = call.asker, call.asker.connection
            answered = self._published.answer_after(asker.header, call.waits_for)
            # What was asked for goes on if its client has gone.
            if connection.is_closed and not isinstance(answered, AtEnd):
                continue
            answer = self._answer_if_there(asker, answered, now_s)
            if answer is None:
                self._listen_to(connection)
            elif asker.holds:
                alone = asker.is_urgent or asker.header.wants_no_answer
                self._send_answer(connection, answer, alone, now_s)

    def _answer_waiting(self, now_s: float) -> None:
        for waiter in self._waiting.take_due(now_s):
            self._send_answer(waiter.connection, self._answer_now(waiter.header, waiter.later), False, now_s)

    def _send_answer(self, connection: Connection, answer: bytes, alone: bool, now_s: float) -> None:
        try:
            if not alone and connection.has_sent_more:
                # It would begin only now, perhaps after somebody has stopped what came before.
                self._tally.count("a call came before the answer to the one before it: hung up")
                self._part(connection, answer)
            else:
                connection.send(answer)
            self._settle(connection, now_s)
        except OSError:
            self._drop(connection)

    # Coming and going

    def _accept_all(self, now_s: float) -> None:
        for _ in range(ACCEPTED_PER_TURN):
            try:
                sock, address = self._listener.accept()
                sock = self._files.place(sock)
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            except OSError as error:
                self._selector.unregister(self._listener)
                # Else it listens no more, for the daemon ends.
                if error.errno != errno.EINVAL:
                    self._tally.count(f"cannot take more connections: {error}")
                    self._accept_again_s = now_s + ACCEPT_AGAIN_S
                return
            self._welcome(sock, address[:2], now_s)

    def _resume_accepting(self, now_s: float) -> None:
        if self._accept_again_s is not None and now_s >= self._accept_again_s:
            self._accept_again_s = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _welcome(self, sock: socket.socket, address: tuple[str, int], now_s: float) -> None:
        sock.setblocking(False)
        connection = Connection(sock, address, self._published.may_control(address[0]))
        connection.heard_s = now_s
        room = self._room_of(connection)
        if room.is_full:
            leaving = room.first_to_go()
            if leaving is None:
                sock.close()
                self._tally.count("no room for a new connection, for calls run over all that there are")
                return
            self._drop(leaving, "no room: the connection that was idle for longest gave way")
        room.add(connection)
        self._settle(connection, now_s)

    def _room_of(self, connection: Connection) -> Pool:
        return self._rooms[connection.may_control]

    def _refuse(self, connection: Connection, error: Exception, last_words: bytes) -> None:
        """Tell a client why its message is not taken, and see it off."""
        self._published.refused(connection.address[0], "", error, str(error))
        self._part(connection, last_words)

    def _part(self, connection: Connection, last_words: bytes) -> None:
        connection.is_leaving = True
        connection.send(last_words)

    def _hang_up_overdue(self, now_s: float) -> None:
        overdue = []
        for connection, deadline_s in self._deadlines.items():
            if deadline_s > now_s:
                break
            overdue.append(connection)
        for connection in overdue:
            self._drop(
                connection,
                f"hung up after {self._patience_s:g} s on half a message, or none, or an answer not taken",
            )

    def _drop(self, connection: Connection, why: str = "") -> None:
        if why:
            self._tally.count(why)
        self._deadlines.pop(connection, None)
        self._waiting.remove(connection)
        self._room_of(connection).remove(connection)
        if connection.watched_for:
            self._selector.unregister(connection.sock)
        connection.sock.close()

    def _close_all(self) -> None:
        for connection in chain(*self._rooms.values()):
            connection.sock.close()
        self._selector.close()
        for sock in (self._listener, self._bell_out, self._bell_in):
            sock.close()


def _refusal(header: Header, error: Exception) -> bytes:
    return rejected(header, str(error)) if header.is_greeting else failure(header, error)
