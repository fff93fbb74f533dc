"""The trials, in the order of the night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from . import at_rest, in_motion, mechanics
from .bench import Bench


@dataclass(frozen=True)
class Trial:
    """One step of the commissioning.

    Args:
        name: its name in reports and in the table of assumptions.
        title: what it does, for the engineer.
        carry_out: does it.
        moves: whether the motor runs; such a trial comes only after those of `GATES`.
        on_request: asked for beforehand.
    """

    name: str
    title: str
    carry_out: Callable[[Bench], None]
    moves: bool = True
    on_request: bool = False


TRIALS = (
    Trial("answers", "How answers are written, and how long they take", at_rest.answers, moves=False),
    Trial("pairs", "Two questions at once", at_rest.pairs, moves=False),
    Trial("temperature", "S051 for two minutes", at_rest.temperature, moves=False),
    Trial("first-step", "The first 0.05 mm each way", in_motion.first_step),
    Trial("first-second", "One second of homing, halted", in_motion.first_second),
    Trial("homing", "The whole homing run", in_motion.homing),
    Trial("start", "How soon a go-to shows", in_motion.start),
    Trial("speed", "Speeds", in_motion.speed),
    Trial("acceleration", "Accelerations", in_motion.acceleration),
    Trial("halt-ramp", "The way after a halt", in_motion.halt_ramp),
    Trial("rounding", "Where go-tos end", in_motion.rounding),
    Trial("repeatability", "Five homing runs", mechanics.repeatability),
    Trial("switch", "At the limit switch", mechanics.switch),
    Trial("beyond", "A go-to of 0.02 mm beyond the limit switch", mechanics.beyond, on_request=True),
    Trial("backlash", "The backlash", mechanics.backlash),
    Trial("range", "The whole range", mechanics.mm_range),
    Trial("in-a-run", "A go-to during a run", in_motion.in_a_run, on_request=True),
    Trial("hand", "The hand control", mechanics.hand),
    Trial("power-cut", "A power cut", mechanics.power_cut),
)
# What must have gone well before any other motion.
GATES = ("first-step", "first-second", "homing")
