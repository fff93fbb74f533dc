"""What a hundred astronomy programs do to a stop, and how fast they are answered themselves.

A hundred programs read at 10 Hz, each over a connection that it keeps. Stops come while the focuser moves, over new
connections, by Pyro and by Alpaca. Reads are those of one more program: at rest, while it moves, and with a serial line
that is dead.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from bench.crowd import CLIENT_ID, MEMBERS, crowd
from bench.figures import Bound, Figure
from bench.rig import PATIENCE_S, BenchError, Rig, rig, wait_until
from bench.status import timed_ms
from bench.stop import begun, stopped_ms

PART = "Alpaca"
WIRE_TARGET = Bound(100.0, "a stop is on the wire, whatever goes on at the ports")
READ_TARGET = Bound(10.0, "a read is answered, on a machine that does nothing else", judged="p99")
PROGRAMS, READS_PER_S = 100, 10
RUN_S = (0.2, 0.4)
FAR_MM, MIDDLE_MM, NEAR_MM = 4.0, 2.2, 0.5
API = "/api/v1/focuser/0/"


class Program:
    """One more program, over one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._members = itertools.cycle(MEMBERS)

    def read(self) -> None:
        """Read the next member, which may be an error."""
        member = next(self._members)
        self._connection.request("GET", f"{API}{member}?ClientID={CLIENT_ID}")
        self._answer(member)

    def write(self, member: str, **form: object) -> None:
        """Write a member, which must be no error."""
        coded = urllib.parse.urlencode({**form, "ClientID": CLIENT_ID})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("PUT", f"{API}{member}", coded, headers)
        answer = self._answer(member)
        if answer["ErrorNumber"]:
            raise BenchError(f"{member}{form} gave {answer}")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _answer(self, member: str) -> dict[str, Any]:
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            raise BenchError(f"{member} gave {response.status}: {body!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer


@contextmanager
def program(ready: Rig) -> Iterator[Program]:
    """One more program."""
    one = Program(ready.alpaca_port)
    try:
        yield one
    finally:
        one.close()


def measure(stops: int, reads: int, chance: random.Random, programs: int = PROGRAMS) -> list[Figure]:
    """Stop `stops` moves in each way and read `reads` times, without the crowd and with it."""
    with rig(alpaca=True) as ready:
        with program(ready) as one:
            one.write("connected", Connected=True)
        figures = _situation(ready, "alone", stops, reads, chance)
        with crowd("alpaca", ready.alpaca_port, programs, READS_PER_S) as present:
            figures += _situation(ready, f"beside {programs} programs", stops, reads, chance)
        answered = [present.answered_percent]
        figures.append(Figure(PART, "reads of these programs that were answered", "%", answered))
        ready.tell("power-off")
        wait_until(lambda: ready.status()["status"] == 0, "the loss of the link")
        with program(ready) as one:
            dead_ms = [timed_ms(one.read, chance) for _ in range(reads)]
        figures.append(Figure(PART, "a read, with a dead serial line", "ms", dead_ms, target=READ_TARGET))
    return figures


def _situation(ready: Rig, where: str, stops: int, reads: int, chance: random.Random) -> list[Figure]:
    with program(ready) as one:
        rest_ms = [timed_ms(one.read, chance) for _ in range(reads)]
        moving_ms = _read_while_moving(ready, one, reads, chance)
    # Those reads may have ended near a target, and a move that arrives cannot be stopped.
    ready.expect("set_focus", MIDDLE_MM)
    with ThreadPoolExecutor(max_workers=1) as pool:
        stop_ms = {
            name: [
                stopped_ms(ready, target_mm, chance.uniform(*RUN_S), stop, pool)
                for target_mm in itertools.islice(itertools.cycle((FAR_MM, NEAR_MM)), stops)
            ]
            for name, stop in (("Pyro", lambda: ready.expect("stop")), ("Alpaca", lambda: _halt(ready)))
        }
    return [
        Figure(PART, f"{where}: a read, at rest", "ms", rest_ms, target=READ_TARGET),
        Figure(PART, f"{where}: a read, while it moves", "ms", moving_ms, target=READ_TARGET),
        *(
            Figure(PART, f"{where}: a stop over {name}, to the wire", "ms", values, target=WIRE_TARGET)
            for name, values in stop_ms.items()
        ),
    ]


def _halt(ready: Rig) -> None:
    """Stop over a new Alpaca connection."""
    with program(ready) as one:
        one.write("halt")


def _read_while_moving(ready: Rig, one: Program, reads: int, chance: random.Random) -> list[float]:
    taken_ms: list[float] = []
    with ThreadPoolExecutor(max_workers=1) as pool:
        for target_mm in itertools.cycle((FAR_MM, NEAR_MM)):
            # A stop that came before the move would leave it to run to its end.
            move = begun(ready, ("set_focus", target_mm), pool)
            while not move.done() and len(taken_ms) < reads:
                taken_ms.append(timed_ms(one.read, chance))
            if len(taken_ms) >= reads:
                ready.expect("stop")
                move.result()
                return taken_ms
            if status := move.result():
                raise BenchError(f"a move gave {status}; 0 was expected")
    return taken_ms
