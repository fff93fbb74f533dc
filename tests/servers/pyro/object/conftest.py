"""The Pyro object on a service that notes what it is asked, called from wherever a test says."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from typing import Any, Callable

import Pyro4
import pytest

from rockit.focuser.ok3z.driver.planning import Limits, requested_target
from rockit.focuser.ok3z.errors import BusyError, FocuserError, NotConnectedError
from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.pyro import MANNER, Exposed, PyroFocuser, PyroServer
from rockit.focuser.ok3z.servers.pyro.later import AtEnd
from rockit.focuser.ok3z.service.focuser import BegunMove, Ending
from rockit.focuser.ok3z.service.motion_log import Record
from rockit.focuser.ok3z.service.status import Snapshot, State

CONTROL_IPS = ("10.2.5.115", "127.0.0.1", "127.0.1.1")
LIMITS = Limits.from_mm(6.0, 6.0, 0.5)
BOUND_S = 20.0


class StandIn:
    """A Focuser that notes what reaches it, and fails as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None
        self.snapshot = Snapshot(state=State.IDLE, current_steps=10176, target_steps=10176, read_at_s=1.0)
        self.reading_s: float | None = 0.25
        self.now_s = 100.0
        self.motions: Record = ()
        self.begun: list[Ending] = []
        self.patience_s = BOUND_S
        self.hangs = False

    def reading_age_s(self, snapshot: Snapshot) -> float | None:
        return self.reading_s if snapshot is self.snapshot else None

    def age_s(self, moment_s: float) -> float:
        return self.now_s - moment_s

    def begin_initialize(
        self, resume: bool | None = None, restore: bool | None = None, new_controller: bool = False
    ) -> Ending:
        return self._begun("initialize", resume, restore, new_controller)

    def begin_audit(self) -> Ending:
        return self._begun("audit")

    def begin_shutdown(self) -> Ending:
        return self._begun("shutdown")

    def begin_move(self, position: object, offset: bool = False) -> BegunMove:
        """Nothing needs to move, unless the test gives what ends later."""
        ended = self._begun("move", position, offset)
        if self.begun:
            return BegunMove(ended, self.begun[-1])
        try:
            requested_target(position, 1.0 if offset else None, LIMITS)
        except FocuserError as error:
            ended = self._ending(error)
        return BegunMove(ended, ended)

    def begin_stop(self, by: str) -> Ending:
        return self._begun("stop", by)

    def _begun(self, *call: Any) -> Ending:
        """What speaks against it at once is raised, as by the service; the rest is in the end."""
        self.calls.append(call)
        if self.failure is None or isinstance(self.failure, FocuserError):
            if isinstance(self.failure, (BusyError, NotConnectedError)):
                raise self.failure
            return self._ending(self.failure)
        raise self.failure

    def _ending(self, failure: FocuserError | None = None) -> Ending:
        ending = Ending(self.patience_s)
        if not self.hangs:
            ending.resolve(failure)
        return ending


class Asking:
    """Calls the object's methods, and waits for what each of them answers."""

    def __init__(self, service: PyroFocuser) -> None:
        self.service = service

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.service, name)
        if not getattr(member, "_pyroExposed", False):
            return member

        @functools.wraps(member)
        def ask(*arguments: Any, **named: Any) -> Any:
            answer = member(*arguments, **named)
            while isinstance(answer, AtEnd):
                wait([answer.end], min(answer.patience_s, BOUND_S))
                answer = answer.answer()
            return answer

        return ask


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
def pyro_focuser(stand_in: StandIn) -> PyroFocuser:
    """The object, which gives back what its answers wait for."""
    # It has of a Focuser what the service uses.
    focuser: Any = stand_in
    return PyroFocuser(focuser, CONTROL_IPS, {CONTROL_IPS[0]: "NGTSDASNUC"})


@pytest.fixture
def uncalled(pyro_focuser: PyroFocuser) -> Any:
    """The object, outside of any call, whose answers are waited for."""
    return Asking(pyro_focuser)


@pytest.fixture
def service(uncalled: Any, called_from: Callable[[str], None]) -> Any:
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


@pytest.fixture
def uri(pyro_focuser: PyroFocuser) -> Iterator[str]:
    """The service behind a port of its own."""
    published = Exposed(
        "focuser",
        pyro_focuser,
        open_methods=["report_status", "last_measurement", "last_failure"],
        urgent_methods=["stop"],
        control_ips=CONTROL_IPS,
        not_permitted=3,
        busy=2,
        refused=pyro_focuser.refused,
    )
    server = PyroServer(listen("127.0.0.1", 0, MANNER), published)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host, port = server.address
    yield f"PYRO:focuser@{host}:{port}"
    server.close()
    thread.join()
