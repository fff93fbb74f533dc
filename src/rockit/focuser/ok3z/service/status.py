"""What the focuser published last: frozen, replaced whole, read by everybody without a lock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..constants import FocuserStatus
from ..driver.planning import Leg, Target
from ..driver.position import Trust as Trust
from ..driver.rates import Ratios
from ..storage.term import Term, terms_mm
from .states import MAY_RUN
from .states import State as State

_PUBLIC_STATUS = {
    State.DISCONNECTED: FocuserStatus.Disabled,
    State.CONNECTING: FocuserStatus.Disabled,
    State.RECONNECTING: FocuserStatus.Disabled,
    # As it always was: a client waits for a focuser that can be used.
    State.HOMING: FocuserStatus.Disabled,
    State.UNHOMED: FocuserStatus.Disabled,
    State.FAULT: FocuserStatus.Disabled,
    State.IDLE: FocuserStatus.Idle,
    State.MOVING: FocuserStatus.Moving,
    State.STOPPING: FocuserStatus.Moving,
}


@dataclass(frozen=True)
class Confidence:
    """What is thought of the position.

    Args:
        trust: what it rests on.
        reason: one sentence: why it is no better than that; empty for a homed one.
        homed_at: UTC time of the homing that it rests on, as published; empty if there is none.
    """

    trust: Trust = Trust.UNKNOWN
    reason: str = ""
    homed_at: str = ""


@dataclass(frozen=True)
class Audit:
    """What a second homing found.

    Args:
        at: UTC time of it, as published.
        since: UTC time of the homing before it.
        lost_steps: how much further out than published the focuser had stood, in steps; None if the register was
            not watched from the one homing to the other.
    """

    at: str
    since: str
    lost_steps: int | None


# A ratio that differs from 1 by no more is what the registers are truncated by, and how exactly it can be measured.
PLAIN_RATIO_WITHIN = 0.05


def notable_ratio(ratio: float | None) -> float | None:
    """A measured ratio of rates as it is told, with two decimals; None if there is nothing to tell."""
    return None if ratio is None or abs(ratio - 1) <= PLAIN_RATIO_WITHIN else round(ratio, 2)


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment.

    Args:
        state: what the focuser is doing.
        reason: one sentence for a human: why it is offline, or what went wrong last; empty for nothing. An
            `errors.Sentence` where those who may control may read more than others.
        current_steps, target_steps: where it is and where it shall stand, in steps out; None if unknown.
        leg: which leg of a move runs.
        speed_mm_sec: measured, positive outward.
        time_left_s: until the running command ends.
        homing_travelled_mm: how far a homing run has come.
        shortfall_steps: what the last approach lacked of the full backlash.
        read_at_s: when the controller was last heard, on the service's clock; None without a link.
        motion_unproven: a motion was commanded before the link was lost, and its end was not seen.
        confidence: what is thought of the position.
        audit: what the last audit found; None before there was one.
        state_file_problem: why the position cannot be kept over a restart; empty if it can.
        stopped: the motor stands because somebody wanted it to, where no position is known to say so.
        target_mm: what was asked for, in mm; None if nobody asked, as after a stop: it shall stand where it stands.
        change: grows with each snapshot that tells its readers something new, which a later reading of the same is not.
        ratios: how fast the motor was seen to run when it was last homed; None if that was never measured.
        terms: the corrections that the target has in it.
        base_mm: what they add to, in mm; None if it is not known where the focuser shall stand.
    """

    state: State = State.DISCONNECTED
    reason: str = ""
    current_steps: int | None = None
    target_steps: int | None = None
    leg: Leg | None = None
    speed_mm_sec: float = 0.0
    time_left_s: float | None = None
    homing_travelled_mm: float | None = None
    shortfall_steps: int = 0
    read_at_s: float | None = None
    motion_unproven: bool = False
    confidence: Confidence = Confidence()
    audit: Audit | None = None
    state_file_problem: str = ""
    stopped: bool = False
    target_mm: float | None = None
    change: int = 0
    ratios: Ratios | None = None
    terms: tuple[Term, ...] = ()
    base_mm: float | None = None

    @property
    def target(self) -> Target | None:
        """Where it shall stand; None if unknown."""
        return None if self.target_steps is None else Target(self.target_steps, self.target_mm)

    @property
    def terms_mm(self) -> float:
        """What the terms add up to, in mm."""
        return terms_mm(self.terms)

    @property
    def status(self) -> int:
        """The published FocuserStatus."""
        if self.current_steps is None:
            return FocuserStatus.Disabled
        return _PUBLIC_STATUS[self.state]

    @property
    def motor_may_run(self) -> bool:
        """Whether a motion was commanded whose end is not yet proven."""
        return self.motion_unproven or self.state in MAY_RUN

    def doubted(self, reason: str) -> Snapshot:
        """What is left of it when the service does not answer for the focuser any more: all but what it says of the
        motor and of the position.

        Args:
            reason: why, in one sentence.
        """
        return replace(
            self,
            state=State.FAULT,
            reason=reason,
            current_steps=None,
            target_steps=None,
            leg=None,
            speed_mm_sec=0.0,
            time_left_s=None,
            homing_travelled_mm=None,
            shortfall_steps=0,
            motion_unproven=self.motor_may_run,
            confidence=Confidence(Trust.UNKNOWN, reason),
            stopped=False,
            base_mm=None,
        )
