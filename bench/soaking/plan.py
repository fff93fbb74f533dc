"""What is done in a run: a sequence of actions that follows from a seed alone. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

# Positions are asked for within these, so that there is always room for a motion to be disturbed in.
INNERMOST_MM, OUTERMOST_MM = 0.0, 6.0
# Process kills come in the first part of each stretch only, so that one daemon then lives long enough for a leak
# to show.
STRETCH_ACTIONS = 300
KILLING_ACTIONS = 60
# Where frames are picked by their code: position and state queries; any.
REPLIES = ("", "P081", "S001")
COMMANDS = ("P092", "P021", "")


@dataclass(frozen=True)
class Action:
    """One action of a run.

    Args:
        index: its place in the sequence.
        kind: a key of `KINDS`.
        when: at `rest`, in `motion` or while `homing`.
        target_mm: where a move of it goes.
        fraction: of a motion's expected duration, when the disturbance comes; 0 to 1.
        seconds: how long the disturbance lasts.
        details: what else belongs to the kind.
    """

    index: int
    kind: str
    when: str
    target_mm: float
    fraction: float
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        details = "".join(f" {name}={value}" for name, value in self.details.items())
        return (
            f"#{self.index} {self.kind} {self.when} target={self.target_mm:.4f} "
            f"fraction={self.fraction:.2f} seconds={self.seconds:.2f}{details}"
        )


@dataclass(frozen=True)
class Kind:
    """How often a kind of action comes, when, and with which details.

    Args:
        weight: how often, relative to the others.
        whens: of which one is drawn.
        details: draws the details.
        longest_s: the longest that its disturbance lasts.
        fault: whether it is counted as a fault.
    """

    weight: int
    whens: tuple[str, ...] = ("rest",)
    details: Callable[[random.Random], dict[str, Any]] = lambda _: {}
    longest_s: float = 0.0
    fault: bool = True


def _reply_fault(dice: random.Random) -> dict[str, Any]:
    return {"to": dice.choice(REPLIES), "count": dice.randint(1, 8), "after": dice.randint(0, 10)}


def _late(dice: random.Random) -> dict[str, Any]:
    late = {"seconds": round(dice.uniform(0.05, 1.5), 3), "order": dice.choice(("in", "out"))}
    return {**_reply_fault(dice), **late}


def _command_fault(dice: random.Random) -> dict[str, Any]:
    return {"to": dice.choice(COMMANDS), "count": dice.randint(1, 4)}


def _rates(dice: random.Random) -> dict[str, Any]:
    names = ("reply_loss", "reply_late", "reply_cut", "reply_garble", "reply_merge", "command_loss")
    return {name: round(dice.uniform(0.0, 0.04), 4) for name in dice.sample(names, 3)}


def _way(dice: random.Random) -> dict[str, Any]:
    return {"mm": round(dice.uniform(0.05, 1.0), 3)}


def _lost_steps(dice: random.Random) -> dict[str, Any]:
    return {"steps": dice.choice((-1, 1)) * dice.randint(20, 900)}


def _meanwhile(dice: random.Random) -> dict[str, Any]:
    return {"meanwhile": dice.choice(("nothing", "nothing", "nothing", "power_cut", "hand_seen"))}


def _dice_seed(dice: random.Random) -> dict[str, Any]:
    return {"dice": dice.randrange(2**32)}


REST_OR_MOTION = ("rest", "motion", "motion")
ANY = ("rest", "motion", "motion", "homing")

KINDS: dict[str, Kind] = {
    "move": Kind(20, fault=False),
    "series": Kind(4, fault=False),
    "offset": Kind(4, details=_way, fault=False),
    "refused": Kind(2, fault=False),
    "stop": Kind(10, ("rest", "motion", "motion", "motion", "homing"), fault=False),
    "home": Kind(3, details=lambda dice: {"restore": dice.randrange(2)}, fault=False),
    "audit": Kind(3, details=_lost_steps, fault=False),
    "two movers": Kind(3, ("motion",), fault=False),
    "lost": Kind(4, ANY, _reply_fault),
    "late": Kind(4, ANY, _late),
    "cut": Kind(3, ANY, _reply_fault),
    "garbled": Kind(4, ANY, _reply_fault),
    "merged": Kind(3, ANY, _reply_fault),
    "doubled": Kind(3, ANY, _reply_fault),
    "noise": Kind(3, ANY, _reply_fault),
    "command lost": Kind(4, REST_OR_MOTION, _command_fault),
    "command garbled": Kind(3, REST_OR_MOTION, _command_fault),
    "bad line": Kind(4, ("motion",), _rates),
    "silence": Kind(4, ANY, lambda dice: {"both": dice.randrange(2)}, 6.0),
    "unplugged": Kind(6, ANY, longest_s=6.0),
    "unplugged for long": Kind(1, ("rest", "motion"), longest_s=60.0),
    "power cut": Kind(6, ANY, longest_s=3.0),
    "motor frozen": Kind(2, REST_OR_MOTION),
    "motor stalled": Kind(2, REST_OR_MOTION),
    "motor reversed": Kind(2, REST_OR_MOTION),
    "motor miswired": Kind(1, REST_OR_MOTION),
    "stands short": Kind(2, ("motion",), lambda dice: {"steps": dice.choice((1, 3, 30, 300))}),
    "switch dead": Kind(1, ("homing",)),
    "switch stuck": Kind(1, ("homing",)),
    "hand seen": Kind(3, REST_OR_MOTION, _way),
    "hand driven": Kind(3, ("rest",), _way),
    "hand unseen": Kind(1, REST_OR_MOTION, _way),
    "steps lost": Kind(2, REST_OR_MOTION, _lost_steps),
    "daemon frozen": Kind(4, ANY, longest_s=2.5),
    "daemon killed": Kind(12, ANY, _meanwhile),
    "daemon ended": Kind(4, ANY, _meanwhile),
    "ended unplugged": Kind(4, ANY, _meanwhile, 2.0),
    "client gone": Kind(3, ("motion",)),
    "silent clients": Kind(2, details=lambda dice: {"count": dice.randint(1, 60)}, longest_s=2.0),
    "garbage": Kind(3, details=_dice_seed),
    "crowd": Kind(2, details=lambda dice: {"count": dice.randint(2, 12)}, longest_s=2.0),
}
KILLING = ("daemon killed", "daemon ended", "ended unplugged")
FAULTS = tuple(name for name, kind in KINDS.items() if kind.fault)


def action(seed: int, index: int, allowed: tuple[str, ...] = tuple(KINDS)) -> Action:
    """The action at a place of the sequence of a seed; it depends on nothing else than these arguments."""
    dice = random.Random(f"{seed}/{index}")
    may_kill = index % STRETCH_ACTIONS < KILLING_ACTIONS or set(allowed) <= set(KILLING)
    names = [name for name in allowed if may_kill or name not in KILLING]
    name = dice.choices(names, [KINDS[name].weight for name in names])[0]
    kind = KINDS[name]
    return Action(
        index,
        name,
        dice.choice(kind.whens),
        round(dice.uniform(INNERMOST_MM, OUTERMOST_MM), 4),
        round(dice.random(), 3),
        round(dice.uniform(0.1, 1.0) * kind.longest_s, 3),
        kind.details(dice),
    )


def actions(seed: int, first: int = 0, allowed: tuple[str, ...] = tuple(KINDS)) -> Iterator[Action]:
    """The sequence of a seed from a place on, without end."""
    while True:
        yield action(seed, first, allowed)
        first += 1
