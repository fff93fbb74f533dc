"""The progress bar: how much it says is done, and that it fits the terminal it is on."""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from rockit.focuser.ok3z.cli import progress
from rockit.focuser.ok3z.cli.progress import MotionEstimate, ProgressDisplay
from rockit.focuser.ok3z.client.calls import DaemonUnreachableError

MOVING = {
    "status": 2,
    "state": "moving",
    "leg": "overshoot",
    "current_mm": 1.75,
    "target_mm": 2.5,
    "time_left_s": 3.25,
}
HOMING = {"status": 0, "state": "homing", "homing_travelled_mm": 0.75, "time_left_s": 33.0}


def _fractions(*readings: tuple[float, dict[str, Any]]) -> list[Any]:
    estimate = MotionEstimate()
    fractions = []
    for now_s, report in readings:
        estimate.update(report, now_s)
        fractions.append(estimate.fraction)
    return fractions


def test_the_time_left_gives_the_fraction() -> None:
    assert _fractions(
        (100.0, {"status": 2, "time_left_s": 4.0}),
        (101.0, {"status": 2, "time_left_s": 3.0}),
        (104.0, {"status": 2, "time_left_s": 0.0}),
    ) == [0.0, 0.25, 1.0]


def test_the_bar_never_runs_backwards() -> None:
    assert _fractions(
        (0.0, {"time_left_s": 4.0}), (2.0, {"time_left_s": 2.0}), (3.0, {"time_left_s": 9.0})
    ) == [
        0.0,
        0.5,
        0.5,
    ]


def test_an_old_daemon_gives_the_fraction_by_its_way() -> None:
    assert _fractions(
        (0.0, {"status": 1, "current_mm": 3.0, "target_mm": 3.0}),
        (1.0, {"status": 2, "current_mm": 3.0, "target_mm": 1.0}),
        (2.0, {"status": 2, "current_mm": 2.5, "target_mm": 1.0}),
        (3.0, {"status": 2, "current_mm": 0.9, "target_mm": 1.0}),
        (4.0, {"status": 2, "current_mm": 1.0, "target_mm": 1.0}),
    ) == [None, 0.0, 0.25, 1.0, 1.0]


def test_a_report_that_says_nothing_gives_no_fraction() -> None:
    for report in (
        {},
        {"status": 0, "state": "homing"},
        {"status": 2, "current_mm": 2.0, "target_mm": 2.0},
        {"status": 2, "current_mm": None, "target_mm": "far"},
    ):
        assert _fractions((0.0, report), (1.0, report)) == [None, None], report


class Feed:
    """Status reports for the display, and a way to know that it has them."""

    def __init__(self) -> None:
        self.report: Any = MOVING
        self.closed = False
        self._read = threading.Semaphore(0)

    def read(self) -> Any:
        # The reading before this one has been stored by now.
        self._read.release()
        if isinstance(self.report, Exception):
            raise self.report
        return self.report

    def settle(self) -> None:
        while self._read.acquire(blocking=False):
            pass
        for _ in range(2):
            assert self._read.acquire(timeout=20)

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


class Screen:
    """A display at one width, and the last line that it drew."""

    def __init__(self, columns: int) -> None:
        self.feed = Feed()
        self.file = io.StringIO()
        console = Console(
            file=self.file, force_terminal=True, width=columns, height=24, color_system="standard"
        )
        self.display = ProgressDisplay(self.feed, console)  # type: ignore[arg-type]

    def draw(self, stopping: bool = False) -> str:
        self.feed.settle()
        self.display.tick(stopping)
        return self.line()

    def line(self) -> str:
        # Colours go without a trace, every other control sequence begins a line anew.
        drawn = re.sub(r"\x1b\[[0-9;]*m", "", self.file.getvalue())
        drawn = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "\r", drawn)
        return [part for part in re.split(r"[\r\n]+", drawn) if part.strip()][-1].rstrip()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Screen]]:
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 0.0)
    monkeypatch.setattr(progress, "POLL_INTERVAL_S", 0.005)
    screens: list[Screen] = []

    def make(columns: int) -> Screen:
        screens.append(Screen(columns))
        return screens[-1]

    yield make
    for made in screens:
        made.display.__exit__()
        made.display._poller._thread.join(20)
        assert made.feed.closed


def test_a_move_shows_leg_bar_position_target_and_time_left(screen: Any) -> None:
    assert re.fullmatch(r"Overshoot [━╺╸ ]+ 1\.750 / 2\.500 mm 3\.2 s left", screen(80).draw())


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_bar_and_numbers_fit_the_terminal(screen: Any, columns: int) -> None:
    shown = screen(columns)
    for report, where, left in ((MOVING, "1.750 / 2.500 mm", "3.2 s"), (HOMING, "0.750 mm", "< 33.0 s")):
        shown.feed.report = report
        line = shown.draw()
        assert len(line) < columns
        assert line.count("━") >= progress.SHORTEST_BAR - 1
        assert where in line
        assert left in line


def test_a_homing_that_leaves_the_switch_to_come_to_it_again_is_said_to(screen: Any) -> None:
    shown = screen(80)
    shown.feed.report = {"status": 0, "state": "homing", "speed_mm_sec": 0.485, "time_left_s": 4.5}

    assert re.fullmatch(r"Homing +[━╺╸ ]+ leaving switch < 4\.5 s left", shown.draw())


def test_a_tiny_terminal_shows_words_without_a_bar(screen: Any) -> None:
    line = screen(36).draw()

    assert len(line) < 36
    assert "━" not in line
    assert "1.750 / 2.500 mm" in line


def test_stopping_is_shown_as_such(screen: Any) -> None:
    assert screen(80).draw(stopping=True).startswith("Stopping ")


def test_the_first_word_is_what_the_focuser_does(screen: Any) -> None:
    shown = screen(80)
    for report, word in [
        (MOVING, "Overshoot"),
        ({**MOVING, "leg": "approach"}, "Approach"),
        (HOMING, "Homing"),
        ({"status": 0, "state": "connecting"}, "Connecting"),
        ({"status": 2, "current_mm": 1.0, "target_mm": 2.0}, "Moving"),
        ({"status": 1, "state": "idle", "current_mm": 1.0, "target_mm": 1.0}, "Waiting"),
        ({"status": 0}, "Waiting"),
        ({}, "Waiting"),
    ]:
        shown.feed.report = report
        assert shown.draw().split()[0] == word, report


def test_a_daemon_that_does_not_answer_breaks_nothing(screen: Any) -> None:
    shown = screen(80)
    shown.feed.report = DaemonUnreachableError("Nothing listens.")

    assert shown.draw().startswith("Waiting")


def test_the_end_of_a_move_fills_the_bar_and_stays(screen: Any) -> None:
    shown = screen(80)
    shown.draw()
    shown.display.end(True, {**MOVING, "status": 1, "current_mm": 2.5})

    assert re.fullmatch(r"Done +━{39,40} 2\.500 / 2\.500 mm after \d+\.\d s", shown.line())


def test_the_end_of_a_stopped_move_leaves_the_bar_where_it_was(screen: Any) -> None:
    shown = screen(80)
    shown.draw()
    # What the daemon says of a move that it halts: no time is left, and its target is where it stands.
    shown.feed.report = {**MOVING, "current_mm": 1.9, "target_mm": 1.9, "time_left_s": 0.0}
    shown.draw(stopping=True)
    shown.display.end(False, {"status": 1, "state": "idle", "current_mm": 1.9, "target_mm": 1.9})

    assert re.fullmatch(r"Ended .* 1\.900 / 2\.500 mm after \d+\.\d s", shown.line())
    assert shown.display._estimate.fraction < 1


def test_a_motion_that_is_not_waited_for_any_more_has_not_ended(screen: Any) -> None:
    shown = screen(80)
    shown.draw()
    shown.display.end(False, None, left=True)

    assert re.fullmatch(r"Left .* after \d+\.\d s", shown.line())


def test_a_command_that_ends_at_once_draws_nothing(screen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 1000.0)
    shown = screen(80)
    shown.feed.settle()
    shown.display.tick(False)
    shown.display.end(True, MOVING)

    assert shown.file.getvalue() == ""


def test_the_cursor_is_shown_again_also_after_an_error(screen: Any) -> None:
    shown = screen(80)
    with contextlib.suppress(ZeroDivisionError), shown.display:
        shown.draw()
        raise ZeroDivisionError

    assert shown.file.getvalue().rpartition("\x1b[?25")[2].startswith("h")
