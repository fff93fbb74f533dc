"""A virtual OK3Z on a bench, in virtual time: nothing here waits for the wall clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import serial

from rockit.focuser.ok3z.simulator import VirtualClock, VirtualOK3Z, forget_all, registered

PACKAGE = "rockit.focuser.ok3z.simulator"
SPEED, ACCELERATION = 41, 437
STEPS_PER_MM = 5088


class Bench:
    """A model, the clock that moves it, and a port on it."""

    def __init__(self, url: str, model: VirtualOK3Z, clock: VirtualClock) -> None:
        self.model = model
        self.clock = clock
        self.port: Any = serial.serial_for_url(url, baudrate=model.options.baud, timeout=0.25)

    def tell(self, code: str, argument: str = "") -> None:
        """Send a command and wait until it has arrived."""
        self.port.write(f"#{code} F {argument}$\n".encode())
        self.port.flush()

    def ask(self, code: str) -> bytes:
        """Send a query and read what comes within the timeout, up to a newline."""
        self.port.write(f"#{code} F$\n".encode())
        return bytes(self.port.read_until(b"\n"))

    def everything(self, seconds: float = 5.0) -> bytes:
        """All that comes within a time."""
        self.clock.sleep(seconds)
        return bytes(self.port.read(self.port.in_waiting))

    def configure(self) -> None:
        """What a driver does before the homing run."""
        for code, value in (("P132", SPEED), ("P052", ACCELERATION), ("P062", ACCELERATION)):
            self.tell(code, str(value))
        self.tell("P031")
        self.tell("E002", "3")

    def rest(self) -> None:
        """Let time pass until the motor stands."""
        for _ in range(10000):
            if self.model.is_at_rest:
                return
            self.clock.sleep(0.05)
        pytest.fail("the motor never came to rest")

    def home(self) -> int:
        """Configure and home; the origin."""
        self.configure()
        self.tell("P103", "V 21341")
        self.rest()
        return self.model.register

    def go_to_mm(self, origin: int, mm: float) -> None:
        """Begin a move to a position."""
        self.tell("P092", str(origin - round(mm * STEPS_PER_MM)))

    def move_to_mm(self, origin: int, mm: float) -> None:
        """Move to a position, and wait until the motor stands."""
        self.go_to_mm(origin, mm)
        self.rest()


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    """`sim://` is known, and no model outlives its test."""
    had = PACKAGE in serial.protocol_handler_packages
    if not had:
        serial.protocol_handler_packages.append(PACKAGE)
    yield
    forget_all()
    if not had:
        serial.protocol_handler_packages.remove(PACKAGE)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def make_bench(clock: VirtualClock) -> Iterator[Callable[..., Bench]]:
    """Make one bench with options of the model."""
    benches: list[Bench] = []
    managers: list[Any] = []

    def make(**options: Any) -> Bench:
        model = VirtualOK3Z(clock, **options)
        manager = registered(f"bench{len(managers)}", model)
        managers.append(manager)
        benches.append(Bench(manager.__enter__(), model, clock))
        return benches[-1]

    yield make
    for bench in benches:
        bench.port.close()
    for manager in managers:
        manager.__exit__(None, None, None)


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """The bench as it is made without options."""
    return make_bench()


@pytest.fixture
def ends_of_a_read() -> Callable[[Any, Callable[[], None]], list[serial.SerialException]]:
    """With what a read without a timeout ends, that waits while something is done to its port."""

    def ends(port: Any, do: Callable[[], None]) -> list[serial.SerialException]:
        port.timeout = None
        ended: list[serial.SerialException] = []

        def read() -> None:
            try:
                port.read(1)
            except serial.SerialException as error:
                ended.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        do()
        reader.join(10)
        return ended

    return ends
