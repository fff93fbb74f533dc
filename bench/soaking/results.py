"""What a run found: as data, as a table for people, and as a part of docs/reliability.md."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .ledger import INVARIANTS, Ledger, Violation
from .plan import FAULTS, KINDS

BEGIN, END = "<!-- result of a run: written by bench/soak.py -->", "<!-- end of the result -->"
TO_ITS_END = "It ran to its end"
# How far before a violation its repetition begins.
ACTIONS_BEFORE = 5


@dataclass(frozen=True)
class Result:
    """One run. `ended` says why it ended; the rest is counted."""

    seed: int
    first: int
    actions: int
    minutes: float
    time_scale: float
    machine: str
    version: str
    kinds: list[str]
    ended: str
    counts: dict[str, int]
    faults: dict[str, int]
    checks: dict[str, dict[str, int]]
    highest: dict[str, float]
    violations: list[Violation] = field(default_factory=list)

    @property
    def data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def checks_of(ledger: Ledger) -> dict[str, dict[str, int]]:
    violated = [violation.invariant for violation in ledger.violations]
    return {
        name: {
            "judged": ledger.judged[name],
            "not judged": ledger.undecided[name],
            "violated": violated.count(name),
        }
        for name in INVARIANTS
    }


def counts_of(ledger: Ledger) -> tuple[dict[str, int], dict[str, int]]:
    """What was counted, and of it the faults."""
    faults = {name: ledger.counts[name] for name in FAULTS if ledger.counts[name]}
    others = {name: number for name, number in sorted(ledger.counts.items()) if name not in faults}
    return others, faults


def as_markdown(result: Result) -> str:
    """The tables, for a page and for a terminal alike."""
    parts = [
        f"Version {result.version}, seed {result.seed}, {result.actions} actions in {result.minutes:.0f} minutes, "
        f"mechanics {result.time_scale:g} times as fast as real ones, on {result.machine}. {result.ended}.",
        _table(
            ("What must hold", "Judged", "Not certain", "Violated"),
            (
                (INVARIANTS[name], each["judged"], each["not judged"], each["violated"])
                for name, each in result.checks.items()
            ),
        ),
        _table(("What was done", "Times"), result.counts.items()),
        _table(("Fault", "Times"), result.faults.items()),
        _table(
            ("Highest value", ""), ((name, f"{value:.2f}") for name, value in sorted(result.highest.items()))
        ),
    ]
    return "\n\n".join(parts)


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [header, tuple("---" if not number else "--:" for number in range(len(header))), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def violation_text(violation: Violation, result: Result) -> str:
    """What was seen and expected, what went before, and how to do it again."""
    parts = (
        ("again, from a little before it:", [again(violation, result)]),
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


def again(violation: Violation, result: Result) -> str:
    """The command that does the same actions again."""
    number = re.match(r"#(\d+)", violation.during)
    last = int(number[1]) if number else result.first
    first = max(result.first, last - ACTIONS_BEFORE)
    words = ["--seed", result.seed, "--time-scale", result.time_scale, "--first", first]
    words += ["--actions", last - first + 1]
    without = [kind for kind in KINDS if kind not in result.kinds]
    if len(without) > len(result.kinds):
        words += ["--kinds", *result.kinds]
    elif without:
        words += ["--without", *without]
    return shlex.join([".venv/bin/python", "bench/soak.py", *map(str, words)])


def write_into_page(path: Path, result: Result) -> None:
    """Put the tables between the two marks of a page. Raises ValueError where it has none."""
    page = path.read_text(encoding="utf-8")
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    if not re.search(pattern, page, flags=re.DOTALL):
        raise ValueError(f"{path} has no place for the result: the lines {BEGIN} and {END}.")
    fresh = f"{BEGIN}\n\n{as_markdown(result)}\n\n{END}"
    path.write_text(re.sub(pattern, lambda _: fresh, page, flags=re.DOTALL), encoding="utf-8")
