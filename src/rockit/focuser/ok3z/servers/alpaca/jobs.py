"""What clients began and what has not ended yet: connecting and moving; and how it ended.

Belongs to the thread of the connections.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ...constants import FocuserStatus
from ...driver.planning import mm_from_steps
from ...errors import AlreadyConnectedError, BusyError, FocuserError, NotConnectedError, StoppedError
from ...service import outcomes
from ...service.focuser import BegunMove, Ending, Focuser
from ...service.history import Asker
from ...service.status import Snapshot, State
from ..http.awaiting import Calls, Outcome, Stop, Told, mistaken, outcome_of
from .actions import DOOR
from .sessions import Session

# How long the answer to a move waits for what may speak against it. Clients allow one second.
REFUSAL_PATIENCE_S = 0.5
# How long a move that was stopped may take to say so.
END_OF_STOPPED_S = 0.1
# Of the commands one does the work and the others are refused at once, so this is more than enough.
MOST_CALLS = 8
# Somebody else's command shows in the snapshot before this has passed.
OTHERS_BEGIN_S = 1.0
# No command of the service lasts longer.
OTHERS_END_S = 600.0
OTHERS_LOOK_EVERY_S = 0.1

_COMING_UP = frozenset({State.CONNECTING, State.HOMING, State.STOPPING})


def is_ready(snapshot: Snapshot) -> bool:
    """Whether the focuser is homed, and its link lives."""
    return snapshot.status != FocuserStatus.Disabled


@dataclass(eq=False)
class _Move:
    session: Session
    ended: asyncio.Future[Outcome]
    own_halt: bool = False


@dataclass(frozen=True)
class Halt:
    """A halt that has begun, whoever's it is."""

    _moves: set[_Move]
    _halting: asyncio.Task[Outcome]

    def belongs_to(self, session: Session) -> None:
        """Say who asked for it: its own moves end without an error, and that of its last one is past."""
        session.move_ended()
        for move in self._moves:
            move.own_halt = move.own_halt or move.session is session

    async def ended(self) -> Outcome:
        """Why standstill could not be confirmed; None: it is."""
        # A client that hangs up takes nothing of its halt along.
        return await asyncio.shield(self._halting)


class Jobs:
    """What runs on behalf of Alpaca clients.

    Args:
        focuser: the service.
        stop: stops the focuser on behalf of who is named, and gives the error, if there is one.
    """

    def __init__(self, focuser: Focuser, stop: Stop) -> None:
        self._focuser = focuser
        self._calls = Calls(focuser, MOST_CALLS)
        self._stop = stop
        self._moves: set[_Move] = set()
        self._initialising: asyncio.Task[Outcome] | None = None
        self._connecting: list[Session] = []
        # Else nobody would hold those of which the client is gone.
        self._halting: set[asyncio.Task[Outcome]] = set()
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Wait for nobody else's command any more."""
        self._closing.set()

    # Connecting

    def connect(self, session: Session, by: str) -> asyncio.Task[Outcome] | None:
        """Connect a client, at the address `by`. If that needs the focuser to be initialised, what it waits for: all
        that connect meanwhile share it. None: it is connected."""
        session.connect_failure = None
        session.move_ended()
        if is_ready(self._focuser.snapshot):
            session.connected, session.connecting = True, False
            return None
        session.connected = False
        if self._initialising is None:
            self._initialising = asyncio.get_running_loop().create_task(self._initialise(by))
        if not session.connecting:
            session.connecting = True
            self._connecting.append(session)
        return self._initialising

    async def _initialise(self, by: str) -> Outcome:
        try:
            outcome = await self._brought_up(by)
        except Exception as error:
            # Else all would wait for it for ever.
            outcome = mistaken(error)
        self._initialising = None
        waiting, self._connecting = self._connecting, []
        for session in waiting:
            # That of a client that disconnected meanwhile is nobody's any more.
            session.connecting = False
            session.connected = outcome is None
            session.connect_failure = outcome
        return outcome

    async def _brought_up(self, by: str) -> Outcome:
        """Initialise the focuser, or wait for who does that already."""
        outcome = await self._calls.begin(lambda: self._focuser.begin_initialize(asker=Asker(by, DOOR)))
        if isinstance(outcome, AlreadyConnectedError):
            return None
        return await self._others_end(outcome) if isinstance(outcome, BusyError) else outcome

    async def _others_end(self, busy: BusyError) -> Outcome:
        # It is not tried again after theirs has ended: who stopped it does not want it to start anew.
        looks, seen = 0, False
        while not is_ready(snapshot := self._focuser.snapshot):
            if snapshot.state in _COMING_UP:
                seen = True
            elif seen:
                return NotConnectedError(
                    f"another program's command left the focuser unusable: {_why(snapshot)}"
                )
            looks += 1
            if looks * OTHERS_LOOK_EVERY_S > (OTHERS_END_S if seen else OTHERS_BEGIN_S):
                return busy
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._closing.wait(), OTHERS_LOOK_EVERY_S)
                return NotConnectedError("the daemon is ending.")
        return None

    # Moving

    @property
    def is_moving(self) -> bool:
        """Whether a move that was begun here has not ended."""
        return bool(self._moves)

    async def move(self, session: Session, target_steps: int, by: str) -> None:
        """Begin a move, and wait only until it is under way.

        Args:
            session: of who asks.
            target_steps: within the limits.
            by: who asks, for the log.

        Raises:
            FocuserError: it was refused, or ended in that short time without arriving.
        """
        session.move_ended()
        target_mm = mm_from_steps(target_steps)
        told = Told(
            f"Alpaca move to step {target_steps} ({target_mm:.3f} mm), asked by {by}", outcomes.arrived
        )
        begun: list[BegunMove] = []

        def begin() -> Ending:
            begun.append(self._focuser.begin_move(target_mm, exact=True, asker=Asker(by, DOOR)))
            return begun[0].ended

        move = _Move(session, self._calls.begin(begin, told))
        self._moves.add(move)
        move.ended.add_done_callback(partial(self._ended, move))
        if begun:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(outcome_of(begun[0].under_way), REFUSAL_PATIENCE_S)
        if not begun or begun[0].ended.done():
            await asyncio.wait({move.ended})
            outcome = move.ended.result()
            # Told by the answer.
            session.move_ended()
            if outcome is not None and not _is_own_halt(move, outcome):
                raise outcome

    def _ended(self, move: _Move, ended: asyncio.Future[Outcome]) -> None:
        self._moves.discard(move)
        if ended.cancelled():
            return
        outcome = ended.result()
        if outcome is not None and not _is_own_halt(move, outcome):
            move.session.move_ended(outcome)

    # Halting

    def begin_halt(self, by: str) -> Halt:
        """Begin to stop any motion.

        Args:
            by: who asks, for the observatory's log.
        """
        begun = {move for move in self._moves if not move.ended.done()}
        halting = asyncio.get_running_loop().create_task(self._halted(begun, by))
        self._halting.add(halting)
        halting.add_done_callback(self._halting.discard)
        return Halt(begun, halting)

    async def _halted(self, begun: set[_Move], by: str) -> Outcome:
        outcome = await self._stop(by)
        if begun and outcome is None:
            # Whoever asks next shall find the moves ended, and why.
            await asyncio.wait({move.ended for move in begun}, timeout=END_OF_STOPPED_S)
        return outcome


def _is_own_halt(move: _Move, outcome: FocuserError) -> bool:
    return move.own_halt and isinstance(outcome, StoppedError)


def _why(snapshot: Snapshot) -> str:
    return snapshot.reason or f"it is {snapshot.state.value}."


def why_not_ready(snapshot: Snapshot) -> NotConnectedError:
    """What to tell a client whose focuser cannot be used."""
    why = _why(snapshot)
    return NotConnectedError(
        f"the focuser is not connected ({snapshot.state.value}). {why[:1].upper()}{why[1:]}"
    )
