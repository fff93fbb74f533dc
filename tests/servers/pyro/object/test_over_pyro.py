"""The object behind the port: what comes through serpent, and what is exposed."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import Pyro4
import Pyro4.errors
import pytest


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((2.5,), 0),
        ((2,), 0),
        ((-0.5, True), 0),
        ((math.nan,), 6),
        ((math.inf,), 6),
        ((10**400,), 6),
        ((6.5,), 6),
        (("2.5",), 1),
        ((None,), 1),
        ((True,), 1),
        (([2.5],), 1),
        (({"pos": 2.5},), 1),
        ((Decimal("2.5"),), 1),
        ((b"2.5",), 1),
        (("x" * 3_000,), 1),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_calls_that_come_over_pyro(uri: str, arguments: tuple[Any, ...], status: int) -> None:
    with Pyro4.Proxy(uri) as proxy:
        proxy._pyroTimeout = 10
        assert proxy.set_focus(*arguments) == status
        assert proxy.report_status()["current_mm"] == 2.0


def test_nothing_but_the_documented_calls_is_exposed(uri: str) -> None:
    with Pyro4.Proxy(uri) as proxy:
        proxy._pyroTimeout = 10
        proxy._pyroBind()
        assert set(proxy._pyroMethods) == {
            "initialize",
            "shutdown",
            "set_focus",
            "stop",
            "audit",
            "report_status",
            "begin_move",
            "wait_for_change",
            "last_measurement",
            "last_failure",
            "record",
        }
        assert set(proxy._pyroAttrs) == set()
