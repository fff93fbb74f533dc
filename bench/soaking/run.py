"""One run from its first action to its last, whatever ends it."""

from __future__ import annotations

import itertools
import sys
import time
import traceback
from contextlib import ExitStack
from pathlib import Path

from bench.interruption import held_back

from .episodes import carry_out
from .plan import KINDS, Action, actions
from .results import TO_ITS_END, Result, Wanted
from .world import SUCCEEDED, World

PROGRESS_S = 60.0


def soak(wanted: Wanted) -> Result:
    """Run. An interruption ends it early, and with what was found until then."""
    began_s = time.monotonic()
    with ExitStack() as stack:
        with held_back():
            world = World(wanted.time_scale, wanted.seed)
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
    return Result(wanted, done, (time.monotonic() - began_s) / 60, ended, world.ledger)


def _close(world: World) -> None:
    with held_back():
        world.close()


def _act(world: World, action: Action) -> None:
    world.ledger.during = str(action)
    world.ledger.event(f"action {action}")
    mistakes = world.rig.log.mistakes
    try:
        carry_out(world, action)
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
        # A daemon that does not answer is put aside, so that the run can go on.
        world.ledger.event(f"put aside, exit code {world.rig.exit_code}")
        world.rig.end()
        world.mend()
        world.start_daemon()
        world.recover()
    told = world.rig.log.mistakes - mistakes
    problem = f"{told} lines of the log tell of a mistake: {world.last_log()}"
    world.ledger.check("log", problem if told else None)


def _show(world: World, done: int, elapsed_s: float) -> None:
    ledger = world.ledger
    print(
        f"{elapsed_s / 60:6.1f} min  {done} actions  {ledger.counts['moves asked for']} moves  "
        f"{sum(ledger.judged.values())} checks  {len(ledger.violations)} violations",
        file=sys.stderr,
        flush=True,
    )
