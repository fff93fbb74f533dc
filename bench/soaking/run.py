"""One run from its first action to its last, whatever ends it."""

from __future__ import annotations

import itertools
import os
import platform
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rockit.focuser.ok3z.version import VERSION

from .episodes import EPISODES
from .interruption import held_back
from .plan import KINDS, Action, actions
from .results import TO_ITS_END, Result, checks_of, counts_of
from .world import SUCCEEDED, World

PROGRESS_S = 60.0


@dataclass(frozen=True)
class Wanted:
    """What to run: for so many minutes, or so many actions, whichever ends first."""

    seed: int
    minutes: float
    time_scale: float = 10.0
    first: int = 0
    actions: int | None = None
    kinds: tuple[str, ...] = tuple(KINDS)


def soak(wanted: Wanted) -> Result:
    """Run. An interruption ends it early, and with what was found until then."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        with held_back():
            world = World(Path(folder), wanted.time_scale, wanted.seed)
            stack.callback(_close, world)
        done, ended = 0, TO_ITS_END
        try:
            world.must(world.initialize(), SUCCEEDED, "the first initialize")
            shown_s = began_s
            for action in itertools.islice(actions(wanted.seed, wanted.first, wanted.kinds), wanted.actions):
                now_s = time.monotonic()
                if now_s - began_s >= wanted.minutes * 60:
                    break
                if world.ledger.is_full:
                    ended = "It was ended because of its violations"
                    break
                if now_s - shown_s >= PROGRESS_S:
                    shown_s = now_s
                    _show(world, done, now_s - began_s)
                _act(world, action)
                done += 1
        except KeyboardInterrupt:
            ended = "It was interrupted"
        except Exception as error:
            ended = "It could not go on"
            world.ledger.check("health", f"the daemon could not be brought back: {error!r}")
        return _result(world, wanted, done, time.monotonic() - began_s, ended)


def _close(world: World) -> None:
    with held_back():
        world.close()


def _act(world: World, action: Action) -> None:
    world.ledger.during = str(action)
    world.ledger.event(f"action {action}")
    mistakes = world.focusd.mistakes
    try:
        EPISODES[action.kind](world, action)
        world.recover()
        if KINDS[action.kind].fault:
            world.ledger.count(action.kind)
        world.ledger.count(f"actions in {action.when}")
        world.watch_resources()
    except Exception as error:
        # Whatever a call may raise, it should have returned a number.
        where = traceback.extract_tb(error.__traceback__)
        names = " > ".join(frame.name for frame in where if Path(frame.filename).parent.name == "soaking")
        world.ledger.check("health", f"a call had no answer where it must have one: {error!r}, in {names}")
        _restart(world)
    told = world.focusd.mistakes - mistakes
    problem = f"{told} lines of the log tell of a mistake: {world.focusd.last_log()}"
    world.ledger.check("log", problem if told else None)


def _restart(world: World) -> None:
    """A daemon that does not answer is put aside, so that the run can go on."""
    world.ledger.event(f"put aside, exit code {world.focusd.exit_code}")
    world.focusd.end()
    world.simulator.mend()
    world.start_daemon()
    world.recover()


def _show(world: World, done: int, elapsed_s: float) -> None:
    ledger = world.ledger
    print(
        f"{elapsed_s / 60:6.1f} min  {done} actions  {ledger.counts['moves asked for']} moves  "
        f"{sum(ledger.judged.values())} checks  {len(ledger.violations)} violations",
        file=sys.stderr,
        flush=True,
    )


def _result(world: World, wanted: Wanted, done: int, elapsed_s: float, ended: str) -> Result:
    counts, faults = counts_of(world.ledger)
    return Result(
        seed=wanted.seed,
        first=wanted.first,
        actions=done,
        minutes=elapsed_s / 60,
        time_scale=wanted.time_scale,
        machine=f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}",
        version=VERSION,
        kinds=list(wanted.kinds),
        ended=ended,
        counts=counts,
        faults=faults,
        checks=checks_of(world.ledger),
        highest=world.ledger.highest,
        violations=world.ledger.violations,
    )
