"""Trials in motion. Each move is asked for, and watched; between two of them the motor is proven to stand."""

from __future__ import annotations

from collections.abc import Iterable

from ..driver.planning import Drive, mm_from_steps, steps_from_mm
from ..driver.registers import STEPS_PER_MM
from .at_rest import forms_of
from .bench import LONGEST_STEP_MM, Bench, DeclinedError
from .measures import (
    acceleration_steps_s2,
    changes,
    fall_backs,
    grid,
    median,
    speed_steps_s,
    way_after,
    within,
)
from .runs import Look, Run, SurpriseError

SMALL_MM = 0.05
# Of a drive with backlash some small steps show nothing.
MOST_SMALL_STEPS = 10
FIRST_SECOND_S = 1.0
STARTS = 5
START_SHOWS_S = 0.6
# Of slower ones nobody can tell what happened in between.
SLOW_ANSWER_S = 0.2
# Speed registers of 0.096 and 0.192 mm/s: of slow answers, too, enough is seen of half a millimetre.
SLOW_REGISTERS = (8, 16)
# Accelerations of 0.14 and 0.27 mm/s^2: half a millimetre is all ramp, if the maximum speed is high enough.
GENTLE_REGISTERS, HIGH_SPEED_REGISTER = (12, 24), 64
HOMINGS = 5
CREEPING_REGISTER = 4
FEWEST_CHANGES = 2
AGREE = 0.15
HOMING_REPEATS_STEPS = 8
# Fewer steps of a fall-back are not told from the time between two looks.
COUNTED_FALL_BACK_STEPS = 6
LEAVING_MM = 0.25
AT_SWITCH_S, BEYOND_MM = 0.3, 0.02
# With more play at the switch these trials tell nothing, and would come too near to the stop.
MOST_PLAY_STEPS = 200
# Further apart than any grid that is looked for, and no multiple of one.
ROUNDING_TARGETS, ROUNDING_APART_STEPS = 12, 131
PATIENCE_AFTER_POWER_CUT_S = 60.0


def _seen(bench: Bench, away: str) -> str:
    return bench.person.ask("Which way did it move?", ("unseen", "inward", "outward", away))


def first_step(bench: Bench) -> None:
    """Two small go-tos, of which the engineer confirms the direction."""
    bench.person.tell("Watch the focuser. It should stand well inside its travel, not at an end.")
    bench.configure()
    steps = steps_from_mm(SMALL_MM)
    last: Run | None = None
    for sign, way in ((-1, "outward"), (1, "inward")):
        for number in range(MOST_SMALL_STEPS):
            bench.may(f"A go-to of {SMALL_MM} mm {way}.")
            last = bench.go_to(bench.stand() + sign * steps)
            seen = _seen(bench, "again")
            if seen != "again" or number == MOST_SMALL_STEPS - 1:
                break
        if seen != way:
            holds = None if seen in ("unseen", "again") else False
            bench.find("inward", holds, f"a go-to {way} was seen as {seen}.", seen=seen)
            raise SurpriseError(f"the engineer did not confirm that the focuser runs {way}.")
    assert last is not None
    bench.find("inward", True, "the engineer confirms: the register grows as the focuser runs inward.")
    beside = last.end - last.start - steps
    bench.find(
        "go-to",
        abs(beside) <= 8 + bench.noise_steps,
        f"a go-to of {steps} steps made {last.end - last.start}.",
    )


def first_second(bench: Bench) -> None:
    """One second of homing, halted."""
    if not bench.is_configured:
        bench.configure()
    bench.may("A homing run for one second, then a halt: 0.25 mm inward.")
    since = len(bench.tap.frames)
    run = bench.run_inward(for_s=FIRST_SECOND_S, mm=LONGEST_STEP_MM)
    made = run.end - run.start
    if made <= 0:
        bench.find("halt", None, "the motor did not move: it stands at the limit switch, or that is stuck.")
        return
    seen = bench.person.ask("Which way did it move?", ("unseen", "inward", "outward"))
    bench.find(
        "halt",
        True,
        f"the run went {made} steps ({bench.rounded_mm(made)} mm) inward, and stood after a halt; seen: {seen}.",
        since=since,
        steps=made,
    )
    if seen == "outward":
        bench.find("inward", False, "a homing run was seen as outward.")
        raise SurpriseError("the homing run was seen to run outward.")


def homing(bench: Bench) -> None:
    """The whole homing run."""
    if not bench.is_configured:
        bench.configure()
    drive = bench.set_speeds()
    bench.may("The homing run, inward until the limit switch: up to 9 mm, 36 s. Keep a hand on the power.")
    since = len(bench.tap.frames)
    run = bench.home()
    made = run.end - run.start
    ratio = bench.ratio(run, drive.homing_mm_sec)
    bench.values["homing_ratio"] = ratio
    bench.values["proven_homing"] = bench.proven_ratio(run, None, drive.homing_mm_sec)
    bench.find(
        "homing",
        True,
        f"the run ended after {bench.rounded_mm(made)} mm, at register {run.end}; it began at {run.start}.",
        since=since,
        steps=made,
        origin=run.end,
    )
    _ratio_found(bench, "homing-speed", "the homing run", ratio, since)


def _ratio_found(bench: Bench, assumption: str, what: str, ratio: float | None, since: int) -> None:
    if ratio is None:
        bench.find(assumption, None, f"too little of {what} was seen to measure it.", since)
    else:
        holds = within(ratio, 1, AGREE)
        bench.find(assumption, holds, f"{what} is {ratio:.3f} times as computed.", since, ratio=ratio)


def _ready(bench: Bench) -> None:
    """Home if the origin is not known, and stand at the base from which trials run outward."""
    if bench.origin is None:
        bench.configure()
        # A switch that acts on its edge only must be left before it is come to.
        bench.may(f"A go-to of {LEAVING_MM} mm outward, to be off the limit switch.")
        bench.go_to(bench.stand() - steps_from_mm(LEAVING_MM), ends_anywhere=True)
        bench.may("A homing run, for the position is not known: up to 9 mm, 36 s.")
        bench.home()
    _to(bench, _base_mm(bench))


def _base_mm(bench: Bench) -> float:
    return min(0.5, bench.limits.range_mm / 2)


def _here_mm(bench: Bench) -> float:
    assert bench.origin is not None
    return mm_from_steps(bench.origin - bench.stand())


def _to(bench: Bench, mm: float) -> None:
    """Walk to a position, in steps that are no longer than half a millimetre."""
    here_mm = _here_mm(bench)
    while abs(mm - here_mm) > 0.02:
        target_mm = here_mm + max(-0.5, min(0.5, mm - here_mm))
        bench.may(f"A go-to to {target_mm:.2f} mm.")
        bench.step(max(0.0, target_mm))
        here_mm = _here_mm(bench)


def _run(bench: Bench, mm: float, speed: int, acceleration: int | None = None) -> tuple[Run, Drive]:
    drive = bench.set_speeds(speed, acceleration)
    bench.may(
        f"A go-to to {mm:.2f} mm, with speed register {speed}, acceleration {drive.acceleration_register}."
    )
    return bench.step(mm), drive


def start(bench: Bench) -> None:
    """How long after a go-to anything shows."""
    _ready(bench)
    bench.set_speeds()
    base_mm, latencies_s = _base_mm(bench), []
    since = len(bench.tap.frames)
    for number in range(STARTS):
        mm = base_mm + SMALL_MM * (number % 2 == 0)
        bench.may(f"A go-to to {mm:.2f} mm.")
        run = bench.step(mm)
        shown = [
            look
            for look in run.looks
            if not look.reading.stands_still or abs(look.register - run.start) > 2 + bench.noise_steps
        ]
        latencies_s.append(shown[0].reading.at_s - run.begun_s)
    latency_s = median(latencies_s)
    bench.values["start_s"] = latency_s
    bench.find(
        "start",
        None if bench.answers.usual_s > SLOW_ANSWER_S else max(latencies_s) < START_SHOWS_S,
        f"a go-to shows after {1000 * latency_s:.0f} ms (median), {1000 * max(latencies_s):.0f} ms at most.",
        since,
        median_s=round(latency_s, 4),
    )


def speed(bench: Bench) -> None:
    """Speeds at two registers and as configured, and what the state and the register say meanwhile."""
    _ready(bench)
    base_mm, ratios, letters, runs = _base_mm(bench), [], set(), []
    since = len(bench.tap.frames)
    for number, register in enumerate((*SLOW_REGISTERS, bench.drive.speed_register)):
        target_mm = 2 * base_mm if number % 2 == 0 else base_mm
        run, drive = _run(bench, target_mm, register)
        runs.append(run)
        letters |= run.moving_letters
        ratios.append(bench.ratio(run, drive.speed_mm_sec))
    bench.values["legs_ratio"] = ratios[2] or ratios[0]
    bench.values["proven_legs"] = bench.proven_ratio(run, run.end, drive.speed_mm_sec)
    slow, twice, _ = ratios
    known = twice or slow
    told = ", ".join("unknown" if one is None else f"{one:.3f}" for one in ratios)
    bench.find(
        "speed",
        None if known is None else all(within(one, 1, AGREE) for one in ratios if one),
        f"with registers {SLOW_REGISTERS} and the configured one speeds are {told} times as computed.",
        since,
        ratios=ratios,
    )
    if known is not None:
        bench.find("scale", within(known, 1, AGREE), f"moves run at {known:.3f} times their speed.", since)
        home_ratio = bench.values.get("homing_ratio")
        if home_ratio:
            bench.find(
                "one-ratio",
                within(known, home_ratio, AGREE),
                f"moves run at {known:.3f} times, homing runs at {home_ratio:.3f} times their speed.",
                since,
            )
    second = {text[1:2] for text in letters} | {text[1:2] for text in bench.values["still_letters"]}
    bench.find(
        "motor-states",
        second == set("SACD"),
        f"state texts in motion: {sorted(letters)}.",
        since,
        _bytes(letters),
    )
    _renewal(bench, runs, since)


def _renewal(bench: Bench, runs: list[Run], since: int) -> None:
    """How often the register is renewed: in the slowest run it should change from look to look."""
    (changes_s, looks_s), (faster_s, _) = (changes(run.readings, run.start) for run in runs[:2])
    if len(changes_s) < FEWEST_CHANGES:
        slow = bench.refresh.is_slow
        bench.find("refresh", False if slow else None, "the register hardly changed in a run.", since)
        return
    interval_s, look_s = median(changes_s), median(looks_s)
    # Of a register that is only rounded the changes come twice as often at twice the speed.
    is_rounded = bool(faster_s) and median(faster_s) < 0.75 * interval_s
    is_now = interval_s < 2 * look_s or is_rounded
    bench.values["refresh_s"] = 0.0 if is_now else max(changes_s)
    told = "is that of now" if is_now else f"is renewed every {interval_s:.2f} s"
    bench.find(
        "refresh",
        is_now,
        f"the register that it tells {told}; it was looked at every {look_s:.2f} s.",
        since,
        seconds=0.0 if is_now else round(interval_s, 3),
    )


def _bytes(texts: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(text.encode("latin-1") for text in sorted(texts))


def acceleration(bench: Bench) -> None:
    """Accelerations at two registers."""
    _ready(bench)
    base_mm, ratios = _base_mm(bench), []
    since = len(bench.tap.frames)
    for target_mm, register in zip((2 * base_mm, base_mm), GENTLE_REGISTERS):
        run, drive = _run(bench, target_mm, HIGH_SPEED_REGISTER, register)
        made = acceleration_steps_s2(run.readings, run.start)
        ratios.append(None if made is None else made / STEPS_PER_MM / drive.acceleration_mm_sec_sec)
    bench.set_speeds()
    told = ", ".join("unknown" if one is None else f"{one:.2f}" for one in ratios)
    known = [one for one in ratios if one is not None]
    bench.values["acceleration_ratio"] = known[0] if known else None
    bench.find(
        "acceleration",
        all(within(one, 1, 2 * AGREE) for one in known) if known else None,
        f"with registers {GENTLE_REGISTERS} accelerations are {told} times as computed.",
        since,
        ratios=ratios,
    )


def halt_ramp(bench: Bench) -> None:
    """How far the motor runs on after a halt."""
    _ready(bench)
    base_mm = _base_mm(bench)
    drive = bench.set_speeds(SLOW_REGISTERS[1], GENTLE_REGISTERS[0])
    bench.may(f"A go-to to {2 * base_mm:.2f} mm, halted on its way.")
    begun, from_steps = bench.stand(), steps_from_mm(0.45 * base_mm)
    run = bench.step(2 * base_mm, lambda look: abs(look.register - begun) > from_steps)
    halts = [frame for frame in bench.tap.frames[run.frame :] if frame.data.startswith(b"#P021")]
    bench.set_speeds()
    if not halts or bench.answers.usual_s > SLOW_ANSWER_S:
        told = "answers are too slow to tell" if halts else "the go-to ended before it was halted"
        bench.find("halt-ramp", None, f"{told}.", run.frame)
        return
    ratio = bench.values.get("legs_ratio") or 1.0
    speed_steps_s = drive.speed_mm_sec * ratio * STEPS_PER_MM
    made = way_after(run.readings, run.start, halts[0].at_s, speed_steps_s)
    acceleration_ratio = bench.values.get("acceleration_ratio") or ratio
    ramp = ratio**2 / acceleration_ratio * drive.ramp_steps(drive.speed_mm_sec)
    bench.find(
        "halt-ramp",
        True if made > 0.5 * ramp else False if made < 0.3 * ramp else None,
        f"after a halt the motor ran on for {made:.0f} steps; a ramp takes {ramp:.0f}.",
        run.frame,
        steps=round(made),
        ramp=round(ramp),
    )


def rounding(bench: Bench) -> None:
    """Where go-tos end that are some steps apart."""
    _ready(bench)
    bench.set_speeds()
    assert bench.origin is not None
    first = bench.stand()
    since, beside, ends = len(bench.tap.frames), [], []
    bench.may(f"{ROUNDING_TARGETS} go-tos of {ROUNDING_APART_STEPS} steps outward, and as many inward.")
    for number in range(1, 2 * ROUNDING_TARGETS + 1):
        away = number if number <= ROUNDING_TARGETS else 2 * ROUNDING_TARGETS - number
        target = first - ROUNDING_APART_STEPS * away
        end = bench.go_to(target).end
        ends.append(end)
        beside.append(end - target)
    step = grid(ends)
    are_there = all(abs(one) <= bench.noise_steps for one in beside)
    if are_there:
        told = "go-tos end at their targets"
    elif step > 1 and len(set(beside)) > 1:
        told = f"the register knows multiples of {step} steps only"
    else:
        told = f"go-tos end {median(beside):.0f} steps beside their targets (inward is positive)"
    bench.find("rounding", are_there, f"{told}: {beside}.", since, grid=step, beside=round(median(beside)))


def in_a_run(bench: Bench) -> None:
    """A go-to in the middle of another one."""
    _ready(bench)
    base_mm = _base_mm(bench)
    bench.set_speeds(SLOW_REGISTERS[0])
    bench.may(f"A go-to to {2 * base_mm:.2f} mm, and in it one to {1.5 * base_mm:.2f} mm.")
    begun = bench.stand()
    sent: list[Look] = []
    assert bench.origin is not None
    aim = bench.origin - steps_from_mm(1.5 * base_mm)

    def interrupt(look: Look) -> bool:
        if not sent and abs(look.register - begun) > steps_from_mm(0.2 * base_mm):
            bench.controller.go_to(aim)
            sent.append(look)
        return False

    run = bench.step(2 * base_mm, interrupt, ends_anywhere=True)
    bench.set_speeds()
    bench.find(
        "in-a-run",
        abs(run.end - aim) <= 8 + bench.noise_steps,
        f"a second go-to in a run ended {run.end - aim} steps beside its target.",
        run.frame,
    )


def repeatability(bench: Bench) -> None:
    """Five homing runs, the last of them slow: then a fall-back that the register counts shows."""
    _ready(bench)
    out_mm, ends = _base_mm(bench) / 2, []
    since = len(bench.tap.frames)
    _to(bench, out_mm)
    for number in range(HOMINGS + 1):
        bench.set_speeds()
        if number:
            bench.may(f"Out to {out_mm:.2f} mm.")
            bench.step(out_mm)
        is_last = number == HOMINGS
        bench.set_speeds(CREEPING_REGISTER if is_last else None)
        bench.may(f"A homing run from there{', slowly' if is_last else ''}.")
        run = bench.home(1.0)
        ends.append(run.end)
    bench.set_speeds()
    drifts = fall_backs(ends)
    peak = max(
        (after.register for before, after in zip(run.looks, run.looks[1:]) if _is_next(before, after)),
        default=run.end,
    )
    counted = peak - run.end - bench.noise_steps
    drifting = all(one > bench.noise_steps + 2 for one in drifts)
    spread = max(ends) - min(ends)
    bench.values["play_steps"] = max(map(abs, drifts))
    bench.values["drift_steps"] = median(drifts) if drifting else 0
    if drifting:
        told = f"each run ends {drifts} steps further in than the one before: the drive falls back, uncounted"
    elif counted >= COUNTED_FALL_BACK_STEPS:
        told = f"the register falls back by about {counted} steps at the end of a run"
    else:
        told = "no fall-back is seen"
    bench.find(
        "fall-back",
        not drifting and counted < COUNTED_FALL_BACK_STEPS,
        f"{told}.",
        since,
        drifts=drifts,
        counted=max(0, counted),
        random=drifting and max(drifts) - min(drifts) > 2 + bench.noise_steps,
    )
    bench.find(
        "repeatability",
        (max(drifts) - min(drifts) if drifting else spread) <= HOMING_REPEATS_STEPS + bench.noise_steps,
        f"{len(ends)} homing runs ended within {spread} steps ({1000 * mm_from_steps(spread):.1f} µm): {ends}.",
        since,
        ends=ends,
        spread=spread,
    )
    made = speed_steps_s(run.readings, run.start)
    usual = bench.drive.homing_mm_sec * STEPS_PER_MM * (bench.values.get("homing_ratio") or 1.0)
    bench.find(
        "held-back",
        None if made is None else made < usual / 2,
        f"with speed register {CREEPING_REGISTER} the homing run made {made or 0:.0f} steps/s, and {usual:.0f} before.",
        since,
    )


def _is_next(before: Look, after: Look) -> bool:
    """Whether a register may follow another: a misread digit makes a jump."""
    return abs(after.register - before.register) < steps_from_mm(SMALL_MM)


def switch(bench: Bench) -> None:
    """A homing run that begins at the limit switch, and a go-to to 0 mm."""
    _ready(bench)
    bench.set_speeds()
    bench.may("A homing run.")
    bench.home(1.0)
    play = bench.values.get("play_steps", 0)
    bench.may("A homing run from the limit switch, halted after 0.05 mm if it does not stand there.")
    run = bench.run_inward(
        for_s=AT_SWITCH_S + bench.values.get("start_s", 0.0), mm=SMALL_MM + mm_from_steps(play)
    )
    made = run.end - run.start
    if play > MOST_PLAY_STEPS:
        bench.find("switch-level", None, f"it ran {made} steps, but homing runs differ by {play}.", run.frame)
    else:
        bench.find(
            "switch-level",
            made <= play + 40,
            f"a homing run from the limit switch made {made} steps.",
            run.frame,
            steps=made,
        )
    bench.may(f"A go-to of {LEAVING_MM} mm outward, a homing run, and the same go-to again.")
    bench.step(LEAVING_MM)
    bench.home(1.0)
    bench.step(LEAVING_MM)
    origin = bench.origin
    assert origin is not None
    bench.may("A go-to to 0 mm.")
    run = bench.step(0.0, ends_anywhere=True)
    short = origin - run.end
    bench.find(
        "zero",
        short <= 8 + bench.noise_steps,
        f"a go-to to 0 mm ended {short} steps short of it.",
        run.frame,
        steps=short,
    )


def beyond(bench: Bench) -> None:
    """A go-to that ends a hair beyond the limit switch, for which there is no other proof."""
    _ready(bench)
    play = bench.values.get("play_steps", 0)
    if play > MOST_PLAY_STEPS:
        bench.find("switch-stops", None, f"homing runs differ by {play} steps: it would go too far.")
        return
    _to(bench, 0.1)
    assert bench.origin is not None
    steps = steps_from_mm(BEYOND_MM) + play
    bench.may(f"A go-to to {bench.rounded_mm(steps)} mm beyond the limit switch.")
    run = bench.go_to(bench.origin + steps, ends_anywhere=True)
    short = bench.origin + steps - run.end
    bench.origin = None
    bench.find(
        "switch-stops",
        short > 8 + bench.noise_steps,
        f"a go-to to {steps} steps beyond the limit switch ended {short} steps before that.",
        run.frame,
        steps=short,
    )


def backlash(bench: Bench) -> None:
    """Small steps outward after an approach inward, until the engineer sees the draw tube move."""
    _ready(bench)
    base_mm = _base_mm(bench)
    bench.set_speeds()
    # Far enough to take up what there is.
    _to(bench, min(bench.limits.range_mm, base_mm + 1.0))
    _to(bench, base_mm)
    configured_mm = mm_from_steps(bench.limits.backlash_steps)
    bench.person.tell("Watch the draw tube closely, through a loupe or on a dial gauge.")
    for number in range(1, 2 * MOST_SMALL_STEPS + 1):
        mm = base_mm + number * SMALL_MM
        if mm > bench.limits.range_mm or number * SMALL_MM > configured_mm + 0.3:
            break
        bench.may(f"A go-to of {SMALL_MM} mm outward.")
        bench.step(mm)
        answer = bench.person.ask("Does the draw tube move outward?", ("unsure", "no", "yes"))
        if answer == "unsure":
            bench.find("backlash", None, "nobody saw when the draw tube began to move.")
            return
        if answer == "yes":
            low_mm, high_mm = (number - 1) * SMALL_MM, number * SMALL_MM
            bench.find(
                "backlash",
                low_mm < configured_mm,
                f"the backlash is {low_mm:.2f} to {high_mm:.2f} mm; anti_backlash_mm is {configured_mm:.2f}.",
                low_mm=round(low_mm, 2),
                high_mm=round(high_mm, 2),
            )
            return
    bench.find("backlash", False, f"the draw tube did not move within {number * SMALL_MM:.2f} mm.")


def mm_range(bench: Bench) -> None:
    """Out through the whole range in small steps, measured by the engineer, and home again."""
    _ready(bench)
    bench.set_speeds()
    origin = bench.origin
    assert origin is not None
    # Outward, and far enough that no backlash is left.
    _to(bench, min(2.0, bench.limits.range_mm / 2))
    first, first_mm = _measured(bench), _here_mm(bench)
    _to(bench, bench.limits.range_mm)
    last, last_mm = _measured(bench), _here_mm(bench)
    bench.may("The homing run back to the limit switch.")
    since = len(bench.tap.frames)
    run = bench.home()
    lost = origin - run.end
    play = bench.values.get("play_steps", 0) + 8 + bench.noise_steps
    bench.find(
        "range",
        abs(lost) <= play,
        f"after the way out to {last_mm:.2f} mm homing ended {lost} steps ({bench.rounded_mm(lost)} mm) before it did.",
        since,
        steps=lost,
    )
    if first is None or last is None or last_mm - first_mm < 0.5:
        bench.find("mm", None, "nobody measured.")
        return
    part = abs(last - first) / (last_mm - first_mm)
    bench.find(
        "mm",
        within(part, 1, 0.03),
        f"{last_mm - first_mm:.3f} mm by the register are {abs(last - first):.3f} mm: {part:.3f} times as much.",
        factor=round(part, 4),
    )


def _measured(bench: Bench) -> float | None:
    word = bench.person.ask("Measure the draw tube with a calliper, in mm (nothing: not measured):", ())
    try:
        return float(word.replace(",", "."))
    except ValueError:
        return None


def hand(bench: Bench) -> None:
    """The hand control."""
    before, since = bench.stand(), len(bench.tap.frames)
    answer = bench.person.ask(
        "If there is a hand control, press it for a second, well inside the range. Did it move the focuser?",
        ("none", "moved"),
    )
    if answer == "none":
        bench.find("hand", None, "there is no hand control, or nobody pressed it.")
        return
    bench.origin = None
    after = bench.stand()
    changed = abs(after - before) > 8 + bench.noise_steps
    bench.find("hand", changed, f"the register went from {before} to {after}.", since, steps=after - before)


def power_cut(bench: Bench) -> None:
    """What is left after a power cut, and with which settings the controller runs then."""
    _ready(bench)
    assert bench.origin is not None
    before = bench.stand()
    base = bench.origin - before
    answer = bench.person.ask(
        "Cut the power of the controller (not of the adapter) for five seconds. Answer as you switch it on again:",
        ("skip", "done"),
    )
    if answer == "skip":
        raise DeclinedError
    bench.origin, bench.is_configured = None, False
    on_s, since = bench.clock.monotonic(), len(bench.tap.frames)
    bench.controller.identify(max(PATIENCE_AFTER_POWER_CUT_S, bench.longest_answer_s))
    deaf_s = bench.clock.monotonic() - on_s
    bench.find(
        "deaf",
        deaf_s <= bench.longest_answer_s,
        f"it answered {deaf_s:.1f} s after it got its power.",
        since,
        seconds=round(deaf_s, 2),
    )
    register = bench.stand()
    bench.values["power_up_register"] = register
    bench.find(
        "power-up", abs(register) <= 8, f"the register begins at {register}.", since, register=register
    )
    bench.find(
        "known-power-up",
        abs(register - before) > 8 + bench.noise_steps,
        f"it stood at {before} before, and stands at {register}.",
        since,
    )
    letters = bench.tap.letters
    bench.find(
        "power-up-letters",
        letters not in bench.values["still_letters"],
        f"the state text was one of {bench.values['still_letters']}, and is {letters!r}.",
        since,
    )
    forms_of(bench, [form for exchange in bench.tap.exchanges() if (form := exchange.form)])
    _settings_of_power_up(bench, base)


def _settings_of_power_up(bench: Bench, base: int) -> None:
    steps, since = steps_from_mm(SMALL_MM), len(bench.tap.frames)
    bench.may(f"A go-to of {SMALL_MM} mm outward (up to 0.4 mm), with the settings of the power-up.")
    bare = bench.go_to(bench.stand() - steps)
    bench.set_speeds(SLOW_REGISTERS[1])
    bench.may("The same, with speeds set, but no microstep mode.")
    modeless = bench.go_to(bench.stand() - steps)
    unit = Drive.of_registers(1, 1).speed_mm_sec * STEPS_PER_MM
    ratio = bench.values.get("legs_ratio") or 1.0
    units = [
        None if made is None else made / unit / ratio
        for made in (speed_steps_s(run.readings, run.start) for run in (bare, modeless))
    ]
    told = ["unknown" if one is None else f"{one:.1f}" for one in units]
    configured = bench.drive.speed_register
    bench.find(
        "power-up-speed",
        None if units[0] is None else not within(units[0], configured, AGREE),
        f"it begins with speed register {told[0]} or more, and acceleration register {_ramp_told(bench, bare, ratio)}; "
        f"{configured} and {bench.drive.acceleration_register} were set.",
        bare.frame,
        register=units[0],
    )
    bench.find(
        "mode-first",
        None if units[1] is None else within(units[1], SLOW_REGISTERS[1], 0.3),
        f"with speed register {SLOW_REGISTERS[1]} and no microstep mode it runs as with {told[1]}.",
        modeless.frame,
        register=units[1],
    )
    bench.configure()
    bench.may("The homing run.")
    run = bench.home()
    made = bare.start - modeless.end
    gone = round(run.end - run.start - base - bench.values.get("drift_steps", 0))
    length = gone / made
    bench.find(
        "power-up-mode",
        within(length, 1, 0.2),
        f"{made} steps of it were {gone} steps with all settings: {length:.2f} times.",
        since,
        length=round(length, 3),
    )


def _ramp_told(bench: Bench, run: Run, ratio: float) -> str:
    """The acceleration of a short run, in units of its register: it takes longer than at its speed alone."""
    made = speed_steps_s(run.readings, run.start)
    stood_s = [look.reading.at_s for look in run.looks if look.register == run.end][:1]
    if made is None or not stood_s:
        return "unknown"
    ramp_s = stood_s[0] - run.begun_s - bench.values.get("start_s", 0.0) - abs(run.end - run.start) / made
    unit = Drive.of_registers(1, 1).acceleration_mm_sec_sec * STEPS_PER_MM * ratio
    return f"about {made / ramp_s / unit:.0f}" if ramp_s > 0 else "unknown"
