"""Many daemons on one machine: how soon all serve, what they take, and how fast all stop at once.

    .venv/bin/python bench/fleet.py 100 [--compare BIN]

Each has its virtual controller in its own process, at real speed, so that what is measured holds the controllers too.
docs/scale.md says what follows from it. With --compare the same is done by the `focusd` of another venv, before and
after, so that a busy machine is as busy for both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable

if __name__ == "__main__":
    # It is run as a file: what it imports is beside its folder, and not in it.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import rig as rigs
from bench.interruption import watch_for_signals
from bench.rig import BenchError, Rig

SIMULATOR = "sim://?start_mm=0.3"
# Until readings are one round trip.
SETTLED_S = 5.0
REST_S = 20.0
MOVING_S = 4.0
FAR_MM = 5.0
TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
Figures = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(description="Run many daemons on one machine, and measure them.")
    parser.add_argument("number", metavar="N", type=int, nargs="?", default=100, help="how many (100)")
    parser.add_argument(
        "--alpaca", action="store_true", help="each serves Alpaca programs, browsers and metrics too"
    )
    parser.add_argument(
        "--compare", metavar="BIN", type=Path, help="the bin/ of another venv to compare with"
    )
    options = parser.parse_args()
    watch_for_signals()
    own = rigs.BIN
    order = [options.compare, own, options.compare] if options.compare else [own]
    for folder in order:
        rigs.BIN = folder
        print(f"{folder}, {options.number} daemons; load before: {os.getloadavg()[0]:.2f}", flush=True)
        for name, value in measured(options.number, options.alpaca).items():
            print(f"  {name:<44}{value:9.3f}", flush=True)
    return 0


def measured(number: int, alpaca: bool) -> Figures:
    """The figures of so many daemons."""
    with fleet(number, alpaca) as made, ThreadPoolExecutor(number) as pool:
        begun_s = time.monotonic()
        list(pool.map(Rig.start, made))
        figures = {"all serve, s": time.monotonic() - begun_s}
        list(pool.map(lambda one: one.expect("initialize"), made))
        time.sleep(SETTLED_S)
        figures["memory of each, PSS, MB"] = statistics.mean(one.usage().pss_mb for one in made)
        figures["threads of each"] = statistics.mean(one.usage().threads for one in made)
        figures["processor at rest, % of a core"] = busy_percent(made, lambda: time.sleep(REST_S))
        proxies = [one.connected() for one in made]
        try:
            list(pool.map(lambda one: one.expect("begin_move", FAR_MM), made))
            moving = busy_percent(made, lambda: time.sleep(MOVING_S))
            figures["processor while all move, % of a core"] = moving
            took_s = all_at_once(proxies)
        finally:
            for proxy in proxies:
                proxy._pyroRelease()
        figures["a stop of all, median, s"] = statistics.median(took_s)
        figures["a stop of all, slowest, s"] = max(took_s)
        return figures


@contextmanager
def fleet(number: int, alpaca: bool) -> Iterator[Sequence[Rig]]:
    """So many rigs that have not been started; nothing of them is left."""
    with tempfile.TemporaryDirectory(prefix="focusd-fleet-") as name, ExitStack() as stack:
        made = []
        for count in range(number):
            folder = Path(name) / str(count)
            folder.mkdir()
            changes: dict[str, Any] = {"metrics": {}} if alpaca else {}
            one = Rig(folder, None, 1.0, {"serial_port": SIMULATOR, **changes})
            if alpaca:
                one.serve_alpaca()
            stack.callback(one.close)
            made.append(one)
        try:
            yield made
        finally:
            with ThreadPoolExecutor(number) as pool:
                list(pool.map(Rig.close_daemon, made))


def busy_percent(made: Sequence[Rig], wait: Callable[[], None]) -> float:
    """How much of one core all of them take meanwhile."""
    before_s, begun_s = sum(map(_used_s, made)), time.monotonic()
    wait()
    return 100 * (sum(map(_used_s, made)) - before_s) / (time.monotonic() - begun_s)


def _used_s(one: Rig) -> float:
    fields = Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICKS_S


def all_at_once(proxies: Sequence[Any]) -> list[float]:
    """Stop all, each on a connection that is open. How long each answer took, in seconds."""
    start = threading.Barrier(len(proxies))

    def stop(proxy: Any) -> float:
        start.wait()
        begun_s = time.monotonic()
        if proxy.stop():
            raise BenchError("a stop was not proven")
        return time.monotonic() - begun_s

    with ThreadPoolExecutor(len(proxies)) as pool:
        return list(pool.map(stop, proxies))


if __name__ == "__main__":
    sys.exit(main())
