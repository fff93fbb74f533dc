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
REST_OR_MOTION = ("rest", "motion", "motion")
ANY = ("rest", "motion", "motion", "homing")

Details = Callable[[random.Random], dict[str, Any]]


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
        does: carries it out.
        weight: how often, relative to the others.
        whens: of which one is drawn.
        details: draws the details.
        longest_s: the longest that its disturbance lasts.
        fault: whether it is counted as a fault.
        kills: whether it ends the daemon's process.
        begins: whether the motion that it disturbs is begun for it.
        allows: the invariants that need not hold meanwhile.
    """

    does: Callable[..., None]
    weight: int
    whens: tuple[str, ...] = ("rest",)
    details: Details = lambda _: {}
    longest_s: float = 0.0
    fault: bool = True
    kills: bool = False
    begins: bool = True
    allows: tuple[str, ...] = ()


# Filled by the episodes, in the order in which they stand there.
KINDS: dict[str, Kind] = {}


def action(seed: int, index: int, allowed: tuple[str, ...] = ()) -> Action:
    """The action at a place of the sequence of a seed, of the kinds that are allowed; none stands for all."""
    dice = random.Random(f"{seed}/{index}")
    names = [name for name in KINDS if name in allowed or not allowed]
    if index % STRETCH_ACTIONS >= KILLING_ACTIONS:
        names = [name for name in names if not KINDS[name].kills] or names
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


def actions(seed: int, first: int = 0, allowed: tuple[str, ...] = ()) -> Iterator[Action]:
    """The sequence of a seed from a place on, without end."""
    while True:
        yield action(seed, first, allowed)
        first += 1
