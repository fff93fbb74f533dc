"""A line of the terminal that is written over, and leaves the terminal in order whatever a shell does to its job.

Ctrl-Z and Ctrl-\\ give the cursor back before they do what they do; `fg` draws the line again; nothing is drawn in the
background. Signal handlers run between any two steps of what they interrupt, so they write straight to the terminal.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Mapping
from types import FrameType

from rich.console import Console, RenderableType

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"
LINE_ANEW = "\r\x1b[2K"

_TAKEN = (signal.SIGTSTP, signal.SIGQUIT, signal.SIGCONT)


class LiveLine:
    """Used in a `with` statement, in the main thread.

    Args:
        console: of the terminal.
        farewells: what to say before SIGTSTP or SIGQUIT does its work.
    """

    def __init__(self, console: Console, farewells: Mapping[int, str] | None = None) -> None:
        self._console = console
        self._farewells = farewells or {}
        self._frame = ""
        self._shown = False
        self._previous: dict[int, signal.Handlers] = {}
        try:
            self._file_number: int | None = console.file.fileno()
        except (io.UnsupportedOperation, AttributeError):
            self._file_number = None

    def __enter__(self) -> LiveLine:
        for number in _TAKEN:
            # What was ignored at the start stays ignored.
            if signal.getsignal(number) == signal.SIG_DFL:
                self._previous[number] = signal.SIG_DFL
                signal.signal(number, self._continue if number == signal.SIGCONT else self._leave)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
        self.close()

    def draw(self, line: RenderableType) -> None:
        """Show one line in the place of the one before, if the command is in the foreground."""
        with self._console.capture() as captured:
            self._console.print(line, end="")
        self._frame = captured.get().rstrip("\n")
        if self._is_in_foreground():
            self._shown = True
            self._console.file.write(f"{HIDE_CURSOR}{LINE_ANEW}{self._frame}")
            self._console.file.flush()

    def close(self) -> None:
        """Keep what is shown, and go to the next line."""
        if self._shown:
            self._shown = False
            self._console.file.write(f"\n{SHOW_CURSOR}")
            self._console.file.flush()

    def _leave(self, number: int, _frame: FrameType | None) -> None:
        """The shell, or somebody who has enough, has this process stop or end."""
        if self._shown:
            self._write(f"\r\n{SHOW_CURSOR}")
        if self._is_in_foreground() and number in self._farewells:
            self._write(f"{self._farewells[number]}\r\n")
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        # Here it goes on, some time later.
        signal.signal(number, self._leave)

    def _continue(self, _number: int, _frame: FrameType | None) -> None:
        if not self._shown:
            return
        self._shown = self._is_in_foreground()
        if self._shown:
            self._write(f"{HIDE_CURSOR}{LINE_ANEW}{self._frame}")

    def _is_in_foreground(self) -> bool:
        if self._file_number is None:
            return True
        try:
            return os.tcgetpgrp(self._file_number) == os.getpgrp()
        except OSError:
            # It is the terminal of no shell that could have put this job anywhere.
            return True

    def _write(self, text: str) -> None:
        if self._file_number is not None:
            with contextlib.suppress(OSError):
                os.write(self._file_number, text.encode(self._console.encoding, "replace"))
