"""What a hundred astronomy programs do to a stop, and how fast they are answered themselves.

    .venv/bin/python -m bench.alpaca_load [--stops N] [--reads N] [--json FILE] [--page FILE]

A hundred programs read at 10 Hz, each over a connection that it keeps. Stops come while the focuser moves, over new
connections, by Pyro and by Alpaca. Reads are those of one more program: at rest, while it moves, and with a serial line
that is dead. Ends with 1 where a target is missed. The whole takes some 5 minutes.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from bench.alpaca_crowd import CLIENT_ID, MEMBERS
from bench.conditions import conditions
from bench.figures import Bound, Figure, markdown, notes
from bench.rig import BenchError, Rig, Workspace, rig, wait_until, workspace
from bench.stop import stopped_ms

PROJECT = Path(__file__).parents[1]
PART = "Alpaca"
PAGE_BEGIN = "<!-- What follows is written by bench.alpaca_load. -->"
PAGE_END = "<!-- Until here, by bench.alpaca_load. -->"
WIRE_TARGET = Bound(100.0, "a stop is on the wire, whatever goes on at the ports")
READ_TARGET = Bound(10.0, "a read is answered, on a machine that does nothing else", judged="p99")
PROGRAMS, READS_PER_S = 100, 10
PAUSE_S = (0.002, 0.012)
RUN_S = (0.2, 0.4)
FAR_MM, MIDDLE_MM, NEAR_MM = 4.0, 2.2, 0.5
TIMEOUT_S = 60.0
API = "/api/v1/focuser/0/"


class Program:
    """One more program, over one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def read(self, member: str) -> dict[str, Any]:
        """Read a member, which may be an error."""
        self._connection.request("GET", f"{API}{member}?ClientID={CLIENT_ID}")
        return self._answer(member)

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


@dataclass(frozen=True)
class Served:
    """A daemon on a virtual controller, and its Alpaca port."""

    rig: Rig
    port: int

    @contextmanager
    def program(self) -> Iterator[Program]:
        """One more program."""
        one = Program(self.port)
        try:
            yield one
        finally:
            one.close()

    def halt(self) -> None:
        """Stop over a new Alpaca connection."""
        with self.program() as one:
            one.write("halt")


@contextmanager
def served(space: Workspace) -> Iterator[Served]:
    """A homed focuser with an Alpaca port, which the programs have connected."""
    with socket.socket() as reserved:
        # As for Pyro's port: bound and not listening, so that nobody else gets it.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = int(reserved.getsockname()[1])
        values = json.loads(space.config_path.read_text(encoding="utf-8"))
        space.config_path.write_text(json.dumps({**values, "alpaca": {"port": port}}), encoding="utf-8")
        with rig(space) as ready:
            found = Served(ready, port)
            with found.program() as one:
                one.write("connected", Connected=True)
            yield found


@contextmanager
def crowd(ready: Served, programs: int) -> Iterator[Callable[[], float]]:
    """A hundred programs; gives what part of their reads was answered, in percent, once it is over."""
    command = [sys.executable, "-m", "bench.alpaca_crowd", str(ready.port), str(programs), str(READS_PER_S)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if not process.stdout.readline():
            raise BenchError("the crowd did not come")
        counts: list[str] = []
        try:
            yield lambda: 100 * int(counts[0]) / int(counts[1])
        finally:
            process.stdin.close()
            counts += process.stdout.readline().split()


def measure(
    space: Workspace, stops: int, reads: int, chance: random.Random, programs: int = PROGRAMS
) -> list[Figure]:
    """Stop `stops` moves in each way and read `reads` times, without the crowd and with it."""
    with served(space) as ready:
        figures = _situation(ready, "alone", stops, reads, chance)
        with crowd(ready, programs) as answered_percent:
            figures += _situation(ready, f"beside {programs} programs", stops, reads, chance)
        answered = Figure(PART, "reads of these programs that were answered", "%", [answered_percent()])
        figures.append(answered)
        ready.rig.tell("power-off")
        wait_until(lambda: ready.rig.call("report_status")["status"] == 0, "the loss of the link")
        with ready.program() as one:
            dead_ms = [_read_ms(one, number, chance) for number in range(reads)]
        figures.append(Figure(PART, "a read, with a dead serial line", "ms", dead_ms, target=READ_TARGET))
    return figures


def _situation(ready: Served, where: str, stops: int, reads: int, chance: random.Random) -> list[Figure]:
    with ready.program() as one:
        rest_ms = [_read_ms(one, number, chance) for number in range(reads)]
        moving_ms = _read_while_moving(ready, one, reads, chance)
    # Those reads may have ended near a target, and a move that arrives cannot be stopped.
    ready.rig.expect("set_focus", MIDDLE_MM)
    with ThreadPoolExecutor(max_workers=1) as pool:
        stop_ms = {
            name: [
                stopped_ms(ready.rig, target_mm, chance.uniform(*RUN_S), stop, pool)
                for target_mm in itertools.islice(itertools.cycle((FAR_MM, NEAR_MM)), stops)
            ]
            for name, stop in (("Pyro", lambda: ready.rig.expect("stop")), ("Alpaca", ready.halt))
        }
    return [
        Figure(PART, f"{where}: a read, at rest", "ms", rest_ms, target=READ_TARGET),
        Figure(PART, f"{where}: a read, while it moves", "ms", moving_ms, target=READ_TARGET),
        *(
            Figure(PART, f"{where}: a stop over {name}, to the wire", "ms", values, target=WIRE_TARGET)
            for name, values in stop_ms.items()
        ),
    ]


def _read_ms(one: Program, number: int, chance: random.Random) -> float:
    time.sleep(chance.uniform(*PAUSE_S))
    asked_s = time.perf_counter()
    one.read(MEMBERS[number % len(MEMBERS)])
    return (time.perf_counter() - asked_s) * 1000


def _read_while_moving(ready: Served, one: Program, reads: int, chance: random.Random) -> list[float]:
    taken_ms: list[float] = []
    with ThreadPoolExecutor(max_workers=1) as pool:
        for target_mm in itertools.cycle((FAR_MM, NEAR_MM)):
            move = pool.submit(ready.rig.call, "set_focus", target_mm)
            # A stop that came before the move would leave it to run to its end.
            _await_motion(ready.rig, move)
            while not move.done() and len(taken_ms) < reads:
                taken_ms.append(_read_ms(one, len(taken_ms), chance))
            if len(taken_ms) >= reads:
                ready.rig.expect("stop")
                move.result()
                return taken_ms
            if status := move.result():
                raise BenchError(f"a move gave {status}; 0 was expected")
    return taken_ms


def _await_motion(ready: Rig, move: Future[Any]) -> None:
    wait_until(lambda: move.done() or ready.truth()["moving"], "the move")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    options = _parser().parse_args(arguments)
    # So that it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = conditions()
    try:
        with workspace() as space:
            figures = measure(space, options.stops, options.reads, random.Random(options.seed))
        if options.page:
            renew(options.page, found, figures)
    except BenchError as error:
        print(f"alpaca_load: {error}", file=sys.stderr)
        return 1
    for key, value in found.items():
        print(f"{key}: {value}")
    for figure in figures:
        print("  ".join(cell.rjust(width) for cell, width in zip(figure.cells(), (56, 3, 5, *[9] * 7))))
    print(*notes(figures), sep="\n")
    if options.json:
        result = {"conditions": found, "figures": [figure.as_json() for figure in figures]}
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if any(figure.is_met is False for figure in figures) else 0


def renew(page: Path, found: dict[str, str], figures: Sequence[Figure]) -> None:
    """Put the figures of a run in the place of those on a page. Raises BenchError where it has no place for them."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(PAGE_BEGIN)
    _, end, after = rest.partition(PAGE_END)
    if not (begin and end):
        raise BenchError(f"{page} has no place for figures: {PAGE_BEGIN} and {PAGE_END} were expected in it.")
    run = f"Run of {found['date']}, focusd {found['focusd']}, {found['Python']}, {found['processor']}."
    page.write_text(f"{before}{begin}\n\n{run}\n\n{markdown(figures)}\n\n{end}{after}", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.alpaca_load", description="Measures the Alpaca port.")
    parser.add_argument("--stops", type=int, default=25, help="of each kind, in each situation [25]")
    parser.add_argument("--reads", type=int, default=1000, help="of each kind, in each situation [1000]")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which they come [1]")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--page", type=Path, metavar="FILE", help="renew the table of this page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
