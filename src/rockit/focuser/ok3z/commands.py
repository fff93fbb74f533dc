"""The commands of the service, carried out one at a time on the thread that owns the port.

Nothing here knows of threads or futures; that is `focuser`. A command runs to its end or raises. After a
failure `settle` makes the best of it: the motor is halted first, and what is then known is published.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from .board import Board
from .connection import Connection
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
    UnexpectedMotionError,
    joined,
)
from .mechanics import Plan, Target, mm_from_steps, requested_target
from .memory import Memory
from .motion import Homing, Motion
from .motions import Record
from .motor import Progress
from .recovery import LOOK_FOR_DEVICE_S, Recovery
from .resumption import require_young_homing
from .snapshot import Audit, Snapshot, State
from .surroundings import Settings, Surroundings

_log = logging.getLogger(__name__)


# After these the position is not trusted; after a mistake in this program nothing that it knows is.
DOUBTS = (PositionLostError, InternalError)
# Between two attempts at a port that is away when the daemon ends, in seconds.
BETWEEN_LAST_TRIES_S = 0.02
# How long `initialize` waits for a port that is waited for anyway.
PORT_PATIENCE_S = 10.0
BY_HAND = "somebody drives the focuser at its controller."
POSITION_UNKNOWN = "The position is not known: home the focuser (focus init)."


class Commands:
    """What can be done with one focuser. Belongs to one thread; `snapshot` may be read by all."""

    def __init__(self, settings: Settings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._announce = surroundings.announce
        self._memory = Memory(settings.port_name, surroundings.keeper, surroundings.utc_now)
        self._board = Board(self._memory, surroundings.utc_now, surroundings.changed)
        self._connection = Connection(
            settings, surroundings, self._memory, self._progress, self._board.leg_begins
        )
        self._recovery = Recovery(settings, surroundings, self._connection, self._memory, self._board)

    @property
    def snapshot(self) -> Snapshot:
        """What is known: replaced whole by one assignment, so that readers need no lock."""
        return self._board.snapshot

    @property
    def motions(self) -> Record:
        """The last motions, the newest last: replaced whole as well."""
        return self._board.motions

    @property
    def _motion(self) -> Motion | None:
        return self._connection.motion

    # The commands

    def begin(self) -> None:
        """Recall what an earlier process knew. Comes before all commands."""
        self._memory.recall()
        # A process that died in a move may have left the motor running.
        self._board.publish(Snapshot(motion_unproven=self._memory.entry.way is not None))

    def initialize(
        self, resume: bool | None = None, restore: bool | None = None, new_controller: bool = False
    ) -> None:
        """Open the port, identify, configure and home.

        Where the link is lost, this is the reconnection, asked for: a focuser that this process has watched is resumed
        in any case, and its port is waited for.

        Args:
            new_controller: what was measured of the controller before is forgotten.
            resume: carry on without homing if the controller is proven to be as it was left; None: as configured, and
                only if the last homing is young enough.
            restore: return to the last target that was reached; None: as configured.

        Raises:
            AlreadyConnectedError: the focuser is connected and homed, and has just answered.
            LinkError, DeviceError, StoppedError: it is not homed; `settle` must follow.
        """
        if self._proves_alive():
            raise AlreadyConnectedError("the focuser is already connected, homed and answering.")
        is_lost = self._recovery.is_under_way
        if is_lost and self._memory.is_known:
            resume = True
        self._connection.close()
        if new_controller:
            self._memory.another_controller()
        self._surroundings.checkpoint()
        self._board.publish(Snapshot(state=State.CONNECTING, motion_unproven=self.snapshot.motor_may_run))
        motion = self._connect(PORT_PATIENCE_S if is_lost else 0.0)
        self._recovery.begin()
        self._announce(logging.INFO, f"connected to {self._settings.port_name}")
        shall_resume = self._settings.resume_on_init if resume is None else resume
        why_not = self._resume(motion, unasked=resume is None) if shall_resume else ""
        if why_not or not shall_resume:
            self._bring_up(motion, why_not)
        if self._settings.restore_on_init if restore is None else restore:
            self._restore(motion)

    def _proves_alive(self) -> bool:
        """Whether the focuser is at rest with a known position, and answers now."""
        if self._motion is None or self.snapshot.state is not State.IDLE:
            return False
        try:
            self._motion.look()
        except LinkError as error:
            self._recovery.lost(error.reason)
            return False
        except DeviceError as error:
            self._announce(logging.WARNING, f"connecting anew: {error}")
            # Whatever moved it may move it still.
            self._board.publish(Snapshot(state=State.CONNECTING, motion_unproven=True))
            if isinstance(error, DOUBTS):
                self._forget_position()
            return False
        return True

    def _connect(self, patience_s: float) -> Motion:
        """Open the port. One that cannot be opened is tried again for so long, in seconds."""
        clock, checkpoint = self._surroundings.clock, self._surroundings.checkpoint
        expires_s = clock.monotonic() + patience_s
        while True:
            try:
                return self._connection.open(self._settings.serial_timeout_s, checkpoint)
            except LinkError:
                if clock.monotonic() >= expires_s:
                    raise
            self._surroundings.pause(LOOK_FOR_DEVICE_S)
            checkpoint()

    def _bring_up(self, motion: Motion, why_not_resumed: str) -> None:
        self._board.publish(Snapshot(state=State.HOMING))
        self._memory.homing()
        self._memory.homed(motion, motion.home(), why_not_resumed)
        self._board.stand(motion, reason="")
        self._announce(logging.INFO, "homed: the focuser stands at 0 mm")

    def _resume(self, motion: Motion, unasked: bool) -> str:
        """Carry on without homing, because a call or else the configuration says so; or why that cannot be."""
        try:
            if unasked:
                now = self._surroundings.utc_now()
                require_young_homing(self._memory.entry, now, self._settings.resume_max_age_s)
            self._recovery.prove_as_left(motion, halting=False)
        except PositionLostError as error:
            self._memory.found_elsewhere(motion)
            self._announce(logging.WARNING, f"homing, because it cannot be resumed: {error}")
            return joined("it could not be resumed:", error.reason)
        how = f"resumed at {self._board.where} without homing"
        if unasked:
            how += f", as resume_on_init says; last homed at {self._memory.confidence.homed_at}"
            self._board.publish(replace(self.snapshot, reason=f"{how}."))
        self._announce(logging.INFO, how)
        return ""

    def _restore(self, motion: Motion) -> None:
        target = self._memory.target
        if target is None or not 0 <= target.steps <= self._settings.limits.range_steps:
            known = "none is known" if target is None else "it lies outside focus_range_mm"
            self._announce(logging.WARNING, f"not returning to the last target: {known}.")
            return
        self._go(motion, target)
        self._announce(logging.INFO, f"returned to {self._board.where}")

    def shutdown(self) -> None:
        """Close the port, and stop waiting for a lost one.

        Raises:
            NotConnectedError: there is none open, and none is waited for.
            HaltFailedError, LinkError, PositionLostError: an earlier halt still waited for its proof, and this
                one did not bring it; `settle` must follow.
        """
        if not self._recovery.is_wanted and self._motion is None:
            raise NotConnectedError("the focuser is not connected: there is nothing to shut down.")
        if self.snapshot.state is State.STOPPING and self._motion is not None:
            # Nobody could halt the motor any more once the port is closed.
            self._halt_late(self._motion)
        self._disconnect()

    def move(self, position: object, offset: bool, exact: bool = False) -> None:
        """Move to a position in mm, or by an offset in mm from the target.

        Args:
            exact: the position is that of a step, and no neighbour will do.

        Raises:
            NotConnectedError, BusyError, InvalidArgumentError, OutsideLimitsError: nothing moved.
            DeviceError, LinkError, StoppedError: it did not arrive; `settle` must follow.
        """
        motion = self._ready_motion()
        here = self.snapshot.target
        target = requested_target(position, here.mm if offset and here else None, self._settings.limits)
        self._go(motion, target if exact else self._beside_power_up(motion, target))

    def _beside_power_up(self, motion: Motion, target: Target) -> Target:
        """The target, or its neighbour outward where a power cut would not show in the register. 0 mm stays."""
        inside = 0 < target.steps < self._settings.limits.range_steps
        if not inside or not motion.is_power_up_at(target.steps):
            return target
        return replace(target, steps=target.steps + 1)

    def _go(self, motion: Motion, target: Target) -> None:
        """Move to a position within the limits from where the motor was last seen standing."""
        plan = motion.plan(target.steps)
        if plan.legs:
            self._board.publish(
                replace(
                    self.snapshot,
                    state=State.MOVING,
                    reason="",
                    target_steps=target.steps,
                    target_mm=target.asked_mm,
                )
            )
            self._memory.set_out(motion.registers_of(plan))
            stalled = _stall_sentence(motion.move(plan))
            if stalled:
                self._announce(logging.WARNING, stalled)
        else:
            motion.look()
            stalled = ""
        reason = " ".join(filter(None, (stalled, _shortfall_sentence(plan))))
        self._board.stand(motion, reason, plan.shortfall_steps, reached=target)

    def audit(self) -> None:
        """Home again, note how many steps were lost since the last homing, and return.

        Raises:
            NotConnectedError, BusyError: nothing moved.
            DeviceError, LinkError, StoppedError: it did not come back; `settle` must follow.
        """
        motion = self._ready_motion()
        motion.look()
        within_steps = min(max(motion.place_steps, 0), self._settings.limits.range_steps)
        back_to = self._memory.target_at(within_steps)
        origin_register, since = motion.origin_register, self._memory.confidence.homed_at
        self._board.publish(Snapshot(state=State.HOMING))
        self._memory.homing()
        homing = self._home_again(motion)
        self._memory.homed(motion, homing)
        # The register counts what was commanded. It grows inward: what had to be gone beyond is what was lost.
        end_register = homing.first_end_register
        lost_steps = None if end_register is None else end_register - origin_register
        self._board.audit = Audit(self._memory.confidence.homed_at, since, lost_steps)
        self._board.stand(motion, reason="")
        self._announce(logging.INFO, _audit_sentence(lost_steps))
        self._go(motion, back_to)

    def _home_again(self, motion: Motion) -> Homing:
        try:
            # What the disk took may have been time enough for a power cut.
            motion.look()
            return motion.home()
        except FocuserError as error:
            if motion.homed and not isinstance(error, DOUBTS):
                self._memory.homing_called_off()
            raise

    def _ready_motion(self) -> Motion:
        if self.snapshot.state is State.STOPPING:
            raise BusyError("the motor was told to stop and was not seen standing yet. Wait, and look at it.")
        if self._motion is None or not self._motion.homed:
            raise NotConnectedError("the focuser is not connected and homed. Initialise it (focus init).")
        return self._motion

    # Halting, and what follows a failure

    def halt_at_rest(self) -> None:
        """Halt the motor although no command runs. A lost link is tried at once; and one that nobody wants, where a
        motion was commanded whose end nobody saw.

        Raises:
            NotConnectedError: there is no link, so nothing was proven.
            HaltFailedError: standstill was not seen.
            LinkError, PositionLostError: the link or the position is lost; `settle` must follow.
        """
        if self._recovery.is_under_way:
            self._recovery.try_now()
        elif self._motion is None and self.snapshot.motion_unproven:
            self._recovery.halt_and_let_go()
            return
        if self._motion is None:
            raise NotConnectedError("the focuser is not connected: whether its motor stands cannot be told.")
        before = self.snapshot
        if before.state is State.STOPPING:
            self._halt_late(self._motion)
            return
        self._board.publish(replace(before, state=State.STOPPING))
        self._motion.halt()
        self._board.stand(self._motion, before.reason, before.shortfall_steps)

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
        if isinstance(error, DOUBTS) or isinstance(halted, DOUBTS):
            self._forget_position()
        self._publish_after(error, halted)
        if self._recovery.is_under_way:
            # What there is to say of a lost link was said.
            return halted
        if news and not isinstance(error, StoppedError):
            self._announce(logging.ERROR, f"fault: {error}")
        if linked and halted and halted is not error:
            self._announce(logging.ERROR, f"fault while halting: {halted}")
        # A motor that stands is halted, wherever it stands.
        return None if isinstance(halted, PositionLostError) else halted

    def settle_mistake(self, reason: str) -> None:
        """`settle` itself has failed: nothing is known any more, and the motor is halted until it is seen standing."""
        # First what everybody reads: the mistake may be in what forgets.
        if self._motion is None:
            self._recovery.lost(reason)
        else:
            self._board.publish(Snapshot(state=State.STOPPING, reason=reason))
        self._forget_position()

    def _forget_position(self) -> None:
        if self._motion is not None:
            self._motion.forget_position()
        self._memory.lost(self._motion)

    def _halt_after(self, error: FocuserError) -> FocuserError | None:
        if self._motion is None:
            return HaltFailedError(
                "there is no link to the focuser: whether its motor stands cannot be told."
            )
        at_rest = isinstance(error, LinkError) and not self.snapshot.motor_may_run
        if at_rest or isinstance(error, HaltFailedError):
            return error
        # What is doubted is not published while the motor is halted either.
        known = None if isinstance(error, (*DOUBTS, LinkError)) else self.snapshot.current_steps
        self._board.publish(
            replace(self.snapshot, state=State.STOPPING, reason=error.reason, current_steps=known)
        )
        try:
            self._motion.halt()
        except FocuserError as failure:
            return failure
        return None

    def _publish_after(self, error: FocuserError, halted: FocuserError | None) -> None:
        # Where halting found the position lost, the motor was seen standing: the link is back already.
        lost = isinstance(error, LinkError) and not isinstance(halted, PositionLostError)
        if self._motion is None or lost or isinstance(halted, LinkError):
            self._recovery.lost((halted if isinstance(halted, LinkError) else error).reason)
        elif isinstance(halted, HaltFailedError):
            self._board.publish(replace(self.snapshot, state=State.STOPPING, reason=halted.reason))
        else:
            # The first loss of the position says why; that halting found the same adds nothing.
            reason = error.reason
            stopped = isinstance(error, StoppedError)
            if halted and not isinstance(error, DOUBTS):
                reason = joined(error.reason, halted.reason) if stopped else halted.reason
            if stopped and not self._motion.homed:
                reason = joined(error.reason, POSITION_UNKNOWN)
            self._board.stand(self._motion, reason, stopped=stopped and halted is None)

    def leave(self) -> None:
        """Halt the motor and close the port, whatever the state: the daemon ends."""
        motion = self._motion
        error = None if motion is None else self._halt_at_last()
        is_out_of_reach = motion is None or isinstance(error, LinkError)
        # A port that was given back may be somebody else's by now.
        if is_out_of_reach and self.may_leave_running and self._recovery.is_wanted:
            error = self._halt_regained()
        if isinstance(error, LinkError) and self.may_leave_running:
            self._announce(logging.ERROR, f"the daemon ends while the motor may be running: {error}")
        elif error is not None:
            _log.error("while leaving: %s", error)
        if motion is not None or self._motion is not None:
            self._disconnect()

    def _halt_regained(self) -> FocuserError | None:
        """Halt a motor that a lost link left running. Its port is tried for as long as there is time: the adapter may
        be back in a moment."""
        clock = self._surroundings.clock
        give_up_s = self._surroundings.give_up_halting_s(clock.monotonic())
        while True:
            self._connection.close()
            error = self._halt_at_last()
            if not isinstance(error, LinkError) or clock.monotonic() + BETWEEN_LAST_TRIES_S >= give_up_s:
                return error
            clock.sleep(BETWEEN_LAST_TRIES_S)

    def _halt_at_last(self) -> FocuserError | None:
        try:
            motion = self._motion or self._connection.open_unasked()
            motion.halt()
            self._board.stand(motion, "")
        except FocuserError as error:
            if isinstance(error, DOUBTS):
                self._forget_position()
            return error
        return None

    @property
    def may_leave_running(self) -> bool:
        """Whether a motion that this process commanded was not proven to have ended."""
        return self.snapshot.motor_may_run and self._connection.has_had_link

    def _disconnect(self) -> None:
        self._recovery.end()
        self._memory.let_go()
        self._connection.close()
        # A motor that was not seen standing may run still.
        self._board.publish(Snapshot(motion_unproven=self.snapshot.motor_may_run))
        self._announce(logging.INFO, f"disconnected from {self._settings.port_name}")

    def _halt_late(self, motion: Motion) -> None:
        """Halt the motor after a halt that was not proven, and publish where it stands."""
        motion.halt()
        if not self._recovery.is_wanted:
            self._recovery.let_go()
            return
        stands = joined(self.snapshot.reason, "It stands now.")
        self._board.stand(motion, stands if motion.homed else joined(stands, POSITION_UNKNOWN))

    # At rest

    def rest_s(self, longest_s: float) -> float:
        """How long the thread may sleep while no command comes, in seconds."""
        return min(longest_s, self._recovery.due_in_s) if self._recovery.is_under_way else longest_s

    def watch_rest(self) -> None:
        """Look after the focuser while no command runs.

        Raises:
            DeviceError, LinkError: it is not as it was left; `settle` must follow.
        """
        if self._recovery.is_under_way:
            self._recovery.try_if_due()
        elif self._motion is None:
            return
        elif self.snapshot.state is State.IDLE:
            self._look_at_rest(self._motion)
        elif self.snapshot.state is State.STOPPING:
            # Standstill was not seen when it should have been. Halting is never given up.
            self._halt_late(self._motion)
        else:
            self._board.publish(replace(self.snapshot, read_at_s=self._connection.read().at_s))

    def _look_at_rest(self, motion: Motion) -> None:
        try:
            reading = motion.look()
        except (PositionLostError, UnexpectedMotionError):
            if not self._settings.keeps_hand:
                raise
            self._follow_hand(motion)
            return
        here_steps = motion.steps_out(reading)
        self._board.publish(replace(self.snapshot, current_steps=here_steps, read_at_s=reading.at_s))

    def _follow_hand(self, motion: Motion) -> None:
        was_at = self._board.where
        motion.follow_hand()
        self._board.stand(motion, "", self._settings.limits.backlash_steps - motion.taken_up_steps)
        told = f"somebody drove the focuser at its controller from {was_at} to {self._board.where}"
        self._announce(logging.WARNING, f"{told}; it was watched all the way, so its position is known.")
        self._board.publish(replace(self.snapshot, reason=f"{told}; its position is known."))

    def _progress(self, progress: Progress) -> None:
        if self.snapshot.state is State.IDLE:
            # Nobody here has told it to run.
            self._board.publish(
                replace(self.snapshot, state=State.MOVING, reason=BY_HAND, target_steps=None, target_mm=None)
            )
        self._board.progress(progress, self._motion)


def _audit_sentence(lost_steps: int | None) -> str:
    if lost_steps is None:
        return (
            "audit: the end of the homing run was not seen, so the lost steps cannot be counted. Audit again."
        )
    return f"audit: {lost_steps} steps ({mm_from_steps(lost_steps):.3f} mm) were lost"


def _stall_sentence(stalls: int) -> str:
    if not stalls:
        return ""
    times = "once" if stalls == 1 else f"{stalls} times"
    return f"the motor stalled {times} on its way and was sent again. Look at its load."


def _shortfall_sentence(plan: Plan) -> str:
    if not plan.shortfall_steps:
        return ""
    return (
        f"the last approach was {mm_from_steps(plan.shortfall_steps):.3f} mm short of taking up the backlash: "
        "the outer limit left no more room."
    )
