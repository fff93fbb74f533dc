"""What a caller may ask for: whole steps within the range, or one of two refusals."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.planning import Limits, Target, mm_from_steps, requested_target, steps_from_mm
from rockit.focuser.ok3z.driver.registers import STEPS_PER_MM
from rockit.focuser.ok3z.errors import InvalidArgumentError, OutsideLimitsError

# The site of ngts_m06.json, and the same with the whole travel of the mechanics for overshoots.
SITE = Limits.from_mm(6.0, 6.0, 0.5)
ROOMY = Limits.from_mm(6.0, 9.0, 0.5)


def requested_steps(position: object, offset_from_mm: float | None, limits: Limits) -> int:
    return requested_target(position, offset_from_mm, limits).steps


@pytest.mark.parametrize(
    "position",
    [
        True,
        False,
        "2.5",
        "nan",
        b"2.5",
        None,
        [],
        [2.5],
        {"pos": 2.5},
        2.5 + 0j,
        Decimal("2.5"),
        Decimal("nan"),
        Fraction(5, 2),
        pytest.param(object(), id="object"),
        float,
    ],
    ids=repr,
)
@pytest.mark.parametrize("offset_from_mm", [None, 0.0, 0.2])
def test_what_is_no_number_is_an_invalid_argument(position: object, offset_from_mm: int | None) -> None:
    with pytest.raises(InvalidArgumentError, match=type(position).__name__):
        requested_steps(position, offset_from_mm, SITE)


@pytest.mark.parametrize(
    "position",
    [
        math.nan,
        -math.nan,
        math.inf,
        -math.inf,
        1e400,
        1e308,
        -1e308,
        10**400,
        -(10**400),
        2**63,
        6.001,
        -0.001,
        7,
        -1,
    ],
)
def test_what_is_not_within_the_range_is_outside_the_limits(position: float) -> None:
    with pytest.raises(
        OutsideLimitsError, match=r"mm was asked for; the focuser goes from 0 to 6\.000 mm\.$"
    ):
        requested_steps(position, None, SITE)


@pytest.mark.parametrize("position", [math.nan, math.inf, -math.inf, 1e308, 10**400, 3.001, -3.001, 6, -6])
def test_an_offset_that_leads_out_of_the_range_is_outside_the_limits(position: float) -> None:
    with pytest.raises(OutsideLimitsError):
        requested_steps(position, 3.0, SITE)


def test_the_room_for_overshoots_may_not_be_asked_for() -> None:
    with pytest.raises(OutsideLimitsError):
        requested_steps(6.001, None, ROOMY)
    with pytest.raises(OutsideLimitsError):
        requested_steps(0.001, 6.0, ROOMY)


def test_the_message_says_where_an_offset_would_have_led() -> None:
    with pytest.raises(OutsideLimitsError, match=r"^6\.5 mm was asked for"):
        requested_steps(3.5, 3.0, SITE)
    with pytest.raises(OutsideLimitsError, match=r"^10003 mm was asked for"):
        requested_steps(10000, 3.0, SITE)


def test_the_ends_of_the_range_and_whole_numbers_are_accepted() -> None:
    assert requested_steps(0, None, SITE) == 0
    assert requested_steps(-0.0, None, SITE) == 0
    assert requested_steps(6, None, SITE) == requested_steps(6.0, None, SITE) == 30528
    assert requested_steps(3, 3.0, SITE) == 30528
    assert requested_steps(-3, 3.0, SITE) == 0


def test_an_offset_counts_from_where_it_says() -> None:
    assert requested_steps(0.5, None, SITE) == 2544
    assert requested_steps(0.5, 0, SITE) == 2544
    assert requested_steps(0.5, mm_from_steps(1000), SITE) == 3544
    assert requested_steps(-0.1, mm_from_steps(1000), SITE) == 491


def test_an_offset_leads_back_to_the_end_that_was_asked_for_beside_a_step() -> None:
    assert requested_steps(0.00005, None, SITE) == 0
    assert requested_steps(-0.00005, 0, SITE) == 0


def test_the_sum_of_decimal_fractions_is_still_within_the_range() -> None:
    """What clients compute in floats misses the ends by a rounding error, which is not asking for more."""
    assert requested_steps(0.1 * 3 * 20, None, SITE) == 30528
    assert requested_steps(0.3 - 0.1 * 3, None, SITE) == 0
    assert requested_steps(-0.3, 0.3, SITE) == 0


@pytest.mark.parametrize("position_mm", [6.00005, 6.00009, -0.00005, -0.00009])
def test_less_than_half_a_step_outside_is_outside_too(position_mm: float) -> None:
    with pytest.raises(OutsideLimitsError):
        requested_steps(position_mm, None, SITE)


@given(st.integers(1, 90_000).map(lambda ten_thousandths: ten_thousandths / 10_000))
@example(5.7)
@example(5.6)
@example(3.2)
def test_the_outermost_position_of_every_range_may_be_asked_for(focus_range_mm: float) -> None:
    where = Limits.from_mm(focus_range_mm, focus_range_mm, 0.0)
    assert requested_steps(focus_range_mm, None, where) == where.range_steps


@given(
    st.floats(0.001, 9.0).map(lambda range_mm: Limits.from_mm(range_mm, range_mm, 0.0)),
    st.floats() | st.integers() | st.floats(-0.001, 9.001),
    st.none() | st.floats(0, 1),
)
def test_whatever_number_is_asked_for_leads_into_the_range_or_is_refused(
    where: Limits, position: float, offset_from: float | None
) -> None:
    base_mm = None if offset_from is None else offset_from * where.range_mm
    try:
        target = requested_target(position, base_mm, where)
    except OutsideLimitsError as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert not 0 <= (base_mm or 0) + position <= where.range_mm
    else:
        assert type(target.steps) is int
        assert 0 <= target.steps <= where.range_steps
        assert 0 <= target.mm <= where.range_mm
        assert abs(target.steps - target.mm * STEPS_PER_MM) < 1 + 1e-6
        # A sum within a step of a limit is the limit.
        assert abs(target.mm - (base_mm or 0) - position) <= mm_from_steps(1) + 1e-6


@pytest.mark.parametrize("asked_mm", [2.0125, 2.0025, 0.00005, 5.99995, 2, 1 / 3])
def test_what_was_asked_for_is_kept_to_the_last_digit(asked_mm: float) -> None:
    target = requested_target(asked_mm, None, SITE)
    assert target == Target(steps_from_mm(asked_mm), asked_mm)
    assert f"{target.mm:.3f}" == f"{asked_mm:.3f}"


def test_where_nobody_asked_an_offset_counts_from_the_step() -> None:
    assert Target(6280).mm == mm_from_steps(6280)
    assert requested_target(0, Target(6280).mm, SITE).steps == 6280


def test_offsets_add_up_as_on_paper() -> None:
    target = requested_target(0.3, None, SITE)
    for left_mm in (0.2, 0.1, 0.0):
        target = requested_target(-0.1, target.mm, SITE)
        assert target == Target(steps_from_mm(left_mm), left_mm)
    target = requested_target(2.0, None, SITE)
    for _ in range(500):
        target = requested_target(-0.001, target.mm, SITE)
    assert target == Target(steps_from_mm(1.5), 1.5)


@pytest.mark.parametrize(
    ("base_mm", "by_mm", "limit_mm"), [(0.1, -0.1001, 0.0), (5.9, 0.10019, 6.0), (0.1, -0.1, 0.0)]
)
def test_a_sum_within_a_step_of_a_limit_is_the_limit(base_mm: float, by_mm: float, limit_mm: float) -> None:
    target = requested_target(by_mm, base_mm, SITE)
    assert target == Target(steps_from_mm(limit_mm), limit_mm)
    assert str(target.asked_mm) == str(limit_mm)


@pytest.mark.parametrize(("base_mm", "by_mm"), [(0.1, -0.1002), (5.9, 0.1002)])
def test_a_sum_more_than_a_step_outside_is_refused(base_mm: float, by_mm: float) -> None:
    with pytest.raises(OutsideLimitsError):
        requested_target(by_mm, base_mm, SITE)
