"""Messages to the observatory's log, from a bounded queue on a thread of its own.

The log of a site may take seconds to find that its server is away. Nothing that moves the focuser waits
for it: a message is put into the queue. The site's log also prints each message, so the daemon's own log
repeats only those that it did not take.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from rockit.common import log as site_log

_log = logging.getLogger(__name__)

MAX_WAITING_MESSAGES = 200
# A site's log prints at once, and may then wait 5 s for its server.
TAKEN_WITHIN_S = 6.0
CLOSE_PATIENCE_S = 0.2


class _Message:
    def __init__(self, level: int, text: str) -> None:
        self._level = level
        self._text = text
        self._is_logged = False
        self.announced_s = time.monotonic()

    def pass_on(self, table: str) -> None:
        """Give it to the site's log, which may raise anything, and may take its time."""
        send = site_log.info
        if self._level >= logging.ERROR:
            send = site_log.error
        elif self._level >= logging.WARNING:
            send = site_log.warning
        send(table, self._text)

    def log(self) -> None:
        """Write it to the daemon's own log, once. Never raises."""
        if self._is_logged:
            return
        self._is_logged = True
        try:
            _log.log(self._level, "%s", self._text)
        except Exception:  # a level that is none, for instance
            _log.exception("a message could not be logged")


class SiteLog:
    """Passes messages on under one name. `announce` never waits and never raises.

    Args:
        table: the name under which the site files them (log_name).
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._news = threading.Condition()
        # The first one is being passed on, and leaves when the site's log has taken it.
        self._untaken: deque[_Message] = deque()
        self._dropped = 0
        self._ending = False
        self._thread = threading.Thread(target=self._pass_on, name="site-log", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Pass on what waits, for at most CLOSE_PATIENCE_S; what is left then goes to the daemon's own log."""
        with self._news:
            self._ending = True
            self._news.notify()
        if self._thread.is_alive():
            self._thread.join(CLOSE_PATIENCE_S)
        self._log_untaken(announced_before_s=time.monotonic())

    def announce(self, level: int, text: str) -> None:
        """Pass a message on: a level of `logging`, and a sentence."""
        _log.debug("for the observatory's log: %s", text)
        message = _Message(level, text)
        with self._news:
            has_room = len(self._untaken) <= MAX_WAITING_MESSAGES
            if has_room and not self._ending:
                self._untaken.append(message)
                self._news.notify()
                return
            self._dropped += not has_room
        message.log()

    def log_overdue(self) -> None:
        """Write to the daemon's own log what the site's log has not taken within TAKEN_WITHIN_S."""
        self._log_untaken(announced_before_s=time.monotonic() - TAKEN_WITHIN_S)

    def _log_untaken(self, announced_before_s: float) -> None:
        with self._news:
            overdue = [message for message in self._untaken if message.announced_s <= announced_before_s]
        for message in overdue:
            message.log()

    def _pass_on(self) -> None:
        while (message := self._next()) is not None:
            self._give(message)
            with self._news:
                self._untaken.popleft()
                dropped, self._dropped = self._dropped, 0
            if dropped:
                self._give(_of_dropped(dropped))

    def _next(self) -> _Message | None:
        """The next message; None at the end."""
        with self._news:
            self._news.wait_for(lambda: self._untaken or self._ending)
            return self._untaken[0] if self._untaken else None

    def _give(self, message: _Message) -> None:
        try:
            message.pass_on(self._table)
        except Exception as error:  # a site's own copy may raise anything
            message.log()
            _log.warning("the observatory's log did not take a message: %r", error)


def _of_dropped(count: int) -> _Message:
    return _Message(logging.WARNING, f"{count} messages were dropped: the observatory's log is too slow")
