"""How fast it is: `make bench`. Prints tables, writes all figures as JSON, and can renew docs/performance.md.

    .venv/bin/python -m bench [--quick] [--only PART ...] [--json FILE] [--page FILE]

The whole takes about 25 minutes, and wants a machine on which nothing else runs. Ends with 0 also where a target is
missed: that is a finding, and stands in the table. Ends with 1 where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from bench import alpaca, crowded, idle, indi, moves, round_trips, startup, status, stop
from bench.conditions import conditions
from bench.figures import Figure, markdown
from bench.interruption import watch_for_signals
from bench.rig import CALL_ERRORS, BenchError, rig

EXIT_FAILURE, INTERRUPTED = 1, 130
DEFAULT_JSON = Path(__file__).with_name("result.json")


@dataclass(frozen=True)
class Amount:
    """How much is measured.

    Args:
        stops: of each kind of motion, and in each situation.
        moves: of each distance and way.
        calls: in each situation.
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

PARTS: dict[str, Callable[[Amount, random.Random], list[Figure]]] = {
    "stop": lambda amount, chance: stop.measure(amount.stops, chance),
    "moves": lambda amount, _: moves.measure(amount.moves),
    "round_trips": lambda amount, chance: round_trips.measure(amount.moves, chance),
    "status": lambda amount, chance: status.measure(amount.calls, chance),
    "startup": lambda amount, _: startup.measure(amount.starts),
    "idle": lambda amount, _: idle.measure(amount.rest_s),
    "crowd": lambda amount, chance: crowded.measure(amount.stops, amount.calls, chance),
    "alpaca": lambda amount, chance: alpaca.measure(amount.stops, amount.calls, chance),
    "indi": lambda amount, chance: indi.measure(amount.stops, amount.calls, amount.rest_s, chance),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    options = _parser().parse_args(arguments)
    watch_for_signals()
    found = conditions()
    measured: dict[str, list[Figure]] = {}
    failures: list[str] = []
    # Everything runs once, so that all code is compiled before it is measured.
    with rig() as ready:
        ready.expect("initialize")
    for part in options.only or PARTS:
        print(f"measuring: {part}", file=sys.stderr, flush=True)
        try:
            measured[part] = PARTS[part](QUICK if options.quick else WHOLE, random.Random(options.seed))
        except (BenchError, *CALL_ERRORS) as error:
            failures.append(f"{part}: {error!r}")
    figures = [figure for of_part in measured.values() for figure in of_part]
    print(*(f"{key}: {value}" for key, value in found.items()), markdown(figures), sep="\n")
    result = {"conditions": found, "figures": [figure.as_json() for figure in figures]}
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for failure in failures:
        print(f"bench: {failure}", file=sys.stderr)
    if failures:
        return EXIT_FAILURE
    if options.page:
        renew(options.page, found, measured)
    return 0


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


def renew(page: Path, found: dict[str, str], measured: dict[str, list[Figure]]) -> None:
    """Put the tables of a run in the place of those on a page; other parts keep theirs."""
    text = page.read_text(encoding="utf-8")
    run = (
        f"Run of {found['date']}, focusd {found['focusd']}, {found['Python']}, {found['processor']}; "
        f"load average before: {found['load average before']}."
    )
    for part, figures in measured.items():
        begin, end = marks(part)
        fresh = f"{begin}\n\n{markdown(figures)}\n\n{run}\n\n{end}"
        found_place = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.DOTALL)
        if not found_place:
            raise SystemExit(f"bench: {page} has no place for tables: {begin} and {end} were expected in it.")
        text = text.replace(found_place[0], fresh)
    page.write_text(text, encoding="utf-8")


def marks(part: str) -> tuple[str, str]:
    """The lines of a page between which the tables of a part stand."""
    return f"<!-- make bench writes what follows: {part} -->", f"<!-- end of {part} -->"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
