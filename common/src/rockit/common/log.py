"""The observatory log: every message is printed, and passed on to the log daemon if the site has one.

The log daemon is the one that the site file registers as `observatory_log`. Its Pyro object has the
methods `log_info(table, message)`, `log_warning` and `log_error`.

A call prints at once, and then waits up to 5 s for the log daemon: never log on a path that moves
something. No call raises, whatever becomes of the log daemon.
"""

from __future__ import annotations

import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

LOG_DAEMON = "observatory_log"
PATIENCE_S = 5.0

# Pyro waits twice while it connects, for the machine and then for the daemon's greeting. What they leave of
# the patience is there for the answer.
_CONNECTING_WAIT_S = 2.0

_is_away = False


def info(table: str, message: str) -> None:
    """Log what is in order. `table` is the name of the daemon's log, such as `focusd@ngts_m06`."""
    _log("info", table, message)


def warning(table: str, message: str) -> None:
    """Log what somebody should look at in the morning."""
    _log("warning", table, message)


def error(table: str, message: str) -> None:
    """Log what keeps the observatory from working."""
    _log("error", table, message)


def _log(level: str, table: str, message: str) -> None:
    _print(f"[{level}] {table}: {message}")
    _pass_on(level, table, message)


def _print(line: str) -> None:
    # If the output takes no accents, a message with accents shows their codes.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    _write(line.encode(encoding, "backslashreplace").decode(encoding), sys.stdout)


def _write(line: str, stream: TextIO) -> None:
    # An output that nobody reads any more is no reason for a daemon to stop its work.
    with suppress(OSError, ValueError):
        print(line, file=stream, flush=True)


def _pass_on(level: str, table: str, message: str) -> None:
    global _is_away
    try:
        _call_log_daemon(f"log_{level}", table, message)
    # The log daemon can raise anything through Pyro, and none of it may reach who only wanted to log.
    except Exception as failure:
        if not _is_away:
            _complain(failure)
        _is_away = True
    else:
        _is_away = False


def _call_log_daemon(method: str, table: str, message: str) -> None:
    from time import monotonic

    from . import daemons

    log_daemon = getattr(daemons, LOG_DAEMON, None)
    if log_daemon is None:
        return
    give_up_s = monotonic() + PATIENCE_S
    with log_daemon.connect(timeout=_CONNECTING_WAIT_S, retries=0) as proxy:
        proxy._pyroBind()
        proxy._pyroTimeout = give_up_s - monotonic()
        getattr(proxy, method)(table, message)


def _complain(failure: Exception) -> None:
    _write(
        f"[warning] rockit.common.log: the observatory log does not take messages ({failure}). "
        "They are printed here only, until it does.",
        sys.stderr,
    )
