"""Where the thread that owns the port puts up what it knows, for everybody to read."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Callable

from ..constants import UTC_FORMAT
from ..driver.axis import Motion
from ..driver.planning import Leg, Target, mm_from_steps
from ..driver.reading import Progress
from .memory import Memory
from .motion_log import Record, recorded
from .status import Audit, Confidence, Snapshot, State, Trust


class Board:
    """The published snapshot, and the record of motions. Only the thread that owns the port writes on it.

    Args:
        memory: says what is thought of the position.
        utc_now: the time of day.
        changed: called after each snapshot that tells its readers something new.
    """

    def __init__(
        self, memory: Memory, utc_now: Callable[[], datetime], changed: Callable[[], None] = lambda: None
    ) -> None:
        self._memory = memory
        self._utc_now = utc_now
        self._changed = changed
        self.audit: Audit | None = None
        """What the last audit found; stands in every snapshot from then on."""
        self.snapshot = Snapshot()
        """What is known: replaced whole by one assignment, so that readers need no lock."""
        self.motions: Record = ()
        """The last motions, the newest last: replaced whole as well."""

    @property
    def where(self) -> str:
        """The position, in words."""
        steps = self.snapshot.current_steps
        return "an unknown position" if steps is None else f"{mm_from_steps(steps):.3f} mm"

    def publish(self, snapshot: Snapshot) -> None:
        """Put up what is known now."""
        published = replace(
            snapshot,
            confidence=self._confidence_in(snapshot),
            audit=self.audit,
            journal_problem=self._memory.problem,
            ratios=self._memory.entry.ratios,
            change=self.snapshot.change,
        )
        is_news = replace(published, read_at_s=self.snapshot.read_at_s) != self.snapshot
        if is_news:
            published = replace(published, change=published.change + 1)
        now_utc = self._utc_now().strftime(UTC_FORMAT)
        # First: whoever has read a snapshot finds the motions that belong to it.
        self.motions = recorded(self.motions, self.snapshot, published, now_utc)
        self.snapshot = published
        if is_news:
            self._changed()

    def _confidence_in(self, snapshot: Snapshot) -> Confidence:
        if snapshot.current_steps is not None:
            return self._memory.confidence
        hint = self._memory.hint if snapshot.state is State.DISCONNECTED else ""
        return Confidence(Trust.UNKNOWN, snapshot.reason or hint)

    def stand(
        self,
        motion: Motion,
        reason: str,
        shortfall_steps: int = 0,
        reached: Target | None = None,
        stopped: bool = False,
    ) -> None:
        """The motor is proven to stand: put up and remember where, if that is known.

        Args:
            reason: what there is to say of it.
            shortfall_steps: what the last approach lacked of the full backlash.
            reached: the target that was reached; None where it stands elsewhere.
            stopped: somebody wanted it to stand.
        """
        standing = motion.standing
        if not motion.homed:
            self._memory.stands_somewhere(motion)
            self.publish(
                Snapshot(state=State.UNHOMED, reason=reason, read_at_s=standing.at_s, stopped=stopped)
            )
            return
        self._memory.stands(motion, reached)
        here_steps = motion.steps_out(standing)
        self.publish(
            Snapshot(
                state=State.IDLE,
                reason=reason,
                current_steps=here_steps,
                target_steps=here_steps,
                target_mm=self._memory.target_at(here_steps).asked_mm,
                shortfall_steps=shortfall_steps,
                read_at_s=standing.at_s,
            )
        )

    def leg_begins(self, leg: Leg) -> None:
        """A leg of a move begins."""
        self.publish(replace(self.snapshot, leg=leg, speed_mm_sec=0.0))

    def progress(self, progress: Progress, motion: Motion | None) -> None:
        """The motor was looked at while it runs."""
        # A position that was taken down, because it is doubted, is not put up again.
        known = motion is not None and motion.homed and self.snapshot.current_steps is not None
        self.publish(
            replace(
                self.snapshot,
                current_steps=motion.steps_out(progress.reading) if motion and known else None,
                speed_mm_sec=progress.speed_mm_sec,
                time_left_s=progress.time_left_s,
                homing_travelled_mm=progress.homing_travelled_mm,
                read_at_s=progress.reading.at_s,
            )
        )
