"""Keeps the history, and answers questions of it: a SQLite file, and a thread of its own that alone touches it.

What is told it goes into a queue that is bounded, and whoever tells waits for nothing. A disk that is full, frozen or
damaged loses rows, and that is said once; what cannot be proven then is `unknown`, never `no`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Callable, TypeVar, Union

from ..version import VERSION
from .history_file import Beat, HistoryFile, Moment, Motion, Stretch, set_aside

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Row = Union[Motion, Stretch, Beat]

# A night of autofocus, as long as the disk takes none of it.
MOST_WAITING = 5000
MOST_QUESTIONS = 32
WRITTEN_AT_ONCE = 500
CLOSE_PATIENCE_S = 0.2
# After the disk has refused, how long it is left alone.
RETRY_AFTER_S = 10.0
PRUNE_EVERY_S = 3600.0
_CONSEQUENCE = "Until that is mended, nobody can be told whether the focuser moved."


def file_beside(state_file: Path | None) -> Path | None:
    """Where the history of a daemon lies; None if it has no state file."""
    return None if state_file is None else state_file.with_suffix(".history.sqlite")


class HistoryStore:
    """The history of one daemon. Any thread may tell and ask; nothing but `close` waits, and nothing raises.

    Args:
        path: the file; None: there is no place for one.
        announce: passes a message on: a level of `logging` and a sentence. Must not wait.
        now: the moment, by both clocks.
        boot: which boot of the machine this is.
    """

    def __init__(
        self,
        path: Path | None,
        announce: Callable[[int, str], None],
        now: Callable[[], Moment],
        boot: str,
    ) -> None:
        self._path = path
        self._boot = boot
        self._announce = announce
        self._now = now
        self._thread = threading.Thread(target=self._work, name="history-store", daemon=True)
        self._changed = threading.Condition()
        self._rows: deque[Row] = deque()
        self._questions: deque[_Question] = deque()
        self._lost = 0
        self._ended = False
        self._file: HistoryFile | None = None
        self._retry_at_s = 0.0
        self._pruned_s = time.monotonic()
        self._fault = "" if path else "there is no folder for a history."
        self._told = ""

    def start(self) -> None:
        """Start the thread."""
        if self._path is not None:
            self._thread.start()

    def close(self) -> None:
        """Write what waits, for at most CLOSE_PATIENCE_S."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(CLOSE_PATIENCE_S)

    def put(self, row: Row) -> None:
        """Write a row, behind all that were put before. Does not wait."""
        with self._changed:
            if len(self._rows) >= MOST_WAITING:
                # What is missing only makes `unknown`.
                self._lost += 1
                return
            self._rows.append(row)
            self._changed.notify_all()

    def ask(self, question: Callable[[HistoryFile], Answer]) -> Future[Answer]:
        """Ask the file, behind all that was put before. The question runs on the thread of the store.

        Returns:
            Its answer; or an OSError that says why there is none.
        """
        asked: Future[Answer] = Future()
        with self._changed:
            crowded = len(self._questions) >= MOST_QUESTIONS
            if not crowded and self._thread.is_alive() and not self._ended:
                self._questions.append(_Question(question, asked))
                self._changed.notify_all()
                return asked
            why = self._fault
        if crowded:
            why = "too many ask, or the disk of the history does not answer."
        asked.set_exception(OSError(why or "the daemon is ending."))
        return asked

    # On its thread

    def _work(self) -> None:
        try:
            while self._await_work():
                self._turn()
        finally:
            if self._file is not None:
                self._file.close()

    def _await_work(self) -> bool:
        with self._changed:
            while not (self._rows or self._questions):
                if self._ended:
                    return False
                self._changed.wait()
            return not (self._ended and self._file is None)

    def _turn(self) -> None:
        """Write what waits, then answer who asks."""
        with self._changed:
            rows = [self._rows.popleft() for _ in range(min(len(self._rows), WRITTEN_AT_ONCE))]
            questions: list[_Question] = []
            if not self._rows:
                questions, self._questions = list(self._questions), deque()
        self._try(lambda file: file.write(rows) if rows else None, lost=len(rows))
        for question in questions:
            if not self._try(question.put_to):
                question.fail(self._fault)
        if time.monotonic() >= self._pruned_s + PRUNE_EVERY_S:
            self._pruned_s = time.monotonic()
            self._try(lambda file: file.prune(self._now().utc_s))

    def _try(self, act: Callable[[HistoryFile], None], lost: int = 0) -> bool:
        """Do something with the file. False: it cannot be used now."""
        if self._file is None and time.monotonic() < self._retry_at_s:
            self._lost += lost
            return False
        try:
            act(self._opened())
        except (sqlite3.Error, OSError) as error:
            self._lost += lost
            self._fail(error)
            return False
        except Exception:
            _log.exception("a mistake in this program, in the history")
            self._lost += lost
            return False
        self._fault = ""
        self._tell("")
        return True

    def _opened(self) -> HistoryFile:
        if self._file is None:
            assert self._path is not None
            self._file = HistoryFile(self._path, VERSION, self._now(), self._boot)
        return self._file

    def _fail(self, error: Exception) -> None:
        assert self._path is not None
        file, self._file = self._file, None
        if file is not None:
            file.close()
        # What is damaged comes as this class, and what the disk refuses as one below it.
        if type(error) is sqlite3.DatabaseError:
            self._fault = f"the history could not be used ({error}); a new one is begun."
            try:
                set_aside(self._path)
                self._tell(f"{self._fault} What was there is kept as {self._path}.unusable.")
                return
            except OSError as aside:
                error = aside
        if "full" in str(error):
            self._make_room()
        self._retry_at_s = time.monotonic() + RETRY_AFTER_S
        self._fault = f"the history cannot be used: {error}. Look at its disk. {_CONSEQUENCE}"
        self._tell(f"{self._fault} The file is {self._path}.")

    def _make_room(self) -> None:
        """The disk is full, or the file as large as it may be: in the second case the oldest goes."""
        try:
            file = self._opened()
            file.make_room()
        except (sqlite3.Error, OSError) as error:
            _log.debug("no room could be made in the history: %s", error)

    def _tell(self, sentence: str) -> None:
        if sentence and sentence != self._told:
            self._announce(logging.WARNING, sentence)
        elif not sentence and self._told:
            lost = f" {self._lost} rows are missing." if self._lost else ""
            self._announce(logging.INFO, f"the history can be used again.{lost}")
            self._lost = 0
        self._told = sentence


class _Question:
    """A question to the file, and where its answer goes."""

    def __init__(self, ask: Callable[[HistoryFile], Answer], answer: Future[Answer]) -> None:
        self._ask = ask
        self._answer = answer

    def put_to(self, file: HistoryFile) -> None:
        self._answer.set_result(self._ask(file))

    def fail(self, why: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(OSError(why or "the daemon made a mistake; its log has more."))
