"""A shell with job control on a pseudo-terminal, and what a person would see on that."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping

import pyte

from tests.support.waiting import BOUND_S

PROMPT = "ready> "
# The first of a session that takes a terminal has it for its own: there Ctrl-Z and `fg` mean something.
WITH_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
CTRL_C, CTRL_BACKSLASH, CTRL_Z = "\x03", "\x1c", "\x1a"


class Shell:
    """An interactive `sh`, to be typed at: `with Shell(...) as shell`.

    Args:
        environment: of the shell, and so of what it starts.
        columns: how wide its terminal is; it has 24 lines.
    """

    def __init__(self, environment: Mapping[str, str], columns: int = 80) -> None:
        self.screen = pyte.Screen(columns, 24)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.popen = subprocess.Popen(
            [sys.executable, "-c", WITH_THE_TERMINAL, "/bin/sh", "-i"],
            env={**environment, "PS1": PROMPT},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.wait_until_it_asks()

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    @property
    def lines(self) -> list[str]:
        """What is on the screen, but empty lines."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def hides_cursor(self) -> bool:
        return bool(self.screen.cursor.hidden)

    def wait_for(self, text: str) -> None:
        """Read on until this is on the screen."""
        self._read_until(lambda: text in self.text, repr(text))

    def wait_until_it_asks(self) -> None:
        """Read on until the shell waits for a command."""
        self._read_until(lambda: bool(self.lines) and self.lines[-1] == PROMPT.rstrip(), "the prompt")

    def clear(self) -> None:
        """Empty the screen, as `clear` does."""
        self.type("printf '\\033[H\\033[2J%d\\n' $((6 * 7))\n")
        self._read_until(lambda: self.lines == ["42", PROMPT.rstrip()], "an empty screen")

    def look(self, seconds: float = 0.2) -> None:
        """Read what comes within a time."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._read(end_s - time.monotonic())

    def _read_until(self, holds: object, what: str) -> None:
        assert callable(holds)
        end_s = time.monotonic() + BOUND_S
        while not holds():
            assert time.monotonic() < end_s, f"{what} does not come:\n{self.text}"
            self._read(0.1)

    def _read(self, seconds: float) -> None:
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if ready:
            self._stream.feed(os.read(self._master, 65536))

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        # With its terminal all goes that it started.
        os.close(self._master)
        self.popen.kill()
        self.popen.wait(BOUND_S)
