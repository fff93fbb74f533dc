"""A real `focusd` on a pseudo-terminal, through moves, stops, faults and bad clients, judged by the truth.

    .venv/bin/python bench/soak.py --minutes 60 [--seed 7]

docs/reliability.md says what is done and what must hold. Prints tables, and ends with 1 where something did not hold,
with 130 where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

# It is run as a file: what it imports is beside its folder, and not in it.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.interruption import watch_for_signals  # noqa: E402
from bench.soaking.plan import KINDS  # noqa: E402
from bench.soaking.results import (  # noqa: E402
    TO_ITS_END,
    Wanted,
    as_markdown,
    violation_text,
    write_into_page,
)
from bench.soaking.run import soak  # noqa: E402

INTERRUPTED = 130


def main() -> int:
    options = _parser().parse_args()
    watch_for_signals()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    chosen = tuple(kind for kind in options.kinds or KINDS if kind not in (options.without or ()))
    kinds = chosen if options.kinds or options.without else ()
    result = soak(Wanted(seed, options.minutes, options.time_scale, options.first, options.actions, kinds))
    print(as_markdown(result))
    for violation in result.ledger.violations:
        print(violation_text(violation, result))
    if options.json:
        options.json.write_text(json.dumps(result.data, indent=1) + "\n", encoding="utf-8")
    if result.ledger.violations:
        return 1
    if result.ended != TO_ITS_END:
        return INTERRUPTED
    if options.write_report:
        write_into_page(options.write_report, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Soak focusd in faults, and judge it by the simulator's truth."
    )
    add = parser.add_argument
    add("--minutes", type=float, default=5.0, help="how long to go on [%(default)g]")
    add("--seed", type=int, help="repeats the sequence of a run [a random one, which is printed]")
    add("--first", type=int, default=0, help="begin at this action of the sequence")
    add("--actions", type=int, help="at most so many actions")
    add("--kinds", nargs="+", choices=KINDS, metavar="KIND", help="only actions of these kinds")
    add("--without", nargs="+", choices=KINDS, metavar="KIND", help="no actions of these")
    add("--time-scale", type=float, default=10.0, help="how much faster than real [%(default)g]")
    add("--json", type=Path, metavar="FILE", help="write the result there")
    add("--write-report", type=Path, metavar="PAGE", help="put the tables into this page, if all held")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        # Before the first action, or after the last.
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
