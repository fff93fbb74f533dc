"""The virtual OK3Z as hosts and tests use it.

`VirtualOK3Z` does nothing by itself. Whoever looks at it (a port, a test, the control socket) lets it
live up to now, exactly, however long ago the last look was. It is safe to use from several threads.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from .clock import Clock, SystemClock
from .device import Device, TraceEntry
from .faults import Fault
from .mechanism import MOTOR_FAULTS
from .options import STEPS_PER_MM, OptionError, Options
from .switch import SWITCH_STATES


class HungUpError(OSError):
    """The serial adapter is not on the bus, or was away since the port was opened."""


class PortBusyError(OSError):
    """The port is open already, and only one can have it."""


class VirtualOK3Z:
    """One controller with its focuser, from the moment it is powered.

    `clock` is the host's; the device runs `time_scale` times faster. The other options are those of
    `options.Options`. Raises OptionError, a ValueError, for one that is unknown or not allowed.
    Seconds are of the host's clock, millimetres are outward of the inner limit switch.
    """

    def __init__(self, clock: Clock | None = None, **options: Any) -> None:
        self.options = Options.from_mapping(options)
        self.clock: Clock = clock or SystemClock()
        self.condition = threading.Condition(threading.RLock())
        self._ticket = 0
        self._holder: int | None = None
        self._device = Device(self.options, self.clock.monotonic())
        self._listeners: list[Callable[[], None]] = []

    def advance(self) -> None:
        """Live up to now."""
        self._look()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, under the lock, when a mishap or a write may have changed what comes next."""
        with self.condition:
            self._listeners.append(listener)

    # The host's side of the line. All raise HungUpError while the adapter is away.

    def claim_port(self) -> int:
        """Open the port: a ticket, good until `release_port` or a hang-up. Raises PortBusyError too."""
        with self.condition:
            now_s = self._plugged()
            if self._holder is not None:
                raise PortBusyError("The virtual controller's port is open already: close it there first.")
            self._device.line.drop_unread(now_s)
            self._ticket += 1
            self._holder = self._ticket
            return self._ticket

    def release_port(self, ticket: int) -> None:
        """Close the port, if it is still this ticket's."""
        with self.condition:
            if self._holder == ticket:
                self._holder = None
            self.condition.notify_all()

    def check_port(self, ticket: int) -> None:
        """Raise HungUpError if the adapter was away since the port was opened."""
        if self._holder != ticket:
            raise HungUpError("The virtual serial adapter hung up while the port was open: open it anew.")

    @property
    def is_port_open(self) -> bool:
        return self._holder is not None

    def write(self, data: bytes) -> int:
        """Take bytes from the host; how many found room."""
        with self.condition:
            now_s = self._plugged()
            count = self._device.line.write(data, now_s)
            self._changed()
            return count

    def read(self, size: int) -> bytes:
        """Up to `size` bytes that have reached the host by now."""
        with self.condition:
            now_s = self._plugged()
            return self._device.line.read(size, now_s)

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now."""
        with self.condition:
            now_s = self._plugged()
            return self._device.line.in_waiting(now_s)

    @property
    def out_waiting(self) -> int:
        """Bytes from the host that have not reached the controller."""
        with self.condition:
            self._plugged()
            return self._device.line.out_waiting

    def drop_unread(self) -> None:
        """Forget what has reached the host and was not read; what is on its way still comes."""
        with self.condition:
            now_s = self._plugged()
            self._device.line.drop_unread(now_s)

    def drop_unsent(self) -> None:
        """Forget what the host wrote and the controller has not yet got."""
        with self.condition:
            self._plugged()
            self._device.line.drop_unsent()
            self._changed()

    @property
    def next_event_s(self) -> float | None:
        """When something can next be read, or happen on the line; None for never; may be in the past."""
        with self.condition:
            line = self._device.line
            byte_s, due_s = line.next_byte_s, line.next_due_s
            if byte_s is not None:
                return min(byte_s, due_s)
            return None if due_s == math.inf else due_s

    @property
    def is_hung_up(self) -> bool:
        """Whether the serial adapter is off the bus."""
        return self._look().is_hung_up

    @property
    def next_departure_s(self) -> float | None:
        """When the next bytes from the host reach the controller, which makes room; None for never."""
        return self._device.line.next_arrival_s

    # What is true of the device, whatever it says

    @property
    def carriage_mm(self) -> float:
        """Where the carriage stands."""
        return self._look().mechanism.carriage / STEPS_PER_MM

    @property
    def motor_mm(self) -> float:
        """Where the motor stands: at the carriage after an inward move, up to the backlash outward of it."""
        return self._look().mechanism.motor / STEPS_PER_MM

    @property
    def register(self) -> int:
        """The position register, steps, growing inward."""
        return self._look().mechanism.register

    @property
    def is_moving(self) -> bool:
        """Whether the motor turns; False during the start latency."""
        return self._look().mechanism.is_moving

    @property
    def is_at_rest(self) -> bool:
        """Whether the motor neither turns nor is about to, and nothing from the host is on its way."""
        with self.condition:
            device = self._look()
            return device.mechanism.is_at_rest and device.line.out_waiting == 0

    @property
    def lowest_mm(self) -> float:
        """The furthest inward that the carriage has been."""
        return self._look().mechanism.extremes.lowest / STEPS_PER_MM

    @property
    def highest_mm(self) -> float:
        """The furthest outward that the carriage has been."""
        return self._look().mechanism.extremes.highest / STEPS_PER_MM

    @property
    def lowest_motor_mm(self) -> float:
        """The furthest inward that the motor has been."""
        return self._look().mechanism.extremes.lowest_motor / STEPS_PER_MM

    @property
    def highest_motor_mm(self) -> float:
        """The furthest outward that the motor has been."""
        return self._look().mechanism.extremes.highest_motor / STEPS_PER_MM

    @property
    def hard_stop_hits(self) -> int:
        """How often the motor ran against an end of the travel."""
        return self._look().mechanism.extremes.hard_stop_hits

    @property
    def ground_mm(self) -> float:
        """How far the motor has been driven against an end of the travel."""
        return self._look().mechanism.extremes.ground / STEPS_PER_MM

    def forget_extremes(self) -> None:
        """Count lowest, highest, hard stops and grinding anew, from here."""
        with self._changing() as device:
            device.mechanism.forget_extremes()

    @property
    def journal(self) -> list[tuple[float, bytes]]:
        """What arrived from the host: (time, line), the last few thousand."""
        return [(entry.time_s, entry.data) for entry in self.trace if entry.direction == ">"]

    @property
    def trace(self) -> list[TraceEntry]:
        """The last few thousand lines in both directions."""
        with self.condition:
            return list(self._look().trace)

    @property
    def frames_seen(self) -> Counter[str]:
        """How many frames of each code the firmware has understood."""
        with self.condition:
            return Counter(self._look().firmware.frames_seen)

    @property
    def refused(self) -> list[str]:
        """The last frames that the firmware understood and did not obey."""
        with self.condition:
            return list(self._look().firmware.refused)

    def state(self) -> dict[str, Any]:
        """All of this for people and for the control socket, as plain values."""
        with self.condition:
            device = self._look()
            mechanism, firmware = device.mechanism, device.firmware
            return {
                "carriage_mm": round(mechanism.carriage / STEPS_PER_MM, 6),
                "motor_mm": round(mechanism.motor / STEPS_PER_MM, 6),
                "register": mechanism.register,
                "moving": mechanism.is_moving,
                "speed_mm_per_s": round(mechanism.travel_speed / STEPS_PER_MM, 6),
                "lowest_mm": round(mechanism.extremes.lowest / STEPS_PER_MM, 6),
                "highest_mm": round(mechanism.extremes.highest / STEPS_PER_MM, 6),
                "lowest_motor_mm": round(mechanism.extremes.lowest_motor / STEPS_PER_MM, 6),
                "highest_motor_mm": round(mechanism.extremes.highest_motor / STEPS_PER_MM, 6),
                "hard_stop_hits": mechanism.extremes.hard_stop_hits,
                "ground_mm": round(mechanism.extremes.ground / STEPS_PER_MM, 6),
                "limit_speed_mm_per_s": round(
                    firmware.limits.speed * mechanism.step_travel / STEPS_PER_MM, 6
                ),
                "microstep_mode": firmware.microstep_mode,
                "motor": mechanism.motor_fault,
                "switch": mechanism.switch.state,
                "powered": device.is_powered,
                "hung_up": device.is_hung_up,
                "port_open": self.is_port_open,
                "faults": [fault.describe() for fault in device.faults.waiting],
                "frames_seen": dict(firmware.frames_seen),
                "refused": list(firmware.refused)[-5:],
            }

    # Mishaps, all of them allowed at any moment

    def change(self, **options: Any) -> None:
        """Change options from now on, all but those of line speed, way, seed and chance. Raises OptionError."""
        with self._changing():
            self.options.change(options)

    def fault(self, kind: str, **details: Any) -> None:
        """Spoil the next frames on the line: see `faults.Fault` for kinds and details. Raises OptionError."""
        with self._changing() as device:
            device.faults.add(Fault.from_mapping(kind, details))

    def rate(self, name: str, rate: float) -> None:
        """Change the chance of a random fault, one of `faults.RATES`, from 0 to 1. Raises OptionError."""
        with self._changing() as device:
            device.faults.set_rate(name, rate)

    def clear_faults(self) -> None:
        """Forget the faults that wait for frames, and mend motor and limit switch. Random rates stay."""
        with self._changing() as device:
            device.forget_faults()
            device.firmware.stand_short_steps.clear()
            device.mechanism.motor_fault = "works"
            device.mechanism.switch.state = "works"

    def motor(self, fault: str) -> None:
        """Let the motor be works, frozen (register too), stalled, reversed (register too) or miswired."""
        with self._changing() as device:
            device.mechanism.motor_fault = _one_of(fault, tuple(MOTOR_FAULTS), "motor")

    def limit_switch(self, fault: str) -> None:
        """Let the inner limit switch be works, dead (never closes) or stuck (always closed)."""
        with self._changing() as device:
            device.mechanism.switch.state = _one_of(fault, SWITCH_STATES, "switch")

    def lose_steps(self, steps: int) -> None:
        """The motor falls behind: it stands `steps` further out than the register says."""
        with self._changing() as device:
            device.mechanism.lose_steps(steps)

    def stand_short(self, steps: int, count: int = 1) -> None:
        """The next `count` go-to commands end `steps` before their target, in the register too."""
        with self._changing() as device:
            device.firmware.stand_short_steps.extend([steps] * min(count, 1000))

    def hand(self, mm: float, register: bool = False, drive: bool = False) -> None:
        """Somebody moves the focuser by `mm` (outward positive), at once, and the register if it is told so.

        With `drive` it is the hand controller that runs the motor there, and the register counts.
        """
        if not abs(mm) <= 100:
            raise OptionError(f"mm={mm!r} is not a number from -100 to 100.")
        steps = round(mm * STEPS_PER_MM)
        with self._changing() as device:
            if drive:
                target = device.mechanism.register - round(steps / device.mechanism.step_travel)
                device.mechanism.go_to(target, device.firmware.limits, latency_s=0.0)
            else:
                device.mechanism.push(steps, register)

    def power_cut(self, seconds: float = 0.0) -> None:
        """Cut the power and give it back after `seconds`: register and settings are lost, nothing moves."""
        with self._changing() as device:
            device.cut_power(self.clock.monotonic(), seconds)

    def power_off(self) -> None:
        """Cut the power until `power_on`."""
        self.power_cut(math.inf)

    def power_on(self) -> None:
        """Give the power back."""
        with self._changing() as device:
            if not device.is_powered:
                device.restore_power(self.clock.monotonic())

    def hang_up(self) -> None:
        """Pull the serial adapter. The controller keeps its power and goes on with what it does."""
        with self._changing() as device:
            device.hang_up(self.clock.monotonic())
            self._holder = None

    def come_back(self) -> None:
        """Plug the serial adapter in again. A port that was open stays dead and must be opened anew."""
        with self._changing() as device:
            device.come_back()

    # Inside

    def _look(self) -> Device:
        with self.condition:
            self._device.advance(self.clock.monotonic())
            self._note_hang_up()
            return self._device

    def _plugged(self) -> float:
        """Now, with all done that was due on the line."""
        now_s = self.clock.monotonic()
        self._device.advance_line(now_s)
        if self._device.is_hung_up:
            self._note_hang_up()
            raise HungUpError("The virtual serial adapter has hung up; `return` plugs it in again.")
        return now_s

    def _note_hang_up(self) -> None:
        if self._device.is_hung_up:
            self._holder = None

    @contextmanager
    def _changing(self) -> Iterator[Device]:
        """The device, now and locked; whoever waits looks again afterwards."""
        with self.condition:
            yield self._look()
            self._changed()

    def _changed(self) -> None:
        self.condition.notify_all()
        for listener in self._listeners:
            listener()


def _one_of(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        raise OptionError(f"{what} {value!r} is none of: {', '.join(allowed)}.")
    return value
