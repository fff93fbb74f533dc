"""What each kind of action does, how often it comes, and when. A fault is left as it is at the end; `World.recover`
mends it.

An episode gets the motion that was begun for it, None at rest; whoever carries it out waits for the end of that motion.
"""

from __future__ import annotations

import math
import os
import random
import signal
import time
from concurrent.futures import Future
from typing import Any, Callable, Optional

from bench.mutations import PyroMessages
from bench.rig import OBJECT_NAME, wait_for

from . import judge, strangers
from .plan import ANY, KINDS, REST_OR_MOTION, Action, Kind
from .truth import STEPS_PER_MM
from .world import BLOCKED, FAILED, NOT_DISCONNECTED, OUTSIDE, RATES, SUCCEEDED, World

# After a fault at rest, until the next look of the daemon at its controller has surely met it.
REST_LOOK_S = 1.3
# What a new pseudo-terminal takes, generously.
LINK_S = 5.0
SERIES, SERIES_MM = 5, 0.05
INNERMOST_AUDITED_MM = 0.5
BAD_LINE_MOVES = 3
CONVERSATIONS = 1000
MOTION_ENDS_S = 130.0
# From the middle, a hand moves the focuser to where there is room.
MIDDLE_MM = 3.0
# The register after a power cut, which the simulator is left at.
POWER_UP_REGISTER = 0
# Where frames are picked by their code: position and state queries; any.
REPLIES = ("", "P081", "S001")
COMMANDS = ("P092", "P021", "")

Motion = Optional[Future[Optional[int]]]
Episode = Callable[[World, Action, Motion], None]


def episode(
    name: str, weight: int, whens: tuple[str, ...] = ("rest",), **more: Any
) -> Callable[[Episode], Episode]:
    """Have a function carry out a kind of action."""

    def register(function: Episode) -> Episode:
        KINDS[name] = Kind(function, weight, whens, **more)
        return function

    return register


def carry_out(world: World, action: Action) -> None:
    """Do what an action says, in the motion that it disturbs."""
    kind = KINDS[action.kind]
    with world.allowing(*kind.allows):
        motion = world.begin(action) if kind.begins else None
        kind.does(world, action, motion)
        if motion:
            motion.result()


# Details


def _reply_fault(dice: random.Random) -> dict[str, Any]:
    return {"to": dice.choice(REPLIES), "count": dice.randint(1, 8), "after": dice.randint(0, 10)}


def _late(dice: random.Random) -> dict[str, Any]:
    late = {"seconds": round(dice.uniform(0.05, 1.5), 3), "order": dice.choice(("in", "out"))}
    return {**_reply_fault(dice), **late}


def _command_fault(dice: random.Random) -> dict[str, Any]:
    return {"to": dice.choice(COMMANDS), "count": dice.randint(1, 4)}


def _rates(dice: random.Random) -> dict[str, Any]:
    return {name: round(dice.uniform(0.0, 0.04), 4) for name in dice.sample(RATES, 3)}


def _way(dice: random.Random) -> dict[str, Any]:
    return {"mm": round(dice.uniform(0.05, 1.0), 3)}


def _lost_steps(dice: random.Random) -> dict[str, Any]:
    return {"steps": dice.choice((-1, 1)) * dice.randint(20, 900)}


def _meanwhile(dice: random.Random) -> dict[str, Any]:
    return {"meanwhile": dice.choice(("nothing", "nothing", "nothing", "power_cut", "hand_seen"))}


def _count(least: int, most: int) -> Callable[[random.Random], dict[str, Any]]:
    return lambda dice: {"count": dice.randint(least, most)}


# Without faults


@episode("move", 20, fault=False)
def move(world: World, action: Action, _: Motion) -> None:
    world.must(world.move(action.target_mm), SUCCEEDED, "a move")
    world.must(world.move(action.target_mm), SUCCEEDED, "a move of no length")


@episode("series", 4, fault=False)
def series(world: World, action: Action, _: Motion) -> None:
    for number in range(SERIES):
        target_mm = max(0.0, round(action.target_mm - number * SERIES_MM, 4))
        world.must(world.move(target_mm), SUCCEEDED, "a move of a series")


@episode("offset", 4, details=_way, fault=False)
def offset(world: World, action: Action, _: Motion) -> None:
    report = world.status()
    steps, target_mm = report["current_steps"], report["target_mm"]
    # It counts from what was asked for; where nobody asked, as after a stop, that is the step itself.
    from_mm = target_mm if round(target_mm * STEPS_PER_MM) == steps else steps / STEPS_PER_MM
    way_mm = action.details["mm"] if steps < MIDDLE_MM * STEPS_PER_MM else -action.details["mm"]
    expected_mm = from_mm + way_mm
    world.must(world.move(way_mm, True, expected_mm), SUCCEEDED, "a move by an offset")


@episode("refused", 2, fault=False)
def refused(world: World, _: Action, __: Motion) -> None:
    before = world.truth()
    for position, expected in ((6.5, OUTSIDE), (-0.1, OUTSIDE), (math.nan, OUTSIDE), ("2", FAILED)):
        world.must(world.move(position), expected, f"set_focus({position!r})")
    problem = None if world.truth().runs == before.runs else "a refused move reached the controller."
    world.ledger.check("health", problem)


@episode("stop", 10, ("rest", "motion", "motion", "motion", "homing"), fault=False)
def stop(world: World, _: Action, motion: Motion) -> None:
    world.must(world.stop(), SUCCEEDED, "a stop")
    if motion is None:
        return
    number = motion.result()
    world.ledger.check(
        "health", None if number in (SUCCEEDED, FAILED) else f"what was stopped gave {number}."
    )
    if number == FAILED:
        world.ledger.count("motions stopped")


@episode("home", 3, details=lambda dice: {"restore": dice.randrange(2)}, fault=False)
def home(world: World, action: Action, _: Motion) -> None:
    world.must(world.move(action.target_mm), SUCCEEDED, "a move")
    world.must(world.shutdown(), SUCCEEDED, "shutdown")
    began_s = time.monotonic()
    restore = bool(action.details["restore"])
    world.must(world.initialize(restore=restore), SUCCEEDED, "initialize")
    world.judge_arrival(action.target_mm if restore else 0.0, world.status(), world.truth(), began_s)
    world.must(world.initialize(), NOT_DISCONNECTED, "a second initialize")


@episode("audit", 3, details=_lost_steps, fault=False)
def audit(world: World, action: Action, _: Motion) -> None:
    # Not so far in that the steps which are lost would bring the motor to the inner end.
    world.must(world.move(max(INNERMOST_AUDITED_MM, action.target_mm)), SUCCEEDED, "a move")
    stood_steps, lost_steps = world.status()["current_steps"], action.details["steps"]
    world.taint()
    world.tell(f"lose-steps {lost_steps}")
    world.must(world.audit(), SUCCEEDED, "audit")
    world.ledger.check("position", judge.audit(lost_steps, world.status()))
    world.homed_anew()
    world.judge_arrival(stood_steps / STEPS_PER_MM, world.status(), world.truth(), time.monotonic())


@episode("two movers", 3, ("motion",), fault=False, allows=("arrival",))
def two_movers(world: World, action: Action, motion: Motion) -> None:
    assert motion is not None
    second = world.move(action.target_mm)
    ends = (motion.result(), second)
    good = ends[0] == SUCCEEDED and ends[1] in (SUCCEEDED, BLOCKED)
    world.ledger.check("health", None if good else f"two moves at once gave {ends}; 0 and 2 were expected.")


# The line. What is misread or comes late is published for a moment, and a go-to that is misread goes astray.


@episode("lost", 4, ANY, details=_reply_fault, allows=("position",))
@episode("late", 4, ANY, details=_late, allows=("position",))
@episode("cut", 3, ANY, details=_reply_fault, allows=("position",))
@episode("garbled", 4, ANY, details=_reply_fault, allows=("position",))
@episode("merged", 3, ANY, details=_reply_fault, allows=("position",))
@episode("doubled", 3, ANY, details=_reply_fault, allows=("position",))
@episode("noise", 3, ANY, details=_reply_fault, allows=("position",))
@episode("command lost", 4, REST_OR_MOTION, details=_command_fault, allows=("position",))
@episode("command garbled", 3, REST_OR_MOTION, details=_command_fault, allows=("position", "limits"))
def line_fault(world: World, action: Action, motion: Motion) -> None:
    words = " ".join(f"{name}={value}" for name, value in action.details.items() if value != "")
    world.tell(f"fault {action.kind.replace(' ', '-')} {words}")
    if motion is None:
        time.sleep(REST_LOOK_S)
        world.move(action.target_mm)


@episode("bad line", 4, ("motion",), details=_rates, begins=False, allows=("position",))
def bad_line(world: World, action: Action, _: Motion) -> None:
    for name, rate in action.details.items():
        world.tell(f"rate {name} {rate}")
    for number in range(BAD_LINE_MOVES):
        world.move(round((action.target_mm + number * 1.7) % 6.0, 4))


# The link


@episode("silence", 4, ANY, details=lambda dice: {"both": dice.randrange(2)}, longest_s=6.0)
def silence(world: World, action: Action, motion: Motion) -> None:
    world.tell("fault lost count=0")
    if action.details["both"]:
        world.tell("fault command-lost count=0")
    _stay_away(world, action, "the controller fell silent")
    if motion is None:
        world.come_back()


@episode("unplugged", 6, ANY, longest_s=6.0)
@episode("unplugged for long", 1, ("rest", "motion"), longest_s=60.0)
def unplugged(world: World, action: Action, motion: Motion) -> None:
    world.tell("hang-up")
    _stay_away(world, action, "the adapter was unplugged")
    world.tell("return")
    if motion is None:
        world.come_back()


def _stay_away(world: World, action: Action, what: str) -> None:
    """A link is away: that is noticed, said with a reason, and does not fill the log."""
    until_s = time.monotonic() + action.seconds
    lines, began_s = world.rig.log.lines, time.monotonic()
    # What is shorter may be got over without a word.
    if action.seconds > 5.0 and action.when != "homing":
        world.notice(what)
    time.sleep(max(0.0, until_s - time.monotonic()))
    away_s = time.monotonic() - began_s
    world.ledger.check("log", judge.log_lines(world.rig.log.lines - lines, away_s))


@episode("power cut", 6, ANY, longest_s=3.0)
def power_cut(world: World, action: Action, motion: Motion) -> None:
    # There the register says the same after the cut as before it, and it is still true.
    cannot_show = motion is None and world.truth().register == POWER_UP_REGISTER
    world.tell(f"power-cut {action.seconds}")
    time.sleep(action.seconds)
    if motion:
        motion.result()
    if action.when == "homing":
        # It may have been homed all the same, after the cut.
        time.sleep(REST_LOOK_S)
    elif not cannot_show:
        world.notice("the power was cut")


# The mechanics


@episode("motor frozen", 2, REST_OR_MOTION)
@episode("motor stalled", 2, REST_OR_MOTION, allows=("limits",))
@episode("motor reversed", 2, REST_OR_MOTION, allows=("limits",))
@episode("motor miswired", 1, REST_OR_MOTION, allows=("limits",))
def motor_fault(world: World, action: Action, motion: Motion) -> None:
    fault = action.kind.split()[1]
    if fault in ("stalled", "miswired"):
        world.taint()
    world.tell(f"motor {fault}")
    if motion:
        motion.result()
    else:
        world.move(action.target_mm)
    wait_for(lambda: not world.truth().moving, MOTION_ENDS_S)


@episode(
    "stands short", 2, ("motion",), details=lambda dice: {"steps": dice.choice((1, 3, 30, 300))}, begins=False
)
def stands_short(world: World, action: Action, _: Motion) -> None:
    world.tell(f"stand-short {action.details['steps']}")
    world.move(action.target_mm, short_steps=action.details["steps"])


@episode("switch dead", 1, ("homing",), begins=False, allows=("limits",))
@episode("switch stuck", 1, ("homing",), begins=False, allows=("limits",))
def switch_fault(world: World, action: Action, _: Motion) -> None:
    world.shutdown()
    world.tell(f"switch {action.kind.split()[1]}")
    number = world.initialize()
    problem = f"initialize gave {number} with a limit switch that is {action.kind.split()[1]}."
    world.ledger.check("honesty", problem if number == SUCCEEDED else judge.honest(world.status()))


def _by_hand(world: World, action: Action, words: str) -> None:
    here_mm = world.truth().motor_mm
    way_mm = action.details["mm"] if here_mm < MIDDLE_MM else -action.details["mm"]
    world.tell(f"hand {way_mm} {words}")


@episode("hand seen", 3, REST_OR_MOTION, details=_way, allows=("position", "arrival"))
def hand_seen(world: World, action: Action, motion: Motion) -> None:
    _by_hand(world, action, "register=1")
    if motion:
        motion.result()
    world.notice("the register was changed by hand")


@episode("hand driven", 3, details=_way, allows=("position", "idle"))
def hand_driven(world: World, action: Action, _: Motion) -> None:
    _by_hand(world, action, "drive=1")
    world.notice("the motor was run by hand")


@episode("hand unseen", 1, REST_OR_MOTION, details=_way)
def hand_unseen(world: World, action: Action, _: Motion) -> None:
    world.taint()
    _by_hand(world, action, "")


@episode("steps lost", 2, REST_OR_MOTION, details=_lost_steps)
def steps_lost(world: World, action: Action, _: Motion) -> None:
    world.taint()
    world.tell(f"lose-steps {action.details['steps']}")


# The daemon's process


# A reading that lay in the port meanwhile is older than it seems.
@episode("daemon frozen", 4, ANY, longest_s=2.5, allows=("position",))
def daemon_frozen(world: World, action: Action, motion: Motion) -> None:
    world.rig.send_signal(signal.SIGSTOP)
    try:
        time.sleep(action.seconds)
    finally:
        world.rig.send_signal(signal.SIGCONT)
    if motion:
        motion.result()
    time.sleep(REST_LOOK_S)


@episode("daemon killed", 12, ANY, details=_meanwhile, kills=True)
def daemon_killed(world: World, action: Action, _: Motion) -> None:
    world.ledger.event("SIGKILL")
    world.rig.end(signal.SIGKILL)
    _start_again(world, action)


@episode("daemon ended", 4, ANY, details=_meanwhile, kills=True)
def daemon_ended(world: World, action: Action, _: Motion) -> None:
    world.ledger.event("SIGTERM")
    code = world.rig.end(signal.SIGTERM)
    world.ledger.check("health", None if code == 0 else f"focusd ended with {code} on SIGTERM.")
    first = world.truth()
    time.sleep(REST_LOOK_S / 10)
    world.ledger.check("standstill", judge.standstill(first, world.truth()))
    _start_again(world, action)


@episode("ended unplugged", 4, ANY, details=_meanwhile, longest_s=2.0, kills=True)
def ended_unplugged(world: World, action: Action, motion: Motion) -> None:
    world.tell("hang-up")
    time.sleep(action.seconds)
    # Whether the daemon has found it by itself or not: a motor that it left running must be halted.
    world.tell("return")
    wait_for(lambda: os.path.exists(world.rig.config["serial_port"]), LINK_S)
    daemon_ended(world, action, motion)


def _start_again(world: World, action: Action) -> None:
    if action.details["meanwhile"] == "power_cut":
        world.tell("power-cut")
    elif action.details["meanwhile"] == "hand_seen":
        world.tell(f"hand {0.2 if world.truth().motor_mm < MIDDLE_MM else -0.2} register=1")
    world.start_daemon()
    number = world.initialize(resume=True)
    report = world.status()
    problem = f"initialize(resume=True) gave {number} after a restart, and the status said {report}."
    world.ledger.check("recovery", None if number == SUCCEEDED else problem)
    world.ledger.count(f"after a restart {report['position_trust']}")
    world.check_standing()


# Clients


@episode("client gone", 3, ("motion",), begins=False)
def client_gone(world: World, action: Action, _: Motion) -> None:
    before = world.truth()
    strangers.ask_and_leave(world.rig, action.target_mm, 0.05 + 0.3 * action.fraction)
    wait_for(lambda: world.truth().runs > before.runs or world.status()["status"] == 1, REST_LOOK_S)
    wait_for(lambda: world.status()["status"] != 2, MOTION_ENDS_S)


@episode("silent clients", 2, details=_count(1, 60), longest_s=2.0)
def silent_clients(world: World, action: Action, _: Motion) -> None:
    silent = world.pool.submit(strangers.keep_silent, world.rig.port, action.details["count"], action.seconds)
    world.must(world.move(action.target_mm), SUCCEEDED, "a move beside silent clients")
    silent.result()


# Some of them are calls, by chance.
@episode(
    "garbage",
    3,
    details=lambda dice: {"dice": dice.randrange(2**32)},
    allows=("arrival", "position", "limits"),
)
def garbage(world: World, action: Action, _: Motion) -> None:
    dice = random.Random(action.details["dice"])
    messages = PyroMessages(dice, OBJECT_NAME)
    for _turn in range(CONVERSATIONS):
        strangers.converse(world.rig.port, dice, messages)
    world.ledger.count("conversations of garbage", CONVERSATIONS)


@episode("crowd", 2, details=_count(2, 12), longest_s=2.0)
def crowd(world: World, action: Action, _: Motion) -> None:
    asking = world.pool.submit(strangers.crowd, world.rig, action.details["count"], action.seconds)
    world.must(world.move(action.target_mm), SUCCEEDED, "a move beside a crowd")
    answers = asking.result()
    world.ledger.count("status calls of a crowd", answers)
    world.ledger.check("health", None if answers else "no client of a crowd got an answer.")
