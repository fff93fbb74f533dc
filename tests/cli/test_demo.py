"""The parts of the demonstration that can be looked at without running it: its frames, and its picture."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def _script(name: str) -> ModuleType:
    spec = spec_from_loader(name, SourceFileLoader(name, str(PACKAGING / name)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    return _script("demo")


@pytest.fixture(scope="module")
def recorder() -> ModuleType:
    return _script("record-demo")


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("one\r\ntwo", ["one", "two"]),
        ("\x1b[?25lhalf\r\x1b[2Kwhole\r\n\x1b[?25h", ["whole", ""]),
        ("over\rO", ["Over"]),
        ("first\r\nbar 10 %\r\n\x1b[1A\x1b[2Kbar 90 %\r\nlast", ["first", "bar 90 %", "last"]),
        ("123456789", ["12345678", "9"]),
        ("12345678\r\n9", ["12345678", "9"]),
        ("\x1b[1;31mred\x1b[0m not", ["\x1b[1;31mred\x1b[0m not"]),
        ("\x1b[1m\x1b[31mboth\x1b[0m", ["\x1b[1m\x1b[31mboth\x1b[0m"]),
    ],
)
def test_the_screen_shows_what_a_terminal_of_8_columns_would(
    recorder: ModuleType, written: str, lines: list[str]
) -> None:
    screen = recorder.Screen(8)
    screen.write(written)

    assert screen.lines() == lines


@pytest.mark.parametrize("written", ["\x1b[2J", "\x1b[5;5H", "\x07", "\x1b]0;title\x07"])
def test_what_the_screen_cannot_show_is_an_error_and_no_wrong_picture(
    recorder: ModuleType, written: str
) -> None:
    with pytest.raises(ValueError, match="cannot draw"):
        recorder.Screen(8).write(written)


def test_the_picture_shows_the_text_and_fetches_nothing(recorder: ModuleType) -> None:
    picture = recorder.draw("\x1b[1m$ ./focus status\x1b[0m\r\nFocuser\r\n")

    assert picture.startswith("<svg")
    assert "Focuser" in picture
    assert "url(http" not in picture.replace('"', "").replace("'", "")
    assert "@font-face" not in picture


def test_of_a_line_that_is_redrawn_the_last_frame_is_printed(
    demo: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.write(
        writer, b"\x1b[?25l\x1b[32m10 %\x1b[0m\r\x1b[2K50 %\r\x1b[2K100 %\r\n\x1b[?25hFocuser is IDLE\r\n"
    )
    os.close(writer)
    frames = demo.Frames(reader)
    assert frames.show(1.0)
    os.close(reader)

    assert capsys.readouterr().out == "100 %\nFocuser is IDLE\n"


def test_a_port_in_use_is_told_before_anything_is_started() -> None:
    port = 9000
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", port))
            holder.listen()
        except OSError:
            pass  # Somebody else holds it, which is as good.
        done = subprocess.run(
            [sys.executable, str(PACKAGING / "demo")],
            # For a clone without a .venv, whose launchers take the python3 that is found first.
            env={
                **os.environ,
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            },
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
