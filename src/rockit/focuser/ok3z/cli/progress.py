"""The live progress bar of `set`, `offset`, `init` and `audit`."""

from __future__ import annotations

import signal
import threading
import time

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..client.calls import CallError, Report, StatusFeed
from ..client.report import number_in, status_of, text_in
from ..constants import FocuserStatus
from .live_line import LiveLine
from .wording import leaves_switch, millimetres

POLL_INTERVAL_S = 0.12
# A command that ends sooner (a refusal, a zero-length move) shows no bar.
SHOW_AFTER_S = 0.25
LONGEST_BAR = 40
SHORTEST_BAR = 5
# Below this width the words around the bar are shortened.
ROOMY_COLUMNS = 60

FAREWELLS: dict[int, str] = {
    signal.SIGTSTP: "The focuser goes on: `fg` returns to it, `focus stop` stops it.",
    signal.SIGQUIT: "Gave up waiting. THE FOCUSER MAY STILL BE MOVING: run `focus stop`.",
}
WORDS = {"overshoot": "Overshoot", "approach": "Approach"}


class MotionEstimate:
    """How much of a motion is done, from reports that may lack the time left. Never runs backwards."""

    def __init__(self) -> None:
        self.fraction: float | None = None
        self._began_s: float | None = None
        self._start_mm: float | None = None

    def update(self, report: Report, now_s: float) -> None:
        """Take in a report that was read at `now_s` (any monotonic clock)."""
        fraction = self._by_time(report, now_s)
        if fraction is None:
            fraction = self._by_distance(report)
        if fraction is not None:
            self.fraction = max(self.fraction or 0.0, min(fraction, 1.0))

    def _by_time(self, report: Report, now_s: float) -> float | None:
        left_s = number_in(report, "time_left_s")
        if left_s is None:
            return None
        if self._began_s is None:
            self._began_s = now_s
        elapsed_s = now_s - self._began_s
        return elapsed_s / (elapsed_s + left_s) if elapsed_s + left_s > 0 else 0.0

    def _by_distance(self, report: Report) -> float | None:
        current_mm = number_in(report, "current_mm")
        target_mm = number_in(report, "target_mm")
        if current_mm is None or target_mm is None or status_of(report) != FocuserStatus.Moving:
            return None
        if self._start_mm is None:
            self._start_mm = current_mm
        way_mm = abs(target_mm - self._start_mm)
        return abs(current_mm - self._start_mm) / way_mm if way_mm > 0 else None


class ProgressDisplay:
    """A bar on the terminal for one motion, used in a `with` statement: `tick` it ten times a second."""

    def __init__(self, feed: StatusFeed, console: Console | None = None) -> None:
        self._console = console or Console()
        self._poller = _StatusPoller(feed)
        self._estimate = MotionEstimate()
        self._bar = ProgressBar(total=1.0, completed=0.0)
        self._line = LiveLine(self._console, FAREWELLS)
        self._draws = False
        self._target_mm: float | None = None
        self._began_s = time.monotonic()
        self._poller.start()

    def tick(self, stopping: bool) -> None:
        """Draw what the last report says."""
        now_s = time.monotonic()
        self._draws = self._draws or now_s - self._began_s >= SHOW_AFTER_S
        if not self._draws:
            return
        report = self._poller.latest or {}
        if not stopping:
            self._estimate.update(report, now_s)
            self._target_mm = number_in(report, "target_mm")
        self._draw("Stopping" if stopping else _word(report), report, self._time_left(report))

    def __enter__(self) -> ProgressDisplay:
        self._line.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._poller.end()
        # Shows the cursor again and ends the line.
        self._line.__exit__()

    def end(self, arrived: bool, report: Report | None, left: bool = False) -> None:
        """Draw the end of the motion, which stays on the terminal.

        Args:
            arrived: whether it ran to its target.
            report: what was read after it; None: the last that came.
            left: whether it may still be going on, and is only not waited for any more.
        """
        if not self._draws:
            return
        if arrived:
            self._estimate.fraction = 1.0
        word = "Done" if arrived else "Left" if left else "Ended"
        report = report or self._poller.latest or {}
        if not arrived and self._target_mm is not None:
            # The daemon takes the place of the stop for its target; here the one that was asked for belongs.
            report = {**report, "target_mm": self._target_mm}
        took_s = time.monotonic() - self._began_s
        self._draw(word, report, self._fitting("after", f"{took_s:.1f} s"))

    def _draw(self, word: str, report: Report, time_text: str) -> None:
        columns = self._console.width - 1
        texts = [word.ljust(len("Overshoot")), _position(report), time_text]
        room = columns - sum(len(text) + 1 for text in texts)
        cells: list[object] = [Text(texts[0])]
        if room >= SHORTEST_BAR:
            cells.append(self._sized_bar(min(room, LONGEST_BAR)))
        cells += [Text(text) for text in texts[1:] if text]
        row = Table.grid(padding=(0, 1))
        for _ in cells:
            row.add_column(no_wrap=True)
        row.add_row(*cells)  # type: ignore[arg-type]  # 13.1 wants its RenderableType, which all of these are
        self._line.draw(row)

    def _sized_bar(self, width: int) -> ProgressBar:
        self._bar.width = width
        self._bar.pulse = self._estimate.fraction is None
        self._bar.update(self._estimate.fraction or 0.0)
        return self._bar

    def _time_left(self, report: Report) -> str:
        left_s = number_in(report, "time_left_s")
        if left_s is None:
            return ""
        # The end of a homing run is not known beforehand: the daemon gives the worst case.
        bound = "< " if text_in(report, "state") == "homing" else ""
        return self._fitting(f"{bound}{left_s:.1f} s", "left")

    def _fitting(self, *words: str) -> str:
        """The words, or only the time among them on a narrow terminal."""
        return " ".join(word for word in words if self._console.width >= ROOMY_COLUMNS or word.endswith(" s"))


def _word(report: Report) -> str:
    leg = text_in(report, "leg")
    state = text_in(report, "state")
    if state and state not in ("idle", "disconnected"):
        return WORDS.get(leg) or state.capitalize()
    return "Moving" if status_of(report) == FocuserStatus.Moving else "Waiting"


def _position(report: Report) -> str:
    current_mm = number_in(report, "current_mm")
    target_mm = number_in(report, "target_mm")
    if current_mm is None:
        travelled_mm = number_in(report, "homing_travelled_mm")
        if travelled_mm is None:
            return "leaving switch" if leaves_switch(report) else ""
        return f"{millimetres(travelled_mm)} mm"
    if target_mm is None:
        return f"{millimetres(current_mm)} mm"
    return f"{millimetres(current_mm)} / {millimetres(target_mm)} mm"


class _StatusPoller:
    """Reads the status on its own thread and connection, so that a slow answer never holds the display up."""

    def __init__(self, feed: StatusFeed) -> None:
        self.latest: Report | None = None
        self._feed = feed
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="status", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """End polling. A call under way is left to its own timeout."""
        self._ended.set()
        self._thread.join(POLL_INTERVAL_S)

    def _poll(self) -> None:
        with self._feed as feed:
            while not self._ended.is_set():
                try:
                    self.latest = feed.read()
                except CallError:
                    # The moving call itself says what is wrong with the daemon.
                    self.latest = None
                self._ended.wait(POLL_INTERVAL_S)
