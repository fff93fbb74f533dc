"""How long `focusd` takes until it serves, and `focus json` from its start to its end.

Each runs in turn with the imports that no such program can do without, so that a busy machine slows both down. All
are compiled beforehand, as installed packages are.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Callable

from bench.figures import Bound, Figure
from bench.rig import BIN, Rig, idle_rig, rig

PART = "Start-up"
RATIO_TARGET = Bound(1.5, "focus json beside the import of Pyro4, fastest runs of both", judged="min")
FOCUS_IMPORTS, FOCUSD_IMPORTS = "import Pyro4", "import Pyro4, serial"


def measure(rounds: int) -> list[Figure]:
    """Start each `rounds` times, and once before, which is not counted."""
    with idle_rig() as made:
        daemon_ms, daemon_bare_ms = _in_turn(
            rounds, lambda: _until_serving_ms(made), lambda: _imported_ms(made, FOCUSD_IMPORTS)
        )
    with rig() as ready:
        focus_ms, focus_bare_ms = _in_turn(
            rounds,
            lambda: _run_ms(ready, [str(BIN / "focus"), "json"]),
            lambda: _imported_ms(ready, FOCUS_IMPORTS),
        )
    return [
        Figure(PART, "focusd: until it serves", "ms", daemon_ms, _imports(FOCUSD_IMPORTS, daemon_bare_ms)),
        Figure(PART, "focus json: until its end", "ms", focus_ms, _imports(FOCUS_IMPORTS, focus_bare_ms)),
        Figure(
            PART,
            "focus json: ratio of the fastest runs",
            "",
            [min(focus_ms) / min(focus_bare_ms)],
            target=RATIO_TARGET,
        ),
    ]


def _imports(code: str, taken_ms: list[float]) -> Bound:
    return Bound(Figure(PART, code, "ms", taken_ms).statistics["median"], f'the median of python -c "{code}"')


def _in_turn(
    rounds: int, one: Callable[[], float], other: Callable[[], float]
) -> tuple[list[float], list[float]]:
    pairs = [(one(), other()) for _ in range(rounds + 1)][1:]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _imported_ms(made: Rig, code: str) -> float:
    return _run_ms(made, [sys.executable, "-c", code])


def _run_ms(made: Rig, command: list[str]) -> float:
    began_s = time.perf_counter()
    # Without a timeout, for which subprocess would look only every 50 ms; focus has its own, of 5 s.
    subprocess.run(command, env=made.environment, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began_s) * 1000


def _until_serving_ms(made: Rig) -> float:
    began_s = time.perf_counter()
    try:
        made.start()
        return (time.perf_counter() - began_s) * 1000
    finally:
        made.end()
