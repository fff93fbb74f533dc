"""One garbled reading: it neither ends a run nor loses the position."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.reading import Reading
from rockit.focuser.ok3z.driver.run_watch import Verdict
from rockit.focuser.ok3z.driver.tracking import PATH_MARGIN_STEPS


def instead(number: int, register: int) -> Any:
    """One false register, and nothing else wrong."""
    return lambda at, reading: replace(reading, register=register) if at == number else reading


def spoilt_by_one_reading(run: Any, flips_of: Any) -> list[str]:
    """All moments and all flips after which the run does not end as it would have."""
    spoilt = []
    for number, (reading, _) in enumerate(list(run.follow())):
        for register in flips_of(reading.register):
            ended = run.outcome(instead(number, register))
            if ended != f"ARRIVED at {run.end}":
                spoilt.append(f"reading {number}: {register} for {reading.register}: {ended}")
    return spoilt


def test_one_flipped_bit_neither_ends_a_run_nor_loses_the_position(run: Any, flips_of: Any) -> None:
    assert spoilt_by_one_reading(run, flips_of) == []


@pytest.mark.parametrize("run", ["inward", "outward", "short", "homing"], indirect=True)
@pytest.mark.parametrize("scale", [3, 10, 50])
def test_one_flipped_bit_does_no_harm_on_a_fast_device_either(run: Any, scale: int, flips_of: Any) -> None:
    assert spoilt_by_one_reading(replace(run, scale=scale), flips_of) == []


def test_one_flipped_bit_does_no_harm_before_the_motor_has_started(run: Any, flips_of: Any) -> None:
    late = replace(run, obeys_after_s=0.5)
    for number in range(3):
        for register in flips_of(run.start):
            assert late.outcome(instead(number, register)) == f"ARRIVED at {run.end}", (number, register)


@given(
    st.integers(-50_000, 50_000),
    st.integers(-9_000, 9_000),
    st.integers(0, 200),
    st.integers(-(10**6), 10**6),
)
def test_one_false_register_of_any_kind_does_no_harm(
    make_run: Any, start: int, length: int, moment: int, error: int
) -> None:
    run = make_run(start, start + (length or 1))
    moment %= run.readings
    spoil = lambda at, reading: (  # noqa: E731
        replace(reading, register=reading.register + error) if at == moment else reading
    )
    assert run.outcome(spoil) == f"ARRIVED at {run.end}"


def test_one_false_state_neither_ends_a_run_nor_loses_the_position(run: Any) -> None:
    for moment in range(run.readings):
        spoil = lambda at, reading, moment=moment: (  # noqa: E731
            replace(reading, stands_still=not reading.stands_still) if at == moment else reading
        )
        assert run.outcome(spoil) == f"ARRIVED at {run.end}", moment


def test_a_target_that_is_read_by_mistake_is_no_arrival(leg: Any, t0_s: float) -> None:
    """Even where the state says standstill in the same reading."""
    for moment, (reading, _) in enumerate(list(leg.follow())[:-1]):
        if abs(reading.register - leg.end) <= PATH_MARGIN_STEPS and reading.at_s > t0_s + leg.duration_s:
            # It is due, as good as there, and there with the next reading.
            continue
        false = Reading(leg.end, True, reading.at_s)
        spoil = lambda at, reading, moment=moment, false=false: (  # noqa: E731
            replace(false, at_s=reading.at_s) if at == moment else reading
        )
        assert leg.outcome(spoil) == f"ARRIVED at {leg.end}", moment
        verdicts = [verdict for _, verdict in leg.follow(spoil)]
        assert verdicts[moment] is not Verdict.ARRIVED


def test_readings_that_are_late_do_no_harm(run: Any) -> None:
    """Lost replies: for a second and a half nothing is heard."""
    for moment in range(run.readings):
        spoil = lambda at, reading, moment=moment: (  # noqa: E731
            run.read(reading.at_s + 1.5) if at == moment else reading
        )
        assert run.outcome(spoil) == f"ARRIVED at {run.end}", moment
