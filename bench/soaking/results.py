"""What a run found: as data, as a table for people, and as a part of docs/reliability.md."""

from __future__ import annotations

import os
import platform
import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rockit.focuser.ok3z.version import VERSION

from .ledger import INVARIANTS, Ledger, Violation
from .plan import KINDS

BEGIN, END = "<!-- result of a run: written by bench/soak.py -->", "<!-- end of the result -->"
TO_ITS_END = "It ran to its end"
# How far before a violation its repetition begins.
ACTIONS_BEFORE = 5


@dataclass(frozen=True)
class Wanted:
    """What to run: for so many minutes, or so many actions, whichever ends first; of some kinds, or of all."""

    seed: int
    minutes: float
    time_scale: float = 10.0
    first: int = 0
    actions: int | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """One run. `ended` says why it ended."""

    wanted: Wanted
    actions: int
    minutes: float
    ended: str
    ledger: Ledger

    @property
    def faults(self) -> dict[str, int]:
        counts = self.ledger.counts
        return {name: counts[name] for name, kind in KINDS.items() if kind.fault and counts[name]}

    @property
    def counts(self) -> dict[str, int]:
        """What was counted beside the faults."""
        return {name: times for name, times in sorted(self.ledger.counts.items()) if name not in KINDS}

    @property
    def checks(self) -> dict[str, tuple[int, int, int]]:
        """How often each invariant was judged, not judged, and violated."""
        ledger = self.ledger
        violated = [violation.invariant for violation in ledger.violations]
        return {
            name: (ledger.judged[name], ledger.undecided[name], violated.count(name)) for name in INVARIANTS
        }

    @property
    def machine(self) -> str:
        return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"

    @property
    def data(self) -> dict[str, Any]:
        """For JSON."""
        names = ("actions", "minutes", "ended", "machine", "counts", "faults")
        return {
            **asdict(self.wanted),
            **{name: getattr(self, name) for name in names},
            "version": VERSION,
            "checks": {
                name: dict(zip(("judged", "not judged", "violated"), numbers))
                for name, numbers in self.checks.items()
            },
            "highest": self.ledger.highest,
            "violations": [asdict(violation) for violation in self.ledger.violations],
        }


def as_markdown(result: Result) -> str:
    """The tables, for a page and for a terminal alike."""
    highest = sorted(result.ledger.highest.items())
    parts = [
        f"Version {VERSION}, seed {result.wanted.seed}, {result.actions} actions in {result.minutes:.0f} minutes, "
        f"mechanics {result.wanted.time_scale:g} times as fast as real ones, on {result.machine}. {result.ended}.",
        _table(
            ("What must hold", "Judged", "Not certain", "Violated"),
            ((INVARIANTS[name], *numbers) for name, numbers in result.checks.items()),
        ),
        _table(("What was done", "Times"), result.counts.items()),
        _table(("Fault", "Times"), result.faults.items()),
        _table(("Highest value", ""), ((name, f"{value:.2f}") for name, value in highest)),
    ]
    return "\n\n".join(parts)


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [header, tuple("---" if not number else "--:" for number in range(len(header))), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def violation_text(violation: Violation, result: Result) -> str:
    """What was seen and expected, what went before, and how to do it again."""
    parts = (
        ("again, from a little before it:", [again(violation, result.wanted)]),
        ("what went before:", violation.events),
        ("the log of the daemon:", violation.log),
        ("on the wire:", violation.trace),
    )
    lines = [
        f"VIOLATION of {violation.invariant}: {INVARIANTS[violation.invariant]}",
        f"  during {violation.during}",
        f"  {violation.what}",
    ]
    for title, content in parts:
        lines += [f"  {title}", *(f"    {line}" for line in content)]
    return "\n".join(lines)


def again(violation: Violation, wanted: Wanted) -> str:
    """The command that does the same actions again."""
    number = re.match(r"#(\d+)", violation.during)
    last = int(number[1]) if number else wanted.first
    first = max(wanted.first, last - ACTIONS_BEFORE)
    words = ["--seed", wanted.seed, "--time-scale", wanted.time_scale, "--first", first]
    words += ["--actions", last - first + 1]
    if wanted.kinds:
        words += ["--kinds", *wanted.kinds]
    return shlex.join([".venv/bin/python", "bench/soak.py", *map(str, words)])


def write_into_page(path: Path, result: Result) -> None:
    """Put the tables between the two marks of a page. Raises ValueError where it has none."""
    page = path.read_text(encoding="utf-8")
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    if not re.search(pattern, page, flags=re.DOTALL):
        raise ValueError(f"{path} has no place for the result: the lines {BEGIN} and {END}.")
    fresh = f"{BEGIN}\n\n{as_markdown(result)}\n\n{END}"
    path.write_text(re.sub(pattern, lambda _: fresh, page, flags=re.DOTALL), encoding="utf-8")
