"""Trials of the mechanics: the limit switch, the backlash, the range, the hand control, a power cut."""

from __future__ import annotations

from ..driver.planning import Drive, mm_from_steps, steps_from_mm
from ..driver.registers import STEPS_PER_MM
from .at_rest import forms_of
from .bench import LEAVING_MM, Bench, DeclinedError
from .in_motion import AGREE, MOST_SMALL_STEPS, SLOW_REGISTERS, SMALL_MM
from .measures import fall_backs, median, speed_steps_s, within
from .runs import Look, Run

HOMINGS = 5
CREEPING_REGISTER = 4
HOMING_REPEATS_STEPS = 8
# Fewer steps of a fall-back are not told from the time between two looks.
COUNTED_FALL_BACK_STEPS = 6
AT_SWITCH_S, AT_SWITCH_MM, BEYOND_MM = 0.3, 0.03, 0.02
# With more play at the switch these trials tell nothing, and would come too near to the stop.
MOST_PLAY_STEPS = 200
PATIENCE_AFTER_POWER_CUT_S = 60.0


def repeatability(bench: Bench) -> None:
    """Five homing runs, the last of them slow: then a fall-back that the register counts shows."""
    bench.ready()
    out_mm, ends = bench.base_mm / 2, []
    since = len(bench.tap.frames)
    bench.walk_to(out_mm)
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
    bench.ready()
    bench.set_speeds()
    bench.may("A homing run.")
    bench.home(1.0)
    play = bench.values.get("play_steps", 0)
    bench.may(
        f"A homing run from the limit switch, halted after {AT_SWITCH_MM} mm if it does not stand there."
    )
    run = bench.run_inward(
        for_s=AT_SWITCH_S + bench.values.get("start_s", 0.0), mm=AT_SWITCH_MM + mm_from_steps(play)
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
    bench.ready()
    play = bench.values.get("play_steps", 0)
    if play > MOST_PLAY_STEPS:
        bench.find("switch-stops", None, f"homing runs differ by {play} steps: it would go too far.")
        return
    bench.walk_to(0.1)
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
    bench.ready()
    base_mm = bench.base_mm
    bench.set_speeds()
    # Far enough to take up what there is.
    bench.walk_to(min(bench.limits.range_mm, base_mm + 1.0))
    bench.walk_to(base_mm)
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
    bench.ready()
    bench.set_speeds()
    origin = bench.origin
    assert origin is not None
    # Outward, and far enough that no backlash is left.
    bench.walk_to(min(2.0, bench.limits.range_mm / 2))
    first, first_mm = _measured(bench), bench.here_mm
    bench.walk_to(bench.limits.range_mm)
    last, last_mm = _measured(bench), bench.here_mm
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
    # Whether the register shows it or not, what was kept of the position is not true any more.
    bench.forget_position()
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
    bench.ready()
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
    letters, known = bench.tap.letters, " or ".join(map(repr, bench.values["still_letters"]))
    bench.find(
        "power-up-letters",
        letters not in bench.values["still_letters"],
        f"the state text is {letters!r} now; before the power cut it was {known}.",
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
