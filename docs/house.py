"""Draws folders and their imports, as docs/architecture.md shows them: python docs/house.py [servers]."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src/rockit/focuser/ok3z"
Floors = Sequence[Sequence[str]]
# From the street down to the device. Each floor may import from those below it.
HOUSE: Floors = (
    ("daemon", "cli", "indi", "simulator"),
    ("servers", "client", "commission"),
    ("service",),
    ("storage", "config"),
    ("driver",),
)
SERVERS: Floors = (("web",), ("pyro", "alpaca", "panel"), ("http",), ("net",))


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """The modules of the package that a file imports, as parts of their names within it."""
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder[: len(folder) - node.level + 1]
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield (*module, alias.name)


def arrows(floors: Floors, within: tuple[str, ...]) -> Counter[tuple[str, str]]:
    """From which room to which there are imports, and how many.

    Args:
        floors: the rooms.
        within: the folder in which they are, as parts of its name.
    """
    rooms = {room for floor in floors for room in floor}

    def room_of(parts: tuple[str, ...]) -> str:
        inside = parts[: len(within)] == within and len(parts) > len(within)
        return parts[len(within)] if inside and parts[len(within)] in rooms else ""

    found: Counter[tuple[str, str]] = Counter()
    for path in PACKAGE.rglob("*.py"):
        source = room_of(path.relative_to(PACKAGE).with_suffix("").parts)
        targets = {room_of(parts) for parts in imported(path)} if source else set()
        found.update((source, target) for target in targets - {source, ""})
    return found


def drawing(floors: Floors, within: tuple[str, ...] = ()) -> str:
    """The floors and the arrows between them, in Mermaid's words."""
    lines = ["flowchart TB"]
    for number, floor in enumerate(floors):
        lines += [f'    subgraph floor{number}[" "]', "        direction LR"]
        for room in floor:
            is_folder = (PACKAGE.joinpath(*within) / room).is_dir()
            lines.append(f'        {room}["{room}{"/" if is_folder else ""}"]')
        lines.append("    end")
    lines += [f"    {source} --> {target}" for source, target in sorted(arrows(floors, within))]
    return "\n".join(lines)


if __name__ == "__main__":
    print(drawing(SERVERS, ("servers",)) if sys.argv[1:] == ["servers"] else drawing(HOUSE))
