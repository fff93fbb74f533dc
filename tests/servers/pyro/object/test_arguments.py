"""Hostile arguments: whatever is sent, the answer is a number."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Callable

import pytest

from tests.support.pyro import proxy_from

NO_YES_OR_NO: tuple[Any, ...] = ("yes", [], 2, -1, 10**400, "False", 0.5)


class Untouchable:
    """An argument that must not be looked at, in no way at all."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was looked at")

    def _refuse(self, *_: object) -> Any:
        raise AssertionError("it was looked at")

    __bool__ = __float__ = __int__ = __index__ = __len__ = __str__ = __repr__ = __eq__ = __hash__ = _refuse


def test_a_stranger_is_refused_before_any_argument_is_looked_at(
    service: Any, focuser: Any, called_from: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    called_from("1.2.3.4")
    assert service.set_focus(Untouchable(), Untouchable()) == 3
    assert focuser.calls == []
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("offset", [False, True])
def test_a_position_over_pyro_is_a_number_inside_the_range(uri: str, offset: bool) -> None:
    inside = (2.5, 2, -0.5 if offset else 0.0)
    outside = (math.nan, math.inf, -math.inf, 1e308, 10**400, -(10**400), 6.001, -1.001)
    none: tuple[Any, ...] = (
        None,
        "2.0",
        "",
        b"2",
        [],
        [2.0],
        {},
        {"pos": 2.0},
        (2.0,),
        True,
        False,
        2j,
        Decimal(2),
        "x" * 3000,
    )
    with proxy_from(uri) as proxy:
        for status, positions in ((0, inside), (6, outside), (1, none)):
            for position in positions:
                assert proxy.set_focus(position, offset) == status, str(position)[:20]
        assert proxy.report_status()["current_mm"] == 2.0


def test_what_cannot_be_read_is_1(service: Any, focuser: Any) -> None:
    for position in (Untouchable(), object()):
        assert service.set_focus(position) == 1
    focuser.calls.clear()
    assert service.set_focus(1.0, Untouchable()) == 1
    for value in (*NO_YES_OR_NO, Untouchable()):
        assert service.initialize(value, None) == 1
        assert service.initialize(False, value) == 1
        assert service.initialize(None, None, value) == 1
    assert focuser.calls == []


def test_a_program_that_counts_in_steps_says_exact(service: Any, focuser: Any) -> None:
    assert service.set_focus(0.5, False, exact=True) == service.begin_move(0.25, exact=True) == 0
    assert focuser.calls == [("move", 0.5, False, True), ("move", 0.25, False, True)]
    for exact in NO_YES_OR_NO:
        assert service.set_focus(0.5, exact=exact) == service.begin_move(0.5, exact=exact) == 1
    assert len(focuser.calls) == 2


def test_an_offset_is_a_yes_or_a_no(service: Any, focuser: Any) -> None:
    for offset in (True, False, 0, 1, None):
        assert service.set_focus(0.5, offset) == 0
        given = focuser.calls[-1]
        assert given == ("move", 0.5, bool(offset), False)
        assert type(given[2]) is bool


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ((), (None, None, False)),
        ((False, True), (False, True, False)),
        ((1, 0), (True, False, False)),
        ((None, None, True), (None, None, True)),
        ((False, None, 1), (False, None, True)),
    ],
)
def test_what_initialize_is_asked_for(
    arguments: tuple[Any, ...], given: tuple[Any, ...], service: Any, focuser: Any
) -> None:
    assert service.initialize(*arguments) == 0
    assert focuser.calls == [("initialize", *given)]
