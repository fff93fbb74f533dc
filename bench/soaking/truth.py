"""What is true, as the virtual controller says it of itself on its control socket."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.rig import CONFIG, Rig

STEPS_PER_MM = CONFIG["steps_per_mm"]


@dataclass(frozen=True)
class Truth:
    """The device at one moment; millimetres outward of the limit switch.

    Args:
        carriage_mm, motor_mm: where they stand.
        at_s: when, on the monotonic clock.
        speed_mm_s: how fast the motor may be, by its settings, on the same clock.
        moving: whether the motor turns.
        runs: how many motion commands the controller has understood since it was made.
        register: its position register.
        lowest_mm, highest_mm: how far the motor has been since that was last forgotten.
        hard_stop_hits: how often it has met the end of the travel since then.
    """

    carriage_mm: float
    motor_mm: float
    moving: bool
    runs: int
    register: int
    lowest_mm: float
    highest_mm: float
    hard_stop_hits: int
    at_s: float = 0.0
    speed_mm_s: float = 0.0

    @classmethod
    def of(cls, rig: Rig) -> Truth:
        state = rig.truth()
        seen = state["frames_seen"]
        return cls(
            carriage_mm=state["carriage_mm"],
            motor_mm=state["motor_mm"],
            moving=state["moving"],
            runs=seen.get("P092", 0) + seen.get("P103", 0),
            register=state["register"],
            lowest_mm=state["lowest_motor_mm"],
            highest_mm=state["highest_motor_mm"],
            hard_stop_hits=state["hard_stop_hits"],
            at_s=time.monotonic(),
            speed_mm_s=state["limit_speed_mm_per_s"] * rig.time_scale,
        )
