"""The observatory's `print`: rich's, with our theme."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from rich.console import Console

# Styles for markup such as `[error]…[/error]`. Numbers stay in the colour of their text: a status line
# gives meaning to colour, and highlighted digits would drown it.
STYLES = {
    "success": "green",
    "warning": "yellow",
    "error": "bold red",
    "repr.number": "none",
    "repr.number_complex": "none",
}

_stdout_console: Console | None = None


def print(
    *objects: object, sep: str = " ", end: str = "\n", file: IO[str] | None = None, flush: bool = False
) -> None:
    """Print with rich markup and colours, as `rich.print` does.

    On anything but a terminal there are no colours, and lines are never wrapped: programs read them.
    """
    console = _console_for(file)
    console.print(*objects, sep=sep, end=end, soft_wrap=not console.is_terminal)
    if flush:
        console.file.flush()


def _console_for(file: IO[str] | None) -> Console:
    global _stdout_console
    if file is None and _stdout_console is not None:
        return _stdout_console

    from rich.console import Console
    from rich.theme import Theme

    console = Console(file=file, theme=Theme(STYLES))
    if file is None:
        _stdout_console = console
    return console
