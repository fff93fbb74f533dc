"""The observatory's print."""

from __future__ import annotations

import io

import pytest
from rockit.common import print as rockit_print
from rockit.common import printing


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_markup_is_gone_where_nobody_sees_colours(capsys: pytest.CaptureFixture[str]) -> None:
    rockit_print("Focuser is [b][yellow]MOVING[/][/b]", 2.5, sep=", ", end="!\n")
    assert capsys.readouterr().out == "Focuser is MOVING, 2.5!\n"


def test_the_console_follows_a_replaced_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    for text in "first", "second":
        rockit_print(text)
        assert capsys.readouterr().out == f"{text}\n"


def test_a_terminal_gets_colours() -> None:
    terminal = Terminal()
    rockit_print("[red]OFFLINE[/red]", file=terminal)
    assert terminal.getvalue() == "\x1b[31mOFFLINE\x1b[0m\n"


def test_the_theme_has_styles_of_its_own() -> None:
    for style in ("success", "warning", "error"):
        terminal = Terminal()
        rockit_print(f"[{style}]text[/{style}]", file=terminal)
        assert "\x1b[" in terminal.getvalue()
        assert style in printing.STYLES


def test_numbers_stay_in_the_colour_of_their_text() -> None:
    terminal = Terminal()
    rockit_print("Focuser stands at 2.000 mm", file=terminal)
    assert terminal.getvalue() == "Focuser stands at 2.000 mm\n"


def test_lines_are_not_wrapped_for_programs() -> None:
    stream = io.StringIO()
    rockit_print("word " * 100, file=stream)
    assert stream.getvalue().count("\n") == 1


def test_flush_reaches_the_stream() -> None:
    class Counting(io.StringIO):
        flushes = 0

        def flush(self) -> None:
            Counting.flushes += 1

    rockit_print("text", file=Counting())
    without = Counting.flushes
    rockit_print("text", file=Counting(), flush=True)
    assert Counting.flushes > 2 * without
