"""What is told to the history: each motion, and how long the motor was seen standing between two of them.

A stretch is the proof that nothing moved. It begins and ends with a reading, and it goes on only from one reading of a
standing motor to the next one of the very same register, no more than LONGEST_PAUSE_S later, with no motion, no lost
link, no surprise and no step of the clock in between. So a mistake, a kill or a row that the disk did not take makes
a stretch shorter, and what it does not cover is `unknown`.

Told on the thread that owns the port; what is told goes to the disk behind a queue, and nothing here waits.
"""

from __future__ import annotations

import functools
import itertools
import logging
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Callable, Protocol, TypeVar, cast

from ..constants import STALE_READING_S
from ..driver.clock import BootClock
from ..driver.reading import Reading
from ..errors import whole
from ..storage.history_file import Beat, HistoryFile, Moment, Motion, Stretch
from .motion_log import Record, RecordedMotion, Result
from .status import Snapshot, State, Trust

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Told = TypeVar("Told", bound=Callable[..., None])

# Over a longer pause between two readings nobody has watched.
LONGEST_PAUSE_S = STALE_READING_S
# How often the end of a stretch, and of the daemon's life, is renewed on the disk.
BEAT_S = 60.0
# Between two looks at two clocks the process may be held up; of some pairs the one that took least is the moment.
CLOCK_TRIES = 5
PROMPT_S = 0.0005

_LINKED = frozenset({State.HOMING, State.IDLE, State.MOVING, State.STOPPING, State.UNHOMED})
_UNLINKED = frozenset({State.RECONNECTING, State.DISCONNECTED})
_WATCHED = frozenset({State.IDLE, State.STOPPING})


@dataclass(frozen=True)
class Asker:
    """Who asked for a command.

    Args:
        address: of its machine; empty if nobody asked.
        door: by which of the ways in: pyro, alpaca or panel.
        why: what for, in its own words.
        command: what it asked for.
    """

    address: str = ""
    door: str = ""
    why: str = ""
    command: str = ""


NOBODY = Asker()
# What the motions of terms are called as commands.
TERM_COMMAND, TERM_END = "a term's move", "the end of a term"


def _touches(asker: Asker) -> bool:
    return asker.command not in ("", TERM_COMMAND, TERM_END)


def _harmless(tell: Told) -> Told:
    """A mistake in the telling costs what was proven, and no motion: it is told where motors are halted."""

    @functools.wraps(tell)
    def told(self: History, *arguments: Any) -> None:
        try:
            tell(self, *arguments)
        except Exception:
            _log.exception("a mistake in this program, in the history")
            self.now = Now()

    return cast(Told, told)


class Ledger(Protocol):
    """Where rows are kept. Nothing of it waits or raises. See `history_store.HistoryStore`."""

    def put(self, row: Motion | Stretch | Beat) -> None:
        """Keep a row."""

    def ask(self, question: Callable[[HistoryFile], Answer]) -> Future[Answer]:
        """Ask what is kept; an OSError says why there is no answer."""


class _NoLedger:
    def put(self, row: Motion | Stretch | Beat) -> None:
        pass

    def ask(self, question: Callable[[HistoryFile], Answer]) -> Future[Answer]:  # noqa: ARG002
        nothing: Future[Answer] = Future()
        nothing.set_exception(OSError("there is no history."))
        return nothing


NO_LEDGER = _NoLedger()


@dataclass(frozen=True)
class Now:
    """What is known of this run of the daemon, beyond what is on the disk. Replaced whole.

    Args:
        stretch: in which it stands; None if it does not, or if that is not proven.
        last_end: when the last motion ended, if this process has seen that.
        last_reading: when the motor was last read standing.
    """

    stretch: Stretch | None = None
    last_end: Moment | None = None
    last_reading: Moment | None = None


class History:
    """Tells the history of one focuser. Belongs to the thread that owns the port, but for `now`, `moment`, `add` and
    `ask`.

    Args:
        ledger: keeps it.
        clock: the time.
        holds: the names of those who hold the focuser now.
    """

    def __init__(self, ledger: Ledger, clock: BootClock, holds: Callable[[], str] = lambda: "") -> None:
        self._ledger = ledger
        self._clock = clock
        self._holds = holds
        self._numbers = itertools.count(1)
        self._asker = NOBODY
        self._record: Record = ()
        self._rows: dict[int, Motion] = {}
        self._gap: Motion | None = None
        self._had_link = False
        self._had_position = False
        self._legs = 0
        self._surprises = 0
        self._last: Moment | None = None
        self._broken_boot_s = 0.0
        self._beaten_s = 0.0
        self._touched_s = clock.monotonic()
        self.now = Now()
        """What is known of this run, for any thread."""

    # Any thread

    def moment(self) -> Moment:
        """The moment, by both clocks."""
        moments = []
        for _ in range(CLOCK_TRIES):
            before_s = self._clock.boot_s()
            utc_s = self._clock.utc_now().timestamp()
            took_s = self._clock.boot_s() - before_s
            moments.append((took_s, utc_s, before_s))
            if took_s <= PROMPT_S:
                break
        _, utc_s, boot_s = min(moments)
        return Moment(utc_s, boot_s)

    def add(self, row: Motion) -> None:
        """A row of its own, with a number of its own if it has none yet."""
        self._ledger.put(row if row.number else replace(row, number=next(self._numbers)))

    def new_number(self) -> int:
        """A number for a row that will be renewed."""
        return next(self._numbers)

    def ask(self, question: Callable[[HistoryFile], Answer]) -> Future[Answer]:
        """As of a Ledger."""
        return self._ledger.ask(question)

    def left_alone_s(self) -> float:
        """How long ago somebody last had the focuser move or stop, by whatever way in or by hand, in seconds; this
        daemon's own beginning counts as well. Terms do not count."""
        return 0.0 if _touches(self._asker) else self._clock.monotonic() - self._touched_s

    # What happens, on the thread that owns the port

    def touched(self) -> None:
        """Somebody has moved it who asked nobody: a hand at the controller."""
        self._touched_s = self._clock.monotonic()

    def asked(self, asker: Asker) -> None:
        """A command begins, or nobody's does."""
        if _touches(self._asker):
            self._touched_s = self._clock.monotonic()
        self._asker = asker

    @_harmless
    def leg_begins(self) -> None:
        """A leg of a move begins."""
        self._legs += 1
        if self._record:
            self._renew(self._record[-1], replace(self._rows[self._record[-1].number], legs=self._legs))

    @_harmless
    def published(self, snapshot: Snapshot, record: Record) -> None:
        """There is news: a state, or a motion that begins or has ended."""
        if record is not self._record:
            self._motions(record, snapshot)
        if snapshot.state not in _WATCHED:
            self._break()
        self._link(snapshot)
        if snapshot.current_steps is not None:
            self._had_position = True
        elif snapshot.state is State.UNHOMED and self._had_position:
            self._had_position = False
            self._lost(snapshot)

    @_harmless
    def stands(self, reading: Reading, steps: int, surprises: int = 0) -> None:
        """The motor was read standing, at a known position.

        Args:
            reading: the last one.
            steps: where that is, in steps out.
            surprises: how many readings at rest have surprised so far; they were asked again.
        """
        before_s = self._clock.monotonic()
        now = self._tick()
        # Held up in between, it says of the beginning too late a moment, and of the end too early a one.
        heard = now.earlier(max(0.0, before_s - reading.at_s))
        asked = now.earlier(max(0.0, self._clock.monotonic() - reading.earliest_s))
        if heard.boot_s < self._broken_boot_s:
            # It tells of what was before.
            return
        was = self.now.stretch
        goes_on = (
            was is not None
            and was.register == reading.register
            and heard.boot_s - was.end.boot_s <= LONGEST_PAUSE_S
            and surprises == self._surprises
        )
        self._surprises = surprises
        if was is not None and goes_on:
            stretch = replace(was, end=max(was.end, asked, key=lambda moment: moment.boot_s))
        else:
            self._end_stretch()
            stretch = Stretch(next(self._numbers), heard, heard, reading.register, steps)
        self.now = replace(self.now, stretch=stretch, last_reading=heard)

    @_harmless
    def stopped(self, asker: Asker, begin: Moment, to_steps: int | None, failure: str) -> None:
        """Somebody has asked for a stop, and it has ended.

        Args:
            begin: when it was asked for.
            to_steps: where the motor stands, in steps out.
            failure: why standstill could not be proven; empty if it was.
        """
        self._touched_s = self._clock.monotonic()
        self.add(
            Motion(
                0,
                "stop",
                begin,
                self._tick(),
                to_steps=to_steps,
                result="failed" if failure else "stands",
                sentence=str(failure),
                whole=whole(failure),
                address=asker.address,
                door=asker.door,
                why=asker.why,
                holds=self._holds(),
            )
        )

    @_harmless
    def beat(self) -> None:
        """Time passes: the daemon lives. To be called every second or so."""
        now = self._tick()
        if now.boot_s >= self._beaten_s + BEAT_S:
            self._beaten_s = now.boot_s
            self._ledger.put(Beat(now))
            if self.now.stretch is not None:
                self._ledger.put(self.now.stretch)

    @_harmless
    def ends(self) -> None:
        """The daemon ends."""
        now = self._tick()
        self._break()
        self.add(Motion(0, "end", now, now, sentence="focusd ended.", whole="focusd ended."))
        self._ledger.put(Beat(now, ends=True))

    # How it is told

    def _tick(self) -> Moment:
        """The moment, and whether somebody has set the clock since the last one."""
        now, last = self.moment(), self._last
        self._last = now
        if last is not None and (step_s := last.step_to(now)):
            self._break()
            told = f"the clock was set by {step_s:+.3f} s."
            was = Moment(now.utc_s - step_s, now.boot_s)
            self.add(Motion(0, "clock", was, now, sentence=told, whole=told))
        return now

    def _break(self) -> None:
        """What was proven so far is over, and what was read before says nothing any more."""
        if self.now.stretch is not None and self._last is not None:
            self._broken_boot_s = self._last.boot_s
        self._end_stretch()

    def _end_stretch(self) -> None:
        if self.now.stretch is not None:
            self._ledger.put(self.now.stretch)
            self.now = replace(self.now, stretch=None)

    def _motions(self, record: Record, snapshot: Snapshot) -> None:
        before = {motion.number: motion for motion in self._record}
        self._record = record
        for motion in record:
            if before.get(motion.number) is not motion:
                self._motion(motion, snapshot, is_new=motion.number not in before)
        kept = {motion.number for motion in record}
        self._rows = {number: row for number, row in self._rows.items() if number in kept}

    def _motion(self, motion: RecordedMotion, snapshot: Snapshot, is_new: bool) -> None:
        now = self._tick()
        if is_new:
            self._break()
            self._legs = 0
            self._rows[motion.number] = self._begun(motion, now)
        running = motion.result is Result.RUNNING
        row = self._rows[motion.number]
        end = None if running else (row.end or now)
        if not running:
            self.now = replace(self.now, last_end=end if motion.ended_s is not None else None)
        self._renew(
            motion,
            replace(
                row,
                end=end,
                to_steps=motion.at_steps,
                result=motion.result.value,
                sentence=str(motion.reason),
                whole=whole(motion.reason),
                trust=snapshot.confidence.trust.value,
            ),
        )

    def _begun(self, motion: RecordedMotion, now: Moment) -> Motion:
        kind, asker = "move", self._asker
        if motion.homing:
            kind = "audit" if asker.command == "audit" else "homing"
        elif motion.to_steps is None:
            kind, asker = "hand", NOBODY
        return Motion(
            next(self._numbers),
            kind,
            now,
            from_steps=motion.from_steps,
            target_steps=motion.to_steps,
            # Of a move they are counted as they begin.
            legs=0 if kind == "move" else 1,
            address=asker.address,
            door=asker.door,
            why=asker.why,
            holds=self._holds(),
        )

    def _renew(self, motion: RecordedMotion, row: Motion) -> None:
        self._rows[motion.number] = row
        self._ledger.put(row)

    def _link(self, snapshot: Snapshot) -> None:
        """A stretch of time without a link is a row of its own."""
        if self._gap is None and snapshot.state in _UNLINKED and self._had_link:
            self._gap = Motion(
                next(self._numbers),
                "gap",
                self._tick(),
                result="disconnected" if snapshot.state is State.DISCONNECTED else "lost",
                sentence=str(snapshot.reason),
                whole=whole(snapshot.reason),
            )
            self._ledger.put(self._gap)
        elif self._gap is not None and snapshot.state in _LINKED:
            self._ledger.put(replace(self._gap, end=self._tick()))
            self._gap = None
        if snapshot.state in _LINKED or self._gap is not None:
            self._had_link = snapshot.state in _LINKED

    def _lost(self, snapshot: Snapshot) -> None:
        """The position was known, and is not any more."""
        now = self._tick()
        self.add(
            Motion(
                0,
                "lost",
                now,
                now,
                result="position lost",
                sentence=str(snapshot.reason),
                whole=whole(snapshot.reason),
                trust=Trust.UNKNOWN.value,
            )
        )
