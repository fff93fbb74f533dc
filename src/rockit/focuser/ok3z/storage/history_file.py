"""The history of one focuser, as a SQLite file: what is written into it, and how it is asked.

`stretches` is the proof: from when to when the motor was read standing at one register. `motions` is all else that has
a place on the time line. `runs` are the lives of the daemon; the end of one is renewed every minute, which bounds what
a kill hides. Each moment is there by two clocks: the time of day, which somebody may set, and the time since the
machine's boot, which nobody can.

Each of these functions takes as long as the disk does: `history_store` calls them on a thread of its own.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

FORMAT = 1
KEPT_S = 366 * 86400.0
MOST_BYTES = 200_000_000
# Of these MOST_BYTES, how much is made free at once.
FREED_SHARE = 0.1
# No motion lasts longer: what began earlier than this before a moment is over.
LONGEST_MOTION_S = 6 * 3600.0
# Clocks that are only slewed differ by no more, in seconds, and in seconds per second.
CLOCK_TOLERANCE_S, CLOCK_DRIFT = 0.1, 1e-3

MOVING_KINDS = ("homing", "move", "audit", "hand")
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, boot TEXT NOT NULL, version TEXT NOT NULL,
    begin_utc REAL NOT NULL, begin_boot REAL NOT NULL, end_utc REAL NOT NULL, end_boot REAL NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE stretches (
    run INTEGER NOT NULL, number INTEGER NOT NULL,
    begin_utc REAL NOT NULL, begin_boot REAL NOT NULL, end_utc REAL NOT NULL, end_boot REAL NOT NULL,
    register INTEGER NOT NULL, steps INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE INDEX stretches_begin ON stretches (begin_utc);
CREATE INDEX stretches_boot ON stretches (run, begin_boot);
CREATE TABLE motions (
    run INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
    begin_utc REAL NOT NULL, begin_boot REAL NOT NULL, end_utc REAL, end_boot REAL,
    from_steps INTEGER, target_steps INTEGER, to_steps INTEGER, legs INTEGER NOT NULL,
    result TEXT NOT NULL, sentence TEXT NOT NULL, whole TEXT NOT NULL,
    address TEXT NOT NULL, door TEXT NOT NULL, why TEXT NOT NULL, trust TEXT NOT NULL, holds TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE INDEX motions_begin ON motions (begin_utc);
CREATE INDEX motions_kind ON motions (kind, begin_utc);
"""


@dataclass(frozen=True)
class Moment:
    """One moment by both clocks: Unix seconds, and seconds since the machine's boot."""

    utc_s: float
    boot_s: float

    def earlier(self, seconds: float) -> Moment:
        """So much before it."""
        return Moment(self.utc_s - seconds, self.boot_s - seconds)

    def step_to(self, later: Moment) -> float:
        """By how much somebody set the clock between this moment and a later one, in seconds; 0 if nobody did."""
        passed_s = later.boot_s - self.boot_s
        step_s = later.utc_s - self.utc_s - passed_s
        return step_s if abs(step_s) > CLOCK_TOLERANCE_S + CLOCK_DRIFT * abs(passed_s) else 0.0


@dataclass(frozen=True)
class Stretch:
    """The motor was read standing at one register, again and again, with no longer pause than is usual at rest.

    Args:
        number: counts in one run of the daemon.
        begin, end: the first of these readings and the last one.
        register: the controller's.
        steps: where that was, in steps out.
        run: of the daemon; 0 is this one, until it is written.
    """

    number: int
    begin: Moment
    end: Moment
    register: int
    steps: int
    run: int = 0

    def covers(self, t0_s: float, t1_s: float) -> bool:
        """Whether it lasted from the one moment of the day to the other."""
        return self.begin.utc_s <= t0_s and t1_s <= self.end.utc_s


@dataclass(frozen=True)
class Motion:
    """A row of the history.

    Args:
        number: counts in one run of the daemon; a later row with it replaces an earlier one.
        kind: one of MOVING_KINDS, or stop, gap, lost, clock, hold, start, end.
        begin, end: when; `end` is None while it lasts, and if nobody saw it. Of `clock` both are one moment: before
            somebody set the clock, and after that.
        from_steps, target_steps, to_steps: whence, where to, and where it ended, in steps out; None if unknown.
        legs: how many were begun; of a homing one.
        result: what became of it.
        sentence: what there is to say of it, for everybody.
        whole: the same for those who may control.
        address, door: who asked, and by which of the ways in; empty if nobody did.
        why: what for, as who asked said.
        trust: what was thought of the position at its end.
        holds: the names of those who held the focuser meanwhile.
        run: of the daemon; 0 is this one, until it is written.
    """

    number: int
    kind: str
    begin: Moment
    end: Moment | None = None
    from_steps: int | None = None
    target_steps: int | None = None
    to_steps: int | None = None
    legs: int = 0
    result: str = ""
    sentence: str = ""
    whole: str = ""
    address: str = ""
    door: str = ""
    why: str = ""
    trust: str = ""
    holds: str = ""
    run: int = 0

    @property
    def moved(self) -> bool:
        """Whether the motor was told to run, or was seen running."""
        return self.kind in MOVING_KINDS and self.legs > 0


@dataclass(frozen=True)
class Beat:
    """The daemon lives.

    Args:
        at: when.
        ends: it will not any more, and that in good order.
    """

    at: Moment
    ends: bool = False


@dataclass(frozen=True)
class Run:
    """One life of the daemon: from its start to the last that was heard of it, on one boot of the machine."""

    id: int
    boot: str
    begin: Moment
    end: Moment
    ended: bool


_PLAIN = [field.name for field in fields(Motion) if field.name not in ("number", "begin", "end", "run")]
_COLUMNS = ("run", "number", "begin_utc", "begin_boot", "end_utc", "end_boot", *_PLAIN)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM motions"
_REPLACE = f"REPLACE INTO motions ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_STRETCH = "SELECT run, number, begin_utc, begin_boot, end_utc, end_boot, register, steps FROM stretches"


class HistoryFile:
    """The open file, with a row for the run that began. All raise `sqlite3.Error` or OSError.

    Args:
        path: where it is.
        version: of the daemon.
        now: the moment.
        boot: which boot of the machine this is.
    """

    def __init__(self, path: Path, version: str, now: Moment, boot: str) -> None:
        os.makedirs(path.parent, _FOLDER_MODE, exist_ok=True)
        # Before SQLite makes it: only its owner may read it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE))
        self._connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        try:
            self._prepare()
            self._boot = boot
            self.run = self._begin_run(version, now)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        run("PRAGMA journal_size_limit = 4000000")
        page_bytes = run("PRAGMA page_size").fetchone()[0]
        run(f"PRAGMA max_page_count = {MOST_BYTES // page_bytes}")
        found = run("PRAGMA user_version").fetchone()[0]
        if found == 0:
            self._connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
        elif found != FORMAT:
            raise sqlite3.DatabaseError(f"it is of format {found}, and this version knows {FORMAT} only")
        if (why := run("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(why)

    def _begin_run(self, version: str, now: Moment) -> int:
        before = self._runs("ORDER BY id DESC LIMIT 1")
        values = (self._boot, version, now.utc_s, now.boot_s, now.utc_s, now.boot_s)
        inserted = self._connection.execute(
            "INSERT INTO runs (boot, version, begin_utc, begin_boot, end_utc, end_boot) VALUES (?, ?, ?, ?, ?, ?)",
            values,
        )
        run = inserted.lastrowid or 0
        self._connection.execute(
            "UPDATE motions SET end_utc = ?, end_boot = ? WHERE kind = 'gap' AND end_utc IS NULL", _pair(now)
        )
        start = Motion(-1, "start", now, now, sentence=f"focusd {version} began.", run=run)
        if before and not before[0].ended:
            last = _utc_text(before[0].end.utc_s)
            told = f"{start.sentence} The one before it had no end: it was last heard of at {last}."
            start = replace(start, sentence=told)
        self.write([replace(start, whole=start.sentence)])
        if before and before[0].boot == self._boot and before[0].end.step_to(now):
            was = Moment(before[0].end.utc_s + now.boot_s - before[0].end.boot_s, now.boot_s)
            self.write([Motion(-2, "clock", was, now, run=run)])
        return run

    # Writing

    def write(self, rows: Iterable[Motion | Stretch | Beat]) -> None:
        """Write rows, all or none of them."""
        with self._connection:
            self._connection.execute("BEGIN")
            for row in rows:
                self._write(row)

    def _write(self, row: Motion | Stretch | Beat) -> None:
        run = self._connection.execute
        if isinstance(row, Beat):
            run(
                "UPDATE runs SET end_utc = ?, end_boot = ?, ended = ? WHERE id = ?",
                (row.at.utc_s, row.at.boot_s, row.ends, self.run),
            )
        elif isinstance(row, Stretch):
            run(
                "REPLACE INTO stretches VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.run or self.run,
                    row.number,
                    *_pair(row.begin),
                    *_pair(row.end),
                    row.register,
                    row.steps,
                ),
            )
        else:
            plain = [getattr(row, name) for name in _PLAIN]
            run(_REPLACE, (row.run or self.run, row.number, *_pair(row.begin), *_pair(row.end), *plain))

    def prune(self, now_s: float) -> None:
        """Forget what is older than KEPT_S, and of too much the oldest."""
        self._forget_before(now_s - KEPT_S)
        if self._used_bytes() > (1 - FREED_SHARE) * MOST_BYTES:
            self.make_room()

    def make_room(self) -> None:
        """Forget the oldest tenth."""
        run = self._connection.execute
        bounds = [
            run(
                f"SELECT begin_utc FROM {table} ORDER BY begin_utc LIMIT 1 OFFSET ?", (count // 10 + 1,)
            ).fetchone()
            for table in ("motions", "stretches")
            if (count := run(f"SELECT count(*) FROM {table}").fetchone()[0])
        ]
        if bounds := [bound for bound in bounds if bound]:
            self._forget_before(max(bound[0] for bound in bounds))

    def _forget_before(self, utc_s: float) -> None:
        with self._connection:
            self._connection.execute("BEGIN")
            for table, moment in (("motions", "begin_utc"), ("stretches", "end_utc"), ("runs", "end_utc")):
                # Of a stretch or a run that lasts, the end is renewed.
                self._connection.execute(
                    f"DELETE FROM {table} WHERE begin_utc < ? AND {moment} < ?", (utc_s, utc_s)
                )

    def _used_bytes(self) -> int:
        size, pages, free = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_size", "page_count", "freelist_count")
        )
        used: int = size * (pages - free)
        return used

    # Asking

    def stretches(self, utc_s: float, most: int = 8) -> list[Stretch]:
        """Those that last began before a moment, the newest first."""
        return self._stretches("WHERE begin_utc <= ? ORDER BY begin_utc DESC LIMIT ?", (utc_s, most))

    def stretches_since_boot(self, boot: str, boot_s: float) -> list[Stretch]:
        """Of each run in one boot of the machine the one that last began before a moment of that, in seconds since
        it."""
        runs = self._runs("WHERE boot = ?", (boot,))
        where = "WHERE run = ? AND begin_boot <= ? ORDER BY begin_boot DESC LIMIT 1"
        return [one for run in runs for one in self._stretches(where, (run.id, boot_s))]

    def _stretches(self, where: str, values: tuple[object, ...]) -> list[Stretch]:
        found = self._connection.execute(f"{_STRETCH} {where}", values)
        return [
            Stretch(number, Moment(begin_utc, begin_boot), Moment(end_utc, end_boot), register, steps, run)
            for run, number, begin_utc, begin_boot, end_utc, end_boot, register, steps in found
        ]

    def moving(self, t0_s: float, t1_s: float, most: int) -> list[Motion]:
        """What moved, or may have moved, between two moments; the oldest first."""
        marks = ", ".join("?" * len(MOVING_KINDS))
        return self._motions(
            "WHERE begin_utc BETWEEN ? AND ? AND (end_utc IS NULL OR end_utc >= ?) "
            f"AND kind IN ({marks}) ORDER BY begin_utc LIMIT ?",
            (t0_s - LONGEST_MOTION_S, t1_s, t0_s, *MOVING_KINDS, most),
        )

    def of_kind(self, kind: str, until_s: float, most: int) -> list[Motion]:
        """The last rows of one kind that began before a moment, the newest first."""
        return self._motions(
            "WHERE kind = ? AND begin_utc <= ? ORDER BY begin_utc DESC LIMIT ?", (kind, until_s, most)
        )

    def clocks(self, boot: str) -> list[Motion]:
        """Each time that somebody set the clock in one boot of the machine, the oldest first."""
        return self._motions(
            "WHERE kind = 'clock' AND run IN (SELECT id FROM runs WHERE boot = ?) ORDER BY begin_boot",
            (boot,),
        )

    def clocks_within(self, t0_s: float, t1_s: float) -> list[Motion]:
        """Each time that somebody set the clock, if what was there twice, or never, reaches between two moments."""
        return self._motions(
            "WHERE kind = 'clock' AND min(begin_utc, end_utc) <= ? AND max(begin_utc, end_utc) >= ?",
            (t1_s, t0_s),
        )

    def rows(self, since_s: float, until_s: float, most: int) -> list[Motion]:
        """All that began between two moments, the oldest first."""
        return self._motions(
            "WHERE begin_utc BETWEEN ? AND ? ORDER BY begin_utc, number LIMIT ?", (since_s, until_s, most)
        )

    def runs(self, t0_s: float, t1_s: float) -> list[Run]:
        """The lives of the daemon that reach between two moments; this one goes on."""
        return self._runs("WHERE begin_utc <= ? AND (end_utc >= ? OR id = ?)", (t1_s, t0_s, self.run))

    def boot_of(self, run: int) -> str:
        """In which boot of the machine a run was."""
        found = self._runs("WHERE id = ?", (run,))
        return found[0].boot if found else ""

    def _runs(self, where: str, values: tuple[object, ...] = ()) -> list[Run]:
        found = self._connection.execute(
            f"SELECT id, boot, begin_utc, begin_boot, end_utc, end_boot, ended FROM runs {where}", values
        )
        return [
            Run(number, boot, Moment(begin_utc, begin_boot), Moment(end_utc, end_boot), bool(ended))
            for number, boot, begin_utc, begin_boot, end_utc, end_boot, ended in found
        ]

    def _motions(self, where: str, values: tuple[object, ...]) -> list[Motion]:
        found = self._connection.execute(f"{_SELECT} {where}", values)
        return [_motion(row) for row in found]


def set_aside(path: Path) -> None:
    """Move a file that cannot be used to a name with `.unusable` at its end. Only the last one is kept."""
    with suppress(FileNotFoundError):
        os.replace(path, path.with_name(f"{path.name}.unusable"))
    for left in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(path.with_name(path.name + left))


def _pair(moment: Moment | None) -> tuple[float | None, float | None]:
    return (None, None) if moment is None else (moment.utc_s, moment.boot_s)


def _motion(row: tuple[object, ...]) -> Motion:
    named = dict(zip(_COLUMNS, row))
    begin = Moment(named.pop("begin_utc"), named.pop("begin_boot"))  # type: ignore[arg-type]
    end_utc, end_boot = named.pop("end_utc"), named.pop("end_boot")
    end = None if end_utc is None else Moment(end_utc, end_boot)  # type: ignore[arg-type]
    return Motion(begin=begin, end=end, **named)  # type: ignore[arg-type]


def _utc_text(utc_s: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(utc_s, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
