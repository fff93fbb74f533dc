"""Whole commissionings in virtual time, with an engineer who sees the virtual focuser."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.commission.session import Commissioning, Interrupts, Setting
from rockit.focuser.ok3z.commission.trials import TRIALS
from rockit.focuser.ok3z.commission.wiretap import Wiretap
from rockit.focuser.ok3z.driver.link import open_link
from rockit.focuser.ok3z.driver.planning import Drive, Limits
from rockit.focuser.ok3z.simulator import VirtualClock, VirtualOK3Z, register, unregister
from rockit.focuser.ok3z.storage.state_file import Entry

FIRST_NIGHT = datetime(2026, 11, 22, 18, 0, 0, tzinfo=timezone.utc)
LIMITS = Limits.from_mm(6.0, 6.0, 0.5)
_numbers = itertools.count()


class NightClock(VirtualClock):
    def utc_now(self) -> datetime:
        return FIRST_NIGHT + timedelta(seconds=self.monotonic())


class PaperKeeper:
    def __init__(self) -> None:
        self.kept: Entry | None = None
        self.written: list[Entry] = []

    def read(self) -> Entry | None:
        return self.kept

    def write(self, entry: Entry, durable: bool) -> None:
        self.kept = entry
        self.written.append(entry)


class Engineer:
    """Says yes to all, and tells what there is to see at the virtual focuser.

    `at` has answers to questions that hold a text; what they raise ends the commissioning.
    """

    def __init__(self, model: VirtualOK3Z) -> None:
        self.model = model
        self.told: list[str] = []
        self.asked: list[str] = []
        self.at: dict[str, Callable[[], str]] = {}
        self._motor_mm = model.motor_mm
        self._carriage_mm = model.carriage_mm

    def tell(self, text: str) -> None:
        self.told.append(text)
        self._look()

    def _look(self) -> tuple[float, float]:
        """How far motor and draw tube have come since the last look."""
        before = self._motor_mm, self._carriage_mm
        self._motor_mm, self._carriage_mm = self.model.motor_mm, self.model.carriage_mm
        return self._motor_mm - before[0], self._carriage_mm - before[1]

    def ask(self, question: str, choices: tuple[str, ...]) -> str:
        self.asked.append(question)
        gone_mm, moved_mm = self._look()
        for text, answer in self.at.items():
            if text in question:
                return answer()
        if "Which way" in question:
            return "unseen" if abs(gone_mm) < 0.001 else "outward" if gone_mm > 0 else "inward"
        if "draw tube move" in question:
            return "yes" if moved_mm > 0.001 else "no"
        if "calliper" in question:
            return f"{20 + self._carriage_mm:.3f}"
        if "hand control" in question:
            self.model.hand(0.1, register=True)
            return "moved"
        if "Cut the power" in question:
            self.model.power_cut(0.0)
            return "done"
        for yes in ("all", "yes"):
            if yes in choices:
                return yes
        return choices[0]


class Night:
    """A focuser, an engineer, and a state folder."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.clock = NightClock()
        # Where bytes take no time, whole nights take a second.
        self.model = VirtualOK3Z(self.clock, **{"baud_pacing": 0, **options})
        self.engineer = Engineer(self.model)
        self.keeper = PaperKeeper()
        self.interrupts = Interrupts()
        self.name = f"night{next(_numbers)}"
        self.url = register(self.name, self.model)
        self.file = folder / "focuser.commission.json"

    def run(self, speed_mm_sec: float = 0.5) -> int:
        """One commissioning; gives its exit code."""
        tap = Wiretap(self.clock)
        setting = Setting(
            "focuser", "/dev/focuser", 38400, Drive.from_mm(speed_mm_sec, 5), LIMITS, 5.0, self.file
        )
        return Commissioning(
            setting,
            lambda baud: open_link(self.url, baud, self.clock, tap),
            tap,
            self.clock,
            self.engineer,
            self.keeper,
            self.interrupts,
        ).run()

    def leave_only(self, *trials: str) -> None:
        """Have all other trials done, as a session that was broken off has them."""
        done = {"state": "done", "why": "", "at": "", "findings": [], "frames": []}
        session = {
            "format": 1,
            "daemon": "focuser",
            "port": "/dev/focuser",
            "begun_at": "yesterday",
            "settings": {**asdict(LIMITS), **asdict(Drive.from_mm(0.5, 5))},
            "trials": {trial.name: done for trial in TRIALS if trial.name not in trials},
            "measured": {"still_letters": [self.model.options.still_text]},
        }
        self.file.write_text(json.dumps(session))

    @property
    def report(self) -> dict[str, Any]:
        """The session file."""
        return json.loads(self.file.read_text())

    @property
    def verdicts(self) -> dict[str, str]:
        return {one["id"]: one["verdict"] for one in self.report["assumptions"]}

    def sentences(self, assumption: str) -> str:
        """What was found of an assumption."""
        (found,) = (one for one in self.report["assumptions"] if one["id"] == assumption)
        return " ".join(finding["sentence"] for finding in found["findings"])


@pytest.fixture
def make_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Night]]:
    monkeypatch.setattr(serial, "protocol_handler_packages", ["rockit.focuser.ok3z.simulator"])
    nights: list[Night] = []

    def make(**options: Any) -> Night:
        folder = tmp_path / str(len(nights))
        folder.mkdir()
        nights.append(Night(folder, **options))
        return nights[-1]

    yield make
    for night in nights:
        unregister(night.name)
