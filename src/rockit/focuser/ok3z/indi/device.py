"""The focuser as INDI has it: its properties, and what becomes of what clients, the daemon and its own calls say. Pure.

Clients hang upon states. Ekos drops a message whose state and value are those of the last one, after it has stopped
its clock, and then waits for ever: so Busy comes before every Ok and every Alert. CCDciel takes a picture as soon as a
position is not Busy: so whatever is wrong with a message that comes during a move of ours, the position stays Busy, and
the sentence comes with it. Ok is said after an arrival that the daemon has proven, of the position that was read then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Protocol

from ..client.report import Status, printable
from . import properties
from .hold import STOPPED, Hold
from .properties import INWARD
from .stream import Message
from .vectors import OFF, ON, State, Vector, deleted, said

# Between two positions on the way, in seconds.
PROGRESS_PERIOD_S = 0.2

# No sexagesimal, no comma, no underscore, and nothing that only Python takes for a number.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
LONGEST_NUMBER = 40


class RefusedError(Exception):
    """A client asked for what cannot be. The text is a sentence for it."""


class HeldError(RefusedError):
    """A client asked for a move after somebody else's stop."""


@dataclass(frozen=True, eq=False)
class Move:
    """A move that a client has asked for.

    Args:
        steps: where to, or how far, positive outward.
        relative: whether it is how far.
    """

    steps: int
    relative: bool = False

    def target_from(self, here_steps: int) -> int:
        """Where it goes from a position."""
        return here_steps + self.steps if self.relative else self.steps


class Requests(Protocol):
    """What the device asks of its threads. None of it waits."""

    def connect(self, attempt: int) -> None:
        """Make the focuser usable; `connected` or `not_connected` follows."""

    def move(self, move: Move) -> None:
        """Carry it out, once no other call and no stop is under way; `moved` follows. It takes the place of a move
        that has not begun."""

    def stop(self) -> None:
        """Halt the motor; `stopped` follows."""

    def drop(self) -> None:
        """Begin no move that waits."""


class Device:
    """All properties of one focuser. Not thread-safe: its caller has a lock.

    Args:
        name: as clients call it.
        send: takes what clients get.
        requests: the threads.
        monotonic_s: the time, in seconds.
        utc: the time of day, as INDI writes it.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[str], None],
        requests: Requests,
        monotonic_s: Callable[[], float],
        utc: Callable[[], str],
    ) -> None:
        self.name = name
        self._send = send
        self._requests = requests
        self._monotonic_s = monotonic_s
        self._utc = utc
        self.connection = properties.connection()
        self.abs = properties.absolute_position()
        self.rel = properties.relative_position()
        self.max = properties.largest_position()
        self.motion = properties.direction()
        self.abort = properties.abort()
        always = (self.connection, properties.driver_info(), properties.config_process())
        self._always = {each.name: each for each in always}
        # In this order: a client that has the position has its direction and its range too.
        when_connected = (self.motion, self.max, self.rel, self.abs, self.abort)
        self._when_connected = {each.name: each for each in when_connected}
        self.online = False
        self._attempt: int | None = None
        self._attempts = 0
        self._status = Status(status=0)
        self._change: int | None = None
        self._told_trouble = ""
        self._position = 0
        self._max_steps = 0
        self._move: Move | None = None
        self._aborting = False
        self._was_moving = False
        self._due_s = 0.0
        self._hold = Hold(monotonic_s)
        self._late: Vector | None = None
        self._untold_stop = ""

    # What clients say

    def take(self, message: Message) -> bool:
        """Do what a message says. False: it is none that a focuser knows."""
        if message.tag == "getProperties":
            self._define_for(message)
            return True
        if message.tag not in ("newNumberVector", "newSwitchVector", "newTextVector"):
            # There are no images here.
            return message.tag == "enableBLOB"
        if message.device != self.name:
            # Other drivers' as well come by where drivers are chained.
            return True
        vector = self._defined.get(message.name)
        if vector is None:
            if message.name == self.abort.name and self._attempt is not None:
                # It is being homed because a client has connected it.
                self._requests.stop()
            elif message.name in self._when_connected:
                self._say(f"[ERROR] {message.name}: connect the focuser first.")
            return message.name in self._when_connected
        try:
            self._set(vector, message)
        except HeldError as error:
            self._refuse_held(vector, _whole_steps(message.elements[0][1]), str(error))
        except RefusedError as error:
            self._refuse(vector, str(error))
        return True

    @property
    def _defined(self) -> dict[str, Vector]:
        return {**self._always, **(self._when_connected if self.online else {})}

    def _define_for(self, message: Message) -> None:
        if message.device in ("", "*", self.name):
            for vector in self._defined.values():
                if message.name in ("", vector.name):
                    self._send(vector.defined(self.name, self._utc()))

    def _set(self, vector: Vector, message: Message) -> None:
        if message.tag != f"new{vector.kind}Vector" or vector.perm == "ro":
            raise RefusedError(f"{vector.name} cannot be set so.")
        names = [name for name, _ in message.elements]
        unknown = [name for name in names if name not in vector.values]
        if unknown or not names or len(set(names)) < len(names):
            raise RefusedError(f"{vector.name} has {', '.join(vector.values)}, each once; got {names}.")
        if vector.kind == "Switch":
            self._switch(vector, dict(message.elements))
        else:
            self._begin_move(vector, _whole_steps(message.elements[0][1]))

    def _switch(self, vector: Vector, values: dict[str, str]) -> None:
        """Clients send some of the switches, most often the one that goes on."""
        if not set(values.values()) <= {ON, OFF}:
            raise RefusedError(f"a switch of {vector.name} is neither On nor Off.")
        on = [name for name, value in values.items() if value == ON]
        if len(on) > 1 or (vector.rule == "OneOfMany" and not on):
            raise RefusedError(f"of {vector.name} one switch must be on, and no more.")
        if vector is self.connection:
            self._connect() if on == ["CONNECT"] else self._disconnect()
        elif vector is self.abort:
            self._abort() if on else self._tell(vector, State.OK)
        else:
            vector.switch(on[0] if vector is self.motion else "")
            self._tell(vector, State.OK)

    def _refuse(self, vector: Vector, why: str) -> None:
        message = f"[ERROR] {printable(why)}"
        if vector is self.connection:
            # Anything but the truth would disconnect every client.
            self._tell(vector, vector.state, message)
        elif (self._move is not None or self._aborting) and vector.state is State.BUSY:
            self._tell(vector, State.BUSY, message)
        else:
            self._conclude(vector, State.ALERT, message)
            self._due_s = 0.0

    def _refuse_held(self, vector: Vector, number: float, why: str) -> None:
        """Refuse a move after somebody else's stop; late, if a program asks for it again and again."""
        if self._hold.is_answered_late((vector.name, number)):
            self._late = vector
            self._tell(vector, State.BUSY, f"[WARNING] {printable(why)}")
        else:
            self._refuse(vector, why)

    def _refuse_late(self) -> None:
        if self._late is not None:
            vector = self._late
            self._forget_late()
            self._refuse(vector, self._hold.why_not)

    def _forget_late(self) -> None:
        """Whoever was to be answered late is answered otherwise."""
        if self._late is not None:
            self._late = None
            self._hold.answer()

    # Connecting

    def _connect(self) -> None:
        if self.online and not self._told_trouble:
            self._tell_connected()
            return
        if self._attempt is None:
            self._attempts += 1
            self._attempt = self._attempts
            self._requests.connect(self._attempt)
        self.connection.switch("CONNECT")
        self._tell(self.connection, State.BUSY)

    def is_connecting(self, attempt: int) -> bool:
        """Whether that is still wanted."""
        return attempt == self._attempt

    def connecting(self, attempt: int, sentence: str) -> None:
        """What it waits for."""
        if attempt == self._attempt:
            self._say(f"[INFO] {printable(sentence)}")

    def connected(self, attempt: int, max_steps: int, status: Status) -> None:
        """The focuser can be used. `max_steps` is how far out it goes."""
        if attempt != self._attempt:
            return
        self._attempt = None
        if self.online:
            self._tell_connected()
            self.heard(status)
            return
        self._max_steps = max_steps
        for vector in (self.abs, self.rel, self.max):
            vector.limits["max"] = str(max_steps)
            vector.state = State.IDLE
        self.max.values = {"FOCUS_MAX_VALUE": str(max_steps)}
        self.abort.state = self.motion.state = State.IDLE
        self._note(status)
        self._told_trouble = self._untold_stop = ""
        self.abs.values = {"FOCUS_ABSOLUTE_POSITION": str(self._position)}
        self.abs.state = State.OK if self._status.idle else State.BUSY
        self.online = True
        self._tell_connected()
        for vector in self._when_connected.values():
            self._send(vector.defined(self.name, self._utc()))
        self._look(self._status)

    def not_connected(self, attempt: int, reason: str) -> None:
        """The focuser could not be made usable."""
        if attempt != self._attempt:
            return
        self._attempt = None
        message = f"[ERROR] {printable(reason)}"
        if self.online:
            # It is as connected as it was, and the position says why it is not usable.
            self._tell(self.connection, State.OK, message)
            return
        self.connection.switch("DISCONNECT")
        self._tell(self.connection, State.ALERT, message)

    def _tell_connected(self) -> None:
        self.connection.switch("CONNECT")
        self._tell(self.connection, State.OK)

    def _disconnect(self) -> None:
        """The focuser stays with the observatory: a motion goes on, and the daemon keeps its link."""
        self._attempt = None
        self._move = None
        self._forget_late()
        self._aborting = False
        self._requests.drop()
        self.connection.switch("DISCONNECT")
        self._tell(self.connection, State.IDLE)
        if self.online:
            self.online = False
            for name in self._when_connected:
                self._send(deleted(self.name, name, self._utc()))

    # Moving

    def _begin_move(self, vector: Vector, number: float) -> None:
        if why_not := self._hold.why_not:
            raise HeldError(why_not)
        if self._told_trouble:
            raise RefusedError(self._told_trouble)
        is_ours = self._move is not None or self._aborting
        if self._status.moving and not is_ours:
            raise RefusedError("The focuser is moved by somebody else. Wait for its end, or stop it.")
        lowest = float(vector.limits["min"])
        if not lowest <= number <= self._max_steps:
            raise RefusedError(
                f"{number:.10g} is out of range: {vector.name} goes from {lowest:.0f} to {self._max_steps}."
            )
        relative, steps = vector is self.rel, round(number)
        if relative and self.motion.on == INWARD:
            steps = -steps
        move = Move(steps, relative)
        if not is_ours and not 0 <= move.target_from(self._position) <= self._max_steps:
            raise RefusedError(
                f"{move.target_from(self._position)} is out of range: the focuser goes from 0 to {self._max_steps}."
            )
        self._replace(move, number)

    def _replace(self, move: Move, number: float) -> None:
        before, self._move = self._move, move
        if before is not None and before.relative and not move.relative:
            self._tell(self.rel, State.IDLE)
        if move.relative:
            self.rel.values = {"FOCUS_RELATIVE_POSITION": str(round(number))}
            self._tell(self.rel, State.BUSY)
        self._on_the_way(at_once=True)
        if before is not None:
            self._requests.stop()
        self._requests.move(move)

    def wants(self, move: Move) -> bool:
        """Whether a move shall still begin."""
        return move is self._move

    def moved(self, move: Move, failure: str, status: Status | None) -> None:
        """A move has ended.

        Args:
            failure: why it did not arrive; empty if it did.
            status: what was read afterwards; None if nothing could be.
        """
        if status is not None:
            self._note(status)
        if move is not self._move:
            return
        self._move = None
        is_arrived = not failure and status is not None
        state = State.OK if is_arrived else State.ALERT
        if failure.startswith(STOPPED):
            failure = self._hold.begin(failure)
        message = "" if is_arrived else f"[ERROR] {printable(failure) or 'Nobody answers where it stands.'}"
        self._conclude(self.abs, state, message)
        if move.relative:
            self._conclude(self.rel, state)
        if status is not None:
            self._look(self._status)

    def _abort(self) -> None:
        was_moving = self._aborting and self._was_moving
        self._was_moving = was_moving or self._move is not None or self._status.moving
        self._refuse_late()
        self._move = None
        self._aborting = True
        self._requests.drop()
        self._requests.stop()
        if self._was_moving:
            self._tell(self.abort, State.BUSY)

    def stopped(self, failure: str, status: Status | None) -> None:
        """A stop was answered.

        Args:
            failure: why standstill is not proven; empty if it is.
        """
        if status is not None:
            self._note(status)
        aborting, self._aborting = self._aborting, False
        if not self.online or not (aborting or failure):
            return
        message = f"[ERROR] THE STOP FAILED: {printable(failure)}"
        if failure and self._move is not None:
            self._move = None
            self._requests.drop()
            self._conclude(self.abs, State.ALERT, message)
            if self.rel.state is State.BUSY:
                self._conclude(self.rel, State.ALERT)
        elif self._move is None and self._was_moving:
            for vector in (self.abs, self.rel):
                if failure:
                    self._conclude(vector, State.ALERT)
                else:
                    self._tell(vector, State.IDLE)
        if aborting:
            self.abort.switch()
            self._tell(self.abort, State.ALERT if failure else State.OK, message if failure else "")
        if status is not None and self._move is None:
            self._look(self._status)

    # What the daemon says

    def heard(self, status: Status) -> None:
        """A status has come."""
        before = self._status
        if not self._note(status) or not self.online:
            return
        if self._move is not None or (self._aborting and self._was_moving):
            self._on_the_way()
        elif not self._aborting:
            if _stopped_meanwhile(before, status):
                self._untold_stop = self._hold.begin(status.reason)
            if self._hold.is_due:
                self._refuse_late()
            self._look(status)

    def lost(self, reason: str) -> None:
        """The daemon does not answer."""
        self._change = None
        if self.online:
            self._in_trouble(f"focusd does not answer: {reason}")

    def _note(self, status: Status) -> bool:
        """Remember what is newer than what is known; False: it is older."""
        change = status.report.get("change")
        if isinstance(change, int) and self._change is not None and change < self._change:
            return False
        self._change = change if isinstance(change, int) else None
        self._status = status
        if status.current_steps is not None:
            self._position = min(max(status.current_steps, 0), self._max_steps)
        return True

    def _look(self, status: Status) -> None:
        """What a status says while no move of ours is under way."""
        if status.moving and status.current_steps is not None:
            self._told_trouble = ""
            self._on_the_way()
        elif not status.idle:
            self._untold_stop = ""
            self._in_trouble(_trouble(status))
        elif self._late is not None:
            # Its answer is due later.
            return
        elif self._untold_stop:
            message, self._untold_stop = f"[ERROR] {printable(self._untold_stop)}", ""
            self._conclude(self.abs, State.ALERT, message)
        elif self._told_trouble or self.abs.state is State.BUSY or self._is_news:
            self._told_trouble = ""
            self._conclude(self.abs, State.OK)

    def _in_trouble(self, why: str) -> None:
        told, self._told_trouble = self._told_trouble, printable(why)
        self._move = None
        self._forget_late()
        self._requests.drop()
        # Ages and counts in it are no news.
        if re.sub("[0-9]", "", told) != re.sub("[0-9]", "", self._told_trouble):
            self._conclude(self.abs, State.ALERT, f"[ERROR] {self._told_trouble}")
            if self.rel.state is State.BUSY:
                self._conclude(self.rel, State.ALERT)

    # What clients get

    @property
    def _is_news(self) -> bool:
        return self.abs.values["FOCUS_ABSOLUTE_POSITION"] != str(self._position)

    def _on_the_way(self, at_once: bool = False) -> None:
        now_s = self._monotonic_s()
        if at_once or now_s >= self._due_s:
            # In step, so that readings at a period of their own do not lower the mean.
            in_step_s = self._due_s + PROGRESS_PERIOD_S
            self._due_s = in_step_s if in_step_s > now_s else now_s + PROGRESS_PERIOD_S
            self._tell(self.abs, State.BUSY)

    def _conclude(self, vector: Vector, state: State, message: str = "") -> None:
        """Tell how it ended, with a Busy before it."""
        if vector.state is not State.BUSY:
            self._tell(vector, State.BUSY)
        self._tell(vector, state, message)

    def _tell(self, vector: Vector, state: State, message: str = "") -> None:
        if vector is self.abs:
            vector.values = {"FOCUS_ABSOLUTE_POSITION": str(self._position)}
        vector.state = state
        self._send(vector.told(self.name, self._utc(), message))

    def _say(self, message: str) -> None:
        self._send(said(self.name, self._utc(), message))

    def tell_all(self) -> None:
        """Tell everything anew to clients that have missed something."""
        now = self._utc()
        for vector in self._defined.values():
            # Whoever knows the property already takes its state from the second.
            self._send(vector.defined(self.name, now))
            if vector in (self.abs, self.rel):
                # A Busy may be among what was missed, and then it waits for an end that is not what it was.
                self._conclude(vector, vector.state)
            else:
                self._send(vector.told(self.name, now))
        if not self.online:
            for name in self._when_connected:
                self._send(deleted(self.name, name, now))


def _stopped_meanwhile(before: Status, now: Status) -> bool:
    """Whether somebody has stopped the focuser between two statuses; a stop at rest is seen while it is proven."""
    if now.state == "stopping":
        return before.state == "idle"
    is_said = now.reason.startswith(STOPPED)
    return is_said and not now.moving and (before.moving or before.reason != now.reason)


def _trouble(status: Status) -> str:
    if status.state in ("homing", "connecting"):
        return f"The focuser cannot be used yet: somebody has it connected and homed ({status.state})."
    reason = status.reason or "home it: connect it again, or run focus init."
    return f"The focuser cannot be used ({status.state or status.label}): {reason}"


def _whole_steps(text: str) -> float:
    """The number that a client has sent. Raises RefusedError if it is none."""
    if len(text) > LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise RefusedError(f"{text[:LONGEST_NUMBER]!r} is no number of steps.")
    return float(text)
