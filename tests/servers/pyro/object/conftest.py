"""The Pyro object on a service that notes what it is asked, called from wherever a test says."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Callable

import Pyro4
import pytest

from rockit.focuser.ok3z.driver.planning import Limits, requested_target
from rockit.focuser.ok3z.servers.pyro import PyroFocuser
from rockit.focuser.ok3z.service.motion_log import Record
from rockit.focuser.ok3z.service.status import Snapshot, State

CONTROL_IPS = ("10.2.5.115", "127.0.0.1")
LIMITS = Limits.from_mm(6.0, 6.0, 0.5)


class StandIn:
    """A Focuser that notes what reaches it, and fails as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None
        self.snapshot = Snapshot(state=State.IDLE, current_steps=10176, target_steps=10176, read_at_s=1.0)
        self.reading_s: float | None = 0.25
        self.now_s = 100.0
        self.motions: Record = ()
        self.begun: list[Future[None]] = []

    def reading_age_s(self, snapshot: Snapshot) -> float | None:
        return self.reading_s if snapshot is self.snapshot else None

    def age_s(self, moment_s: float) -> float:
        return self.now_s - moment_s

    def initialize(
        self, resume: bool | None = None, restore: bool | None = None, new_controller: bool = False
    ) -> None:
        self._note("initialize", resume, restore, new_controller)

    def audit(self) -> None:
        self._note("audit")

    def shutdown(self) -> None:
        self._note("shutdown")

    def set_focus(self, position: object, offset: bool = False) -> None:
        self._note("set_focus", position, offset)
        requested_target(position, 1.0 if offset else None, LIMITS)

    def begin_move(self, position: object, offset: bool = False) -> Future[None]:
        """Nothing needs to move, unless the test gives what ends later."""
        self._note("begin_move", position, offset)
        requested_target(position, 1.0 if offset else None, LIMITS)
        if self.begun:
            return self.begun[-1]
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def stop(self, by: str) -> None:
        self._note("stop", by)

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failure:
            raise self.failure


@pytest.fixture(params=["initialize", "shutdown", "set_focus", "stop", "audit", "begin_move"])
def command(request: pytest.FixtureRequest) -> str:
    """Each method that moves the focuser, or might."""
    name: str = request.param
    return name


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


@pytest.fixture
def called_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this thread one that serves a call from an address."""

    def called_from(address: str) -> None:
        monkeypatch.setattr(Pyro4.current_context, "client", object())
        monkeypatch.setattr(Pyro4.current_context, "client_sock_addr", (address, 50000))

    called_from(CONTROL_IPS[0])
    return called_from


@pytest.fixture
def uncalled(stand_in: StandIn) -> PyroFocuser:
    """The object, outside of any call."""
    # It has of a Focuser what the service uses.
    focuser: Any = stand_in
    return PyroFocuser(focuser, CONTROL_IPS, {CONTROL_IPS[0]: "NGTSDASNUC"})


@pytest.fixture
def service(uncalled: PyroFocuser, called_from: Callable[[str], None]) -> PyroFocuser:
    """The object, in a call from a machine that may control."""
    return uncalled


@pytest.fixture
def call() -> Callable[[PyroFocuser, str], int]:
    """Calls a command by its name."""

    def call(service: PyroFocuser, command: str) -> int:
        status = getattr(service, command)(*([2.0] if command in ("set_focus", "begin_move") else []))
        assert type(status) is int
        return status

    return call
