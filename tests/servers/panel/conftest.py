"""The panel of the HTTP port, over a focuser that stands still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.focusers import FakeFocuser


@pytest.fixture
def focuser() -> Iterator[FakeFocuser]:
    """A focuser that stands at 2 mm, whatever it is told."""
    focuser = FakeFocuser()
    yield focuser
    focuser.close()
