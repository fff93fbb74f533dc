"""`focus watch`: the status as a live line; if stdout is no terminal, a line with its UTC time for every change."""

from __future__ import annotations

import signal
from datetime import datetime, timezone
from typing import Callable

from ..client.calls import CallError, StatusFeed
from . import output
from .wording import fitted, live_parts

# Between two looks if nothing tells of changes, and between two lines if something does.
INTERVAL_S = 0.2
SPACING_S = 0.05
# How long to wait for a change before it is looked whether anybody still reads.
LONGEST_WAIT_S = 2.0


def watch(feed: StatusFeed) -> None:
    """Show the status until SIGINT or SIGTERM, or until nobody reads it any more."""
    # One that was ignored at the start stays ignored.
    if signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if output.stdout_can_redraw():
            _watch_live(feed)
        else:
            _watch_changes(feed)
    except KeyboardInterrupt:
        return


def _watch_live(feed: StatusFeed) -> None:
    from rich.console import Console
    from rich.text import Text

    from .live_line import LiveLine

    console = Console(highlight=False)

    def show(parts: list[str]) -> bool:
        line.draw(Text(output.writable(fitted(parts, console.width - 1)), no_wrap=True))
        return True

    with LiveLine(console) as line:
        _follow(feed, show)


def _watch_changes(feed: StatusFeed) -> None:
    shown = ""

    def show(parts: list[str]) -> bool:
        nonlocal shown
        line = "  ".join(parts)
        if line == shown:
            return True
        shown = line
        return output.result(f"{_utc_now()} {line}")

    _follow(feed, show)


def _utc_now() -> str:
    """This moment, to the millisecond: a move writes many lines a second."""
    return f"{datetime.now(timezone.utc).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _follow(feed: StatusFeed, show: Callable[[list[str]], bool]) -> None:
    """Show the parts of one status after the other, until `show` or stdout says that it is enough."""
    while True:
        try:
            parts = live_parts(feed.next(LONGEST_WAIT_S))
            pause_s = SPACING_S if feed.tells_changes else INTERVAL_S
        except CallError as error:
            parts = ["Focus daemon does not answer; trying again.", str(error)]
            pause_s = INTERVAL_S
        if not show(parts) or not output.wait_while_read(pause_s):
            return
