"""The Pyro object on a focuser that notes what it is asked, called from wherever a test says."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import wait
from typing import Any, Callable, cast

import Pyro4
import pytest
import serpent

from rockit.focuser.ok3z.servers.pyro import Exposed, PyroFocuser
from rockit.focuser.ok3z.servers.pyro.later import AtEnd
from rockit.focuser.ok3z.servers.pyro.message import Prepared
from rockit.focuser.ok3z.service.focuser import Focuser
from tests.support.focusers import FakeFocuser
from tests.support.pyro import serving
from tests.support.waiting import BOUND_S

CONTROL_IPS = ("10.2.5.115", "127.0.0.1", "127.0.1.1")


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
            return serpent.loads(answer) if isinstance(answer, Prepared) else answer

        return ask


@pytest.fixture(params=["initialize", "shutdown", "set_focus", "stop", "audit", "begin_move"])
def command(request: pytest.FixtureRequest) -> str:
    """Each method that moves the focuser, or might."""
    name: str = request.param
    return name


@pytest.fixture
def focuser() -> FakeFocuser:
    focuser = FakeFocuser()
    focuser.judges_positions = True
    return focuser


@pytest.fixture
def called_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this thread one that serves a call from an address."""

    def called_from(address: str) -> None:
        monkeypatch.setattr(Pyro4.current_context, "client", object())
        monkeypatch.setattr(Pyro4.current_context, "client_sock_addr", (address, 50000))

    called_from(CONTROL_IPS[0])
    return called_from


@pytest.fixture
def pyro_focuser(focuser: FakeFocuser) -> PyroFocuser:
    """The object, which gives back what its answers wait for."""
    return PyroFocuser(cast(Focuser, focuser), CONTROL_IPS, {CONTROL_IPS[0]: "NGTSDASNUC"})


@pytest.fixture
def uncalled(pyro_focuser: PyroFocuser) -> Any:
    """The object, outside of any call, whose answers are waited for."""
    return Asking(pyro_focuser)


@pytest.fixture
def service(uncalled: Any, called_from: Callable[[str], None]) -> Any:
    """The object, in a call from a machine that may control."""
    return uncalled


@pytest.fixture
def call() -> Callable[[Any, str], int]:
    """Calls a command by its name."""

    def call(service: Any, command: str) -> int:
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
        open_methods=["report_status", "last_measurement", "last_failure", "focus_header", "holds", "terms"],
        questions=["moved_between", "moves"],
        urgent_methods=["stop"],
        control_ips=CONTROL_IPS,
        not_permitted=3,
        busy=2,
        refused=pyro_focuser.refused,
    )
    with serving(published) as (server, _):
        host, port = server.address
        yield f"PYRO:focuser@{host}:{port}"
