"""Writes to a stream that nobody may be reading, such as stdout: on a thread of its own, so that nobody else waits."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import Callable

# How much may wait to be written, in characters. All properties are 3000.
MOST_WAITING = 200_000


class Outlet:
    """A bounded queue before a file descriptor. What is too much is dropped, with all that waits.

    Args:
        descriptor: what is written to.
        caught_up: called on that thread when it is read again after something was dropped: calls `resume`, and writes
            what readers must know. None: what was dropped does not matter.
    """

    def __init__(self, descriptor: int, caught_up: Callable[[], None] | None = None) -> None:
        self._descriptor = descriptor
        self._caught_up = caught_up or self.resume
        self._waiting: deque[str] = deque()
        self._size = 0
        self._has_dropped = False
        self._is_idle = True
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"outlet-{descriptor}", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, text: str) -> None:
        """Have it written as soon as that is possible. Does not wait."""
        with self._news:
            if self._has_dropped:
                return
            self._waiting.append(text)
            self._is_idle = False
            self._size += len(text)
            if self._size > MOST_WAITING:
                self._waiting.clear()
                self._size = 0
                self._has_dropped = True
            self._news.notify_all()

    def flush(self) -> None:
        """There is nothing to do: a stream of `logging` must have it."""

    def resume(self) -> None:
        """Take again what is to be written."""
        with self._news:
            self._has_dropped = False

    def finish(self, patience_s: float) -> None:
        """Wait until all of it is written, for so many seconds at most."""
        with self._news:
            self._news.wait_for(lambda: self._is_idle, patience_s)

    def _work(self) -> None:
        try:
            while True:
                with self._news:
                    self._is_idle = not self._waiting
                    self._news.notify_all()
                    self._news.wait_for(lambda: self._waiting or self._has_dropped)
                    text = self._waiting.popleft() if self._waiting else ""
                    self._size -= len(text)
                if text:
                    self._write(text.encode("utf-8", "replace"))
                else:
                    self._caught_up()
        except OSError:
            # Nobody will ever read it. The program ends at the end of stdin, and not here.
            with self._news:
                self._waiting.clear()
                self._has_dropped = self._is_idle = True
                self._news.notify_all()

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
