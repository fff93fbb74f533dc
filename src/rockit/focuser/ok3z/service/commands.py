"""The commands of the service, carried out one at a time on the thread that owns the port.

Nothing here knows of threads or futures; that is `focuser`. A command runs to its end or raises. What follows
a failure is `aftermath`.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from ..driver.axis import Axis, Homing
from ..driver.clock import BootClock
from ..driver.planning import Plan, Target, mm_from_steps, requested_target
from ..driver.reading import Progress
from ..errors import (
    AlreadyConnectedError,
    BusyError,
    DeviceError,
    FocuserError,
    LinkError,
    NotConnectedError,
    PositionLostError,
    SettingsLostError,
    UnexpectedMotionError,
    joined,
)
from .aftermath import Aftermath
from .counters import Counters
from .failures import consequence_of
from .fault_recording import FaultRecording
from .history import NO_LEDGER, History
from .memory import Keeper, Memory
from .motion_log import Record
from .publisher import Publisher
from .recovery import LOOK_FOR_DEVICE_S, Recovery
from .resume_proof import require_young_homing
from .session import Session
from .settings import Port, Settings, Worker
from .states import State
from .status import Audit, Snapshot
from .term_commands import TermCommands
from .terms import Sum

_log = logging.getLogger(__name__)


# How long `initialize` waits for a port that is waited for anyway.
PORT_PATIENCE_S = 10.0


class Commands:
    """What can be done with one focuser. Belongs to one thread; `snapshot` may be read by all.

    Args:
        settings: limits, drive and patience.
        port: where the controller is.
        keeper: keeps what is known of the position over a restart.
        worker: the thread that runs the commands.
        clock: the time, and the time of day.
        recording: has what went over the wire before a fault kept.
        history: is told what moves, and what is read at rest; None: nobody is.
    """

    def __init__(
        self,
        settings: Settings,
        port: Port,
        keeper: Keeper,
        worker: Worker,
        clock: BootClock,
        recording: FaultRecording,
        history: History | None = None,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._clock = clock
        self._recording = recording
        self._announce = worker.announce
        self._follows_hand = False
        self._history = history = history or History(NO_LEDGER, clock)
        self._memory = Memory(settings.port_name, keeper, clock.utc_now)
        self.counters = Counters(clock.monotonic)
        """What was counted since this process began. Any thread may read it."""
        self._publisher = Publisher(
            self._memory, clock.utc_now, recording, self.counters, history, worker.changed
        )
        self._session = Session(
            settings,
            port,
            worker,
            clock,
            self._memory,
            self._progress,
            self._publisher.leg_begins,
            self.counters,
        )
        self._recovery = Recovery(settings, port, worker, clock, self._session, self._memory, self._publisher)
        self._aftermath = Aftermath(
            settings,
            worker,
            clock,
            self._session,
            self._memory,
            self._publisher,
            self._recovery,
            recording,
        )
        self.terms = TermCommands(
            self._memory, self._publisher, worker, history, self._ready_axis, self._ask_for
        )
        """What can be done with the terms."""
        # What is no command, and may follow one.
        self.halt_at_rest = self._aftermath.halt_at_rest
        self.settle = self._aftermath.settle
        self.settle_mistake = self._aftermath.settle_mistake
        self.leave = self._aftermath.leave

    @property
    def snapshot(self) -> Snapshot:
        """What is known: replaced whole by one assignment, so that readers need no lock."""
        return self._publisher.snapshot

    @property
    def motions(self) -> Record:
        """The last motions, the newest last: replaced whole as well."""
        return self._publisher.motions

    @property
    def is_reconnecting(self) -> bool:
        """Whether a lost link is being tried again. Any thread may ask."""
        return self._publisher.state is State.RECONNECTING

    @property
    def where(self) -> str:
        """The position, in words."""
        return self._publisher.where

    @property
    def may_leave_running(self) -> bool:
        """Whether a motion that this process commanded was not proven to have ended."""
        return self._aftermath.may_leave_running

    @property
    def answer_s(self) -> float:
        """How long an answer of the controller takes, in seconds. Any thread may ask."""
        return self._session.answer_s

    @property
    def _axis(self) -> Axis | None:
        return self._session.axis

    # The commands

    def begin(self) -> None:
        """Recall what an earlier process knew. Comes before all commands."""
        self._memory.recall()
        # A process that died in a move may have left the motor running.
        if self._memory.entry.way is not None:
            self._publisher.suppose_motion()
        self._publisher.let_go()

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
        self._recording.asked(
            "initialize", self._memory.entry, resume=resume, restore=restore, new_controller=new_controller
        )
        if self._proves_alive():
            raise AlreadyConnectedError("the focuser is already connected, homed and answering.")
        is_lost = self._recovery.is_under_way
        if is_lost and self._memory.is_known:
            resume = True
        self._session.close()
        if new_controller:
            self._memory.another_controller()
            # What it stood at proves nothing, and its rates are measured in a homing only.
            resume = False
        self._worker.checkpoint()
        self._publisher.connecting()
        axis = self._connect(PORT_PATIENCE_S if is_lost else 0.0)
        self._recovery.begin()
        self._announce(logging.INFO, f"connected to {self._settings.port_name}")
        shall_resume = self._settings.resume_on_init if resume is None else resume
        why_not = self._resume(axis, unasked=resume is None) if shall_resume else ""
        if why_not or not shall_resume:
            self._bring_up(axis, why_not)
        if self._settings.restore_on_init if restore is None else restore:
            self._restore(axis)

    def _proves_alive(self) -> bool:
        """Whether the focuser is at rest with a known position, and answers now."""
        if self._axis is None or self._publisher.state is not State.IDLE:
            return False
        try:
            self._axis.look()
        except LinkError as error:
            self._recovery.lost(error.reason)
            return False
        except DeviceError as error:
            self._announce(logging.WARNING, f"connecting anew: {error}")
            # Whatever moved it may move it still.
            self._publisher.suppose_motion()
            self._publisher.connecting()
            if consequence_of(error).forgets:
                self._aftermath.forget_position()
            return False
        return True

    def _connect(self, patience_s: float) -> Axis:
        """Open the port. One that cannot be opened is tried again for so long, in seconds."""
        clock, checkpoint = self._clock, self._worker.checkpoint
        expires_s = clock.monotonic() + patience_s
        while True:
            try:
                return self._session.open(self._settings.serial_timeout_s, checkpoint)
            except LinkError:
                if clock.monotonic() >= expires_s:
                    raise
            self._worker.pause(LOOK_FOR_DEVICE_S)
            checkpoint()

    def _bring_up(self, axis: Axis, why_not_resumed: str) -> None:
        self._publisher.homing()
        self.terms.absorb()
        self._memory.homing()
        homing = axis.home()
        self.counters.homing_scatter_steps = homing.scatter_steps
        self._memory.homed(axis, homing, why_not_resumed)
        self._publisher.stand(axis, reason="")
        self._announce(logging.INFO, "homed: the focuser stands at 0 mm")

    def _resume(self, axis: Axis, unasked: bool) -> str:
        """Carry on without homing, because a call or else the configuration says so; or why that cannot be."""
        try:
            if unasked:
                now = self._clock.utc_now()
                require_young_homing(self._memory.entry, now, self._settings.resume_max_age_s)
            self._recovery.prove_as_left(axis, halting=False)
        except PositionLostError as error:
            self._memory.found_elsewhere(axis)
            self._announce(logging.WARNING, f"homing, because it cannot be resumed: {error}")
            return joined("it could not be resumed:", error.reason)
        how = f"resumed at {self._publisher.where} without homing"
        if unasked:
            how += f", as resume_on_init says; last homed at {self._memory.confidence.homed_at}"
            self._publisher.say(f"{how}.")
        self._announce(logging.INFO, how)
        return ""

    def _restore(self, axis: Axis) -> None:
        target = self._memory.target
        if target is None or not 0 <= target.steps <= self._settings.limits.range_steps:
            known = "none is known" if target is None else "it lies outside focus_range_mm"
            self._announce(logging.WARNING, f"not returning to the last target: {known}.")
            return
        self._go(axis, target)
        self._announce(logging.INFO, f"returned to {self._publisher.where}")

    def shutdown(self) -> None:
        """Close the port, and stop waiting for a lost one.

        Raises:
            NotConnectedError: there is none open, and none is waited for.
            HaltFailedError, LinkError, PositionLostError: an earlier halt still waited for its proof, and this
                one did not bring it; `settle` must follow.
        """
        if not self._recovery.is_wanted and self._axis is None:
            raise NotConnectedError("the focuser is not connected: there is nothing to shut down.")
        self._recording.asked("shutdown", self._memory.entry)
        if self._publisher.state is State.STOPPING and self._axis is not None:
            # Nobody could halt the motor any more once the port is closed.
            self._aftermath.halt_late(self._axis)
        self._aftermath.disconnect()

    def move(self, position: object, offset: bool, exact: bool = False) -> None:
        """Move to a position in mm, or by an offset in mm from the target. It is the sum then: the base takes up the
        difference, and the terms stay.

        Args:
            exact: the position is that of a step, and no neighbour will do.

        Raises:
            NotConnectedError, BusyError, InvalidArgumentError, OutsideLimitsError: nothing moved.
            DeviceError, LinkError, StoppedError: it did not arrive; `settle` must follow.
        """
        self._ready_axis()
        here = self._publisher.setpoint
        self._ask_for(position, here.mm if offset and here else None, self.terms.absorbed(), exact)

    def _ask_for(
        self, position: object, offset_from_mm: float | None, coming: Sum, exact: bool = False
    ) -> None:
        axis = self._ready_axis()
        target = requested_target(position, offset_from_mm, self._settings.limits)
        self._recording.asked("move", self._memory.entry, mm=target.mm, exact=exact)
        self._go(axis, target if exact else self._beside_power_up(axis, target), coming)

    def _beside_power_up(self, axis: Axis, target: Target) -> Target:
        """The target, or its neighbour outward where a power cut would not show in the register. 0 mm stays."""
        inside = 0 < target.steps < self._settings.limits.range_steps
        if not inside or not axis.is_power_up_at(target.steps):
            return target
        return replace(target, steps=target.steps + 1)

    def _go(self, axis: Axis, target: Target, coming: Sum | None = None) -> None:
        """Move to a position within the limits from where the motor was last seen standing. `coming`: what it is the
        sum of; None: the base takes up the difference."""
        self._memory.heads_for(coming or self.terms.absorbed())
        plan = axis.plan(target.steps)
        if plan.legs:
            self._publisher.moving(target)
            self.counters.plans(axis.ideal_s(plan))
            self._worker.moves()
            # The disk and the look before the first leg take their time side by side.
            kept = self._memory.set_out(axis.registers_of(plan))
            stalled = _stall_sentence(axis.move(plan, kept))
            if stalled:
                self._announce(logging.WARNING, stalled)
        else:
            axis.look()
            stalled = ""
        reason = " ".join(filter(None, (stalled, _shortfall_sentence(plan))))
        self._publisher.stand(axis, reason, plan.shortfall_steps, reached=target)
        self.terms.tell_ended()

    def audit(self) -> None:
        """Home again, note how many steps were lost since the last homing, and return.

        Raises:
            NotConnectedError, BusyError: nothing moved.
            DeviceError, LinkError, StoppedError: it did not come back; `settle` must follow.
        """
        axis = self._ready_axis()
        self._recording.asked("audit", self._memory.entry)
        axis.look()
        within_steps = min(max(axis.place_steps, 0), self._settings.limits.range_steps)
        back_to = self._memory.target_at(within_steps)
        origin_register, since = axis.origin_register, self._memory.confidence.homed_at
        self._publisher.homing()
        self._memory.homing()
        homing = self._home_again(axis)
        self.counters.homing_scatter_steps = homing.scatter_steps
        self._memory.homed(axis, homing)
        # The register counts what was commanded. It grows inward: what had to be gone beyond is what was lost.
        end_register = homing.first_end_register
        lost_steps = None if end_register is None else end_register - origin_register
        self._publisher.audit = Audit(self._memory.confidence.homed_at, since, lost_steps)
        self._publisher.stand(axis, reason="")
        self._announce(logging.INFO, _audit_sentence(lost_steps))
        self._go(axis, back_to)

    def _home_again(self, axis: Axis) -> Homing:
        try:
            # What the disk took may have been time enough for a power cut.
            axis.look()
            return axis.home()
        except FocuserError as error:
            if axis.homed and not consequence_of(error).forgets:
                self._memory.homing_called_off()
            raise

    def _ready_axis(self) -> Axis:
        if self._publisher.state is State.STOPPING:
            raise BusyError("the motor was told to stop and was not seen standing yet. Wait, and look at it.")
        if self._axis is None or not self._axis.homed:
            raise NotConnectedError("the focuser is not connected and homed. Initialise it (focus init).")
        return self._axis

    # At rest

    def rest_s(self, longest_s: float) -> float:
        """How long the thread may sleep while no command comes, in seconds."""
        if self._recovery.is_under_way:
            return min(longest_s, self._recovery.due_in_s)
        return 0.0 if self._tries_both else longest_s

    @property
    def _tries_both(self) -> bool:
        """Whether it is still to be seen if the controller takes two questions in one write."""
        axis = self._axis
        return axis is not None and self._publisher.state is State.IDLE and axis.may_ask_both

    def watch_rest(self) -> None:
        """Look after the focuser while no command runs.

        Raises:
            DeviceError, LinkError: it is not as it was left; `settle` must follow.
        """
        if self._recovery.is_under_way:
            self._recovery.try_if_due()
        elif self._axis is None:
            return
        elif self._publisher.state is State.IDLE:
            self._look_at_rest(self._axis)
        elif self._publisher.state is State.STOPPING:
            # Standstill was not seen when it should have been. Halting is never given up.
            self._aftermath.halt_late(self._axis)
        else:
            self._publisher.heard_of(self._session.read())

    def _look_at_rest(self, axis: Axis) -> None:
        try:
            reading = axis.look()
            axis.try_both()
        except (PositionLostError, UnexpectedMotionError) as error:
            nobody_drives = axis.is_unsteady or isinstance(error, SettingsLostError)
            if nobody_drives or not self._settings.keeps_hand:
                raise
            self._follow_hand(axis)
            return
        self._publisher.seen_at(axis, reading)

    def _follow_hand(self, axis: Axis) -> None:
        was_at = self._publisher.where
        self._follows_hand = True
        try:
            axis.follow_hand()
        finally:
            self._follows_hand = False
            self._history.touched()
        self.terms.absorb()
        self._publisher.stand(axis, "", self._settings.limits.backlash_steps - axis.taken_up_steps)
        told = f"somebody drove the focuser at its controller from {was_at} to {self._publisher.where}"
        self._announce(logging.WARNING, f"{told}; it was watched all the way, so its position is known.")
        self._publisher.say(f"{told}; its position is known.")

    def _progress(self, progress: Progress) -> None:
        if self._follows_hand and self._publisher.state is State.IDLE:
            self._publisher.driven_by_hand()
        self._publisher.progress(progress, self._axis)


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
