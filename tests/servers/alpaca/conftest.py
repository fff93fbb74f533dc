"""Moves of Alpaca programs that fail."""

from __future__ import annotations

from typing import Callable

import pytest

from rockit.focuser.ok3z.errors import FocuserError, NoProgressError
from tests.support.focusers import MovingFocuser
from tests.support.http import AlpacaClient


@pytest.fixture
def fail(other: AlpacaClient, focuser: MovingFocuser) -> Callable[..., None]:
    """Have a move of a client fail after its answer, and tell nobody."""

    def fail(who: AlpacaClient, failure: FocuserError | None = None) -> None:
        focuser.move_gate.close()
        focuser.failures["move"] = failure or NoProgressError("the motor does not advance.")
        assert who.put("move", Position=100).error == 0
        focuser.move_gate.open()
        other.wait_for("ismoving", False)
        focuser.failures.clear()

    return fail
