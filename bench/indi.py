"""What the INDI driver adds: how soon a property is answered, how soon an abort is at the controller, and what it costs
at rest.

Each is measured from the XML on the driver's stdin, as a server would write it there.
"""

from __future__ import annotations

import os
import random
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.figures import Bound, Figure
from bench.idle import SETTLE_S, cpu_s
from bench.interruption import held_back
from bench.rig import BIN, END_S, PATIENCE_S, BenchError, Rig, rig, wait_until
from bench.stop import APART_S, FAR_IN_MM, FAR_OUT_MM, LEAST_RUN_S, MIDDLE_MM, MOST_RUN_S
from bench.wire_log import HALT
from rockit.focuser.ok3z.driver.planning import steps_from_mm

PART = "INDI"
DEVICE = "OK3Z bench"
ANSWER_TARGET = Bound(1.0, "an answer, so that no client waits for the driver", "p99")
ABORT_TARGET = Bound(15.0, "an abort is at the controller")
CPU_TARGET = Bound(0.3, "of one core")


class Driver:
    """An `indi_ok3z_focus` on pipes."""

    def __init__(self, ready: Rig) -> None:
        self.popen = subprocess.Popen(
            [str(BIN / "indi_ok3z_focus")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**ready.environment, "INDIDEV": DEVICE},
            start_new_session=True,
        )
        self._said = b""

    def say(self, text: str) -> float:
        """Write something; the moment before."""
        assert self.popen.stdin is not None
        self._read(0)
        self._said = b""
        now_s = time.monotonic()
        os.write(self.popen.stdin.fileno(), text.encode())
        return now_s

    def wait_for(self, pattern: bytes) -> float:
        """The moment at which it has said what was expected."""
        expires_s = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self._said, re.DOTALL):
            self._read(max(0.0, expires_s - time.monotonic()))
            if time.monotonic() >= expires_s:
                raise BenchError(f"the driver never said {pattern!r}: {self._said[-500:]!r}")
        return time.monotonic()

    def _read(self, patience_s: float) -> None:
        assert self.popen.stdout is not None
        if select.select([self.popen.stdout], [], [], patience_s)[0]:
            self._said += os.read(self.popen.stdout.fileno(), 65536)

    def close(self) -> None:
        for stream in (self.popen.stdin, self.popen.stdout):
            assert stream is not None
            stream.close()
        try:
            self.popen.wait(END_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(END_S)


def new(kind: str, vector: str, element: str, value: object) -> str:
    """What a client sends to set one element."""
    one = f"<one{kind} name='{element}'>{value}</one{kind}>"
    return f"<new{kind}Vector device='{DEVICE}' name='{vector}'>{one}</new{kind}Vector>"


def told(vector: str, state: str) -> bytes:
    """What the driver says of a property that is in a state."""
    return rf'<set\w+ device="{DEVICE}" name="{vector}" state="{state}".*?</set\w+>'.encode()


ABORT = new("Switch", "FOCUS_ABORT_MOTION", "ABORT", "On")


@contextmanager
def connected(ready: Rig) -> Iterator[Driver]:
    """A driver that is connected to a homed focuser."""
    ready.expect("initialize")
    ready.expect("set_focus", MIDDLE_MM)
    with held_back():
        driver = Driver(ready)
    try:
        driver.say(new("Switch", "CONNECTION", "CONNECT", "On"))
        driver.wait_for(b"FOCUS_ABORT_MOTION.*</defSwitchVector>")
        yield driver
    finally:
        with held_back():
            driver.close()


def measure(stops: int, calls: int, rest_s: float, chance: random.Random) -> list[Figure]:
    """Ask for a property `calls` times at rest and as often while it moves, abort `stops` moves, and watch it rest."""
    with rig() as ready, connected(ready) as driver:
        at_rest = [_answer_ms(driver) for _ in range(calls)]
        aborts = [_abort_ms(ready, driver, number, chance) for number in range(stops)]
        moving = _answers_while_moving(ready, driver, calls)
        cpu_percent = _cpu_percent(driver, rest_s)
    return [
        Figure(PART, "a property, at rest", "ms", at_rest, target=ANSWER_TARGET),
        Figure(PART, "a property, while it moves", "ms", moving, target=ANSWER_TARGET),
        Figure(PART, "XML to halt at the controller", "ms", aborts, target=ABORT_TARGET),
        Figure(PART, f"processor time over {rest_s:.0f} s", "%", [cpu_percent], target=CPU_TARGET),
    ]


def _answer_ms(driver: Driver) -> float:
    said_s = driver.say(f"<getProperties version='1.7' device='{DEVICE}' name='FOCUS_MAX'/>")
    return (driver.wait_for(b"FOCUS_MAX.*</defNumberVector>") - said_s) * 1000


def _begin(ready: Rig, driver: Driver, target_mm: float) -> None:
    driver.say(new("Number", "ABS_FOCUS_POSITION", "FOCUS_ABSOLUTE_POSITION", steps_from_mm(target_mm)))
    wait_until(lambda: ready.truth()["moving"], "the motor runs")


def _abort_ms(ready: Rig, driver: Driver, number: int, chance: random.Random) -> float:
    _begin(ready, driver, FAR_IN_MM if number % 2 else FAR_OUT_MM)
    time.sleep(chance.uniform(LEAST_RUN_S, MOST_RUN_S))
    said_s = driver.say(ABORT)
    driver.wait_for(told("FOCUS_ABORT_MOTION", "Ok"))
    halts_s = ready.wire().times_s(HALT, since_s=said_s)
    if not halts_s:
        raise BenchError("no halt came to the controller after an abort")
    time.sleep(APART_S)
    return (halts_s[0] - said_s) * 1000


def _answers_while_moving(ready: Rig, driver: Driver, calls: int) -> list[float]:
    found: list[float] = []
    while len(found) < calls:
        driver.say(ABORT)
        driver.wait_for(told("FOCUS_ABORT_MOTION", "Ok"))
        out = ready.truth()["motor_mm"] < MIDDLE_MM
        _begin(ready, driver, FAR_OUT_MM if out else FAR_IN_MM)
        while len(found) < calls and ready.truth()["moving"]:
            found.append(_answer_ms(driver))
            time.sleep(0.005)
    driver.say(ABORT)
    driver.wait_for(told("FOCUS_ABORT_MOTION", "Ok"))
    return found


def _cpu_percent(driver: Driver, seconds: float) -> float:
    time.sleep(SETTLE_S)
    began_s, began_cpu_s = time.monotonic(), cpu_s(driver.popen.pid)
    time.sleep(seconds)
    return 100 * (cpu_s(driver.popen.pid) - began_cpu_s) / (time.monotonic() - began_s)
