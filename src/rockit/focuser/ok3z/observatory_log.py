"""Messages to the observatory's log, from a bounded queue on a thread of its own.

The log of a site may take seconds to find that its server is away. Nothing that moves the focuser waits
for it: a message is put into the queue or, where that is full, dropped and counted.
"""

from __future__ import annotations

import logging
import queue
import threading

from rockit.common import log as site_log

_log = logging.getLogger(__name__)

MAX_WAITING_MESSAGES = 200
CLOSE_PATIENCE_S = 0.2

_Message = tuple[int, str]


class ObservatoryLog:
    """Passes messages on under one name. `announce` never waits and never raises.

    Args:
        table: the name under which the site files them (log_name).
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._queue: queue.Queue[_Message | None] = queue.Queue(MAX_WAITING_MESSAGES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._pass_on, name="observatory-log", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Pass on what waits, for at most CLOSE_PATIENCE_S."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        if self._thread.is_alive():
            self._thread.join(CLOSE_PATIENCE_S)

    def announce(self, level: int, message: str) -> None:
        """Pass a message on: a level of `logging`, and a sentence."""
        _log.log(level, "%s", message)
        try:
            self._queue.put_nowait((level, message))
        except queue.Full:
            self._dropped += 1

    def _pass_on(self) -> None:
        while True:
            message = self._queue.get()
            if message is None:
                return
            self._send(*message)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._send(
                    logging.WARNING, f"{dropped} messages were dropped: the observatory's log is too slow"
                )

    def _send(self, level: int, message: str) -> None:
        send = site_log.info
        if level >= logging.ERROR:
            send = site_log.error
        elif level >= logging.WARNING:
            send = site_log.warning
        try:
            send(self._table, message)
        except Exception as error:  # a site's own copy may raise anything
            _log.warning("the observatory's log did not take a message: %r", error)
