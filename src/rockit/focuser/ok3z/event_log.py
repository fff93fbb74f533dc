"""What the daemon prints and logs, written by a thread of its own from a bounded queue.

Nobody may be reading: a terminal that was stopped with Ctrl-S, a pipe whose reader hangs. Nothing that moves
the focuser waits for that. What finds no room is dropped and counted.
"""

from __future__ import annotations

import io
import logging
import os
import queue
import sys
import threading

MAX_WAITING_LINES = 5000
CLOSE_PATIENCE_S = 0.2
STDOUT, STDERR = 1, 2

_Line = tuple[int, str]


class EventLog(logging.Handler):
    """Writes what is logged to stderr, one line an event, and what is printed to stdout; and never waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._queue: queue.Queue[_Line | None] = queue.Queue(MAX_WAITING_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_lines, name="event-log", daemon=True)

    def start(self, level: int) -> None:
        """Take everything that this program logs from `level` on, and what the site's log prints."""
        logging.basicConfig(level=level, handlers=[self])
        # Pyro tells of every stranger that knocks, with a traceback; what matters of it comes as exceptions.
        logging.getLogger("Pyro4").setLevel(logging.CRITICAL)
        # A thread that waits in print() would hold stdout's lock, which Python wants at its end.
        sys.stdout = _Printed(self)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        self.put(STDERR, self.format(record))

    def put(self, descriptor: int, line: str) -> None:
        """Have a line written, without waiting."""
        try:
            self._queue.put_nowait((descriptor, line))
        except queue.Full:
            self._dropped += 1

    def finish(self) -> None:
        """Write what waits, for at most CLOSE_PATIENCE_S."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_PATIENCE_S)

    def _write_lines(self) -> None:
        while (waiting := self._queue.get()) is not None:
            _write(*waiting)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                _write(STDERR, f"{dropped} lines were dropped: nobody read them")


class _Printed(io.TextIOBase):
    """Takes the place of stdout."""

    encoding = "utf-8"

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._begun = threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        for line in lines:
            self._log.put(STDOUT, line)
        self._begun.text = rest
        return len(text)


def _write(descriptor: int, line: str) -> None:
    data = f"{line}\n".encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        # Whoever read it is gone; the focuser is still wanted.
        return
