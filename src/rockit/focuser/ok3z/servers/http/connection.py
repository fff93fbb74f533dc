"""One guarded connection: it passes on one whole request at a time, and knows until when its client owes something.

It stands between the transport and aiohttp's handler of requests, and uses nothing of that but asyncio.Protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import Callable

from .framing import MAX_BODY_BYTES, MAX_HEAD_BYTES, RefusedError, head_length, read_head


class RequestHandler(asyncio.Protocol):
    """Answers the requests of one connection, which come to it one at a time."""

    body_refusal: RefusedError | None = None
    """Why the body of this request, which is then the last one, does not come to it; None: it does."""


class Connection(asyncio.Protocol):
    """A connection of one client.

    Args:
        handler: answers the requests.
        patience_s: how long a request, or the taking of an answer, may last, in seconds.
        idle_s: how long a client may be silent between requests, in seconds.
        clock: the time, in seconds.
        may_ask: whether one more request of this client is answered now.
        lost: called when the connection has ended.
        most_head_bytes: how long the head of a request may be.
    """

    def __init__(
        self,
        handler: RequestHandler,
        patience_s: float,
        idle_s: float,
        clock: Callable[[], float],
        may_ask: Callable[[], bool],
        lost: Callable[[Connection], None],
        most_head_bytes: int = MAX_HEAD_BYTES,
    ) -> None:
        self.handler = handler
        self.heard_at_s = clock()
        self._patience_s = patience_s
        self._idle_s = idle_s
        self._clock = clock
        self._may_ask = may_ask
        self._lost = lost
        self._most_head_bytes = most_head_bytes
        self._transport: asyncio.Transport | None = None
        self._waiting = b""
        self._body_left = 0
        self._is_last = False
        # The handler has a whole head, and has not answered it.
        self._is_answering = False
        self._is_ending = False
        self.is_new = True
        """Whether nothing has come over it yet."""
        self._due_s: float | None = self.heard_at_s + patience_s
        self._unread_due_s: float | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it may be ended without anybody losing an answer."""
        return not self._is_answering and not self._waiting

    @property
    def is_half_sent(self) -> bool:
        """Whether the rest of a request is waited for."""
        return self._body_left > 0 or (bool(self._waiting) and not self._is_answering)

    @property
    def due_s(self) -> float:
        """When its client must have done what it owes; infinite if it owes nothing."""
        return float("inf") if self._due_s is None else self._due_s

    def is_overdue(self, now_s: float) -> bool:
        """Whether its client has not done in time what it owed."""
        return any(due_s is not None and due_s <= now_s for due_s in (self._due_s, self._unread_due_s))

    def abort(self) -> None:
        """End it now, or as soon as it has begun."""
        self._is_ending = True
        if self._transport is not None:
            self._transport.abort()

    def end_overdue(self) -> None:
        """End it, and say why if that can be said."""
        if self._is_ending or self._unread_due_s is not None:
            self.abort()
        elif self._body_left and not self._is_answering:
            # Nobody waits for another answer to it.
            self._end()
        elif self._waiting or self._body_left:
            self._refuse(408, f"The request was not complete after {self._patience_s:g} s.")
        else:
            self.abort()

    def answered(self) -> None:
        """The handler has answered a request. A body that it did not wait for may still come."""
        self._is_answering = False
        if self._is_ending:
            return
        if self._is_last:
            self._end()
            return
        self._settle_due()
        self._pass_on()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self._is_ending:
            transport.abort()
            return
        self._transport = transport
        self.handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            return
        self.heard_at_s = self._clock()
        self.is_new = False
        self._waiting += data
        self._pass_on()
        if len(self._waiting) > self._most_head_bytes + MAX_BODY_BYTES:
            # More than the next request, whole. An answer is under way: another one cannot be put into it.
            self.abort()

    def eof_received(self) -> bool:
        # Who sends no more may still want its answer.
        if self._is_answering and not self._body_left:
            self._is_last = True
            return True
        return False

    def pause_writing(self) -> None:
        self._unread_due_s = self._clock() + self._patience_s
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self._unread_due_s = None
        self.handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_ending = True
        if self._transport is not None:
            self._transport = None
            self.handler.connection_lost(exc)
        self._lost(self)

    # Passing on

    def _pass_on(self) -> None:
        """Give the handler what is there of one request."""
        try:
            self._pass_on_body()
            # What is left now is of the next request.
            if not self._is_answering:
                self._begin()
                self._pass_on_body()
        except RefusedError as refused:
            self._refuse(refused.status, str(refused))

    def _begin(self) -> None:
        # Empty lines before a request are allowed.
        self._waiting = (
            self._waiting.lstrip(b"\r\n") if self._waiting[:1] in (b"\r", b"\n") else self._waiting
        )
        if not self._waiting:
            return
        self._due_s = self._begun_due_s()
        length = head_length(self._waiting, self._most_head_bytes)
        if not length:
            return
        if not self._may_ask():
            raise RefusedError(429, "Too many requests. Ask less often.")
        head, self._waiting = self._waiting[:length], self._waiting[length:]
        read = read_head(head)
        self._body_left, self._is_last, self._is_answering = read.body_bytes, read.is_last, True
        self._settle_due()
        self.handler.body_refusal = read.refusal
        self._hand_over(read.passed_on)

    def _pass_on_body(self) -> None:
        if not (self._body_left and self._waiting):
            return
        body, self._waiting = self._waiting[: self._body_left], self._waiting[self._body_left :]
        self._body_left -= len(body)
        self._settle_due()
        # Of a request that was answered too: the handler reads and forgets it, and then looks for the next one.
        self._hand_over(body)

    def _hand_over(self, data: bytes) -> None:
        try:
            self.handler.data_received(data)
        except ValueError:
            # Some versions of aiohttp let the error of an address that cannot be one get out.
            raise RefusedError(400, "The request is malformed.") from None

    def _begun_due_s(self) -> float:
        """When a request must be complete that has begun. A byte now and then wins no time."""
        latest_s = self._clock() + self._patience_s
        return latest_s if self._due_s is None else min(self._due_s, latest_s)

    def _settle_due(self) -> None:
        if not self._body_left:
            self._due_s = None if self._is_answering else self._clock() + self._idle_s

    # Ending

    def _refuse(self, status: int, sentence: str) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(refusal(status, sentence))
            self._end()

    def _end(self) -> None:
        """Let the client take what was sent, and hear it out: a connection that is closed on unread bytes takes the
        answer with it."""
        self._is_ending = True
        self._waiting = b""
        self._due_s = self._clock() + self._patience_s
        # A handler that still works on an answer must not find that nothing can be written any more.
        if self._transport is not None and not (self._is_answering or self._transport.is_closing()):
            # A client that has gone away since may be known to the system, and not yet to the transport.
            with contextlib.suppress(OSError):
                self._transport.write_eof()


def refusal(status: int, sentence: str) -> bytes:
    """An answer to what no handler shall see."""
    body = f"{sentence}\n".encode("ascii", "replace")
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Server: focusd",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    )
    return "\r\n".join(head).encode("ascii") + b"\r\n\r\n" + body
