"""Reading the project's pages: their tables, and the blocks of code that they show."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
Row = dict[str, str]


def page(name: str) -> str:
    """A page of the project, by its path in the clone."""
    return (PROJECT / name).read_text(encoding="utf-8")


def rows(text: str, *header: str) -> list[Row]:
    """The rows of all tables of a page whose first columns have these titles; each row says what stands under which."""
    found: list[Row] = []
    titles: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            titles = []
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        if not titles:
            titles = cells
        elif set(line) - set("|- :") and titles[: len(header)] == list(header):
            found.append(dict(zip(titles, cells)))
    assert found, f"there is no table with the columns {header}"
    return found


def code(cell: str) -> list[str]:
    """What is written as code in a text."""
    return re.findall(r"`([^`]+)`", cell)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language; most have none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [content for name, content in fenced if name == language]
