"""Hostile arguments: whatever is sent, the answer is a number."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.servers.pyro import PyroFocuser


class Untouchable:
    """An argument that must not be looked at, in no way at all."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was looked at")

    def _refuse(self, *_: object) -> Any:
        raise AssertionError("it was looked at")

    __bool__ = __float__ = __int__ = __index__ = __len__ = __str__ = __repr__ = __eq__ = __hash__ = _refuse


def test_a_stranger_is_refused_before_any_argument_is_looked_at(
    service: PyroFocuser,
    stand_in: Any,
    called_from: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    called_from("1.2.3.4")
    assert service.set_focus(Untouchable(), Untouchable()) == 3
    assert stand_in.calls == []
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    "position",
    [
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
        object(),
        Decimal(2),
    ],
    ids=lambda position: type(position).__name__,
)
@pytest.mark.parametrize("offset", [False, True])
def test_what_is_no_number_is_1(position: Any, offset: bool, service: PyroFocuser) -> None:
    assert service.set_focus(position, offset) == 1


@pytest.mark.parametrize(
    "position", [math.nan, math.inf, -math.inf, 1e308, 10**400, -(10**400), 6.001, -1.001]
)
@pytest.mark.parametrize("offset", [False, True])
def test_what_is_outside_is_6(position: Any, offset: bool, service: PyroFocuser) -> None:
    assert service.set_focus(position, offset) == 6


def test_an_offset_that_cannot_be_read_is_1(service: PyroFocuser, stand_in: Any) -> None:
    assert service.set_focus(1.0, Untouchable()) == 1
    assert stand_in.calls == []


def test_a_position_that_cannot_be_read_is_1(service: PyroFocuser) -> None:
    assert service.set_focus(Untouchable()) == 1


@pytest.mark.parametrize("offset", [True, False, 0, 1, None])
def test_an_offset_is_a_yes_or_a_no(offset: Any, service: PyroFocuser, stand_in: Any) -> None:
    assert service.set_focus(0.5, offset) == 0
    (given,) = stand_in.calls
    assert given == ("move", 0.5, bool(offset))
    assert type(given[2]) is bool


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ((), (None, None, False)),
        ((True,), (True, None, False)),
        ((False, True), (False, True, False)),
        ((1, 0), (True, False, False)),
        ((None, False), (None, False, False)),
        ((None, None, True), (None, None, True)),
        ((False, None, 1), (False, None, True)),
    ],
)
def test_what_initialize_is_asked_for(
    arguments: tuple[Any, ...], given: tuple[Any, ...], service: PyroFocuser, stand_in: Any
) -> None:
    assert service.initialize(*arguments) == 0
    assert stand_in.calls == [("initialize", *given)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("yes",),
        ([],),
        (2,),
        (-1,),
        (10**400,),
        (False, "False"),
        (Untouchable(), None),
        (False, 0.5),
        (None, None, "yes"),
    ],
)
def test_what_initialize_cannot_read_is_1(
    arguments: tuple[Any, ...], service: PyroFocuser, stand_in: Any
) -> None:
    assert service.initialize(*arguments) == 1
    assert stand_in.calls == []
