"""Whether the focuser moved between two moments of the day, as the history tells.

`no` needs a proof: one stretch of readings of a standing motor, from the one moment to the other, by every reckoning of
the clock. `yes` needs a motion. Whatever else is so is `unknown`, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ..driver.planning import mm_from_steps
from ..driver.registers import POSITION_TOLERANCE_STEPS
from ..storage.history_file import MOVING_KINDS, HistoryFile, Motion, Stretch
from .history import LONGEST_PAUSE_S, Now

YES, NO, UNKNOWN = "yes", "no", "unknown"
MOST_MOTIONS = 100
# So long after somebody has set the clock others may still go by the time before.
OTHERS_FOLLOW_S = 3600.0
MOST_HOLDS = 64
# Who stands so long at a position has used it.
GOOD_FOR_S = 300.0
REVERSED = "the end lies before the beginning."


@dataclass(frozen=True)
class Verdict:
    """What is answered.

    Args:
        moved: YES, NO or UNKNOWN.
        reason: why, in a sentence.
        motions: what moved, or may have moved; the oldest first.
        holds: the names of those who held the focuser all the time.
    """

    moved: str
    reason: str
    motions: Sequence[Motion] = ()
    holds: Sequence[str] = field(default=())


def judge(file: HistoryFile, now: Now, t0_s: float, t1_s: float) -> Verdict:
    """Whether it moved between two moments of the day, in Unix seconds.

    Args:
        file: the history.
        now: what is known beyond that.
        t0_s, t1_s: from when to when.
    """
    if t1_s < t0_s:
        return Verdict(UNKNOWN, REVERSED)
    motions = [one for one in file.moving(t0_s, t1_s, MOST_MOTIONS) if _may_last(one, file.run, now, t0_s)]
    holds = _holds(file, t0_s, t1_s)
    for clock in file.clocks_within(t0_s, t1_s):
        return Verdict(UNKNOWN, f"somebody set the clock: {_told(clock)}", motions, holds)
    for motion in motions:
        if motion.moved:
            return Verdict(YES, _moved(motion), motions, holds)
    proof = _covering(file, now, t0_s, t1_s)
    if proof is None:
        return Verdict(UNKNOWN, _why_unproven(file, now, t0_s, t1_s), motions, holds)
    why_not = _another_reckoning(file, now, proof, t0_s, t1_s)
    if why_not or motions:
        return Verdict(
            UNKNOWN, why_not or "a motion was begun, and nobody saw whether it moved.", motions, holds
        )
    at_mm = mm_from_steps(proof.steps)
    return Verdict(NO, f"it was read standing at {at_mm:.3f} mm from before it to after it.", (), holds)


@dataclass(frozen=True)
class Good:
    """Where the focuser was sent, and then stood for a while.

    Args:
        steps: where, in steps out.
        since_s, until_s: from when to when, in Unix seconds.
    """

    steps: int
    since_s: float
    until_s: float


def last_good(file: HistoryFile, now: Now, now_s: float) -> Good | None:
    """Where a move last led to that the focuser then stood at for GOOD_FOR_S; elsewhere than where it stands now. None
    if there was no such move among the last MOST_MOTIONS."""
    rows = [row for kind in MOVING_KINDS for row in file.of_kind(kind, now_s, MOST_MOTIONS)]
    rows.sort(key=lambda row: row.begin.utc_s, reverse=True)
    here = now.stretch.steps if now.stretch else None
    until_s = now_s
    for row in rows:
        arrived = row.kind == "move" and row.result == "arrived" and row.end is not None
        if arrived and row.end is not None and row.to_steps is not None:
            elsewhere = here is None or abs(row.to_steps - here) > POSITION_TOLERANCE_STEPS
            if elsewhere and until_s - row.end.utc_s >= GOOD_FOR_S:
                return Good(row.to_steps, row.end.utc_s, until_s)
        until_s = row.begin.utc_s
    return None


def _covering(file: HistoryFile, now: Now, t0_s: float, t1_s: float) -> Stretch | None:
    """The stretch that lasted all the time."""
    return next((one for one in (*_own(now), *file.stretches(t0_s)) if one.covers(t0_s, t1_s)), None)


def _another_reckoning(file: HistoryFile, now: Now, proof: Stretch, t0_s: float, t1_s: float) -> str:
    """Why what is proven may be the proof of another time of the same name; empty if it is not."""
    run = proof.run or file.run
    if any(one.id != run for one in file.runs(t0_s, t1_s)):
        return "the clock was set back between two starts of the daemon, so that this time was there twice."
    boot = file.boot_of(run)
    # What is known beyond the file is of this boot of the machine.
    here = now if boot == file.boot_of(file.run) else Now()
    clocks = [(one.begin, one.end) for one in file.clocks(boot) if one.end is not None]
    # Until somebody set it the clock was wrong: by that of today this is another time.
    reckonings = [after for _, after in clocks if after.boot_s >= proof.end.boot_s]
    reckonings += [before for before, _ in clocks if 0 <= proof.end.boot_s - before.boot_s < OTHERS_FOLLOW_S]
    for other in reckonings:
        since_boot_s = [t_s - other.utc_s + other.boot_s for t_s in (t0_s, t1_s)]
        if here.last_reading is not None and since_boot_s[1] > here.last_reading.boot_s + LONGEST_PAUSE_S:
            # Nobody asks of what is to come.
            continue
        if not any(
            one.begin.boot_s <= since_boot_s[0] and since_boot_s[1] <= one.end.boot_s
            for one in (*_own(here), *file.stretches_since_boot(boot, since_boot_s[0]))
        ):
            return "somebody set the clock, and by the other reckoning nothing is proven for that time."
    return ""


def _own(now: Now) -> list[Stretch]:
    return [] if now.stretch is None else [now.stretch]


def _may_last(motion: Motion, this_run: int, now: Now, t0_s: float) -> bool:
    """Whether it lasted in some part of a time that it began before the end of."""
    if motion.end is not None or motion.begin.utc_s >= t0_s:
        return True
    # Of a daemon that was killed nobody saw its end, and a disk that hung may have lost it: what stands later has its
    # own proof.
    stands = now.stretch
    return motion.run == this_run and not (stands and motion.begin.utc_s <= stands.begin.utc_s <= t0_s)


def _moved(motion: Motion) -> str:
    words = {
        "hand": "somebody drove it at its controller",
        "homing": "it was homed",
        "audit": "it was audited",
    }
    return f"{words.get(motion.kind, 'it was moved')} at {utc_text(motion.begin.utc_s)}."


def _why_unproven(file: HistoryFile, now: Now, t0_s: float, t1_s: float) -> str:
    last = now.last_reading
    if now.stretch is not None and last is not None and t1_s > now.stretch.end.utc_s:
        return f"the end is later than the last reading, of {utc_text(last.utc_s)}; at rest there is one a second."
    for gap in file.of_kind("gap", t1_s, 1):
        if gap.end is None or gap.end.utc_s >= t0_s:
            return f"there was no link from {utc_text(gap.begin.utc_s)} on: {_told(gap)}"
    for start in file.of_kind("start", t1_s, 1):
        if start.begin.utc_s >= t0_s:
            return f"the daemon was started at {utc_text(start.begin.utc_s)}."
    for lost in file.of_kind("lost", t1_s, 1):
        if lost.begin.utc_s >= t0_s:
            return f"the position was lost at {utc_text(lost.begin.utc_s)}: {_told(lost)}"
    return "nobody read the motor standing at one place all that time."


def _told(row: Motion) -> str:
    return row.sentence or "nothing more is known."


def _holds(file: HistoryFile, t0_s: float, t1_s: float) -> list[str]:
    """Who held it from before the time to after it, as it was granted and renewed."""
    rows = [row for row in file.of_kind("hold", t0_s, MOST_HOLDS) if row.end and row.end.utc_s >= t1_s]
    return sorted({row.why for row in rows})


def utc_text(utc_s: float) -> str:
    """A moment of the day for people, to the millisecond."""
    moment = datetime.fromtimestamp(utc_s, timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"
