"""How fast it is: `make bench`. Prints tables, writes all figures as JSON, and can renew docs/performance.md.

    .venv/bin/python -m bench [--quick] [--only PART ...] [--json FILE] [--page FILE]

The whole takes about 15 minutes, and wants a machine on which nothing else runs. Ends with 0 also where a target is
missed: that is a finding, and stands in the table. Ends with 1 where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from rich import box
from rich.console import Console
from rich.table import Table

from bench import idle, moves, startup, status, stop
from bench.conditions import conditions
from bench.figures import COLUMNS, Figure, by_part, markdown, notes
from bench.rig import BenchError, Workspace, compile_all, workspace

EXIT_FAILURE = 1
DEFAULT_JSON = Path(__file__).with_name("result.json")
PAGE_BEGIN = "<!-- What follows is written by make bench. -->"
PAGE_END = "<!-- Until here. -->"


@dataclass(frozen=True)
class Amount:
    """How much is measured.

    Args:
        stops: of each kind of motion.
        moves: of each distance and way.
        calls: of report_status, in each situation.
        starts: of each program.
        rest_s: how long the daemon is watched at rest.
    """

    stops: int
    moves: int
    calls: int
    starts: int
    rest_s: float


WHOLE = Amount(stops=30, moves=10, calls=1000, starts=20, rest_s=60.0)
QUICK = Amount(stops=2, moves=1, calls=50, starts=1, rest_s=2.0)

PARTS: dict[str, Callable[[Workspace, Amount, random.Random], list[Figure]]] = {
    "stop": lambda space, amount, chance: stop.measure(space, amount.stops, chance),
    "moves": lambda space, amount, _: moves.measure(space, amount.moves),
    "status": lambda space, amount, chance: status.measure(space, amount.calls, chance),
    "startup": lambda space, amount, _: startup.measure(space, amount.starts),
    "idle": lambda space, amount, _: idle.measure(space, amount.rest_s),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    options = _parser().parse_args(arguments)
    # So that it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_FAILURE))
    found = conditions()
    figures, failures = _measure(options)
    _print(found, figures)
    options.json.write_text(json.dumps(as_json(found, figures), indent=1) + "\n", encoding="utf-8")
    for failure in failures:
        print(f"bench: {failure}", file=sys.stderr)
    if failures:
        return EXIT_FAILURE
    if options.page:
        renew(options.page, found, figures)
    return 0


def _measure(options: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    """The figures of the chosen parts, and why the others have none."""
    amount = QUICK if options.quick else WHOLE
    figures: list[Figure] = []
    failures: list[str] = []
    with workspace() as space:
        compile_all(space)
        for part in options.only or PARTS:
            print(f"measuring: {part}", file=sys.stderr, flush=True)
            try:
                figures += PARTS[part](space, amount, random.Random(options.seed))
            except BenchError as error:
                failures.append(f"{part}: {error}")
    return figures, failures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Measures focusd on the virtual controller.")
    parser.add_argument(
        "--quick", action="store_true", help="a few of each: whether it runs, not how fast it is"
    )
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--seed", type=int, default=1, help="of the moments at which stops and calls come [1]"
    )
    parser.add_argument("--json", type=Path, default=DEFAULT_JSON, metavar="FILE", help="[bench/result.json]")
    parser.add_argument("--page", type=Path, metavar="FILE", help="renew the tables of this page")
    return parser


def as_json(found: dict[str, str], figures: Sequence[Figure]) -> dict[str, Any]:
    """Everything that was measured."""
    return {"conditions": found, "figures": [figure.as_json() for figure in figures]}


def _print(found: dict[str, str], figures: Sequence[Figure]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 150)
    for key, value in found.items():
        console.print(f"{key}: {value}", highlight=False)
    for part, of_part in by_part(figures).items():
        table = Table(title=part, title_justify="left", box=box.SIMPLE_HEAD)
        for column in COLUMNS:
            table.add_column(column, justify="left" if column in ("Figure", "Unit") else "right")
        for figure in of_part:
            table.add_row(*figure.cells())
        console.print(table)
        for note in notes(of_part):
            console.print(f"  {note}", highlight=False)


def renew(page: Path, found: dict[str, str], figures: Sequence[Figure]) -> None:
    """Put the tables of a run in the place of those on a page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(PAGE_BEGIN)
    _, end, after = rest.partition(PAGE_END)
    if not (begin and end):
        raise SystemExit(
            f"bench: {page} has no place for tables: {PAGE_BEGIN} and {PAGE_END} were expected in it."
        )
    stated = "\n".join(f"| {key} | {value} |" for key, value in found.items())
    tables = f"| Condition | |\n| --- | --- |\n{stated}\n\n{markdown(figures)}"
    page.write_text(f"{before}{begin}\n\n{tables}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
