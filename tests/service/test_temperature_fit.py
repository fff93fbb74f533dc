"""The slope that docs/examples/fit_temperature.py fits, by itself: its error is an error, and words have offsets."""

from __future__ import annotations

import importlib.util
import random
import sys
from typing import Any

import pytest

from rockit.focuser.ok3z.service import history_reports
from tests.support.markdown import PROJECT
from tests.support.temperature import shadow_night


def _example() -> Any:
    path = PROJECT / "docs/examples/fit_temperature.py"
    spec = importlib.util.spec_from_file_location("fit_temperature", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fit_temperature"] = module
    spec.loader.exec_module(module)
    return module


FIT = _example()


def test_the_standard_error_is_how_far_off_the_slope_is() -> None:
    chance = random.Random(3)
    off = []
    for _ in range(300):
        points = [FIT.Point(celsius, -0.03 * celsius + chance.gauss(0, 0.004)) for celsius in range(-4, 6, 2)]
        fit = FIT.fitted(points)
        off.append(((fit.slope + 0.03) / fit.error) ** 2)
    # Student's t of 3 degrees of freedom: 68.4 % lie within 1.2 errors.
    within = sum(one <= 1.2**2 for one in off) / len(off)
    assert within == pytest.approx(0.684, abs=0.06)


def test_filters_have_offsets_and_one_slope() -> None:
    points = [FIT.Point(c, 2.5 - 0.03 * c, "R") for c in (0.0, 2.0, 5.0)]
    points += [FIT.Point(c, 2.9 - 0.03 * c, "B") for c in (8.0, 9.0, 10.0)]
    fit = FIT.fitted(points)
    assert fit.slope == pytest.approx(-0.03)
    assert fit.error == pytest.approx(0.0, abs=1e-9)
    one_word = FIT.fitted([point._replace(word="") for point in points])
    assert one_word.slope > 0, "without the words the filter passes for the temperature"


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0.0, 1.0), (5.0, 2.0), (9.0, 3.0)],
        [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0), (1.5, 3.0)],
        [(0.0, 1.0, "a"), (5.0, 2.0, "b"), (9.0, 3.0, "c"), (10.0, 3.0, "d")],
    ],
)
def test_too_little_is_no_slope(points: list[tuple[Any, ...]]) -> None:
    with pytest.raises(ValueError, match="are too little"):
        FIT.fitted([FIT.Point(*point) for point in points])


def test_a_temperature_is_known_between_two_rows_that_are_near() -> None:
    known = [(0.0, 10.0), (3600.0, 8.0), (20000.0, 2.0)]
    assert FIT.temperature(known, 1800.0) == 9.0
    assert FIT.temperature(known, 3600.0) == 8.0
    assert [FIT.temperature(known, at_s) for at_s in (-1.0, 10000.0, 20001.0)] == [None] * 3


def test_a_wrong_slope_that_costs_focus_for_a_night_is_shown_by_the_fit() -> None:
    one = shadow_night(slope=+0.03)
    rows = [history_reports.row(row, may_control=True) for row in one.rows]
    fit = FIT.fitted(FIT.of_references(rows))
    assert fit.slope == pytest.approx(-0.03, abs=0.002)
    assert abs(0.03 - fit.slope) > 10 * fit.error
    # And by a file of results, whose temperatures are those of the history.
    results = [f"{row['begin']} {row['target_mm']} R\n" for row in rows if row["kind"] == "reference"]
    assert FIT.fitted(FIT.of_results(rows, results)).slope == pytest.approx(fit.slope, abs=1e-3)
