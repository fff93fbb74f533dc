"""The panel in a small aiohttp application, with a service that does as it is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Callable, cast

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from rockit.focuser.ok3z.errors import BusyError, FocuserError
from rockit.focuser.ok3z.servers.http.stops import stopped
from rockit.focuser.ok3z.servers.panel.panel import Panel
from rockit.focuser.ok3z.service.focuser import BegunMove, Ending, Focuser
from rockit.focuser.ok3z.service.motion_log import MotionLog, Record, Result
from rockit.focuser.ok3z.service.status import Confidence, Snapshot, State, Trust

BOUND_S = 20.0
BEGAN_AT = "2026-11-22T20:00:00Z"
HOMED = Confidence(Trust.HOMED, "", "2026-11-22T20:00:00Z")
IDLE = Snapshot(State.IDLE, current_steps=5088, target_steps=5088, read_at_s=1.0, confidence=HOMED)


class StandIn:
    """A service whose snapshot is set by hand, and which notes what it is asked."""

    def __init__(self) -> None:
        self._motion_log = MotionLog()
        self._snapshot = IDLE
        self.age_s: float | None = 0.25
        self.asked: list[tuple[Any, ...]] = []
        self.raises: BaseException | None = None
        # Commands, but for a stop, wait for this.
        self.may_end = threading.Event()
        self.may_end.set()
        self.begun = threading.Event()
        # A stop waits for this.
        self.may_stand = threading.Event()
        self.may_stand.set()
        # As many as a test lets wait at a time.
        self._workers = ThreadPoolExecutor(8)
        self._stop = Ending(BOUND_S)
        self._stop.resolve(None)

    @property
    def motions(self) -> Record:
        return self._motion_log.record

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    @snapshot.setter
    def snapshot(self, snapshot: Snapshot | None) -> None:
        # None is a mistake in this program.
        if snapshot is not None:
            self._tell(self._snapshot or Snapshot(), snapshot)
        self._snapshot = snapshot  # type: ignore[assignment]

    def _tell(self, before: Snapshot, now: Snapshot) -> None:
        """Tell the record of motions what the snapshots of a test mean."""
        log, reason = self._motion_log, now.reason or before.reason
        running = log.record[-1] if log.record and log.record[-1].result is Result.RUNNING else None
        if now.state in (State.HOMING, State.MOVING):
            if running is None or running.to_steps != now.target_steps:
                start = before if before.state is State.IDLE else now
                log.begins(now.state is State.HOMING, BEGAN_AT, start.current_steps, now.target_steps)
        elif now.state is State.IDLE:
            result = Result.SHORT if before.state is State.STOPPING else Result.ARRIVED
            log.stands(result, now.current_steps, reason, now.read_at_s)
        elif now.state is State.UNHOMED:
            log.stands(Result.STOPPED if now.stopped else Result.FAILED, None, reason, now.read_at_s)
        elif now.state is not State.STOPPING:
            log.unseen(reason)

    def reading_age_s(self, snapshot: Snapshot) -> float | None:
        return self.age_s

    def begin_move(self, position: object, offset: bool = False) -> BegunMove:
        ended = self._begin("move", position, offset)
        return BegunMove(ended, ended)

    def begin_initialize(self, resume: bool = False, restore: bool | None = None) -> Ending:
        return self._begin("initialize", resume, restore)

    def begin_audit(self) -> Ending:
        return self._begin("audit")

    def begin_shutdown(self) -> Ending:
        return self._begin("shutdown")

    def begin_stop(self, by: str) -> Ending:
        # As the service: who asks while one is under way is given the same one.
        if self._stop.done():
            self.asked.append(("stop", by))
            self._stop = self._ending(self.may_stand)
        return self._stop

    def close(self) -> None:
        """Let everything end."""
        self.may_end.set()
        self.may_stand.set()
        self._workers.shutdown()

    def _begin(self, *what: Any) -> Ending:
        self.asked.append(what)
        self.begun.set()
        if self.raises is not None and (
            isinstance(self.raises, BusyError) or not isinstance(self.raises, FocuserError)
        ):
            raise self.raises
        return self._ending(self.may_end)

    def _ending(self, gate: threading.Event) -> Ending:
        ending = Ending(BOUND_S)

        def end() -> None:
            assert gate.wait(BOUND_S)
            ending.resolve(cast("FocuserError | None", self.raises))

        self._workers.submit(end)
        return ending


class Served:
    """The panel, and a client of it.

    Args:
        service: what it serves.

    Attributes:
        controls: whether the client may control; may change while it is served.
        now_s: the panel's clock.
        stops_asked: how many stops the panel has asked for.
        refusals: what the panel had counted for the log.
    """

    def __init__(self, service: StandIn) -> None:
        self.service = service
        self.controls = True
        self.now_s: Callable[[], float] = time.monotonic
        self.stops_asked = 0
        self.refusals: list[str] = []
        self.client: TestClient[Any, Any]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Served]:
        app = web.Application()
        focuser = cast(Focuser, self.service)

        async def stop(by: str) -> FocuserError | None:
            self.stops_asked += 1
            return await stopped(focuser, by)

        panel = Panel(
            focuser,
            stop,
            self._may_control,
            "a focuser",
            6.0,
            self.refusals.append,
            now_s=lambda: self.now_s(),
        )
        panel.add_to(app)
        async with TestClient(TestServer(app)) as self.client:
            yield self

    def _may_control(self, host: str) -> bool:
        return self.controls and host == "127.0.0.1"

    async def get(self, path: str) -> ClientResponse:
        response: ClientResponse = await self.client.get(path)
        return response

    async def post(self, command: str, values: Any = None, **details: Any) -> tuple[int, dict[str, Any]]:
        """Status and answer of a command."""
        if not details:
            details = {"json": values}
        async with self.client.post(f"/panel/{command}", **details) as response:
            return response.status, await response.json()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Events]:
        async with self.client.get("/panel/events") as response:
            yield Events(response)


class Events:
    """Reads a stream of events as a browser does."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self._unread = b""

    async def next(self) -> tuple[str, Any]:
        """The next event: its kind and what it says."""
        while event := await self._block():
            lines = dict(line.split(": ", 1) for line in event.splitlines())
            if "event" in lines:
                return lines["event"], json.loads(lines["data"])
        return "", None

    async def _block(self) -> str:
        while b"\n\n" not in self._unread:
            chunk = await self.response.content.readany()
            if not chunk:
                return ""
            self._unread += chunk
        block, _, self._unread = self._unread.partition(b"\n\n")
        return block.decode()

    async def until(self, kind: str, holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """What the next event of a kind says of which something is true."""
        while True:
            got, values = await self.next()
            assert got, "the stream has ended"
            if got == kind and holds(values):
                return values


@pytest.fixture
def service() -> Iterator[StandIn]:
    service = StandIn()
    yield service
    service.close()


@pytest.fixture
def run(service: StandIn) -> Callable[[Callable[[Served], Awaitable[None]]], None]:
    """Runs a test that speaks to the panel over HTTP."""

    async def serve_and_test(test: Callable[[Served], Awaitable[None]]) -> None:
        async with Served(service).running() as served:
            await asyncio.wait_for(test(served), BOUND_S)

    return lambda test: asyncio.run(serve_and_test(test))
