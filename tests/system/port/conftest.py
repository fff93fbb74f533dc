"""Virtual controllers outside of the daemon: `ok3z-simulator` processes on pseudo-terminals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.support.processes import Simulator


@pytest.fixture
def make_simulator(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Starts virtual controllers on pseudo-terminals; keywords are their options."""
    made: list[Simulator] = []

    def make(**options: Any) -> Simulator:
        folder = tmp_path / f"s{len(made)}"
        folder.mkdir()
        made.append(Simulator(folder, **options))
        return made[-1]

    yield make
    for simulator in made:
        with simulator:
            simulator.end_well()
