"""The driver against a virtual controller in lock step: virtual time, one thread, every exchange counted."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Callable

import pytest
import serial

from rockit.focuser.ok3z.commands import Commands, Settings, Surroundings
from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.errors import FocuserError, RequestError, StoppedError
from rockit.focuser.ok3z.link import open_link
from rockit.focuser.ok3z.mechanics import Drive, Limits, mm_from_steps
from rockit.focuser.ok3z.simulator import VirtualClock, VirtualOK3Z, register, unregister

STEP_MM = 1 / 5088
_numbers = itertools.count()


class Rig:
    """A focuser on a bench: the driver's commands on one side, the true carriage on the other.

    The line takes no time unless `baud_pacing` is given: then a command has ten times as many checkpoints.
    `at_exchange` is called with the number of each checkpoint before it passes; what it raises interrupts
    the command, as a stop does.
    """

    def __init__(
        self,
        focus_range_mm: float = 6.0,
        travel_mm: float | None = None,
        anti_backlash_mm: float = 0.5,
        move_timeout_s: float = 180.0,
        **options: object,
    ) -> None:
        self.clock = VirtualClock()
        self.model = VirtualOK3Z(self.clock, **{"start_mm": 1.0, "baud_pacing": False, **options})
        self.name = f"rig{next(_numbers)}"
        url = register(self.name, self.model)
        self.limits = Limits.from_mm(focus_range_mm, travel_mm or focus_range_mm, anti_backlash_mm)
        self.exchanges = 0
        self.by_hand = False
        self.at_exchange: Callable[[int], None] = lambda number: None
        self.announced: list[tuple[int, str]] = []
        self.published: list[tuple[int, bool, float | None]] = []
        settings = Settings("the rig", 5.0, move_timeout_s, self.limits, Drive.from_mm(0.5, 5.0))
        self.commands = _Watched(
            settings,
            Surroundings(
                open_port=lambda: open_link(url, 38400, self.clock),
                clock=self.clock,
                pause=self.clock.sleep,
                checkpoint=self._checkpoint,
                give_up_halting_s=lambda begun_s: begun_s + 5.0,
                announce=lambda level, message: self.announced.append((level, message)),
            ),
        )
        self.commands.rig = self

    def _checkpoint(self) -> None:
        self.exchanges += 1
        self.at_exchange(self.exchanges)

    def interrupt_at(self, number: int) -> None:
        """Stop the next command at its `number`-th checkpoint from now, and at all after it."""
        first = self.exchanges + number

        def stop(exchange: int) -> None:
            if exchange >= first:
                raise StoppedError("stopped by the test.")

        self.at_exchange = stop

    def carry_out(self, run: Callable[[], None]) -> FocuserError | None:
        """Run a command as the service does: settled after a failure. What it failed with."""
        try:
            run()
        except RequestError as error:
            return error
        except FocuserError as error:
            self.at_exchange = lambda number: None
            self.unhalted = self.commands.settle(error)
            return error
        finally:
            self.at_exchange = lambda number: None
        return None

    def home(self) -> None:
        """Bring the focuser up without trouble."""
        assert self.carry_out(self.commands.initialize) is None

    def move(self, position_mm: object, offset: bool = False) -> FocuserError | None:
        return self.carry_out(lambda: self.commands.move(position_mm, offset))

    def sent(self) -> list[str]:
        """The commands that the controller got, without the questions."""
        frames = [data.decode("latin-1").strip() for _, data in self.model.journal]
        return [frame for frame in frames if not frame.endswith(" F$")]

    @property
    def status(self) -> int:
        return self.commands.snapshot.status

    @property
    def position_mm(self) -> float:
        steps = self.commands.snapshot.current_steps
        assert steps is not None
        return mm_from_steps(steps)

    def assert_honest(self) -> None:
        """Idle means: standing, and the published position is the motor's (the carriage's, with the backlash)."""
        if self.status == FocuserStatus.Idle:
            assert not self.model.is_moving
            assert self.position_mm == pytest.approx(self.model.motor_mm, abs=1.5 * STEP_MM)
        assert self.model.lowest_mm >= -STEP_MM
        assert self.model.highest_mm <= max(
            mm_from_steps(self.limits.travel_steps) + STEP_MM, self.model.options.start_mm + STEP_MM
        )

    def assert_stands_at(self, position_mm: float) -> None:
        """The true carriage is where it was sent, within one step."""
        self.assert_honest()
        assert self.status == FocuserStatus.Idle
        assert self.position_mm == pytest.approx(position_mm, abs=STEP_MM)
        assert self.model.carriage_mm == pytest.approx(position_mm, abs=1.5 * STEP_MM)

    def close(self) -> None:
        self.commands.leave()
        unregister(self.name)


class _Watched(Commands):
    """Looks at every snapshot as it is published: never Idle while the motor runs."""

    rig: Rig

    @property
    def snapshot(self):  # type: ignore[no-untyped-def]
        return self._snapshot

    @snapshot.setter
    def snapshot(self, snapshot) -> None:  # type: ignore[no-untyped-def]
        self._snapshot = snapshot
        rig = getattr(self, "rig", None)
        if rig is not None and snapshot.status == FocuserStatus.Idle:
            assert rig.by_hand or not rig.model.is_moving, "Idle was published while the motor ran"


@pytest.fixture(autouse=True)
def _simulator_scheme() -> None:
    name = "rockit.focuser.ok3z.simulator"
    if name not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(name)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    """A maker of rigs, closed at the end of the test."""
    rigs: list[Rig] = []

    def make(**options: object) -> Rig:
        rigs.append(Rig(**options))  # type: ignore[arg-type]
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A homed focuser."""
    rig = make_rig()
    rig.home()
    return rig
