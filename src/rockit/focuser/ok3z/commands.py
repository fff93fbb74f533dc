"""The commands of the service, carried out one at a time on the thread that owns the port.

Nothing here knows of threads or futures; that is `focuser`. A command runs to its end or raises. After a
failure `settle` makes the best of it: the motor is halted first, and what is then known is published.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Callable

from .clock import Clock
from .controller import Controller
from .errors import (
    AlreadyConnectedError,
    BusyError,
    DeviceError,
    FocuserError,
    HaltFailedError,
    InternalError,
    LinkError,
    NotConnectedError,
    PositionLostError,
    StoppedError,
)
from .link import Checkpoint, Link
from .mechanics import Drive, Leg, Limits, Plan, mm_from_steps, plan_move, requested_steps
from .motion import Motion
from .motor import Motor, Progress
from .snapshot import Snapshot, State

_log = logging.getLogger(__name__)


# After these the position is not trusted; after a mistake in this program nothing that it knows is.
DOUBTS = (PositionLostError, InternalError)


@dataclass(frozen=True)
class Settings:
    """What the service needs to know, in its own terms.

    Args:
        port_name: what the port is called in messages.
        serial_timeout_s: how long a controller may take to answer the first question.
        move_timeout_s: the longest that a whole move may take. Homing has its own deadline.
        limits, drive: where the focuser may go, and how it runs.
    """

    port_name: str
    serial_timeout_s: float
    move_timeout_s: float
    limits: Limits
    drive: Drive


@dataclass(frozen=True)
class Surroundings:
    """What the commands need from the thread that runs them.

    Args:
        open_port: opens the link.
        clock: the time.
        pause: waits so many seconds, or less where somebody wants the thread's attention.
        checkpoint: raises StoppedError where the running command shall end.
        give_up_halting_s: for a halt that began at a moment of the clock, the moment to give it up.
        announce: passes a message on to the observatory's log: a level of `logging` and a sentence. Must not wait.
    """

    open_port: Callable[[], Link]
    clock: Clock
    pause: Callable[[float], None]
    checkpoint: Checkpoint
    give_up_halting_s: Callable[[float], float]
    announce: Callable[[int, str], None]


class Commands:
    """What can be done with one focuser. Belongs to one thread; `snapshot` may be read by all."""

    def __init__(self, settings: Settings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._announce = surroundings.announce
        self._controller: Controller | None = None
        self._motion: Motion | None = None
        self.snapshot = Snapshot()
        """What is known: replaced whole by one assignment, so that readers need no lock."""

    # The commands

    def initialize(self) -> None:
        """Open the port, identify, configure and home.

        Raises:
            AlreadyConnectedError: the focuser is connected and homed, and has just answered.
            LinkError, DeviceError, StoppedError: it is not homed; `settle` must follow.
        """
        if self._proves_alive():
            raise AlreadyConnectedError("the focuser is already connected, homed and answering.")
        self._close_port()
        self._surroundings.checkpoint()
        self._publish(Snapshot(state=State.CONNECTING))
        self._controller = Controller(
            self._surroundings.open_port(), self._surroundings.clock, self._surroundings.checkpoint
        )
        version = self._controller.identify(self._settings.serial_timeout_s)
        self._announce(logging.INFO, f"connected to {self._settings.port_name} (firmware {version!r})")

        self._publish(Snapshot(state=State.HOMING))
        self._motion = self._new_motion(self._controller)
        self._motion.bring_up()
        self._stand(self._motion, reason="")
        self._announce(logging.INFO, "homed: the focuser stands at 0 mm")

    def _proves_alive(self) -> bool:
        """Whether the focuser is at rest with a known position, and answers now."""
        if self._motion is None or self.snapshot.state is not State.IDLE:
            return False
        try:
            self._motion.look()
        except (LinkError, DeviceError) as error:
            self._announce(logging.WARNING, f"connecting anew: {error}")
            return False
        return True

    def _new_motion(self, controller: Controller) -> Motion:
        settings, surroundings = self._settings, self._surroundings
        motor = Motor(
            controller,
            settings.drive,
            surroundings.clock,
            surroundings.pause,
            surroundings.give_up_halting_s,
            self._progress,
        )
        return Motion(
            motor,
            settings.drive,
            settings.limits,
            settings.move_timeout_s,
            surroundings.clock,
            self._leg_begins,
        )

    def shutdown(self) -> None:
        """Close the port.

        Raises:
            NotConnectedError: there is none open.
            HaltFailedError, LinkError, PositionLostError: an earlier halt still waited for its proof, and this
                one did not bring it; `settle` must follow.
        """
        if self._controller is None:
            raise NotConnectedError("the focuser is not connected: there is nothing to shut down.")
        if self.snapshot.state is State.STOPPING and self._motion is not None:
            # Nobody could halt the motor any more once the port is closed.
            self._motion.halt()
        self._disconnect("")

    def move(self, position: object, offset: bool) -> None:
        """Move to a position in mm, or by an offset in mm from the target.

        Raises:
            NotConnectedError, BusyError, InvalidArgumentError, OutsideLimitsError: nothing moved.
            DeviceError, LinkError, StoppedError: it did not arrive; `settle` must follow.
        """
        motion = self._ready_motion()
        limits = self._settings.limits
        target_steps = requested_steps(position, self.snapshot.target_steps if offset else None, limits)
        # Nothing is planned from a stale position: power cuts and hands do not announce themselves.
        start_steps = motion.steps_out(motion.look())
        plan = plan_move(start_steps, motion.taken_up_steps, target_steps, limits)
        if plan.legs:
            self._publish(replace(self.snapshot, state=State.MOVING, reason="", target_steps=target_steps))
            motion.move(plan)
        self._stand(motion, _shortfall_sentence(plan), plan.shortfall_steps)

    def _ready_motion(self) -> Motion:
        if self.snapshot.state is State.STOPPING:
            raise BusyError("the motor was told to stop and was not seen standing yet. Wait, and look at it.")
        if self._motion is None or not self._motion.homed:
            raise NotConnectedError("the focuser is not connected and homed. Initialise it (focus init).")
        return self._motion

    # Halting, and what follows a failure

    def halt_at_rest(self) -> None:
        """Halt the motor although no command runs.

        Raises:
            NotConnectedError: there is no link, so nothing was proven.
            HaltFailedError: standstill was not seen.
            LinkError, PositionLostError: the link or the position is lost; `settle` must follow.
        """
        if self._motion is None:
            raise NotConnectedError("the focuser is not connected: whether its motor stands cannot be told.")
        before = self.snapshot
        self._publish(replace(before, state=State.STOPPING))
        self._motion.halt()
        self._stand(self._motion, before.reason, before.shortfall_steps)

    def settle(self, error: FocuserError) -> FocuserError | None:
        """Make the best of a command that failed: halt the motor, then publish what is known.

        Args:
            error: what ended the command.

        Returns:
            Why the motor was not proven to stand; None where it was.
        """
        linked = self._motion is not None
        news = not (isinstance(error, HaltFailedError) and self.snapshot.state is State.STOPPING)
        halted = self._halt_after(error)
        if self._motion is not None and (isinstance(error, DOUBTS) or isinstance(halted, DOUBTS)):
            self._motion.forget_position()
        self._publish_after(error, halted)
        if news and not isinstance(error, StoppedError):
            self._announce(logging.ERROR, f"fault: {error}")
        if linked and halted and halted is not error:
            self._announce(logging.ERROR, f"fault while halting: {halted}")
        # A motor that stands is halted, wherever it stands.
        return None if isinstance(halted, PositionLostError) else halted

    def _halt_after(self, error: FocuserError) -> FocuserError | None:
        if self._motion is None:
            return HaltFailedError(
                "there is no link to the focuser: whether its motor stands cannot be told."
            )
        at_rest = isinstance(error, LinkError) and not self.snapshot.motor_may_run
        if at_rest or isinstance(error, HaltFailedError):
            return error
        # What is doubted is not published while the motor is halted either.
        known = None if isinstance(error, DOUBTS) else self.snapshot.current_steps
        self._publish(replace(self.snapshot, state=State.STOPPING, reason=str(error), current_steps=known))
        try:
            self._motion.halt()
        except FocuserError as failure:
            return failure
        return None

    def _publish_after(self, error: FocuserError, halted: FocuserError | None) -> None:
        if self._motion is None or isinstance(error, LinkError) or isinstance(halted, LinkError):
            self._close_port()
            self._publish(Snapshot(reason=str(halted if isinstance(halted, LinkError) else error)))
        elif isinstance(halted, HaltFailedError):
            self._publish(replace(self.snapshot, state=State.STOPPING, reason=str(halted)))
        else:
            # The first loss of the position says why; that halting found the same adds nothing.
            reason = str(error)
            if halted and not isinstance(error, DOUBTS):
                reason = f"{error} {halted}" if isinstance(error, StoppedError) else str(halted)
            if isinstance(error, StoppedError) and not self._motion.homed:
                reason = f"{error} The position is not known: home the focuser (focus init)."
            self._stand(self._motion, reason)

    def leave(self) -> None:
        """Halt the motor and close the port, whatever the state: the daemon ends."""
        if self._controller is None:
            return
        try:
            if self.snapshot.state is State.STOPPING:
                # It was just tried with all the time there is.
                self._controller.deaf().halt()
            elif self._motion is not None:
                self._motion.halt()
        except FocuserError as error:
            _log.error("while leaving: %s", error)
        self._disconnect("")

    def _disconnect(self, reason: str) -> None:
        self._close_port()
        self._publish(Snapshot(reason=reason))
        self._announce(logging.INFO, f"disconnected from {self._settings.port_name}")

    def _close_port(self) -> None:
        if self._controller is not None:
            self._controller.close()
        self._controller = self._motion = None

    # At rest

    def watch_rest(self) -> None:
        """Look after the focuser while no command runs.

        Raises:
            DeviceError, LinkError: it is not as it was left; `settle` must follow.
        """
        if self._motion is None or self._controller is None:
            return
        if self.snapshot.state is State.IDLE:
            reading = self._motion.look()
            self._publish(replace(self.snapshot, read_at_s=reading.at_s))
        elif self.snapshot.state is State.STOPPING:
            # Standstill was not seen when it should have been. Halting is never given up.
            self._motion.halt()
            self._stand(self._motion, self.snapshot.reason)
        else:
            self._publish(replace(self.snapshot, read_at_s=self._controller.read().at_s))

    # Publishing

    def _publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def _stand(self, motion: Motion, reason: str, shortfall_steps: int = 0) -> None:
        """The motor is proven to stand: say where, if that is known."""
        standing = motion.standing
        if not motion.homed:
            self._publish(Snapshot(state=State.UNHOMED, reason=reason, read_at_s=standing.at_s))
            return
        here_steps = motion.steps_out(standing)
        self._publish(
            Snapshot(
                state=State.IDLE,
                reason=reason,
                current_steps=here_steps,
                target_steps=here_steps,
                shortfall_steps=shortfall_steps,
                read_at_s=standing.at_s,
            )
        )

    def _leg_begins(self, leg: Leg) -> None:
        self._publish(replace(self.snapshot, leg=leg))

    def _progress(self, progress: Progress) -> None:
        motion = self._motion
        known = motion is not None and motion.homed
        self._publish(
            replace(
                self.snapshot,
                current_steps=motion.steps_out(progress.reading) if motion and known else None,
                speed_mm_sec=progress.speed_mm_sec,
                time_left_s=progress.time_left_s,
                homing_travelled_mm=progress.homing_travelled_mm,
                read_at_s=progress.reading.at_s,
            )
        )


def _shortfall_sentence(plan: Plan) -> str:
    if not plan.shortfall_steps:
        return ""
    return (
        f"the last approach was {mm_from_steps(plan.shortfall_steps):.3f} mm short of taking up the backlash: "
        "the outer limit left no more room."
    )
