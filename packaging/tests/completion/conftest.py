"""What the tests of the completions share: the files, a folder to complete in, and a shell on a terminal."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

PROJECT = Path(__file__).parents[3]
FILES = ("a.json", "my file.json", "it's $5.json", 'quo"te.json', "back\\slash.json", "a:b.json", "notes.txt")
# Whatever a shell could take for something else; the last part would make a file.
HOSTILE = ".'\"\\`-[x]:%(y)é$(touch made)`touch made`"
BOUND_S = 30.0
# Where the terminal's line is written to, on ^X b.
SHOW_LINE = b"\x18b"
END_OF_LINE = "<end>"


@pytest.fixture(scope="session")
def completions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files as they are packed."""
    folder = tmp_path_factory.mktemp("pages")
    subprocess.run([sys.executable, "packaging/pages", str(folder)], cwd=PROJECT, check=True, timeout=BOUND_S)
    return folder / "completions"


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Completions of a focusd with characters in its texts that mean something to shells."""
    monkeypatch.syspath_prepend(str(PROJECT / "packaging"))
    parser = argparse.ArgumentParser(prog="focusd")
    escaped = HOSTILE.replace("%", "%%")
    parser.add_argument("--odd", metavar=HOSTILE, help=escaped)
    parser.add_argument("--pick", choices=[f"x{HOSTILE}", "plain"], metavar=HOSTILE, help=escaped)
    parser.add_argument("place", metavar=HOSTILE, help=escaped)
    folder = tmp_path / "odd"
    folder.mkdir()
    program = importlib.import_module("pages.reader").read(parser)
    for shell, name in (("bash", "focusd.bash"), ("zsh", "_focusd"), ("fish", "focusd.fish")):
        text = importlib.import_module(f"pages.{shell}").completion(program)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with configurations and other things; it is the home, too."""
    place = tmp_path / "place"
    (place / "sub").mkdir(parents=True)
    # Names of commands, which must not be taken for folders.
    for name in ("set", ".hidden"):
        (place / name).mkdir()
    for name in (*FILES, "sub/c.json", "sub/d.txt"):
        (place / name).write_text("", encoding="utf-8")
    return place


class Terminal:
    """A shell on a terminal. It is typed into, and tells the line that stands there."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.line_file = folder.parent / "line"
        self._seen = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self._shell = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            cwd=folder,
            env={**environment, "HOME": str(folder), "TERM": "xterm", "LINE_FILE": str(self.line_file)},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    def close(self) -> None:
        os.close(self._master)
        try:
            self._shell.wait(BOUND_S)
        except subprocess.TimeoutExpired:
            self._shell.send_signal(signal.SIGKILL)
            self._shell.wait(BOUND_S)

    def wait_for(self, text: str) -> str:
        """Everything shown so far, once this is in it."""
        self._wait(lambda: text.encode() in self._seen, f"{text!r} was not shown")
        return self._seen.decode(errors="replace")

    def typed(self, keys: str) -> None:
        self._seen = b""
        os.write(self._master, keys.encode())

    def line(self) -> str:
        """The line that is being edited; everything typed before has been worked off."""
        self.line_file.unlink(missing_ok=True)
        os.write(self._master, SHOW_LINE)
        self._wait(lambda: self._written().endswith(END_OF_LINE), "the line was not shown")
        return self._written()[: -len(END_OF_LINE)]

    def _written(self) -> str:
        return self.line_file.read_text(encoding="utf-8") if self.line_file.exists() else ""

    def completed(self, line: str) -> str:
        """What becomes of a line by the tab key."""
        self.typed(f"{line}\t")
        return self.line()

    def _wait(self, is_done: Callable[[], bool], complaint: str) -> None:
        end_s = time.monotonic() + BOUND_S
        while not is_done():
            if time.monotonic() > end_s:
                pytest.fail(f"{complaint}; on the terminal: {self._seen!r}")
            if select.select([self._master], [], [], 0.02)[0]:
                with contextlib.suppress(OSError):
                    self._seen += os.read(self._master, 65536)


@pytest.fixture
def terminals() -> Iterator[Callable[..., Terminal]]:
    """Starts terminals: `terminals(command, folder, environment)`. They are closed at the end."""
    started: list[Terminal] = []

    def start(command: list[str], folder: Path, environment: dict[str, str]) -> Terminal:
        started.append(Terminal(command, folder, environment))
        return started[-1]

    yield start
    for each in started:
        each.close()
