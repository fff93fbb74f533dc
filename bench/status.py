"""How long `report_status` takes over an open connection: at rest, while the focuser moves, and in a crowd."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import Pyro4

from bench.figures import Bound, Figure
from bench.rig import BenchError, Rig, Workspace, rig

PROJECT = Path(__file__).parents[1]
PART = "Status"
TARGET_P99 = Bound(20.0, "on a machine that does nothing else", judged="p99")
# Between two calls, at random, so that they fall on any moment of the daemon's round.
LEAST_PAUSE_S, MOST_PAUSE_S = 0.002, 0.012
IDLE_CONNECTIONS, POLLERS, POLLS_PER_S = 1000, 50, 10
TRAVEL_MM = (1.0, 5.0)


def measure(
    space: Workspace, calls: int, chance: random.Random, idle: int = IDLE_CONNECTIONS, pollers: int = POLLERS
) -> list[Figure]:
    """Ask `calls` times in each situation; the crowd holds `idle` silent connections and `pollers` clients."""
    with _bare_server(space) as uri, Pyro4.Proxy(uri) as proxy:
        bare_ms = _ask(proxy, calls, chance)
    limit = Bound(Figure(PART, "", "ms", bare_ms).statistics["median"], "the median of a bare Pyro server")
    with rig(space) as ready:
        ready.home()
        with ready.proxy() as proxy:
            rest_ms = _ask(proxy, calls, chance)
            moving_ms = _ask_while_moving(ready, proxy, calls, chance)
            with crowd(ready, idle, pollers) as present:
                crowd_ms = _ask(proxy, calls, chance)
            answered_percent = present.answered_percent()
    return [
        Figure(PART, "a bare Pyro server", "ms", bare_ms),
        Figure(PART, "at rest", "ms", rest_ms, limit, TARGET_P99),
        Figure(PART, "while moving", "ms", moving_ms, limit, TARGET_P99),
        Figure(PART, f"at rest, beside {present}", "ms", crowd_ms, limit, TARGET_P99),
        Figure(PART, "polls of these clients that were answered", "%", [answered_percent]),
    ]


def _ask(proxy: Any, calls: int, chance: random.Random) -> list[float]:
    proxy.report_status()
    return [_ask_once(proxy, chance)[0] for _ in range(calls)]


def _ask_once(proxy: Any, chance: random.Random) -> tuple[float, dict[str, Any]]:
    time.sleep(chance.uniform(LEAST_PAUSE_S, MOST_PAUSE_S))
    asked_s = time.perf_counter()
    report = proxy.report_status()
    return (time.perf_counter() - asked_s) * 1000, report


def _ask_while_moving(ready: Rig, proxy: Any, calls: int, chance: random.Random) -> list[float]:
    """Only answers that say that the focuser moves count."""
    taken_ms: list[float] = []
    with ThreadPoolExecutor(max_workers=1) as pool:
        while len(taken_ms) < calls:
            for target_mm in TRAVEL_MM:
                move = pool.submit(ready.expect, "set_focus", target_mm)
                while not move.done():
                    took_ms, report = _ask_once(proxy, chance)
                    taken_ms += [took_ms] if report["moving"] else []
                move.result()
    return taken_ms[:calls]


@contextmanager
def _bare_server(space: Workspace) -> Iterator[str]:
    """A Pyro server in a process of its own that answers a made-up status: its URI."""
    with _script(space, "bench.bare_server") as server:
        yield _next_line(server)


class Crowd:
    """Clients in a process of their own."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen
        self.text = _next_line(popen)
        """What they are."""
        self._polls = ""

    def __str__(self) -> str:
        return self.text

    def leave(self) -> None:
        """Hang up."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._polls = _next_line(self._popen)

    def answered_percent(self) -> float:
        """Of the polls, how many were answered, once they have left."""
        answered, asked = (int(word) for word in self._polls.split())
        return 100 * answered / asked


@contextmanager
def crowd(ready: Rig, idle: int, pollers: int) -> Iterator[Crowd]:
    """A crowd at a daemon."""
    numbers = [str(number) for number in (idle, pollers, POLLS_PER_S)]
    with _script(ready.space, "bench.crowd", ready.space.uri, *numbers) as clients:
        present = Crowd(clients)
        yield present
        present.leave()


@contextmanager
def _script(space: Workspace, module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A module of the benchmark as a process, which ends when its stdin does."""
    popen = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=space.environment,
        cwd=PROJECT,
    )
    with popen:
        yield popen


def _next_line(popen: subprocess.Popen[str]) -> str:
    assert popen.stdout is not None
    line = popen.stdout.readline().strip()
    if not line:
        raise BenchError(f"{popen.args!r} ended and said nothing")
    return line
