"""The members of an Alpaca focuser (IFocuserV4) over the service. Reads touch nothing but the snapshot.

One step of the device is one step of the controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Callable, NoReturn

from ...driver.planning import Limits
from ...driver.registers import STEPS_PER_MM
from ...errors import BusyError, NotConnectedError
from ...service import outcomes
from ...service.focuser import Focuser
from ...service.status import Snapshot
from ...version import VERSION
from .actions import Actions
from .jobs import Halt, Jobs, is_ready, why_not_ready
from .parameters import Parameters
from .responses import NotImplementedHereError
from .sessions import Client, Session, Sessions

INTERFACE_VERSION = 4
DRIVER_INFO = (
    f"focusd {VERSION}: drives the focuser ASA OK3Z, and shares it with the observatory's other programs."
)
MICRONS_PER_MM = 1000.0
# Of the texts that clients show in small fields.
MAX_NAME_LENGTH = 64
# Each waits with a connection of its own; all share one initialisation.
MAX_WAITING_FOR_CONNECTED = 64


@dataclass(frozen=True)
class Property:
    """What is read.

    Args:
        read: gives its value, or raises a FocuserError. Must not wait.
        empty: the value beside an error, for clients that expect one of the right type.
        beside_error: gives that value if it depends on what is known. Must not wait, nor raise.
    """

    read: Callable[[Client], object]
    empty: object
    beside_error: Callable[[], object] | None = None

    def value_beside_error(self) -> object:
        """The value of an answer that has an error."""
        return self.empty if self.beside_error is None else self.beside_error()


async def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Valued:
    """How a command ended that has a value.

    Args:
        how: for the log.
        value: for who asked.
    """

    how: str
    value: object


@dataclass(frozen=True)
class Begun:
    """A command of which nothing is known yet but that its machine may control.

    Args:
        run: carries out what is left of it, once the whole request is understood, and says for the log what came of
            it, and to who asked, if there is something to say. Raises a FocuserError, or a BadRequestError before
            anything is done.
        in_vain: ends it if the request is not understood. Gives a sentence on what was done, or an empty text.
    """

    run: Callable[[Client, Parameters], Awaitable[str | Valued]]
    in_vain: Callable[[], Awaitable[str]] = _nothing


Command = Callable[[str], Begun]
"""Does what must not wait until the request is understood. Its argument is the machine's address."""


class Device:
    """Device number 0.

    Args:
        focuser: the service.
        jobs: what runs for clients.
        sessions: who is connected.
        may_control: whether the machine at an address may control, and so can connect.
        name: what clients call the focuser.
        focus_range_mm: the outermost position that may be asked for.
    """

    def __init__(
        self,
        focuser: Focuser,
        jobs: Jobs,
        sessions: Sessions,
        may_control: Callable[[str], bool],
        name: str,
        focus_range_mm: float,
    ) -> None:
        self._focuser = focuser
        self._jobs = jobs
        self._sessions = sessions
        self._may_control = may_control
        self.name = name[:MAX_NAME_LENGTH]
        self.max_step = Limits.from_mm(focus_range_mm, focus_range_mm, 0.0).range_steps
        self._waiting = 0
        self._actions = Actions(focuser)
        self.properties: Mapping[str, Property] = {
            "absolute": Property(lambda _: True, False),
            "connected": Property(self._connected, False),
            "connecting": Property(self._connecting, False),
            "description": Property(lambda _: "Telescope focuser ASA OK3Z, driven by focusd", ""),
            "devicestate": Property(self._device_state, []),
            "driverinfo": Property(lambda _: DRIVER_INFO, ""),
            "driverversion": Property(lambda _: ".".join(VERSION.split(".")[:2]), ""),
            "interfaceversion": Property(lambda _: INTERFACE_VERSION, 0),
            "ismoving": Property(
                lambda client: self._is_moving(self._usable(client, "ismoving")),
                False,
                # A client that overlooks the error must not take a motor that may run for one that stands.
                lambda: self._is_moving(self._focuser.snapshot),
            ),
            "maxincrement": Property(lambda _: self.max_step, 0),
            "maxstep": Property(lambda _: self.max_step, 0),
            "name": Property(lambda _: self.name, ""),
            "position": Property(lambda client: self._position(self._usable(client, "position")), 0),
            "stepsize": Property(lambda _: MICRONS_PER_MM / STEPS_PER_MM, 0.0),
            "supportedactions": Property(lambda _: self._actions.names, []),
            "tempcomp": Property(lambda _: False, False),
            "tempcompavailable": Property(lambda _: False, False),
            "temperature": Property(_no_thermometer, 0.0),
        }
        self.commands: Mapping[str, Command] = {
            "action": _once_understood(self._act),
            "commandblind": _once_understood(_no_raw_command),
            "commandbool": _once_understood(_no_raw_command),
            "commandstring": _once_understood(_no_raw_command),
            "connect": _once_understood(self._connect),
            "connected": _once_understood(self._set_connected),
            "disconnect": _once_understood(self._disconnect),
            "halt": self._begin_halt,
            "move": _once_understood(self._move),
            "tempcomp": _once_understood(_set_temperature_compensation),
        }

    # Connecting

    def _connected(self, client: Client) -> bool:
        session = self._sessions.own(client)
        return session is not None and session.connected and is_ready(self._focuser.snapshot)

    def _connecting(self, client: Client) -> bool:
        session = self._sessions.own(client)
        if session is None:
            return False
        failure, session.connect_failure = session.connect_failure, None
        if failure:
            raise failure
        return session.connecting

    async def _connect(self, client: Client, _: Parameters) -> str:
        initialised = self._jobs.connect(self._sessions.open(client), by=client.address)
        return "connected" if initialised is None else "connecting"

    async def _disconnect(self, client: Client, _: Parameters) -> str:
        self._sessions.close(client)
        return "disconnected"

    async def _set_connected(self, client: Client, parameters: Parameters) -> str:
        if not parameters.boolean("Connected"):
            return await self._disconnect(client, parameters)
        if self._waiting >= MAX_WAITING_FOR_CONNECTED:
            raise BusyError("too many clients wait for the focuser to be connected. Try again.")
        self._waiting += 1
        try:
            await self._connect_and_wait(self._sessions.open(client), client.address)
        finally:
            self._waiting -= 1
        return "connected"

    async def _connect_and_wait(self, session: Session, by: str) -> None:
        initialised = self._jobs.connect(session, by)
        if initialised is None:
            return
        # The others that wait for it go on waiting when this client goes away.
        outcome = await asyncio.shield(initialised)
        session.connect_failure = None
        if outcome:
            raise outcome

    # Reading

    def _usable(self, client: Client, member: str) -> Snapshot:
        """What is known, if this client may use the focuser, that can be used, and the member that it reads has
        nothing to tell of its last move."""
        # Who may not control can never connect, and may look.
        if self._may_control(client.address):
            self._expect_connected(client)
        session = self._sessions.own(client)
        failure = session.untold(member) if session else None
        if failure:
            raise failure
        return self._ready()

    def _expect_connected(self, client: Client) -> None:
        if not self._sessions.may_use(client):
            raise NotConnectedError("this client is not connected. Connect first (PUT connect).")

    def _ready(self) -> Snapshot:
        snapshot = self._focuser.snapshot
        if not is_ready(snapshot):
            raise why_not_ready(snapshot)
        return snapshot

    def _is_moving(self, snapshot: Snapshot) -> bool:
        return self._jobs.is_moving or snapshot.motor_may_run

    def _position(self, snapshot: Snapshot) -> int:
        position_steps = snapshot.current_steps or 0
        if snapshot.motor_may_run:
            # On its way it may overshoot the range that clients know of; at rest the truth is told.
            return min(max(position_steps, 0), self.max_step)
        return position_steps

    def _device_state(self, client: Client) -> list[dict[str, object]]:
        snapshot = self._usable(client, "devicestate")
        age_s = self._focuser.reading_age_s(snapshot) or 0.0
        read_at = datetime.now(timezone.utc) - timedelta(seconds=age_s)
        return [
            {"Name": "IsMoving", "Value": self._is_moving(snapshot)},
            {"Name": "Position", "Value": self._position(snapshot)},
            {"Name": "TimeStamp", "Value": read_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
        ]

    # Moving

    async def _move(self, client: Client, parameters: Parameters) -> str:
        position_steps = parameters.int32("Position")
        self._expect_connected(client)
        snapshot = self._ready()
        if self._jobs.is_moving or snapshot.motor_may_run:
            raise BusyError("the focuser moves already. Wait for its end, or halt it.")
        # Who moves as a nobody may have no session yet: how its move ends is told to it, and not to who is connected.
        session = self._sessions.open(client)
        # The standard asks for the nearest possible position if it is asked for one beyond the range.
        await self._jobs.move(session, min(max(position_steps, 0), self.max_step), by=client.address)
        return "under way"

    async def _act(self, client: Client, parameters: Parameters) -> Valued:
        name, text = parameters.text("Action"), parameters.text("Parameters")
        return Valued(f"answered {name}", await self._actions.run(name, text, client.address))

    def _begin_halt(self, by: str) -> Begun:
        # First the motor: what else the request says decides what the answer is, and never whether it stands.
        halt = self._jobs.begin_halt(by)
        return Begun(partial(self._halted, halt), partial(_halted_in_vain, halt))

    async def _halted(self, halt: Halt, client: Client, _: Parameters) -> str:
        session = self._sessions.own(client)
        if session is not None:
            halt.belongs_to(session)
        failure = await halt.ended()
        if failure is not None:
            raise failure
        if not (self._sessions.may_use(client) or (session is not None and session.connecting)):
            raise NotConnectedError("the motor stands: it was halted, although this client is not connected.")
        return outcomes.stands(self._focuser.snapshot)


def _once_understood(run: Callable[[Client, Parameters], Awaitable[str | Valued]]) -> Command:
    return lambda _: Begun(run)


async def _halted_in_vain(halt: Halt) -> str:
    failure = await halt.ended()
    return "The motor stands: it was halted." if failure is None else f"The halt failed: {failure}"


def _no_thermometer(_: Client) -> float:
    raise NotImplementedHereError("this focuser has no thermometer.")


async def _set_temperature_compensation(_: Client, parameters: Parameters) -> str:
    if parameters.boolean("TempComp"):
        raise NotImplementedHereError("this focuser has no temperature compensation.")
    return "off, as it is"


async def _no_raw_command(_: Client, parameters: Parameters) -> NoReturn:
    parameters.text("Command")
    parameters.boolean("Raw")
    raise NotImplementedHereError("raw commands are not passed on to the controller.")
