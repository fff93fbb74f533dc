"""How the motor is halted outside of commands, and what follows a command that failed: the motor is halted first, and
what is then known is published.
"""

from __future__ import annotations

import logging

from ..driver.axis import Axis
from ..driver.clock import Clock
from ..errors import (
    FocuserError,
    HaltFailedError,
    NotConnectedError,
    joined,
)
from .failures import Halt, consequence_of
from .fault_recording import FaultRecording
from .memory import Memory
from .publisher import Publisher
from .recovery import Recovery
from .session import Session
from .settings import Settings, Worker
from .states import State

_log = logging.getLogger(__name__)

# Between two attempts at a port that is away when the daemon ends, in seconds.
BETWEEN_LAST_TRIES_S = 0.02
POSITION_UNKNOWN = "The position is not known: home the focuser (focus init)."


class Aftermath:
    """Brings one focuser to rest. Belongs to the thread that owns the port."""

    def __init__(
        self,
        settings: Settings,
        worker: Worker,
        clock: Clock,
        session: Session,
        memory: Memory,
        publisher: Publisher,
        recovery: Recovery,
        recording: FaultRecording,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._announce = worker.announce
        self._clock = clock
        self._session = session
        self._memory = memory
        self._publisher = publisher
        self._recovery = recovery
        self._recording = recording

    def halt_at_rest(self) -> None:
        """Halt the motor although no command runs. A lost link is tried at once; and one that nobody wants, where a
        motion was commanded whose end nobody saw.

        Raises:
            NotConnectedError: there is no link, so nothing was proven.
            HaltFailedError: standstill was not seen.
            LinkError, PositionLostError: the link or the position is lost; `settle` must follow.
        """
        self._recording.asked("stop", self._memory.entry)
        if self._recovery.is_under_way:
            self._recovery.try_now()
        elif self._session.axis is None and self._publisher.motion_unproven:
            self._recovery.halt_and_let_go()
            return
        if self._session.axis is None:
            raise NotConnectedError("the focuser is not connected: whether its motor stands cannot be told.")
        if self._publisher.state is State.STOPPING:
            self.halt_late(self._session.axis)
            return
        self._publisher.halting()
        self._session.axis.halt()
        self._publisher.stand_again(self._session.axis)

    def settle(self, error: FocuserError) -> FocuserError | None:
        """Make the best of a command that failed: halt the motor, then publish what is known.

        Args:
            error: what ended the command.

        Returns:
            Why the motor was not proven to stand; None if it was.
        """
        after = consequence_of(error)
        if after.halt is Halt.NEVER:
            return error
        if after.is_fault:
            self._recording.fault(str(error.reason))
        else:
            self._recording.asked("stop", self._memory.entry)
        linked = self._session.axis is not None
        news = not (after.halt is Halt.HAS_FAILED and self._publisher.state is State.STOPPING)
        halted = self._halt_after(error)
        after_halt = None if halted is None else consequence_of(halted)
        if halted and after_halt and after_halt.is_fault:
            self._recording.fault(str(halted.reason))
        if after.forgets or (after_halt and after_halt.forgets):
            self.forget_position()
        self._publish_after(error, halted)
        if self._recovery.is_under_way:
            # What there is to say of a lost link was said.
            return halted
        if news and after.is_fault:
            self._announce(logging.ERROR, f"fault: {error}")
        if linked and halted and halted is not error:
            self._announce(logging.ERROR, f"fault while halting: {halted}")
        # A motor that stands is halted, wherever it stands.
        return None if after_halt and after_halt.stands else halted

    def settle_mistake(self, reason: str) -> None:
        """`settle` itself has failed: nothing is known any more, and the motor is halted until it is seen standing."""
        # First what everybody reads: the mistake may be in what forgets.
        if self._session.axis is None:
            self._recovery.lost(reason)
        else:
            self._publisher.halting_blindly(reason)
        self.forget_position()

    def forget_position(self) -> None:
        """The position is not trusted any more."""
        self._memory.lost(self._session.axis)

    def _halt_after(self, error: FocuserError) -> FocuserError | None:
        if self._session.axis is None:
            return HaltFailedError(
                "there is no link to the focuser: whether its motor stands cannot be told."
            )
        after = consequence_of(error)
        at_rest = after.halt is Halt.IF_IT_RUNS and not self._publisher.motor_may_run
        if at_rest or after.halt is Halt.HAS_FAILED:
            return error
        # What is doubted is not published while the motor is halted either.
        self._publisher.halting(error.reason, shows_position=not (after.forgets or after.loses_link))
        try:
            self._session.axis.halt()
        except FocuserError as failure:
            return failure
        return None

    def _publish_after(self, error: FocuserError, halted: FocuserError | None) -> None:
        axis, after = self._session.axis, consequence_of(error)
        after_halt = None if halted is None else consequence_of(halted)
        halting_lost = after_halt is not None and after_halt.loses_link
        # If halting found that the position is lost, the motor was seen standing: the link is back already.
        lost = after.loses_link and not (after_halt and after_halt.stands)
        if axis is None or lost or halting_lost:
            self._recovery.lost((halted if halted and halting_lost else error).reason)
        elif halted and after_halt and after_halt.halt is Halt.HAS_FAILED:
            self._publisher.halting(halted.reason)
        else:
            # The first loss of the position says why; that halting found the same adds nothing.
            reason = error.reason
            if halted and not after.forgets:
                reason = halted.reason if after.is_fault else joined(error.reason, halted.reason)
            if not after.is_fault and not axis.homed:
                reason = joined(error.reason, POSITION_UNKNOWN)
            self._publisher.stand(axis, reason, stopped=not after.is_fault and halted is None)

    def leave(self) -> None:
        """Halt the motor and close the port, whatever the state: the daemon ends."""
        axis = self._session.axis
        error = None if axis is None else self._halt_at_last()
        is_out_of_reach = axis is None or _loses_link(error)
        # A port that was given back may be somebody else's by now.
        if is_out_of_reach and self.may_leave_running and self._recovery.is_wanted:
            error = self._halt_regained()
        if _loses_link(error) and self.may_leave_running:
            self._announce(logging.ERROR, f"the daemon ends while the motor may be running: {error}")
        elif error is not None:
            _log.error("while leaving: %s", error)
        if axis is not None or self._session.axis is not None:
            self.disconnect()

    def _halt_regained(self) -> FocuserError | None:
        """Halt a motor that a lost link left running. Its port is tried for as long as there is time: the adapter may
        be back in a moment."""
        clock = self._clock
        give_up_s = self._worker.give_up_halting_s(clock.monotonic())
        while True:
            self._session.close()
            error = self._halt_at_last()
            if not _loses_link(error) or clock.monotonic() + BETWEEN_LAST_TRIES_S >= give_up_s:
                return error
            clock.sleep(BETWEEN_LAST_TRIES_S)

    def _halt_at_last(self) -> FocuserError | None:
        try:
            axis = self._session.axis or self._session.open_unasked()
            axis.halt()
            self._publisher.stand(axis, "")
        except FocuserError as error:
            if consequence_of(error).forgets:
                self.forget_position()
            return error
        return None

    @property
    def may_leave_running(self) -> bool:
        """Whether a motion that this process commanded was not proven to have ended."""
        return self._publisher.motor_may_run and self._session.has_had_link

    def disconnect(self) -> None:
        """Close the port: there shall be no link."""
        self._recovery.end()
        self._memory.let_go()
        self._session.close()
        # A motor that was not seen standing may run still.
        self._publisher.let_go()
        self._announce(logging.INFO, f"disconnected from {self._settings.port_name}")

    def halt_late(self, axis: Axis) -> None:
        """Halt the motor after a halt that was not proven, and publish where it stands."""
        axis.halt()
        if not self._recovery.is_wanted:
            self._recovery.let_go()
            return
        stands = joined(self._publisher.reason, "It stands now.")
        self._publisher.stand(axis, stands if axis.homed else joined(stands, POSITION_UNKNOWN))


def _loses_link(error: FocuserError | None) -> bool:
    return error is not None and consequence_of(error).loses_link
