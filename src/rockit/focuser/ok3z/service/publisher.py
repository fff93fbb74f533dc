"""Where the thread that owns the port puts up what it knows, for everybody to read.

Told what happens, it follows the state machine, keeps the record of motions, and makes the status of state, position
and progress. What it has put up is for readers, and is read back only to count the news.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Callable

from ..constants import UTC_FORMAT
from ..driver.axis import Axis
from ..driver.planning import Leg, Target, mm_from_steps
from ..driver.reading import Progress, Reading
from .counters import Counters
from .fault_recording import FaultRecording
from .history import History
from .memory import Memory
from .motion_log import MotionLog, Record, Result
from .states import Event, State, StateMachine
from .status import Audit, Confidence, Snapshot, Trust

BY_HAND = "somebody drives the focuser at its controller."


class Publisher:
    """The state of one focuser, its published snapshot, and the record of motions. Belongs to the thread that owns the
    port.

    Args:
        memory: says what is thought of the position.
        utc_now: the time of day.
        recording: is told what is concluded, and when the motor stands.
        counters: count what happens.
        history: is told what moves, and what is read at rest.
        changed: called after each snapshot that tells its readers something new.
    """

    def __init__(
        self,
        memory: Memory,
        utc_now: Callable[[], datetime],
        recording: FaultRecording,
        counters: Counters,
        history: History,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._memory = memory
        self._utc_now = utc_now
        self._recording = recording
        self._counters = counters
        self._history = history
        self._changed = changed
        self._machine = StateMachine()
        # What there is to say beside state and position; these come to it as it is put up.
        self._details = Snapshot()
        self._motion_log = MotionLog(counters.motion_ended)
        self.audit: Audit | None = None
        """What the last audit found; stands in every snapshot from then on."""
        self.snapshot = Snapshot()
        """What is known: replaced whole by one assignment, so that readers need no lock."""
        self.motions: Record = ()
        """The last motions, the newest last: replaced whole as well."""

    # What is so

    @property
    def state(self) -> State:
        """What the focuser is doing."""
        return self._machine.state

    @property
    def motion_unproven(self) -> bool:
        """Whether a motion was commanded before the link was lost, and its end was not seen."""
        return self._machine.motion_unproven

    @property
    def motor_may_run(self) -> bool:
        """Whether a motion was commanded whose end is not yet proven."""
        return self._machine.motor_may_run

    @property
    def reason(self) -> str:
        """What there is to say of the state."""
        return self._details.reason

    @property
    def setpoint(self) -> Target | None:
        """Where the focuser shall stand; None if nobody knows."""
        return self._details.target

    @property
    def where(self) -> str:
        """The position, in words."""
        steps = self._details.current_steps
        return "an unknown position" if steps is None else f"{mm_from_steps(steps):.3f} mm"

    # What happens

    def suppose_motion(self) -> None:
        """The motor may run, whoever moves it. Published with what happens next."""
        self._machine.suppose_motion()

    def connecting(self) -> None:
        """The port is to be opened."""
        self._happens(Event.CONNECT, Snapshot())

    def homing(self) -> None:
        """A homing begins."""
        self._motion_begins(homing=True, to_steps=None)
        self._happens(Event.HOME, Snapshot())

    def moving(self, target: Target) -> None:
        """A move begins."""
        self._motion_begins(homing=False, to_steps=target.steps)
        self._happens(
            Event.MOVE,
            replace(self._details, reason="", target_steps=target.steps, target_mm=target.asked_mm),
        )

    def driven_by_hand(self) -> None:
        """Somebody drives the focuser at its controller."""
        self._motion_begins(homing=False, to_steps=None)
        self._happens(Event.HAND, replace(self._details, reason=BY_HAND, target_steps=None, target_mm=None))

    def halting(self, reason: str | None = None, shows_position: bool = True) -> None:
        """The motor is told to stop, and is not seen standing yet.

        Args:
            reason: why; None if what was said before stands.
            shows_position: whether its position is published meanwhile.
        """
        details = self._details if reason is None else replace(self._details, reason=reason)
        self._happens(Event.HALT, details if shows_position else replace(details, current_steps=None))

    def halting_blindly(self, reason: str) -> None:
        """The same where nothing else is known any more."""
        self._happens(Event.HALT, Snapshot(reason=reason))

    def stand(
        self,
        axis: Axis,
        reason: str,
        shortfall_steps: int = 0,
        reached: Target | None = None,
        stopped: bool = False,
    ) -> None:
        """The motor is proven to stand: put up and remember where, if that is known.

        Args:
            reason: what there is to say of it.
            shortfall_steps: what the last approach lacked of the full backlash.
            reached: the target that was reached; None if it stands elsewhere.
            stopped: somebody wanted it to stand.
        """
        standing = axis.standing
        if axis.homed:
            self._memory.stands(axis, reached)
            here_steps = axis.steps_out(standing)
            self._stands_at(standing, here_steps, reason, shortfall_steps, stopped)
            self._history.stands(standing, here_steps, axis.surprises)
            return
        self._memory.stands_somewhere(axis)
        result = Result.STOPPED if stopped else Result.FAILED
        self._motion_log.stands(result, None, reason or self.reason, standing.at_s, stopped)
        self._happens(
            Event.STAND_SOMEWHERE, Snapshot(reason=reason, read_at_s=standing.at_s, stopped=stopped)
        )

    def stand_again(self, axis: Axis) -> None:
        """It was halted where it stood, and stands there as it did."""
        self.stand(axis, self.reason, self._details.shortfall_steps)

    def _stands_at(
        self, standing: Reading, here_steps: int, reason: str, shortfall_steps: int, stopped: bool
    ) -> None:
        # A move that was halted has not arrived, wherever it stands: its caller was told so.
        result = Result.SHORT if self.state is State.STOPPING else Result.ARRIVED
        self._motion_log.stands(result, here_steps, reason or self.reason, standing.at_s, stopped)
        details = Snapshot(
            reason=reason,
            current_steps=here_steps,
            target_steps=here_steps,
            target_mm=self._memory.target_at(here_steps).asked_mm,
            shortfall_steps=shortfall_steps,
            read_at_s=standing.at_s,
        )
        self._happens(Event.STAND, details)

    def link_lost(self, reason: str) -> None:
        """The link is lost, and shall come back."""
        self._counters.link_losses += self.state is not State.RECONNECTING
        self._leave_sight(Event.LOSE_LINK, reason)

    def not_back(self, reason: str, running: bool) -> None:
        """A lost link is not back yet.

        Args:
            running: its motor was seen running, or not seen standing.
        """
        if running:
            self._machine.suppose_motion()
        self._leave_sight(Event.LOSE_LINK, reason)

    def let_go(self, reason: str = "", stands: bool = False) -> None:
        """There is no link, and there shall be none.

        Args:
            stands: the motor was seen standing before.
        """
        self._leave_sight(Event.LET_GO, reason, stands)

    def _leave_sight(self, event: Event, reason: str, stands: bool = False) -> None:
        # A halt that was not proven said why; what lets go of the link afterwards says nothing.
        self._motion_log.unseen(reason or self.reason)
        if stands:
            self._machine.on(Event.STAND_SOMEWHERE)
        self._happens(event, Snapshot(reason=reason))

    def _motion_begins(self, homing: bool, to_steps: int | None) -> None:
        self._counters.motion_begins()
        now_utc = self._utc_now().strftime(UTC_FORMAT)
        self._motion_log.begins(homing, now_utc, self._details.current_steps, to_steps)

    def _happens(self, event: Event, details: Snapshot) -> None:
        self._machine.on(event)
        self._details = details
        self._recording.conclude(f"{self.state.value} at {self.where}. {details.reason}".rstrip())
        self._put_up()
        if event in (Event.STAND, Event.STAND_SOMEWHERE):
            self._recording.stands()

    # What is seen meanwhile

    def leg_begins(self, leg: Leg) -> None:
        """A leg of a move begins."""
        self._history.leg_begins()
        self._say(leg=leg, speed_mm_sec=0.0)

    def progress(self, progress: Progress, axis: Axis | None) -> None:
        """The motor was looked at while it runs."""
        # A position that was taken down, because it is doubted, is not put up again.
        known = axis is not None and axis.homed and self._details.current_steps is not None
        self._say(
            current_steps=axis.steps_out(progress.reading) if axis and known else None,
            speed_mm_sec=progress.speed_mm_sec,
            time_left_s=progress.time_left_s,
            homing_travelled_mm=progress.homing_travelled_mm,
            read_at_s=progress.reading.at_s,
        )

    def seen_at(self, axis: Axis, reading: Reading) -> None:
        """It stands where it was left, as far as its register shows."""
        here_steps = axis.steps_out(reading)
        self._say(current_steps=here_steps, read_at_s=reading.at_s)
        self._history.stands(reading, here_steps, axis.surprises)

    def heard_of(self, reading: Reading) -> None:
        """The controller answers; where the focuser stands is not known."""
        self._say(read_at_s=reading.at_s)

    def say(self, reason: str) -> None:
        """There is something to say of the state."""
        self._say(reason=reason)

    def _say(self, **details: object) -> None:
        self._details = replace(self._details, **details)  # type: ignore[arg-type]
        self._put_up()

    # Publishing

    def _put_up(self) -> None:
        self.publish(
            replace(
                self._details,
                state=self.state,
                motion_unproven=self.motion_unproven,
                confidence=self._confidence(),
                audit=self.audit,
                state_file_problem=self._memory.problem,
                ratios=self._memory.entry.ratios,
                terms=self._memory.entry.terms,
                base_mm=None if self.setpoint is None else self._memory.sum.at(self.setpoint.mm).base_mm,
            )
        )

    def publish(self, snapshot: Snapshot) -> None:
        """Replace what all read, and count the news."""
        published = replace(snapshot, change=self.snapshot.change)
        is_news = replace(published, read_at_s=self.snapshot.read_at_s) != self.snapshot
        if is_news:
            published = replace(published, change=published.change + 1)
        # First: whoever has read a snapshot finds the motions that belong to it.
        self.motions = self._motion_log.record
        self.snapshot = published
        self._counters.published(published)
        self._history.published(published, self.motions)
        if is_news:
            self._changed()

    def _confidence(self) -> Confidence:
        if self._details.current_steps is not None:
            return self._memory.confidence
        hint = self._memory.hint if self.state is State.DISCONNECTED else ""
        return Confidence(Trust.UNKNOWN, self.reason or hint)
