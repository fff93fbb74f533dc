"""A few threads for calls that wait, so that calls of one kind never wait for those of another."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Callable, NamedTuple

_log = logging.getLogger(__name__)


def _nobody_waits() -> None:
    pass


class _Errand(NamedTuple):
    job: Callable[[], None]
    ended: Callable[[], None]


class Lane:
    """Runs jobs on at most `threads` threads. The first is there from the start, the others come when needed.

    Args:
        name: of the threads.
        threads: how many jobs run at a time.
        waiting: how many more may wait for a thread.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._name = name
        self._most_threads = threads
        self._most_jobs = threads + waiting
        self._may_wait = waiting > 0
        self._lock = threading.Lock()
        self._jobs = 0
        self._is_closed = False
        self._queue: queue.SimpleQueue[_Errand | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._could_add_thread()

    def submit(self, job: Callable[[], None], ended: Callable[[], None] = _nobody_waits) -> bool:
        """Have a job run, soon. Does not wait; any thread may call it.

        Args:
            job: what it raises is logged as a mistake.
            ended: called after the job on the same thread, whatever became of it. The place of the job is free by
                then: whoever hears of the end may submit again at once. Must not wait.

        Returns:
            False: there is neither a thread nor a place to wait, or the lane is closed. Nothing will be called.
        """
        with self._lock:
            if self._is_closed or self._jobs >= self._most_jobs:
                return False
            needs_thread = len(self._threads) < min(self._jobs + 1, self._most_threads)
            # Else it would wait: behind a job that runs, or where there is no thread at all, for ever.
            if needs_thread and not self._could_add_thread() and not (self._may_wait and self._threads):
                return False
            self._jobs += 1
            self._queue.put(_Errand(job, ended))
        return True

    def close(self) -> None:
        """Take no more jobs, and end the threads after those that were taken. Waits for none."""
        with self._lock:
            self._is_closed = True
            for _ in self._threads:
                self._queue.put(None)

    def _could_add_thread(self) -> bool:
        # Daemons: a call that hangs must not keep the process from ending.
        name = f"{self._name}-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # Of a machine that can make no more threads. Those that are there will do.
            _log.warning("%s has %d threads and can have no more: %s", self._name, len(self._threads), error)
            return False
        self._threads.append(thread)
        return True

    def _work(self) -> None:
        while (errand := self._queue.get()) is not None:
            self._run(errand)
            # It would be kept until the next one comes, and all that it holds with it.
            del errand

    def _run(self, errand: _Errand) -> None:
        self._attempt(errand.job)
        with self._lock:
            self._jobs -= 1
        self._attempt(errand.ended)

    def _attempt(self, call: Callable[[], None]) -> None:
        try:
            call()
        # A thread that ended here would be missed for ever: SystemExit too means nothing on it.
        except BaseException:
            _log.exception("a mistake in this program, on %s", self._name)
