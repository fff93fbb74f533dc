"""Keeps how the focuser was left over the end of the process: a state file, written by a thread of its own.

The file system may be slow, full, read-only, damaged, or gone for ever as the far end of a network. Nobody who
moves the focuser waits for it longer than the patience named here, and none of its errors gets out: they are
said, once.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable

from . import state_file
from .outdated import Outdated, note_for
from .state_file import Entry, UnusableError, path_for

__all__ = ["Entry", "StateStore", "note_for", "path_for"]

_log = logging.getLogger(__name__)

READ_PATIENCE_S = 2.0
WRITE_PATIENCE_S = 0.5
CLOSE_PATIENCE_S = 0.2
# How long after a failure the newest entry is tried again unasked: somebody may have made room.
RETRY_AFTER_S = 10.0
# A disk that is full now and then would fill the observatory's log as well.
QUIET_S = 600.0
# As much as an entry takes, and more.
SAMPLE_BYTES = 2048
# Clocks are corrected by seconds as a rule.
CLOCK_MARGIN = timedelta(minutes=1)

_CONSEQUENCE = "Until that is mended, the focuser must be homed after a restart of focusd."
NO_FOLDER = (
    f"there is no folder for a state file: set {state_file.STATE_VARIABLE} or {state_file.XDG_VARIABLE}, "
    f"or give the user that runs focusd a home. {_CONSEQUENCE}"
)
NO_ANSWER = f"the disk of the state file does not answer in time. Look at it. {_CONSEQUENCE}"
OUTDATED = (
    "the state file was not used: its disk did not take what became of the focuser after it was written. "
    "Home the focuser (focus init)."
)
MISTAKE = f"the daemon made a mistake with the state file; its log has more. Report it. {_CONSEQUENCE}"


NO_NOTE = Outdated(None)


class StateStore:
    """Keeps the newest entry. No method raises, and none waits longer than it says.

    Args:
        path: the state file; its name tells whose it is. None: there is no place for one, and nothing is kept.
        announce: passes a message on: a level of `logging` and a sentence. Must not wait.
        outdated: the note that the file is out of date; if it is left out, none is made.
    """

    def __init__(
        self, path: Path | None, announce: Callable[[int, str], None], outdated: Outdated = NO_NOTE
    ) -> None:
        self._announce = announce
        self._disk = None if path is None else _Disk(path, outdated)
        self._outdated = outdated
        self._news = _News(path)
        self._thread = threading.Thread(target=self._work, name="state-store", daemon=True)
        # Guards all that follows; never held while the disk is waited for.
        self._changed = threading.Condition()
        self._question: _Question | None = None
        self._outstanding: Entry | None = None
        self._ordered = 0
        self._tried = 0
        self._outdated_until = 0
        self._retry_at_s = 0.0
        self._busy_since_s: float | None = None
        self._overdue = False
        self._ended = False
        self._fault = NO_FOLDER if path is None else ""

    def start(self) -> None:
        """Start the thread. Before this, nothing is read or written."""
        if self._disk is not None:
            self._thread.start()
        self._tell()

    def close(self) -> None:
        """Write what is outstanding, for at most CLOSE_PATIENCE_S."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(CLOSE_PATIENCE_S)

    @property
    def problem(self) -> str:
        """A sentence for everybody: why the file cannot be used now; empty if it can."""
        with self._changed:
            return self._problem()

    def read(self) -> Entry | None:
        """The entry in the file. Waits for at most READ_PATIENCE_S.

        Returns:
            None if there is no file, and if there is a `problem`. An entry is given only if one could
            be written now: else it may be older than what has happened since.
        """
        question = _Question()
        with self._changed:
            if not self._at_work():
                return None
            self._question = question
            self._changed.notify_all()
            self._overdue |= not self._changed.wait_for(lambda: question.answered, READ_PATIENCE_S)
        self._tell()
        return question.entry

    def write(self, entry: Entry, durable: bool) -> None:
        """Take an entry in the place of all earlier ones. Some of those may never reach the disk.

        Args:
            durable: wait until it is on the disk, for at most WRITE_PATIENCE_S, and not at all if the disk
                did not answer before. Until it is there, the file is noted to be out of date, as it is for an entry
                that knows no position: all others are no less true for what they lack.
        """
        order = self._order(entry, durable)
        if durable:
            self._await(order)
        self._tell()

    def write_ahead(self, entry: Entry) -> Callable[[], None]:
        """Take an entry that must be on the disk, as `write` does, and give what waits for that: there is something
        else to do meanwhile."""
        order = self._order(entry, durable=True)

        def wait() -> None:
            self._await(order)
            self._tell()

        return wait

    def _order(self, entry: Entry, durable: bool) -> int:
        with self._changed:
            if not self._at_work():
                return self._ordered
            self._outstanding = entry
            self._ordered += 1
            if durable or entry.origin_register is None:
                self._outdated_until = self._ordered
                self._outdated.set()
            self._changed.notify_all()
            return self._ordered

    def _await(self, order: int) -> None:
        with self._changed:
            if self._at_work() and not self._hangs():
                self._overdue |= not self._changed.wait_for(lambda: self._tried >= order, WRITE_PATIENCE_S)

    # Under the lock

    def _at_work(self) -> bool:
        return self._thread.is_alive() and not self._ended

    def _problem(self) -> str:
        return NO_ANSWER if self._hangs() else self._fault

    def _hangs(self) -> bool:
        if self._busy_since_s is None:
            return self._overdue
        return self._overdue or time.monotonic() - self._busy_since_s > WRITE_PATIENCE_S

    def _is_due(self) -> bool:
        if self._question is not None or self._ordered > self._tried:
            return True
        return not self._ended and self._outstanding is not None and time.monotonic() >= self._retry_at_s

    def _await_work(self) -> bool:
        """Wait until there is something to do. False: the store ends, and all is done."""
        while not self._is_due():
            if self._ended:
                return False
            retry_in_s = max(0.0, self._retry_at_s - time.monotonic())
            self._changed.wait(None if self._outstanding is None else retry_in_s)
        self._busy_since_s = time.monotonic()
        return True

    # On the store's own thread

    def _work(self) -> None:
        assert self._disk is not None
        while True:
            with self._changed:
                if not self._await_work():
                    return
                question, self._question = self._question, None
                entry, order = self._outstanding, self._ordered
            if question is not None:
                self._answer(question, self._disk)
            elif entry is not None:
                self._put_down(entry, order, self._disk)
            self._tell()

    def _answer(self, question: _Question, disk: _Disk) -> None:
        entry, fault = None, MISTAKE
        try:
            entry, fault, warning = disk.read()
            if warning:
                self._announce(logging.WARNING, warning)
        except Exception:
            _log.exception("a mistake in this program, in reading the state file")
        with self._changed:
            question.entry, question.answered = entry, True
            self._is_done(fault)

    def _put_down(self, entry: Entry, order: int, disk: _Disk) -> None:
        fault = MISTAKE
        try:
            fault = disk.write(entry)
        except Exception:
            _log.exception("a mistake in this program, in writing the state file")
        if fault:
            disk.discard()
        with self._changed:
            self._tried = order
            self._retry_at_s = time.monotonic() + RETRY_AFTER_S
            if not fault and order >= self._outdated_until:
                self._outdated.clear()
            if not fault and self._ordered == order:
                self._outstanding = None
            self._is_done(fault)

    def _is_done(self, fault: str) -> None:
        self._fault = fault
        self._busy_since_s = None
        self._overdue = False
        self._changed.notify_all()

    def _tell(self) -> None:
        with self._changed:
            news = self._news.of(self._problem(), time.monotonic())
        if news is not None:
            self._announce(*news)


class _Question:
    """What the file says, once it was asked."""

    def __init__(self) -> None:
        self.answered = False
        self.entry: Entry | None = None


class _Disk:
    """The state file as the store's thread knows it."""

    def __init__(self, path: Path, outdated: Outdated) -> None:
        self._path = path
        self._outdated = outdated
        # What no entry of this daemon is kept, and not removed.
        self._holds_something_else = False

    def read(self) -> tuple[Entry | None, str, str]:
        """The entry, why there is none though there is a file, and what else must be said."""
        try:
            content = state_file.content_of(self._path)
            self._holds_something_else = False
            found = None if content is None else state_file.decode(content, self._path.stem)
        except OSError as error:
            self._holds_something_else = True
            return None, _fault("read", error), ""
        except UnusableError as error:
            self._holds_something_else = True
            return None, _unusable(error), ""
        try:
            state_file.prove_writable(self._path, b" " * SAMPLE_BYTES)
        except OSError as error:
            return None, _fault("written", error), ""
        if found is None:
            return None, "", ""
        if self._outdated.is_set:
            return None, OUTDATED, ""
        entry, written_at = found
        return entry, "", _of_the_clock(written_at)

    def write(self, entry: Entry) -> str:
        """Replace the file; gives why that failed, or nothing."""
        content = state_file.encode(entry, self._path.stem, datetime.now(timezone.utc))
        try:
            state_file.replace(self._path, content, self._holds_something_else)
        except OSError as error:
            return _fault("written", error)
        self._holds_something_else = False
        return ""

    def discard(self) -> None:
        """Remove an entry that could not be replaced: it would tell of what is past."""
        if not self._holds_something_else:
            with contextlib.suppress(OSError):
                state_file.discard(self._path)


def _fault(doing: str, error: OSError) -> str:
    return f"{state_file.told(doing, error)} {_CONSEQUENCE}"


def _unusable(error: UnusableError) -> str:
    return (
        f"the state file was not used: {error}. It is kept as a file that ends in .unusable when the next one is "
        "written. Home the focuser (focus init)."
    )


def _of_the_clock(written_at: datetime) -> str:
    now = datetime.now(timezone.utc)
    if written_at <= now + CLOCK_MARGIN:
        return ""
    return (
        f"the state file was written at {written_at:%Y-%m-%d %H:%M:%S} UTC, and now it is {now:%Y-%m-%d %H:%M:%S} "
        "UTC: the clock was wrong, or is. The file is used; look at the clock."
    )


class _News:
    """Which changes of the problem are worth a message."""

    def __init__(self, path: Path | None) -> None:
        self._where = "" if path is None else f" The file is {path}."
        self._problem = ""
        self._is_told = False
        # As many as there are kinds of problems.
        self._told_at_s: dict[str, float] = {}

    def of(self, problem: str, now_s: float) -> tuple[int, str] | None:
        """The message for the problem there is now, if it has changed."""
        if problem == self._problem:
            return None
        self._problem = problem
        if problem:
            told_at_s = self._told_at_s.get(problem)
            if told_at_s is not None and now_s - told_at_s < QUIET_S:
                return None
            self._told_at_s[problem] = now_s
            self._is_told = True
            return logging.WARNING, f"{problem}{self._where}"
        if not self._is_told:
            return None
        self._is_told = False
        return logging.INFO, "the state file can be used again."
