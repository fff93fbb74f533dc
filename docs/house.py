"""Draws the folders of the package and their imports, as docs/architecture.md shows them: python docs/house.py."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src/rockit/focuser/ok3z"
# From the street down to the device. Each floor may import from those below it.
FLOORS = (
    ("daemon", "cli", "simulator"),
    ("servers/web", "client"),
    ("servers/pyro", "servers/alpaca", "servers/panel"),
    ("servers/http", "servers/net"),
    ("service",),
    ("storage", "config"),
    ("driver",),
)


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module: its folder, and of the servers each by itself. Empty for what everybody may import."""
    if parts[:1] == ("servers",) and len(parts) > 1:
        return "/".join(parts[:2])
    return parts[0] if any(parts[:1] == (room,) for floor in FLOORS for room in floor) else ""


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """The modules of the package that a file imports, as parts of their names within it."""
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder[: len(folder) - node.level + 1]
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield (*module, alias.name)


def arrows() -> Counter[tuple[str, str]]:
    """From which room to which there are imports, and how many."""
    found: Counter[tuple[str, str]] = Counter()
    for path in PACKAGE.rglob("*.py"):
        source = room_of(path.relative_to(PACKAGE).with_suffix("").parts)
        for parts in imported(path):
            target = room_of(parts)
            if source and target and source != target:
                found[source, target] += 1
    return found


def drawing() -> str:
    """The floors and the arrows between them, in Mermaid's words."""
    lines = ["flowchart TB"]
    for number, floor in enumerate(FLOORS):
        lines += [f'    subgraph floor{number}[" "]', "        direction LR"]
        lines += [f'        {room.replace("/", "_")}["{room}/"]' for room in floor]
        lines += ["    end"]
    lines += [
        f"    {source.replace('/', '_')} --> {target.replace('/', '_')}"
        for source, target in sorted(arrows())
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(drawing())
