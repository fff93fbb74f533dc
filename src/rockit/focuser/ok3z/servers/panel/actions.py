"""What the page may ask of the focuser: small JSON in, a sentence out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, Callable

from aiohttp import web

from ...errors import FocuserError
from ...service import outcomes
from ...service.focuser import Ending, Focuser
from ...service.history import Asker
from ...service.status import Snapshot
from ..http.awaiting import Calls, Stop, Told
from ..http.framing import RefusedError
from .pages import answered
from .view import sentence

# Of the commands one does the work and the others are refused at once, so this is more than enough.
MOST_COMMANDS = 4
MOST_BODY_BYTES = 1000
BODY_PATIENCE_S = 5.0
DOOR = "panel"
JSON_TYPE = "application/json"


class Actions:
    """The commands of the page. Who calls has been found to be permitted already. Each raises RefusedError if it is not
    understood.

    Args:
        focuser: the service.
        stop: stops the focuser on behalf of who is named, and gives the error, if there is one.
        look: called when a command has ended, before that is answered.
    """

    def __init__(self, focuser: Focuser, stop: Stop, look: Callable[[], None]) -> None:
        self._focuser = focuser
        self._stop = stop
        self._look = look
        self._calls = Calls(focuser, MOST_COMMANDS)
        # Else nobody would hold those of which the client is gone.
        self._stopping: set[asyncio.Task[FocuserError | None]] = set()

    async def set(self, request: web.Request) -> web.Response:
        """POST {"position_mm": number}: move there; answered at the end of the move."""
        return await self._move(request, "position_mm", offset=False)

    async def offset(self, request: web.Request) -> web.Response:
        """POST {"offset_mm": number}: move so far from the target, positive outward."""
        return await self._move(request, "offset_mm", offset=True)

    async def _move(self, request: web.Request, name: str, offset: bool) -> web.Response:
        number_mm = (await _read(request, {name: (int, float)}))[name]
        return await self._run(
            request,
            f"set {outcomes.move(number_mm, offset)}",
            outcomes.arrived,
            lambda: self._focuser.begin_move(number_mm, offset, asker=_asker(request)).ended,
        )

    async def stop(self, request: web.Request) -> web.Response:
        """POST {}: halt; answered when standstill is proven."""
        # Nothing of what is sent can keep a stop from being one: it is not read at all.
        stopping = asyncio.ensure_future(self._stop_and_log(request.remote or "an unknown machine"))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)
        return self._answered(await asyncio.shield(stopping))

    async def initialize(self, request: web.Request) -> web.Response:
        """POST {"resume": true or false}: connect and home."""
        resume = (await _read(request, {"resume": bool}))["resume"]
        return await self._run(
            request,
            "initialize",
            outcomes.initialized,
            lambda: self._focuser.begin_initialize(resume=resume, asker=_asker(request)),
        )

    async def audit(self, request: web.Request) -> web.Response:
        """POST {}: home again, note the steps lost, and return."""
        values = await _read(request, {})
        if isinstance(values, web.Response):
            return values
        return await self._run(
            request, "audit", outcomes.audited, lambda: self._focuser.begin_audit(_asker(request))
        )

    async def shutdown(self, request: web.Request) -> web.Response:
        """POST {}: disconnect from the focuser, for everybody."""
        await _read(request, {})
        return await self._run(
            request, "shutdown", outcomes.disconnected, lambda: self._focuser.begin_shutdown(_asker(request))
        )

    async def _stop_and_log(self, by: str) -> FocuserError | None:
        began_s = time.monotonic()
        error = await self._stop(by)
        told = Told(f"stop, asked by {by} on the panel", outcomes.stands)
        told.log(error, self._focuser.snapshot, time.monotonic() - began_s)
        return error

    async def _run(
        self, request: web.Request, name: str, how: Callable[[Snapshot], str], begin: Callable[[], Ending]
    ) -> web.Response:
        # Who asked may go away meanwhile; what was asked for goes on, and its end is logged.
        told = Told(f"{name}, asked by {request.remote} on the panel", how)
        return self._answered(await self._calls.begin(begin, told))

    def _answered(self, error: FocuserError | None) -> web.Response:
        # Who reads the answer and acts on it at once must not be held up by a state that is past.
        self._look()
        if error is None:
            return answered({"done": True, "code": "", "message": ""})
        return answered({"done": False, "code": error.code, "message": sentence(str(error))})


def _asker(request: web.Request) -> Asker:
    return Asker(request.remote or "", DOOR)


async def _read(request: web.Request, expected: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a request. Raises RefusedError if it has others than `expected` (name and type)."""
    # A page of another origin cannot send this type unasked: its browser would ask first, and is not answered.
    if request.content_type != JSON_TYPE:
        raise RefusedError(
            415, f"The content type is {request.content_type[:100]}; {JSON_TYPE} was expected."
        )
    return _values(await _body(request), expected)


async def _body(request: web.Request) -> bytes:
    body = b""
    try:
        while chunk := await asyncio.wait_for(request.content.readany(), BODY_PATIENCE_S):
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                raise RefusedError(413, f"The body is larger than {MOST_BODY_BYTES} bytes.")
    except (asyncio.TimeoutError, OSError):
        raise RefusedError(408, "The body of the request did not come.") from None
    return body


def _values(body: bytes, expected: Mapping[str, Any]) -> dict[str, Any]:
    try:
        values = json.loads(body, object_pairs_hook=_object_of)
    # A number of ten thousand digits is a ValueError too.
    except (ValueError, RecursionError):
        raise RefusedError(400, "The body is no JSON.") from None
    wanted = ", ".join(expected) or "nothing"
    if not isinstance(values, dict) or set(values) != set(expected):
        raise RefusedError(400, f"The body must be a JSON object that holds {wanted}.")
    for name, types in expected.items():
        value = values[name]
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            kind = "true or false" if types is bool else "a number"
            raise RefusedError(400, f"{name} must be {kind}.")
    return values


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        # Which of the two is meant cannot be told.
        raise RefusedError(400, "The body holds a name twice.")
    return values
