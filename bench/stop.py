"""How long a stop takes: until the halt is at the controller, until the motor stands, and until the call returns.

Stops come at random moments of a move outward, of one inward and of the homing run, over a connection that is open.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable

from bench.figures import Bound, Figure
from bench.rig import DRIVE, BenchError, Rig, ramp_s, rig, wait_until
from bench.wire_log import BYTE_S, HALT, WireLog, longest_exchange_s
from rockit.focuser.ok3z.driver.link import LATE_REPLY_S
from rockit.focuser.ok3z.driver.planning import HOMING_SPEED_MM_SEC

PART = "Stop"
HALT_FRAME = "#P021 F $\n"
# After a stop the daemon listens for so long to the answer that it cut off; the next stop comes after that.
APART_S = LATE_REPLY_S + 0.2
# At the motor's top speed after 0.1 s; from then on the stop comes at any moment of the daemon's round.
LEAST_RUN_S, MOST_RUN_S = 0.3, 0.6
# Nobody looks at the motor before the halt can have come, so that looking does not delay it.
UNWATCHED_S = 0.03
LOOK_S = 0.002
# A motor below this part of its speed is slowing down.
SLOWING_PART = 0.98
# Of the wire before a stop, what is looked at for the exchanges that it can meet.
LATELY_S = 0.5
FAR_OUT_MM, FAR_IN_MM, MIDDLE_MM = 5.0, 0.5, 3.0
HOMING_START_MM, LEAST_HOMING_MM = 3.0, 0.5


@dataclass(frozen=True)
class Look:
    """A look at the virtual motor: between which moments, and how fast it was."""

    asked_s: float
    answered_s: float
    speed_mm_sec: float


@dataclass
class Stops:
    """The measurements of one kind of motion, in ms from the call. `top_mm_sec` is how fast it runs."""

    top_mm_sec: float
    to_wire_ms: list[float] = field(default_factory=list)
    to_standstill_ms: list[float] = field(default_factory=list)
    to_answer_ms: list[float] = field(default_factory=list)
    longest_exchange_ms: float = 0.0

    def take(self, called_s: float, answered_s: float, stood_s: float, log: WireLog) -> None:
        """Take one stop, from its moments and what went over the wire."""
        self.to_wire_ms.append(_to_wire_ms(log, called_s))
        self.to_standstill_ms.append((stood_s - called_s) * 1000)
        self.to_answer_ms.append((answered_s - called_s) * 1000)
        lately = log.between(called_s - LATELY_S, called_s)
        self.longest_exchange_ms = max(self.longest_exchange_ms, longest_exchange_s(lately) * 1000)

    def figures(self, motion: str) -> list[Figure]:
        """The three figures of one kind of motion."""
        ramp_ms = ramp_s(self.top_mm_sec) * 1000
        wire_ms = self.longest_exchange_ms + len(HALT_FRAME) * BYTE_S * 1000
        wire = Bound(wire_ms, "the bytes of the longest exchange in flight, and those of the halt")
        stand = Bound(wire_ms + ramp_ms, f"the same, and the ramp of {ramp_ms:.1f} ms from full speed")
        return [
            Figure(PART, f"{motion}: call to halt at the controller", "ms", self.to_wire_ms, wire),
            Figure(PART, f"{motion}: call to standstill", "ms", self.to_standstill_ms, stand),
            Figure(PART, f"{motion}: call to answer", "ms", self.to_answer_ms, stand),
        ]


def _to_wire_ms(log: WireLog, called_s: float) -> float:
    halts_s = log.times_s(HALT, since_s=called_s)
    if not halts_s:
        raise BenchError("no halt came to the controller after the stop was called")
    return (halts_s[0] - called_s) * 1000


def begun(ready: Rig, command: tuple[Any, ...], pool: ThreadPoolExecutor) -> Future[Any]:
    """A call that moves the focuser, once that moves; or its failure."""
    motion = pool.submit(ready.call, *command)
    wait_until(lambda: motion.done() or ready.truth()["moving"], f"{command} moves")
    return motion


def stopped_ms(
    ready: Rig, target_mm: float, run_s: float, stop: Callable[[], None], pool: ThreadPoolExecutor
) -> float:
    """Begin a move to `target_mm`, and stop it once it has run for `run_s`: how long until the halt was at the
    controller, in ms from the call."""
    move = begun(ready, ("set_focus", target_mm), pool)
    time.sleep(run_s)
    called_s = time.monotonic()
    stop()
    if (status := move.result()) != 1:
        raise BenchError(f"a move was stopped and gave {status}; 1 was expected")
    return _to_wire_ms(ready.wire(), called_s)


def measure(rounds: int, chance: random.Random) -> list[Figure]:
    """Stop `rounds` moves outward, as many inward, and as many homing runs."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        with rig() as ready:
            outward, inward = _stop_moves(ready, rounds, chance, pool)
        with rig(start_mm=HOMING_START_MM) as ready:
            homing = _stop_homing(ready, rounds, chance, pool)
    return [*outward.figures("outward"), *inward.figures("inward"), *homing.figures("homing")]


def _stop_moves(
    ready: Rig, rounds: int, chance: random.Random, pool: ThreadPoolExecutor
) -> tuple[Stops, Stops]:
    outward, inward = Stops(DRIVE.speed_mm_sec), Stops(DRIVE.speed_mm_sec)
    ready.expect("initialize")
    ready.expect("set_focus", MIDDLE_MM)
    for _ in range(rounds):
        # In turn, so that the focuser stays near the middle.
        for stops, target_mm in ((outward, FAR_OUT_MM), (inward, FAR_IN_MM)):
            stop_one(ready, stops, ("set_focus", target_mm), chance, pool)
    return outward, inward


def _stop_homing(ready: Rig, rounds: int, chance: random.Random, pool: ThreadPoolExecutor) -> Stops:
    stops = Stops(HOMING_SPEED_MM_SEC)
    for _ in range(rounds):
        stop_one(ready, stops, ("initialize",), chance, pool)
        if ready.truth()["motor_mm"] < LEAST_HOMING_MM:
            ready.tell(f"hand {HOMING_START_MM}")
    return stops


def stop_one(
    ready: Rig, stops: Stops, command: tuple[Any, ...], chance: random.Random, pool: ThreadPoolExecutor
) -> None:
    """Begin a command that moves the focuser, and stop it at full speed."""
    with ready.connected() as stopper:
        motion = begun(ready, command, pool)
        time.sleep(chance.uniform(LEAST_RUN_S, MOST_RUN_S))
        stop = pool.submit(_timed, stopper.stop)
        stood_s = _watch_until_still(ready, stops.top_mm_sec)
        called_s, answered_s = _moments_of(stop)
    log = ready.wire()
    if (status := motion.result()) != 1:
        raise BenchError(f"{command} was stopped and gave {status}; 1 was expected")
    stops.take(called_s, answered_s, stood_s, log)
    time.sleep(APART_S)


def _timed(stop: Callable[[], int]) -> tuple[float, float, int]:
    called_s = time.monotonic()
    status = stop()
    return called_s, time.monotonic(), status


def _moments_of(stop: Future[tuple[float, float, int]]) -> tuple[float, float]:
    called_s, answered_s, status = stop.result()
    if status:
        raise BenchError(f"the stop gave {status}; 0 was expected")
    return called_s, answered_s


def _watch_until_still(ready: Rig, top_mm_sec: float) -> float:
    """The moment at which the motor stands, from looks at the virtual motor while it slows down."""
    time.sleep(UNWATCHED_S)
    looks: list[Look] = []

    def is_still() -> bool:
        asked_s = time.monotonic()
        truth = ready.truth()
        looks.append(Look(asked_s, time.monotonic(), abs(truth["speed_mm_per_s"])))
        time.sleep(LOOK_S)
        return not truth["moving"]

    wait_until(is_still, "the motor stands")
    return standstill_s(looks, top_mm_sec)


def standstill_s(looks: Sequence[Look], top_mm_sec: float) -> float:
    """When a motor stands that was seen slowing down: by the quickest look, whose moment is known best.

    Raises BenchError where it was not seen slowing down, so that the moment is not known.
    """
    slowing = [look for look in looks if 0 < look.speed_mm_sec < SLOWING_PART * top_mm_sec]
    if not slowing:
        raise BenchError("the motor was not seen slowing down: the machine is too busy to measure stops")
    best = min(slowing, key=lambda look: look.answered_s - look.asked_s)
    return (best.asked_s + best.answered_s) / 2 + ramp_s(best.speed_mm_sec)
