"""Server-sent events: what changes is sent to every viewer; a slow one is dropped, and delays nobody."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Callable

from aiohttp import web

from ..http.rate_limit import Rates
from ..net.addresses import network_of
from .pages import HEADERS, refused

_log = logging.getLogger(__name__)

MOST_VIEWERS = 32
# The others are kept for machines that may control.
MOST_STRANGERS = 16
# Of one address. One more takes the place of its oldest, which may be a page that is no longer there.
MOST_OF_ADDRESS = 8
# How many streams the strangers at one address may open at once, and in each second after that.
OPENS_BURST = 20.0
OPENS_PER_S = 1.0
# The same of a machine that may control: a key that reloads the page may be held down there, but a script that opens
# streams as fast as it can must not keep the others waiting.
CONTROL_OPENS_BURST = 100.0
CONTROL_OPENS_PER_S = 10.0
# What the system keeps for a viewer that does not read. It doubles this by itself.
SEND_BUFFER_BYTES = 32768
# What was sent must have left this process by then.
PATIENCE_S = 8.0
POLL_S = 0.05
# Told to the browser: after so long it comes back.
RETRY_MS = 1000


class Viewer:
    """One stream. It holds the newest of each kind of event until it can be sent, and nothing older."""

    def __init__(self, may_control: bool, address: str = "") -> None:
        self.may_control = may_control
        self.address = address
        self._waiting: dict[str, bytes] = {}
        self._fresh = asyncio.Event()
        self._ended = False

    def offer(self, kind: str, event: bytes) -> None:
        """Send an event soon; it takes the place of one of its kind that was not sent yet."""
        self._waiting[kind] = event
        self._fresh.set()

    def end(self) -> None:
        """Send nothing more."""
        self._ended = True
        self._fresh.set()

    async def next(self) -> bytes:
        """What is to be sent; empty: nothing more will be."""
        await self._fresh.wait()
        self._fresh.clear()
        if self._ended:
            return b""
        waiting, self._waiting = self._waiting, {}
        return b"".join(waiting.values())


class Viewers:
    """All streams. Used on the loop's thread only.

    Args:
        now_s: a monotonic clock, in seconds.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        # The oldest first.
        self._viewers: dict[Viewer, None] = {}
        self._opens = {
            False: Rates(OPENS_BURST, OPENS_PER_S),
            True: Rates(CONTROL_OPENS_BURST, CONTROL_OPENS_PER_S),
        }
        self._ended = False

    def send(self, kind: str, values: Callable[[bool], Mapping[str, Any]]) -> None:
        """Send an event to all; `values` makes what it says to machines that may control (True), and to others."""
        events: dict[bool, bytes] = {}
        for viewer in self._viewers:
            if viewer.may_control not in events:
                events[viewer.may_control] = encoded(kind, values(viewer.may_control))
            viewer.offer(kind, events[viewer.may_control])

    def end(self) -> None:
        """End all streams, for good."""
        self._ended = True
        for viewer in self._viewers:
            viewer.end()

    async def serve(
        self, request: web.Request, may_control: bool, first: Callable[[], bytes]
    ) -> web.StreamResponse:
        """Stream to one viewer until it goes away or does not read.

        Args:
            request: for the stream.
            may_control: whether the machine that sent it may control.
            first: makes what is sent at once. It is not called for who is refused: that must cost next to nothing.
        """
        address = network_of(request.remote or "")
        if not self._opens[may_control].allows(address, self._now_s()):
            return refused(429, "This machine asks for the focuser's state too often. Wait a few seconds.")
        if self._ended or not self._made_room(may_control, address):
            return refused(503, "Too many pages look at this focuser already. Close some.")
        viewer = Viewer(may_control, address)
        viewer.offer("first", first())
        self._viewers[viewer] = None
        try:
            return await _stream(request, viewer)
        finally:
            self._viewers.pop(viewer, None)

    def _made_room(self, may_control: bool, address: str) -> bool:
        own = [viewer for viewer in self._viewers if viewer.address == address]
        if len(own) >= MOST_OF_ADDRESS:
            own[0].end()
            del self._viewers[own[0]]
        strangers = sum(not viewer.may_control for viewer in self._viewers)
        return len(self._viewers) < MOST_VIEWERS and (may_control or strangers < MOST_STRANGERS)


def encoded(kind: str, values: Mapping[str, Any]) -> bytes:
    """One event on the wire."""
    # ASCII without line ends: nothing in it can end the event early.
    return f"event: {kind}\ndata: {json.dumps(values, separators=(',', ':'))}\n\n".encode()


async def _stream(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
    await response.prepare(request)
    _bound(request.transport)
    # A viewer that went away: there is nobody to tell.
    with suppress(ConnectionError):
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        while event := await viewer.next():
            if not await _sent(request, response, event):
                _log.debug("%s reads too slowly, and is dropped", request.remote)
                if request.transport is not None:
                    request.transport.abort()
                break
    return response


def _bound(transport: asyncio.Transport | None) -> None:
    connection = transport.get_extra_info("socket") if transport else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


async def _sent(request: web.Request, response: web.StreamResponse, event: bytes) -> bool:
    try:
        await asyncio.wait_for(response.write(event), PATIENCE_S)
    except asyncio.TimeoutError:
        return False
    return await _has_left(request.transport)


async def _has_left(transport: asyncio.Transport | None) -> bool:
    """Whether all that was written is the system's now, within PATIENCE_S."""
    end_s = time.monotonic() + PATIENCE_S
    while transport is not None and not transport.is_closing() and transport.get_write_buffer_size():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(POLL_S)
    return True
