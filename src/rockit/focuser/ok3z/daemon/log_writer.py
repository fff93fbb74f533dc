"""What the daemon prints and logs, written by a thread of its own from a bounded queue.

Nobody may be reading: a terminal that was stopped with Ctrl-S, a pipe whose reader hangs. Nothing that moves
the focuser waits for that, nor fails because of what it logs. What finds no room is dropped and counted.
"""

from __future__ import annotations

import io
import logging
import os
import queue
import select
import sys
import threading
from collections.abc import Mapping
from types import MappingProxyType

MAX_WAITING_LINES = 5000
# A traceback of fifty calls is shorter.
MAX_EVENT_CHARS = 8000
CLOSE_PATIENCE_S = 0.2
STDOUT, STDERR = 1, 2
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Of syslog, for the levels from which on they hold.
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
DEBUG_PRIORITY = 7

_Line = tuple[int, str]


class LogWriter(logging.Handler):
    """Writes what is logged and what is printed, and never waits for it nor raises.

    What is logged goes to stderr, one line an event. stdout and stderr themselves are taken over: by what the
    site's log prints, by tracebacks of threads, and by pyserial's spy.

    Args:
        environ: the environment of the process: JOURNAL_STREAM, by which systemd says where stderr leads.
    """

    def __init__(self, environ: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__()
        self.setFormatter(_ForJournal() if _is_journal(STDERR, environ) else logging.Formatter(FORMAT))
        # Of the queues only this one may be used by a finalizer that strikes in the middle of its own put().
        self._queue: queue.SimpleQueue[_Line | None] = queue.SimpleQueue()
        self._dropped = 0
        self._finished = False
        self._thread = threading.Thread(target=self._write_lines, name="log-writer", daemon=True)

    def start(self, level: int) -> None:
        """Take everything that this program logs from `level` on, and all that is printed."""
        # In the place of what the site's library may have set up: that would wait for whoever reads.
        logging.basicConfig(level=level, handlers=[self], force=True)
        # Pyro tells of every stranger that knocks, with a traceback; what matters of it comes as exceptions.
        logging.getLogger("Pyro4").setLevel(logging.CRITICAL)
        # A thread that waits in print() would hold the stream's lock, which Python wants at its end.
        sys.stdout = _Printed(self, STDOUT)
        sys.stderr = _Printed(self, STDERR)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = self.format(record)
        except Exception as error:
            # Not what was to be logged: showing that may be what failed.
            event = (
                f"{record.levelname} {record.name}: what {record.pathname}:{record.lineno} logs "
                f"cannot be written ({type(error).__name__})"
            )
        self.put(STDERR, event)

    def put(self, descriptor: int, text: str) -> None:
        """Have an event or a line written, without waiting. Of one above MAX_EVENT_CHARS the middle is left out."""
        if len(text) > MAX_EVENT_CHARS:
            half = MAX_EVENT_CHARS // 2
            text = f"{text[:half]} [{len(text) - 2 * half} characters left out] {text[-half:]}"
        if self._finished:
            _write_where_there_is_room(descriptor, text)
        elif self._queue.qsize() < MAX_WAITING_LINES:
            self._queue.put((descriptor, text))
        else:
            self._dropped += 1

    def finish(self) -> None:
        """Write what waits, for at most CLOSE_PATIENCE_S. What comes afterwards is written where nothing waits."""
        self._queue.put(None)
        self._thread.join(CLOSE_PATIENCE_S)
        self._finished = True

    def _write_lines(self) -> None:
        while (waiting := self._queue.get()) is not None:
            _write(*waiting)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                _write(STDERR, f"{dropped} lines were dropped: nobody read them")


class _Printed(io.TextIOBase):
    """Takes the place of stdout or stderr."""

    encoding = "utf-8"

    def __init__(self, log: LogWriter, descriptor: int) -> None:
        self._log = log
        self._descriptor = descriptor
        self._begun = threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        for line in lines:
            self._log.put(self._descriptor, line)
        # Nobody may print for ever without ending a line.
        if len(rest) > MAX_EVENT_CHARS:
            self._log.put(self._descriptor, rest)
            rest = ""
        self._begun.text = rest
        return len(text)


class _ForJournal(logging.Formatter):
    """As systemd's journal wants it: the level in front (sd-daemon(3)); the time it knows itself."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in PRIORITIES if record.levelno >= level), DEBUG_PRIORITY)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def _is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether what is written there goes to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _write(descriptor: int, text: str) -> None:
    data = _encoded(text)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        # Whoever read it is gone; the focuser is still wanted.
        return


def _write_where_there_is_room(descriptor: int, text: str) -> None:
    """Write as much as can be written at once: the process ends, and nothing may hold it."""
    data = _encoded(text)
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    try:
        while data and poll.poll(0) == [(descriptor, select.POLLOUT)]:
            # So much a pipe takes at once if it takes anything.
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]
    except OSError:
        return


def _encoded(text: str) -> bytes:
    return f"{text}\n".encode("utf-8", "backslashreplace")
