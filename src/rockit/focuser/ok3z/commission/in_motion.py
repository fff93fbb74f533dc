"""Trials in motion. Each move is asked for, and watched; between two of them the motor is proven to stand."""

from __future__ import annotations

from collections.abc import Iterable

from ..driver.planning import Drive, steps_from_mm
from ..driver.refresh import LONGEST_INTERVAL_S
from ..driver.registers import STEPS_PER_MM
from .bench import LONGEST_STEP_MM, Bench, DeclinedError
from .measures import acceleration_steps_s2, changes, grid, median, way_after, within
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
FEWEST_CHANGES = 2
AGREE = 0.15
# Further apart than any grid that is looked for, and no multiple of one.
ROUNDING_TARGETS, ROUNDING_APART_STEPS = 12, 131


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
            seen = bench.person.ask("Which way did it move?", ("unseen", "inward", "outward", "again"))
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
        raise DeclinedError
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
    told = "not known: too little was seen" if ratio is None else f"{ratio:.3f} times as computed"
    holds = None if ratio is None else within(ratio, 1, AGREE)
    bench.find("homing-speed", holds, f"the speed of the homing run is {told}.", since, ratio=ratio)


def _run(bench: Bench, mm: float, speed: int, acceleration: int | None = None) -> tuple[Run, Drive]:
    drive = bench.set_speeds(speed, acceleration)
    bench.may(
        f"A go-to to {mm:.2f} mm, with speed register {speed}, acceleration {drive.acceleration_register}."
    )
    return bench.step(mm), drive


def start(bench: Bench) -> None:
    """How long after a go-to anything shows."""
    bench.ready()
    bench.set_speeds()
    base_mm, latencies_s = bench.base_mm, []
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
        latencies_s += [look.reading.at_s - run.begun_s for look in shown[:1]]
    if not latencies_s:
        bench.find("start", None, "no step showed before its end.", since)
        return
    latency_s = median(latencies_s)
    # Without what the answers take.
    bench.values["start_s"] = max(0.0, latency_s - 2 * bench.answers.usual_s)
    bench.find(
        "start",
        None if bench.answers.usual_s > SLOW_ANSWER_S else max(latencies_s) < START_SHOWS_S,
        f"a go-to shows after {1000 * latency_s:.0f} ms (median), {1000 * max(latencies_s):.0f} ms at most.",
        since,
        median_s=round(latency_s, 4),
    )


def speed(bench: Bench) -> None:
    """Speeds at two registers and as configured, and what the state and the register say meanwhile."""
    bench.ready()
    base_mm, ratios, letters, runs = bench.base_mm, [], set(), []
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
        for assumption in ("refresh", "renewal"):
            bench.find(assumption, False if slow else None, "the register hardly changed in a run.", since)
        return
    interval_s, look_s = median(changes_s), median(looks_s)
    # Of a register that is only rounded the changes come twice as often at twice the speed.
    is_rounded = bool(faster_s) and median(faster_s) < 0.75 * interval_s
    is_now = interval_s < 2 * look_s or is_rounded
    # What happens between two looks is not seen: of a register that changes at each it is known no better.
    bench.values["refresh_s"] = look_s if is_now else max(changes_s)
    told = "is that of now" if is_now else f"is renewed every {interval_s:.2f} s"
    bench.find(
        "refresh",
        is_now,
        f"the register that it tells {told}; it was looked at every {look_s:.2f} s.",
        since,
        seconds=0.0 if is_now else round(interval_s, 3),
    )
    bench.find("renewal", is_now or interval_s < LONGEST_INTERVAL_S, f"it {told}.", since)


def _bytes(texts: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(text.encode("latin-1") for text in sorted(texts))


def acceleration(bench: Bench) -> None:
    """Accelerations at two registers."""
    bench.ready()
    base_mm, ratios = bench.base_mm, []
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
    bench.ready()
    base_mm = bench.base_mm
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
    bench.ready()
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
    bench.ready()
    base_mm = bench.base_mm
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
