"""What a crowd at the Pyro port does to a stop and to the status.

    .venv/bin/python -m bench.load [--stops N] [--calls N] [--json FILE]

A thousand connections that say nothing, fifty clients that poll at 10 Hz, two hundred messages of which only a part
comes, and a client that never reads its answers, all at once. Stops come from a machine that may control, while the
focuser moves, each over a new connection. Ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from Pyro4 import message, util

from bench.conditions import conditions
from bench.figures import Bound, Figure, notes
from bench.idle import memory_mb
from bench.rig import OBJECT_NAME, BenchError, Rig, Workspace, rig, workspace
from bench.status import IDLE_CONNECTIONS, POLLERS, crowd
from bench.stop import stopped_ms

PART = "Load"
WIRE_TARGET = Bound(100.0, "a stop is on the wire, whatever goes on at the port")
STATUS_TARGET = Bound(20.0, "a status is answered, on a machine that does nothing else", judged="p99")
HALVES = 100
# Shorter than the daemon's patience, so that there are always as many.
RUDE_ROUND_S = 4.0
CALL_PAUSE_S = (0.002, 0.012)
RUN_S = (0.2, 0.4)
FAR_MM, NEAR_MM = 4.0, 0.5


class Rude(threading.Thread):
    """Clients that greet by halves, ask by halves, and ask without ever reading; made anew again and again."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__()
        self._address = address
        self._over = threading.Event()
        serpent = util.get_serializer("serpent")
        flags = message.FLAGS_META_ON_CONNECT
        hello = serpent.dumps({"handshake": "hello", "object": OBJECT_NAME})
        self._greeting = message.Message(message.MSG_CONNECT, hello, 1, flags, 0).to_bytes()
        question = serpent.dumpsCall(OBJECT_NAME, "report_status", (), {})
        self._question = message.Message(message.MSG_INVOKE, question, 1, 0, 1).to_bytes()

    def run(self) -> None:
        """Be rude until it is over."""
        while not self._over.is_set():
            sockets = [self._half_greeted(part) for part in range(1, HALVES + 1)]
            sockets += [self._half_asked() for _ in range(HALVES)]
            sockets.append(self._deaf())
            self._over.wait(RUDE_ROUND_S)
            for each in sockets:
                each.close()

    def end(self) -> None:
        """Hang up."""
        self._over.set()
        self.join()

    def _half_greeted(self, part: int) -> socket.socket:
        client = socket.create_connection(self._address)
        client.sendall(self._greeting[: part % len(self._greeting)])
        return client

    def _half_asked(self) -> socket.socket:
        client = self._greeted()
        client.sendall(self._question[:-1])
        return client

    def _deaf(self) -> socket.socket:
        client = self._greeted()
        client.setblocking(False)
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                client.send(self._question * 50)
        return client

    def _greeted(self) -> socket.socket:
        client = socket.create_connection(self._address)
        client.sendall(self._greeting)
        client.recv(4096)
        return client


@contextmanager
def mob(ready: Rig, idle: int, pollers: int) -> Iterator[str]:
    """Everybody at once: who they are."""
    rude = Rude(("127.0.0.1", ready.space.port))
    with crowd(ready, idle, pollers) as present:
        rude.start()
        try:
            yield f"{present}, {2 * HALVES} halves of messages, 1 client that never reads"
        finally:
            rude.end()


def measure(
    space: Workspace,
    stops: int,
    calls: int,
    chance: random.Random,
    idle: int = IDLE_CONNECTIONS,
    pollers: int = POLLERS,
) -> list[Figure]:
    """Stop `stops` moves and ask `calls` times, without a crowd and with it."""
    with rig(space) as ready:
        ready.home()
        alone = _situation(ready, "alone", stops, calls, chance)
        with mob(ready, idle, pollers) as present:
            crowded = _situation(ready, "in the crowd", stops, calls, chance)
            taken = _usage(ready)
    print(f"the crowd: {present}", file=sys.stderr)
    return [*alone, *crowded, *taken]


def _situation(ready: Rig, where: str, stops: int, calls: int, chance: random.Random) -> list[Figure]:
    with ready.proxy() as held:
        status_ms = [_status_ms(ready, held, chance) for _ in range(calls)]
    fresh_ms = [_status_ms(ready, None, chance) for _ in range(calls)]
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


def _status_ms(ready: Rig, held: Any, chance: random.Random) -> float:
    time.sleep(chance.uniform(*CALL_PAUSE_S))
    asked_s = time.perf_counter()
    if held is None:
        ready.call("report_status")
    else:
        held.report_status()
    return (time.perf_counter() - asked_s) * 1000


def _usage(ready: Rig) -> list[Figure]:
    process = Path(f"/proc/{ready.pid}")
    threads, files = (float(len(list((process / what).iterdir()))) for what in ("task", "fd"))
    return [
        Figure(PART, "in the crowd: threads of the daemon", "", [threads]),
        Figure(PART, "in the crowd: open files of the daemon", "", [files]),
        Figure(PART, "in the crowd: memory, resident at most", "MB", [memory_mb(ready.pid)["VmHWM"]]),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    options = _parser().parse_args(arguments)
    found = conditions()
    try:
        with workspace() as space:
            figures = measure(space, options.stops, options.calls, random.Random(options.seed))
    except BenchError as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    for key, value in found.items():
        print(f"{key}: {value}")
    for figure in figures:
        print("  ".join(cell.rjust(width) for cell, width in zip(figure.cells(), (52, 3, 5, *[9] * 7))))
    print(*notes(figures), sep="\n")
    if options.json:
        result = {"conditions": found, "figures": [figure.as_json() for figure in figures]}
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if any(figure.is_met is False for figure in figures) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.load", description="Measures focusd in a crowd.")
    parser.add_argument("--stops", type=int, default=50, help="in each situation [50]")
    parser.add_argument("--calls", type=int, default=1000, help="of each kind, in each situation [1000]")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which they come [1]")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
