"""The server of the Alpaca port: one thread that speaks to all connections."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Collection
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Callable

from aiohttp import web
from aiohttp.typedefs import Handler as WebHandler

from ..errors import NotPermittedError
from ..service.focuser import Focuser
from .alpaca.actions import DOOR as ALPACA_DOOR
from .alpaca.api import Api
from .alpaca.device import Device
from .alpaca.jobs import Jobs
from .alpaca.management import management_values
from .alpaca.sessions import Sessions
from .http.access import Access, own_names
from .http.admission import Admission, Bounds
from .http.awaiting import stopped
from .http.handler import SERVER, Handler, is_last, plain, with_address
from .net.log_throttle import LogThrottle
from .panel.actions import DOOR as PANEL_DOOR
from .panel.panel import PAGE_PATHS, Panel

if TYPE_CHECKING:
    from .metrics import Metrics

_log = logging.getLogger(__name__)

CLOSE_PATIENCE_S = 1.0
LAST_ANSWERS_S = 0.1
# This machine may be up before the name server that knows its full name.
NAMES_AGAIN_S = 300.0


class WebServer:
    """Serves a focuser to Alpaca programs and to browsers.

    Args:
        listener: from `listener.listen`, of the MANNER of `admission`; it is closed in the end.
        focuser: the service.
        control_ips: the addresses from which the focuser may be controlled; everybody may look.
        name: the daemon's registered name.
        focus_range_mm: the outermost position that may be asked for.
        device_name: what programs and the panel call the focuser.
        machine_id: of this machine, from `management.machine_id`. The UniqueID that programs keep follows from it and
            from the daemon's name.
        host_names: names by which this machine is called, beside its own: those of the phone book.
        bounds: what clients may use up.
        metrics: what Prometheus reads; None: nothing.
        find_own_names: finds this machine's own names; it may wait for a name server.
        now_s: a monotonic clock for the lines in the log, in seconds.
    """

    def __init__(
        self,
        listener: socket.socket,
        focuser: Focuser,
        control_ips: Collection[str],
        name: str,
        focus_range_mm: float,
        *,
        device_name: str = "ASA OK3Z focuser",
        machine_id: str = "",
        host_names: Collection[str] = (),
        bounds: Bounds | None = None,
        metrics: Metrics | None = None,
        find_own_names: Callable[[], Collection[str]] = own_names,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = listener
        self._focuser = focuser
        self._name = name
        self._device_name = device_name
        self._machine_id = machine_id
        self._focus_range_mm = focus_range_mm
        self._bounds = bounds or Bounds()
        self._metrics = metrics
        self._find_own_names = find_own_names
        self._access = Access(control_ips, host_names, PAGE_PATHS)
        self._tally = LogThrottle("Alpaca port")
        self._now_s = now_s
        self._thread = threading.Thread(target=self._run, name="alpaca", daemon=True)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._closing = threading.Event()

    @property
    def port(self) -> int:
        """The TCP port that it serves."""
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> None:
        """Serve, on a thread of its own, until `close`. Does not wait."""
        threading.Thread(target=self._learn_names, name="alpaca-names", daemon=True).start()
        self._thread.start()

    def lives(self) -> bool:
        """Whether the thread that serves has not ended."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End all connections and the thread, within CLOSE_PATIENCE_S. Calls that still run end with the service."""
        with self._lock:
            self._closing.set()
            if self._loop is not None and self._end is not None:
                self._loop.call_soon_threadsafe(self._end.set)
        if self._thread.ident is not None:
            self._thread.join(CLOSE_PATIENCE_S)
        self._listener.close()

    def _learn_names(self) -> None:
        while not self._closing.is_set():
            try:
                self._access.learn(self._find_own_names())
            except Exception:
                _log.exception("a mistake in this program: the names of this machine were not found")
                return
            self._closing.wait(NAMES_AGAIN_S)

    # The thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException:
            _log.exception(
                "a mistake in this program: the Alpaca port is not served any more. Restart the daemon."
            )
        finally:
            # Whoever comes now is refused at once, and does not wait for an answer in vain.
            self._listener.close()

    async def _serve(self) -> None:
        end = asyncio.Event()
        with self._lock:
            if self._closing.is_set():
                return
            self._loop, self._end = asyncio.get_running_loop(), end
        jobs = Jobs(self._focuser, partial(stopped, self._focuser, ALPACA_DOOR))
        runner = web.AppRunner(
            self._application(jobs), handler_cancellation=True, shutdown_timeout=LAST_ANSWERS_S
        )
        try:
            await runner.setup()
            admission = Admission(
                self._listener,
                partial(self._new_handler, runner),
                self._access.may_control,
                self._bounds,
                self._tally,
                self._now_s,
            )
            if self._metrics is not None:
                self._metrics.connections["alpaca"] = lambda: admission.connections
            try:
                admission.open()
                await end.wait()
            finally:
                admission.close()
        finally:
            with self._lock:
                self._loop = self._end = None
            jobs.close()
            await runner.cleanup()

    def _new_handler(self, runner: web.AppRunner, address: str) -> Handler:
        assert runner.server is not None
        return Handler(runner.server, self._bounds.patience_s, address)

    def _application(self, jobs: Jobs) -> web.Application:
        may_control = self._access.may_control
        device = Device(self._focuser, jobs, Sessions(), may_control, self._device_name, self._focus_range_mm)
        management = management_values(self._name, device.name, self._machine_id)
        api = Api(device, management, self._access, self._count_refusal)
        panel = Panel(
            self._focuser,
            partial(stopped, self._focuser, PANEL_DOOR),
            may_control,
            device.name,
            self._focus_range_mm,
            self._count_refusal,
        )
        application = web.Application(middlewares=[self._at_the_edge])
        # Of the types of its lists aiohttp has thought differently over time.
        before_answers: Any = application.on_response_prepare
        before_answers.append(_complete_head)
        application.add_routes(api.routes())
        panel.add_to(application)
        if self._metrics is not None:
            application.add_routes(self._metrics.routes())
        return application

    def _count_refusal(self, kind: str) -> None:
        self._tally.count(kind)
        self._focuser.counters.refuse(NotPermittedError.code)

    @web.middleware
    async def _at_the_edge(self, request: web.Request, handler: WebHandler) -> web.StreamResponse:
        headers = request.headers
        hosts, origins = headers.getall("Host", []), headers.getall("Origin", [])
        why = self._access.why_refused(request.method, request.path, hosts, origins, headers)
        if why is not None:
            return plain(403, why)
        try:
            return await handler(with_address(request))
        except web.HTTPException as error:
            answer = plain(error.status, f"{HTTPStatus(error.status).phrase}.")
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer


async def _complete_head(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER
    if is_last(request):
        response.headers["Connection"] = "close"
