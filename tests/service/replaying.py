"""A recording, lived through again by the commands of the service in virtual time."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from rockit.focuser.ok3z.driver.planning import Drive, Limits
from rockit.focuser.ok3z.driver.rates import Ratios
from rockit.focuser.ok3z.errors import FocuserError, StoppedError
from rockit.focuser.ok3z.service.commands import Commands
from rockit.focuser.ok3z.service.settings import Settings
from rockit.focuser.ok3z.service.status import Snapshot
from rockit.focuser.ok3z.simulator import VirtualClock
from rockit.focuser.ok3z.simulator.protocol_replay import replayed
from rockit.focuser.ok3z.storage.state_file import Entry

from .conftest import Bench

RECORDINGS = Path(__file__).parents[1] / "recordings"
# A recording of a fault ends when the motor was seen standing: what was concluded then comes after that.
AFTERWARDS_S = 10.0
_numbers = itertools.count()


@dataclass(frozen=True)
class Command:
    """A command in a recording, and when it was asked for."""

    at_s: float
    name: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Lived:
    """What came of a replay: each command with what it failed with, and the bench that it was on."""

    ends: list[tuple[str, FocuserError | None]]
    bench: Bench
    snapshot: Snapshot


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.open(path)]


def live_through(path: Path) -> Lived:
    """Give the commands of a recording again, each in its moment, to a daemon that was left as the recorded one was."""
    head, *lines = lines_of(path)
    commands = [
        Command(line["t"], line["asked"]["command"], line["asked"]) for line in lines if "asked" in line
    ]
    clock = VirtualClock()
    with replayed(f"recording{next(_numbers)}", path, clock) as url:
        bench = Bench(_settings(head["settings"]), clock, url)
        ends = list(_ends(bench, commands, lines[-1]["t"]))
        snapshot = bench.commands.snapshot
        bench.commands.leave()
    return Lived(ends, bench, snapshot)


def _ends(bench: Bench, commands: list[Command], end_s: float) -> Iterator[tuple[str, FocuserError | None]]:
    begun_s = bench.clock.monotonic() - commands[0].at_s
    if commands[0].name != "initialize":
        # It begins in the middle of a night.
        bench.keeper.kept = _entry(commands[0].details["left"])
    bench.start_process()
    if commands[0].name != "initialize":
        yield "resume", bench.carry_out(lambda: bench.commands.initialize(resume=True))
    left = list(commands)
    while left:
        command = left.pop(0)
        bench.rest(begun_s + command.at_s - bench.clock.monotonic())
        if left and left[0].name == "stop":
            bench.at_exchange = _stops_at(begun_s + left[0].at_s, bench)
        error = bench.carry_out(_begun(bench.commands, command))
        if isinstance(error, StoppedError):
            del left[0]
        yield command.name, error
    bench.rest(begun_s + end_s + AFTERWARDS_S - bench.clock.monotonic())


def _settings(given: dict[str, float]) -> Settings:
    return Settings(
        "the rig",
        given["serial_timeout_s"],
        given["move_timeout_s"],
        Limits.from_mm(given["focus_range_mm"], given["travel_mm"], given["anti_backlash_mm"]),
        Drive.from_mm(given["speed_mm_sec"], given["acceleration_mm_sec_sec"]),
    )


def _entry(left: dict[str, Any]) -> Entry:
    values: dict[str, Any] = {"port": "the rig", "homed_at": None, **left}
    if values["ratios"] is not None:
        values["ratios"] = Ratios(**values["ratios"])
    for name in ("way", "power_up_registers", "found_registers"):
        values[name] = None if values[name] is None else tuple(values[name])
    return Entry(**values)


def _stops_at(at_s: float, bench: Bench) -> Callable[[int], None]:
    def look(_: int) -> None:
        if bench.clock.monotonic() >= at_s:
            raise StoppedError("stopped by the recording.")

    return look


def _begun(commands: Commands, command: Command) -> Callable[[], None]:
    details = command.details
    if command.name == "initialize":
        return lambda: commands.initialize(details["resume"], details["restore"], details["new_controller"])
    if command.name == "move":
        return lambda: commands.move(details["mm"], False, details["exact"])
    return {"stop": commands.halt_at_rest, "audit": commands.audit, "shutdown": commands.shutdown}[
        command.name
    ]
