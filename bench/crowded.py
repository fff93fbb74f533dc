"""What a crowd at the Pyro port does to a stop and to the status.

A thousand connections that say nothing, fifty clients that poll at 10 Hz, two hundred messages of which only a part
comes, and a client that never reads its answers, all at once. Stops come from a machine that may control, while the
focuser moves, each over a new connection.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

from bench.crowd import crowd
from bench.figures import Bound, Figure
from bench.rig import Rig, rig
from bench.status import POLLERS, POLLS_PER_S, SILENT, timed_ms
from bench.stop import stopped_ms

PART = "In a crowd"
WIRE_TARGET = Bound(100.0, "a stop is on the wire, whatever goes on at the port")
STATUS_TARGET = Bound(20.0, "a status is answered, on a machine that does nothing else", judged="p99")
HALVES = 100
RUN_S = (0.2, 0.4)
FAR_MM, NEAR_MM = 4.0, 0.5


def measure(
    stops: int, calls: int, chance: random.Random, silent: int = SILENT, pollers: int = POLLERS
) -> list[Figure]:
    """Stop `stops` moves and ask `calls` times, without a crowd and with it."""
    with rig() as ready:
        ready.expect("initialize")
        alone = _situation(ready, "alone", stops, calls, chance)
        with crowd("pyro", ready.port, pollers, POLLS_PER_S, silent, HALVES):
            crowded = _situation(ready, "in the crowd", stops, calls, chance)
            taken = ready.usage()
    return [
        *alone,
        *crowded,
        Figure(PART, "in the crowd: threads of the daemon", "", [taken.threads]),
        Figure(PART, "in the crowd: open files of the daemon", "", [taken.files]),
        Figure(PART, "in the crowd: memory, resident at most", "MB", [taken.hwm_mb]),
    ]


def _situation(ready: Rig, where: str, stops: int, calls: int, chance: random.Random) -> list[Figure]:
    with ready.connected() as held:
        status_ms = [timed_ms(held.report_status, chance) for _ in range(calls)]
    fresh_ms = [timed_ms(ready.status, chance) for _ in range(calls)]
    with ThreadPoolExecutor(max_workers=1) as pool:
        wire_ms = [
            stopped_ms(ready, target_mm, chance.uniform(*RUN_S), lambda: ready.expect("stop"), pool)
            for target_mm in islice(cycle((FAR_MM, NEAR_MM)), stops)
        ]
    return [
        Figure(PART, f"{where}: status over an open connection", "ms", status_ms, target=STATUS_TARGET),
        Figure(PART, f"{where}: status over a new connection", "ms", fresh_ms, target=STATUS_TARGET),
        Figure(PART, f"{where}: stop over a new connection, to the wire", "ms", wire_ms, target=WIRE_TARGET),
    ]
