"""What is true: the virtual controller's own process, and what it says of itself on its control socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .processes import end_process

STEPS_PER_MM = 5088
ANSWER_S = 10.0


@dataclass(frozen=True)
class Truth:
    """The device at one moment; millimetres outward of the limit switch.

    Args:
        carriage_mm, motor_mm: where they stand.
        at_s: when, on the monotonic clock.
        speed_mm_s: how fast the motor may be, by its settings, on the same clock.
        moving: whether the motor turns.
        runs: how many motion commands the controller has understood since it was made.
        register: its position register.
        lowest_mm, highest_mm: how far the motor has been since that was last forgotten.
        hard_stop_hits: how often it has met the end of the travel since then.
    """

    carriage_mm: float
    motor_mm: float
    moving: bool
    runs: int
    register: int
    lowest_mm: float
    highest_mm: float
    hard_stop_hits: int
    at_s: float = 0.0
    speed_mm_s: float = 0.0

    @classmethod
    def of(cls, state: Mapping[str, Any], at_s: float, time_scale: float) -> Truth:
        seen = state["frames_seen"]
        return cls(
            carriage_mm=state["carriage_mm"],
            motor_mm=state["motor_mm"],
            moving=state["moving"],
            runs=seen.get("P092", 0) + seen.get("P103", 0),
            register=state["register"],
            lowest_mm=state["lowest_motor_mm"],
            highest_mm=state["highest_motor_mm"],
            hard_stop_hits=state["hard_stop_hits"],
            at_s=at_s,
            speed_mm_s=state["limit_speed_mm_per_s"] * time_scale,
        )


class Simulator:
    """An `ok3z-simulator` process on a pseudo-terminal. Any thread may ask it."""

    def __init__(self, folder: Path, time_scale: float, options: Mapping[str, object]) -> None:
        self._time_scale = time_scale
        self.link = str(folder / "focuser")
        self._lock = threading.Lock()
        control = str(folder / "control")
        words = [
            f"--{name.replace('_', '-')}={value}"
            for name, value in {**options, "time_scale": time_scale}.items()
        ]
        program = [sys.executable, "-m", "rockit.focuser.ok3z.simulator.program"]
        self._process = subprocess.Popen(
            [*program, "--link", self.link, "--control", control, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert self._process.stdout is not None
            if "ready" not in self._process.stdout.readline():
                raise RuntimeError("The virtual controller did not start: its message is above.")
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(ANSWER_S)
            self._socket.connect(control)
            self._answers = self._socket.makefile("rb")
        except BaseException:
            self._end()
            raise

    def tell(self, line: str) -> dict[str, Any]:
        """Say a line to the control socket. Raises RuntimeError where it is refused."""
        with self._lock:
            self._socket.sendall(line.encode() + b"\n")
            answer: dict[str, Any] = json.loads(self._answers.readline())
        if not answer["ok"]:
            raise RuntimeError(f"The virtual controller refused {line!r}: {answer['error']}")
        return answer

    def truth(self) -> Truth:
        state = self.tell("state")
        return Truth.of(state, time.monotonic(), self._time_scale)

    def trace(self) -> list[str]:
        """The last lines on the wire."""
        return [
            f"{time_s:.3f} {direction} {data.strip()} {note}".rstrip()
            for time_s, direction, data, note in self.tell("trace 100")["trace"]
        ]

    def mend(self) -> None:
        """End every fault."""
        for name in ("reply_loss", "reply_late", "reply_cut", "reply_garble", "reply_merge", "command_loss"):
            self.tell(f"rate {name} 0")
        for line in ("clear", "return", "power-on"):
            self.tell(line)

    def close(self) -> None:
        self._answers.close()
        self._socket.close()
        self._end()

    def _end(self) -> None:
        end_process(self._process)
        if self._process.stdout is not None:
            self._process.stdout.close()
