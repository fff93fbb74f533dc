"""The panel: a page for people at `/`, and at the places where Alpaca programs look for a setup page.

It shows what the service publishes and calls what the service offers; it knows nothing of the focuser by itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any, Callable

from aiohttp import web

from ...service.focuser import Focuser
from ...service.status import Snapshot
from ...version import VERSION
from ..http.awaiting import Stop
from ..http.framing import RefusedError
from .actions import Actions
from .chart import HISTORY_S, Chart
from .motion_list import MotionList
from .nights import Nights
from .pages import Pages, refused
from .stream import Viewers, encoded
from .view import described, position_mm

__all__ = ["Panel"]

_log = logging.getLogger(__name__)

# How often the snapshot is looked at, and how often it is sent though nothing has changed: a page that hears
# nothing for much longer knows that the daemon is gone.
SAMPLE_PERIOD_S = 0.1
HEARTBEAT_S = 1.0
# How old the history may be that a new page is sent: all that come meanwhile share one.
HISTORY_KEPT_S = 1.0
PAGE_PATHS = ("/", "/setup", "/setup/v1/focuser/0/setup")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Panel:
    """The page, its events and its commands, for one aiohttp application.

    Whoever serves it must have refused foreign Host and Origin headers already.

    Args:
        focuser: the service.
        stop: stops the focuser on behalf of who is named, and gives the error, if there is one.
        may_control: whether the machine at an address may control. Others may look.
        name: what the focuser is called, for people.
        range_mm: the outermost position that may be asked for.
        count_refusal: is told of each command of a machine that may not control, in a phrase for the log.
        now_s: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        focuser: Focuser,
        stop: Stop,
        may_control: Callable[[str], bool],
        name: str,
        range_mm: float,
        count_refusal: Callable[[str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now_s = now_s
        self._focuser = focuser
        self._may_control = may_control
        self._count_refusal = count_refusal
        self._about = {"name": name, "range_mm": range_mm, "version": VERSION, "history_s": HISTORY_S}
        self._pages = Pages()
        self._commands = Actions(focuser, stop, self._look)
        self._nights = Nights(focuser, may_control, now_s)
        self._viewers = Viewers(now_s)
        self._history = Chart()
        self._kept_history = b""
        self._kept_at_s = 0.0
        self._moves = MotionList()
        self._seen: Snapshot | None = None
        self._sent_at_s = 0.0
        self._last_seen: tuple[float, float] | None = None

    def add_to(self, app: web.Application) -> None:
        """Serve the panel in an application, for as long as that runs."""
        app.add_routes(self.routes())
        app.cleanup_ctx.append(self.running)
        # Of the types of its lists aiohttp has thought differently over time.
        at_the_end: Any = app.on_shutdown
        at_the_end.append(self.hang_up)

    def routes(self) -> list[web.RouteDef]:
        """The addresses of the panel."""
        return [
            *(web.get(path, self._page) for path in PAGE_PATHS),
            web.get("/panel/events", self._events, allow_head=False),
            web.get("/panel/history", self._understood(self._nights.night), allow_head=False),
            web.get("/panel/history.csv", self._understood(self._nights.csv), allow_head=False),
            web.get("/panel/{part}", self._part),
            web.post("/panel/set", self._permitted(self._commands.set)),
            web.post("/panel/offset", self._permitted(self._commands.offset)),
            web.post("/panel/stop", self._permitted(self._commands.stop)),
            web.post("/panel/initialize", self._permitted(self._commands.initialize)),
            web.post("/panel/audit", self._permitted(self._commands.audit)),
            web.post("/panel/shutdown", self._permitted(self._commands.shutdown)),
        ]

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """Samples the snapshot while the application runs (for `cleanup_ctx`)."""
        sampling = asyncio.ensure_future(self._sample())
        try:
            yield
        finally:
            sampling.cancel()
            with suppress(asyncio.CancelledError):
                await sampling

    async def hang_up(self, _: web.Application) -> None:
        """End all streams, which would keep the application from ending (for `on_shutdown`)."""
        self._viewers.end()

    # What is served

    async def _page(self, request: web.Request) -> web.Response:
        return self._pages.page(controls=self._is_permitted(request))

    async def _part(self, request: web.Request) -> web.Response:
        return self._pages.part(request.match_info["part"])

    async def _events(self, request: web.Request) -> web.StreamResponse:
        may_control = self._is_permitted(request)
        about = {**self._about, "may_control": may_control, "viewer": request.remote}
        return await self._viewers.serve(request, may_control, lambda: self._first(about, may_control))

    def _first(self, about: dict[str, Any], may_control: bool) -> bytes:
        self._look()
        return b"".join(
            (
                encoded("about", about),
                self._encoded_history(),
                encoded("moves", self._list(may_control)),
                encoded("status", self._view(may_control)),
            )
        )

    def _encoded_history(self) -> bytes:
        now_s = self._now_s()
        if not self._kept_history or now_s >= self._kept_at_s + HISTORY_KEPT_S:
            self._kept_history = encoded("history", {"points": self._history.shown()})
            self._kept_at_s = now_s
        return self._kept_history

    def _permitted(self, command: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self._is_permitted(request):
                return await self._understood(command)(request)
            who = request.remote or "This machine"
            command_name = request.path.rpartition("/")[2]
            self._count_refusal(f"{command_name} on the panel refused: {who} is not among control_machines")
            return refused(403, f"{who} is not among control_machines: it may look, and not control.")

        return handle

    def _understood(self, answer: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await answer(request)
            except RefusedError as error:
                return refused(error.status, str(error))

        return handle

    def _is_permitted(self, request: web.Request) -> bool:
        return request.remote is not None and self._may_control(request.remote)

    # What is sampled

    async def _sample(self) -> None:
        while True:
            try:
                self._look()
            except Exception:
                _log.exception("a mistake in this program, in the panel")
            await asyncio.sleep(SAMPLE_PERIOD_S)

    def _look(self) -> None:
        snapshot = self._focuser.snapshot
        now_s = self._now_s()
        if snapshot is self._seen and now_s < self._sent_at_s + HEARTBEAT_S:
            return
        self._seen, self._sent_at_s = snapshot, now_s
        self._history.see(snapshot, now_s)
        if (here_mm := position_mm(snapshot)) is not None:
            self._last_seen = (here_mm, now_s)
        if self._moves.see(self._focuser.motions):
            self._viewers.send("moves", self._list)
        self._viewers.send("status", self._view)

    def _list(self, may_control: bool) -> dict[str, Any]:
        return {"moves": self._moves.shown(may_control)}

    def _view(self, may_control: bool) -> dict[str, Any]:
        snapshot = self._seen or self._focuser.snapshot
        age_s = self._focuser.reading_age_s(snapshot)
        temperature = self._focuser.temperature
        told = temperature.published(may_control) if temperature else None
        return described(
            snapshot, age_s, self._now_s(), may_control, self._last_seen, time.time(), temperature=told
        )
