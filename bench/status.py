"""How long `report_status` takes over an open connection: at rest, while the focuser moves, and in a crowd."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable

import Pyro4

from bench.crowd import PROJECT, crowd
from bench.figures import Bound, Figure
from bench.rig import BenchError, Rig, rig

PART = "Status"
TARGET_P99 = Bound(20.0, "on a machine that does nothing else", judged="p99")
# Between two calls, at random, so that they fall on any moment of the daemon's round.
LEAST_PAUSE_S, MOST_PAUSE_S = 0.002, 0.012
SILENT, POLLERS, POLLS_PER_S = 1000, 50, 10
TRAVEL_MM = (1.0, 5.0)


def measure(calls: int, chance: random.Random, silent: int = SILENT, pollers: int = POLLERS) -> list[Figure]:
    """Ask `calls` times in each situation; the crowd holds `silent` connections and `pollers` clients."""
    with _bare_server() as uri, Pyro4.Proxy(uri) as proxy:
        bare_ms = _ask(proxy, calls, chance)
    limit = Bound(Figure(PART, "", "ms", bare_ms).statistics["median"], "the median of a bare Pyro server")
    with rig() as ready:
        ready.expect("initialize")
        with ready.connected() as proxy:
            rest_ms = _ask(proxy, calls, chance)
            moving_ms = _ask_while_moving(ready, proxy, calls, chance)
            with crowd("pyro", ready.port, pollers, POLLS_PER_S, silent) as present:
                crowd_ms = _ask(proxy, calls, chance)
    who = f"{pollers} clients at {POLLS_PER_S} Hz and {silent} silent connections"
    return [
        Figure(PART, "a bare Pyro server", "ms", bare_ms),
        Figure(PART, "at rest", "ms", rest_ms, limit, TARGET_P99),
        Figure(PART, "while moving", "ms", moving_ms, limit, TARGET_P99),
        Figure(PART, f"at rest, beside {who}", "ms", crowd_ms, limit, TARGET_P99),
        Figure(PART, "polls of these clients that were answered", "%", [present.answered_percent]),
    ]


def timed_ms(ask: Callable[[], Any], chance: random.Random) -> float:
    """How long a question takes that comes at a random moment."""
    time.sleep(chance.uniform(LEAST_PAUSE_S, MOST_PAUSE_S))
    asked_s = time.perf_counter()
    ask()
    return (time.perf_counter() - asked_s) * 1000


def _ask(proxy: Any, calls: int, chance: random.Random) -> list[float]:
    proxy.report_status()
    return [timed_ms(proxy.report_status, chance) for _ in range(calls)]


def _ask_while_moving(ready: Rig, proxy: Any, calls: int, chance: random.Random) -> list[float]:
    """Only answers that say that the focuser moves count."""
    taken_ms: list[float] = []
    reports: list[dict[str, Any]] = [{}]

    def ask() -> None:
        reports[0] = proxy.report_status()

    with ThreadPoolExecutor(max_workers=1) as pool:
        while len(taken_ms) < calls:
            for target_mm in TRAVEL_MM:
                move = pool.submit(ready.expect, "set_focus", target_mm)
                while not move.done():
                    took_ms = timed_ms(ask, chance)
                    taken_ms += [took_ms] if reports[0]["moving"] else []
                move.result()
    return taken_ms[:calls]


@contextmanager
def _bare_server() -> Iterator[str]:
    """A Pyro server in a process of its own that answers a made-up status: its URI."""
    command = [sys.executable, "-m", "bench.bare_server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            uri = server.stdout.readline().strip()
            if not uri:
                raise BenchError("the bare server did not come: its message is above")
            yield uri
        finally:
            server.stdin.close()
