"""How much longer than ideal moves and stops take, with one question at a time and with both of a reading in one write,
each without an adapter's latency and with the 16 ms that an FTDI chip has if nobody sets it.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

from bench.figures import Figure
from bench.moves import INNER_MM, move
from bench.rig import DRIVE, Rig, rig
from bench.stop import FAR_OUT_MM, Stops, stop_one

PART = "One question at a time, and both at once"
LATENCIES_MS = (0, 16)
# A virtual controller that answers only the first of two questions is asked one at a time.
WAYS = {"one at a time": "first", "both at once": "both"}
DISTANCE_MM = 0.3
# After a homing it is tried at rest whether both can be asked at once; that takes half a second.
TRIED_S = 3.0


def measure(rounds: int, chance: random.Random) -> list[Figure]:
    """Move outward and inward, and stop a move, `rounds` times each."""
    figures = []
    for latency_ms in LATENCIES_MS:
        for way, two_questions in WAYS.items():
            with rig(usb_latency_ms=latency_ms, two_questions=two_questions) as ready:
                measured = _measure(ready, rounds, chance)
            figures += [
                Figure(PART, f"{what}, {latency_ms} ms of latency, {way}", "ms", values)
                for what, values in measured.items()
            ]
    return figures


def _measure(ready: Rig, rounds: int, chance: random.Random) -> dict[str, list[float]]:
    ready.expect("initialize")
    ready.expect("set_focus", INNER_MM)
    time.sleep(TRIED_S)
    outward, inward, stops = [], [], Stops(DRIVE.speed_mm_sec)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for _ in range(rounds):
            outward.append(move(ready, DISTANCE_MM, outward=True).over_ms)
            inward.append(move(ready, DISTANCE_MM, outward=False).over_ms)
            stop_one(ready, stops, ("set_focus", FAR_OUT_MM), chance, pool)
            ready.expect("set_focus", INNER_MM)
    proofs = [answer - stood for answer, stood in zip(stops.to_answer_ms, stops.to_standstill_ms)]
    return {"inward": inward, "outward": outward, "proof of a stop": proofs}
