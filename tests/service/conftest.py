"""The driver against a virtual controller in lock step: virtual time, one thread, every exchange counted."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import datetime, timedelta, timezone
from typing import Callable

import pytest
import serial

from rockit.focuser.ok3z.constants import FocuserStatus
from rockit.focuser.ok3z.driver.controller import PAIRS_TO_AGREE
from rockit.focuser.ok3z.driver.link import Device, Link, open_link
from rockit.focuser.ok3z.driver.planning import Drive, Limits, mm_from_steps
from rockit.focuser.ok3z.driver.recorder import Recorder, Recording
from rockit.focuser.ok3z.errors import FocuserError, RequestError, StoppedError
from rockit.focuser.ok3z.service.commands import Commands
from rockit.focuser.ok3z.service.fault_recording import FaultRecording
from rockit.focuser.ok3z.service.history import NO_LEDGER, History, Ledger
from rockit.focuser.ok3z.service.publisher import Publisher
from rockit.focuser.ok3z.service.settings import Settings
from rockit.focuser.ok3z.service.status import Confidence, Snapshot
from rockit.focuser.ok3z.simulator import VirtualClock, VirtualOK3Z, register, unregister
from rockit.focuser.ok3z.storage.state_file import Entry

STEP_MM = 1 / 5088
FIRST_LIGHT = datetime(2026, 11, 22, 20, 0, 0, tzinfo=timezone.utc)
_numbers = itertools.count()


class KilledError(Exception):
    """The process ends here, without a word."""


class LateClock:
    """The driver's clock on a busy machine: at one look at it the process is held up."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._looks_left = 0
        self._late_s = 0.0
        self.set_s = 0.0
        """By how much somebody has set the time of day."""

    def hold_up(self, look: int, late_s: float) -> None:
        """Let `late_s` seconds pass right after the `look`-th look at the clock from now."""
        self._looks_left, self._late_s = look, late_s

    def monotonic(self) -> float:
        now_s = self._clock.monotonic()
        self._looks_left -= 1
        if self._looks_left == 0:
            self._clock.sleep(self._late_s)
        return now_s

    def utc_now(self) -> datetime:
        return FIRST_LIGHT + timedelta(seconds=self._clock.monotonic() + self.set_s)

    def boot_s(self) -> float:
        return self._clock.monotonic() + 1000.0

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class PaperKeeper:
    """Keeps entries as a journal does, on paper."""

    def __init__(self) -> None:
        self.problem = ""
        self.kept: Entry | None = None
        self.written: list[tuple[Entry, bool]] = []
        self.at_write: Callable[[Entry, bool], None] = lambda entry, durable: None

    def read(self) -> Entry | None:
        return self.kept

    def write_ahead(self, entry: Entry) -> Callable[[], None]:
        self.write(entry, durable=True)
        return lambda: None

    def write(self, entry: Entry, durable: bool) -> None:
        self.at_write(entry, durable)
        self.kept = entry
        self.written.append((entry, durable))


class PaperArchive:
    """Keeps recordings, on paper."""

    def __init__(self) -> None:
        self.kept: list[tuple[Recording, str]] = []

    def keep(self, recording: Recording, why: str) -> Future[str]:
        self.kept.append((recording, why))
        written: Future[str] = Future()
        written.set_result(str(len(self.kept)))
        return written


class RigPort:
    """The port of a rig: `device` is what its path leads to."""

    def __init__(self, rig: Bench, url: str) -> None:
        self._rig = rig
        self._url = url

    def open(self) -> Link:
        return open_link(self._url, 38400, self._rig.late_clock, self._rig.recorder)

    def device(self) -> Device | None:
        return self._rig.device


class RigWorker:
    """The thread of a rig, as its commands see it."""

    def __init__(self, rig: Bench) -> None:
        self._rig = rig

    def checkpoint(self) -> None:
        self._rig._checkpoint()

    yield_to_calls = checkpoint

    def pause(self, seconds: float) -> None:
        self._rig.clock.sleep(seconds)

    def give_up_halting_s(self, begun_s: float) -> float:
        return begun_s + 5.0

    def announce(self, level: int, message: str) -> None:
        self._rig.announced.append((level, message))

    def moves(self) -> None:
        pass

    def changed(self) -> None:
        pass


class Bench:
    """The commands of the service in virtual time, on one thread, with whatever is at the other end of `url`.

    `at_exchange` is called with the number of each checkpoint before it passes; what it raises interrupts
    the command, as a stop does.
    """

    def __init__(self, settings: Settings, clock: VirtualClock, url: str) -> None:
        self.settings = settings
        self.clock = clock
        self.late_clock = LateClock(clock)
        self.exchanges = 0
        self.device: Device | None = Device((0, 1, 2), (0o660, 0, 20))
        self.at_exchange: Callable[[int], None] = lambda number: None
        self.keeper = PaperKeeper()
        self.recorder = Recorder(clock)
        self.archive = PaperArchive()
        self.announced: list[tuple[int, str]] = []
        self.ledger: Ledger = NO_LEDGER
        self.port = RigPort(self, url)
        self.worker = RigWorker(self)

    def start_process(self) -> None:
        """A new process on the same focuser: nothing is known but what was kept."""
        recording = FaultRecording(self.recorder, self.archive, self.late_clock.utc_now)
        self.history = History(self.ledger, self.late_clock)
        self.commands = Commands(
            self.settings, self.port, self.keeper, self.worker, self.late_clock, recording, self.history
        )
        self.commands.begin()

    def _checkpoint(self) -> None:
        self.exchanges += 1
        self.at_exchange(self.exchanges)

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

    def rest(self, seconds: float) -> None:
        """Let time pass as the service's thread does while nobody calls."""
        end_s = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end_s:
            self.clock.sleep(max(self.commands.rest_s(1.0), 1e-6))
            self.history.beat()
            self.carry_out(self.commands.watch_rest)


class Rig(Bench):
    """A focuser on a bench: the driver's commands on one side, the true carriage on the other.

    The line takes no time unless `baud_pacing` is given: then a command has ten times as many checkpoints.
    The driver is told of a `time_scale`, unless `told` is False. With `paired` a homed focuser rests until readings are
    one round trip.
    """

    def __init__(
        self,
        focus_range_mm: float = 6.0,
        travel_mm: float | None = None,
        anti_backlash_mm: float = 0.5,
        move_timeout_s: float = 180.0,
        speed_mm_sec: float = 0.5,
        acceleration_mm_sec_sec: float = 5.0,
        told: bool = True,
        paired: bool = False,
        **options: object,
    ) -> None:
        self._paired = paired
        clock = VirtualClock()
        self.model = VirtualOK3Z(clock, **{"start_mm": 1.0, "baud_pacing": False, **options})
        self.name = f"rig{next(_numbers)}"
        self.limits = Limits.from_mm(focus_range_mm, travel_mm or focus_range_mm, anti_backlash_mm)
        self.by_hand = False
        self.published: list[tuple[int, bool, float | None]] = []
        time_scale = self.model.options.time_scale if told else 1.0
        drive = Drive.from_mm(speed_mm_sec, acceleration_mm_sec_sec, time_scale)
        settings = Settings("the rig", 5.0, move_timeout_s, self.limits, drive)
        super().__init__(settings, clock, register(self.name, self.model))
        self.start_process()

    def start_process(self) -> None:
        super().start_process()
        self._watch(self.commands._publisher)

    def _watch(self, board: Publisher) -> None:
        """Look at every snapshot as it is published: never Idle while the motor runs."""
        publish = board.publish

        def watched(snapshot: Snapshot) -> None:
            if snapshot.status == FocuserStatus.Idle:
                assert self.by_hand or not self.model.is_moving, "Idle was published while the motor ran"
            publish(snapshot)

        board.publish = watched  # type: ignore[method-assign]

    def kill_process(self) -> None:
        """The process ends without a word, as with SIGKILL: its port is closed by the system."""
        self.commands._session.close()

    def restart(self) -> None:
        """The process dies, and another begins."""
        self.kill_process()
        self.start_process()

    def kill_at(self, number: int, target_mm: float) -> bool:
        """Kill the process at the `number`-th exchange of a move, and start another; False where the move ended
        before."""

        first = self.exchanges + number
        return self.kill_when(lambda: self.exchanges >= first, lambda: self.commands.move(target_mm, False))

    def kill_when(self, comes: Callable[[], bool], run: Callable[[], None]) -> bool:
        """Kill the process in a command at the exchange where something comes, and start another; False where the
        command ended before."""

        def look(number: int) -> None:
            if comes():
                raise KilledError

        self.at_exchange = look
        try:
            run()
        except KilledError:
            return True
        finally:
            self.at_exchange = lambda number: None
            self.restart()
        return False

    def do_at(self, number: int, act: Callable[[], None]) -> None:
        """Do something once, at the `number`-th checkpoint from now."""
        there = self.exchanges + number

        def look(exchange: int) -> None:
            if exchange == there:
                act()

        self.at_exchange = look

    def interrupt_at(self, number: int) -> None:
        """Stop the next command at its `number`-th checkpoint from now, and at all after it."""
        first = self.exchanges + number

        def stop(exchange: int) -> None:
            if exchange >= first:
                raise StoppedError("stopped by the test.")

        self.at_exchange = stop

    def home(self) -> None:
        """Bring the focuser up without trouble."""
        assert self.carry_out(self.commands.initialize) is None
        if self._paired:
            self.prove_pairs()

    def prove_pairs(self) -> None:
        """Rest until both questions of a reading go out together."""
        for _ in range(PAIRS_TO_AGREE):
            assert self.carry_out(self.commands.watch_rest) is None
        assert self.asks_both

    @property
    def asks_both(self) -> bool:
        """Whether both questions of a reading go out together."""
        controller = self.commands._session._controller
        return controller is not None and controller.asks_both

    def move(self, position_mm: object, offset: bool = False, exact: bool = False) -> FocuserError | None:
        return self.carry_out(lambda: self.commands.move(position_mm, offset, exact))

    def resume(self, restore: bool | None = None) -> None:
        """Bring the focuser up without homing, if that can be."""
        assert self.carry_out(lambda: self.commands.initialize(resume=True, restore=restore)) is None

    # A link that goes and comes back: by a "hang-up" of the adapter, or in "silence"

    def lose(self, how: str) -> None:
        if how == "hang-up":
            self.model.hang_up()
        else:
            self.model.rate("reply_loss", 1.0)

    def give_back(self, how: str) -> None:
        if how == "hang-up":
            self.model.come_back()
        else:
            self.model.rate("reply_loss", 0.0)

    def lose_at(self, target_mm: float, at_mm: float, how: str) -> FocuserError | None:
        """Begin a move, and lose the link when the motor is so far."""
        outward = target_mm > at_mm

        def lose_there(number: int) -> None:
            passed = self.model.motor_mm >= at_mm if outward else self.model.motor_mm <= at_mm
            if self.model.is_moving and passed:
                self.at_exchange = lambda number: None
                self.lose(how)

        self.at_exchange = lose_there
        return self.move(target_mm)

    # What is known

    def sent(self, since_s: float = 0.0) -> list[str]:
        """The commands that the controller got since a moment of the clock, without the questions. Of very long runs
        only the last are kept."""
        frames = [data.decode("latin-1").strip() for at_s, data in self.model.journal if at_s >= since_s]
        return [frame for frame in frames if not frame.endswith(" F$")]

    @property
    def homings(self) -> int:
        """How often the focuser was homed, or was about to be: two runs each, if all is well."""
        return self.commands._memory.entry.homings

    @property
    def confidence(self) -> Confidence:
        return self.commands.snapshot.confidence

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
        """The true carriage is where it was sent, or one step outward from there, where a power cut would show."""
        self.assert_honest()
        assert self.status == FocuserStatus.Idle
        assert self.position_mm == pytest.approx(position_mm, abs=1.5 * STEP_MM)
        assert self.model.carriage_mm == pytest.approx(position_mm, abs=2 * STEP_MM)

    def close(self) -> None:
        self.commands.leave()
        unregister(self.name)


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
