"""Virtual controllers outside of the daemon: `ok3z-simulator` processes on pseudo-terminals."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z.simulator.control import tell

COMMAND = Path(sys.executable).parent / "ok3z-simulator"
BOUND_S = 20.0
OPTIONS = {"start_mm": 0.3, "time_scale": 40}
Report = dict[str, Any]


class Simulator:
    """An `ok3z-simulator` process on a pseudo-terminal: it outlives the daemon that drives it."""

    def __init__(self, folder: Path, environment: dict[str, str], options: Report) -> None:
        self.link = str(folder / "focuser")
        self.control = str(folder / "sim_control")
        options = {**OPTIONS, **options}
        # What the test's daemon is told of it.
        self.port = {"serial_port": self.link, "time_scale": options["time_scale"]}
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self.popen = subprocess.Popen(
            [str(COMMAND), "--link", self.link, "--control", self.control, *words],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self.popen.stdout is not None
        assert "ready" in self.popen.stdout.readline()

    def tell(self, line: str) -> Report:
        answer = tell(self.control, line)
        assert answer["ok"], answer
        return answer

    def truth(self) -> Report:
        return self.tell("state")

    def end(self) -> None:
        self.popen.terminate()
        with self.popen:
            assert self.popen.wait(BOUND_S) == 0
        assert not os.path.lexists(self.link)
        assert not os.path.lexists(self.control)


@pytest.fixture
def make_simulator(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Simulator]]:
    """Starts virtual controllers on pseudo-terminals; keywords are their options."""
    made: list[Simulator] = []

    def make(**options: Any) -> Simulator:
        folder = tmp_path / f"s{len(made)}"
        folder.mkdir()
        made.append(Simulator(folder, environment, options))
        return made[-1]

    yield make
    for simulator in made:
        simulator.end()
