"""aiohttp's handler of the requests of one connection, made to say less, and to say when it has answered."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Callable

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from .connection import RequestHandler
from .framing import MAX_CONTROL_HEAD_BYTES, RefusedError

_log = logging.getLogger(__name__)

# Not which library, nor which version of it.
SERVER = "focusd"
# `admission` ends idle connections; aiohttp would do so without looking at half-sent requests.
NEVER_S = 86400.0


class Handler(web.RequestHandler, RequestHandler):
    """Answers the requests of one connection.

    Args:
        server: of the application.
        patience_s: how long aiohttp waits for the rest of a body that nobody has read.
        address: of the client, as it was when it connected.
    """

    def __init__(self, server: web.Server, patience_s: float, address: str) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=NEVER_S,
            lingering_time=patience_s,
            # `admission` has bounded them already.
            max_line_size=MAX_CONTROL_HEAD_BYTES,
            max_field_size=MAX_CONTROL_HEAD_BYTES,
            max_headers=MAX_CONTROL_HEAD_BYTES,
            access_log_class=_Answered,
            access_log=_log,
        )
        self.address = address
        self.on_answer: Callable[[], None] = lambda: None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """The answer to what cannot be read as a request, and to a mistake in this program. Neither says more."""
        if status < 500:
            sentence = "The request is malformed."
        else:
            _log.error("a mistake in this program", exc_info=exc)
            sentence = "The daemon made a mistake; its log has the details."
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        answer = plain(status, sentence)
        answer.force_close()
        return answer


def with_address(request: web.Request) -> web.Request:
    """The request, with the address of a client that has hung up already: the system has forgotten it by then. What
    the client asked for holds all the same, a stop above all."""
    if request.remote is None and isinstance(request.protocol, Handler):
        return request.clone(remote=request.protocol.address)
    return request


async def body_of(request: web.Request) -> bytes:
    """The body of a request, once it is there. Raises RefusedError if it does not come, for `admission` refused it."""
    refusal = _body_refusal(request)
    if refusal is not None:
        raise refusal
    return await request.read()


def is_last(request: web.Request) -> bool:
    """Whether nothing else is answered on the connection of a request, for where it ends is not known."""
    return _body_refusal(request) is not None


def _body_refusal(request: web.Request) -> RefusedError | None:
    protocol = request.protocol
    return protocol.body_refusal if isinstance(protocol, Handler) else None


class _Answered(AbstractAccessLogger):
    """Hears of the end of every answer, aiohttp's own among them. It logs nothing."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:  # noqa: ARG002
        protocol: Any = request.protocol
        if isinstance(protocol, Handler):
            protocol.on_answer()


def plain(status: int, sentence: str) -> web.Response:
    """An answer for people who write clients: a sentence."""
    headers = {"Server": SERVER, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=status, text=f"{sentence}\n", headers=headers)
