"""Ctrl-C and its like end a run, but never between the start of a process and the moment when it is known."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Interruption:
    """What the handler leaves behind. Python runs it on the main thread, as everything here."""

    holders = 0
    has_come = False


def watch_for_signals() -> None:
    """From now on an ending signal raises KeyboardInterrupt, once: what ends the run must not be interrupted.

    One that was ignored at the start stays ignored: `nohup`, or a script's `&`.
    """
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _take)


def _take(_number: int, _frame: object) -> None:
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if _Interruption.holders:
        _Interruption.has_come = True
    else:
        raise KeyboardInterrupt


@contextmanager
def held_back() -> Iterator[None]:
    """A step that is done whole: a signal that comes meanwhile counts at its end."""
    _Interruption.holders += 1
    try:
        yield
    finally:
        _Interruption.holders -= 1
    if _Interruption.has_come and not _Interruption.holders:
        _Interruption.has_come = False
        raise KeyboardInterrupt
