"""The controller at the end of its line: firmware and mechanics, power, and the faults of both directions.

`Device` knows no clock and no lock: every call says what time it is on the host's clock, never earlier
than the call before. `controller.VirtualOK3Z` is its safe face.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import NamedTuple

from .faults import Fault, Faults, replaced, spoil
from .firmware import Firmware
from .frames import Frame, LineSplitter, ended, format_frame, read_frame
from .mechanism import Mechanism
from .options import Options
from .serial_line import Run, SerialLine

TRACE_LENGTH = 5000


class TraceEntry(NamedTuple):
    """One line on the wire, when by the host's clock, and the faults that it met.

    `direction` is ">" towards the controller and "<" towards the host. `data` is what was sent; for a
    reply, what its faults made of it.
    """

    time_s: float
    direction: str
    data: bytes
    note: str


class Device:
    """One controller with its focuser and its line."""

    def __init__(self, options: Options, start_s: float) -> None:
        self._options = options
        self._start_s = start_s
        self._deaf_until_s = -math.inf
        self._resets_s: list[float] = []
        self._splitter = LineSplitter()
        # The answer to the first of two questions that is given behind that to the second.
        self._kept_back = b""
        byte_s = 10.0 / options.baud / options.time_scale if options.baud_pacing else 0.0
        latency_ms = options.usb_latency_ms or options.latency_timer_ms
        self.line = SerialLine(byte_s, latency_ms / 1000 / options.time_scale, options.usb_latency_ms > 0)
        self.mechanism = Mechanism(options)
        self.firmware = Firmware(options, self.mechanism)
        self.faults = Faults(options)
        self.trace: deque[TraceEntry] = deque(maxlen=TRACE_LENGTH)
        self.is_hung_up = False

    # Time

    def advance(self, now_s: float) -> None:
        """Live up to now."""
        self.advance_line(now_s)
        self.firmware.advance(self._device_time(now_s))

    def advance_line(self, now_s: float) -> None:
        """Let happen what is due on the line. The mechanics say nothing by themselves: they live on once asked."""
        while self._is_due(now_s) and self._next_on_the_line(now_s):
            pass

    def _is_due(self, now_s: float) -> bool:
        # Asked at every look at the port.
        return self.line.next_due_s <= now_s or bool(self._resets_s)

    def _next_on_the_line(self, now_s: float) -> bool:
        """Do the next thing that is due; whether there was one."""
        due_s = self.line.next_due_s
        if self._resets_s and self._resets_s[0] <= min(now_s, due_s):
            self._reset(heapq.heappop(self._resets_s))
            return True
        if due_s > now_s:
            return False
        if self.line.next_release_s == due_s:
            self.line.release_overtaken(due_s)
            return True
        run = self.line.arrive()
        for byte in run.data:
            line = self._splitter.push(byte)
            if line is not None:
                self._hear(line, run)
        if run.data.endswith((b"$", b"$\r")):
            self._hear(self._splitter.end(), run)
        return True

    def _device_time(self, host_s: float) -> float:
        return (host_s - self._start_s) * self._options.time_scale

    # The line

    def _hear(self, line: bytes, run: Run) -> None:
        """A line from the host arrives at the end of a run: its faults first, then the firmware."""
        now_s = run.time_s
        self.firmware.advance(self._device_time(now_s))
        if line in (b"\n", b"\r\n"):
            return
        frame = read_frame(ended(line))
        faults = self.faults.for_command(frame.code if frame else "")
        kinds = [fault.kind for fault in faults]
        resets = [fault for fault in faults if fault.kind == "reset"]
        is_deaf = self._is_deaf(now_s)
        self._record(now_s, ">", line, kinds + ["deaf"] * is_deaf)
        for fault in faults:
            if fault.kind == "power_cut":
                self._lose_power(now_s, fault.seconds)
            elif fault.kind == "hang_up":
                self.hang_up(now_s)
        if is_deaf or {"power_cut", "hang_up"} & set(kinds):
            return
        self._arm(resets, "before", now_s)
        heard = read_frame(ended(spoil(line, faults, self.faults.random)))
        takes = heard is not None and self._takes(heard, run.joined)
        if heard is not None and takes and "command_lost" not in kinds and not self._is_deaf(now_s):
            self._obey(heard, line, now_s)
        self._arm(resets, "after", now_s)

    def _takes(self, frame: Frame, joined: bool) -> bool:
        """Whether a question is taken that came in one write with others."""
        if frame.argument is not None:
            return True
        which = self._options.two_questions
        return not ((which == "first" and joined) or (which == "last" and self.line.more_follows))

    def _obey(self, frame: Frame, line: bytes, now_s: float) -> None:
        reply = self.firmware.obey(frame)
        if reply is None:
            return
        faults = self.faults.for_reply(frame.code)
        spoilt = spoil(self._written(replaced(reply, faults)), faults, self.faults.random)
        if self._options.echo:
            spoilt = line + spoilt
        self._record(now_s, "<", spoilt, [fault.kind for fault in faults])
        if any(fault.kind == "lost" for fault in faults):
            return
        late = [fault for fault in faults if fault.kind == "late"]
        delay_s = sum(fault.seconds for fault in late)
        delay_s += self._options.reply_delay_s / self._options.time_scale
        if self._options.two_questions == "swapped" and self.line.more_follows:
            self._kept_back = spoilt
            return
        spoilt, self._kept_back = spoilt + self._kept_back, b""
        self.line.reply(spoilt, now_s, delay_s, overtaken=any(fault.order == "out" for fault in late))

    def _written(self, reply: Frame) -> bytes:
        options = self._options
        return format_frame(reply, options.reply_spaces, options.trailing_spaces, options.reply_end)

    def _record(self, time_s: float, direction: str, data: bytes, notes: list[str]) -> None:
        self.trace.append(TraceEntry(time_s, direction, data, " ".join(notes)))

    def forget_faults(self) -> None:
        """Forget the faults that wait for frames, and the resets that are on their way."""
        self.faults.clear()
        self._resets_s.clear()

    # Power and plug

    @property
    def is_powered(self) -> bool:
        """Whether the power is on, or comes back by itself."""
        return self._deaf_until_s != math.inf

    def cut_power(self, now_s: float, off_s: float) -> None:
        """The motor stops, all settings and the register are lost; deaf for `off_s` (may be infinite)."""
        self.advance(now_s)
        self._lose_power(now_s, off_s)

    def _lose_power(self, now_s: float, off_s: float) -> None:
        self._splitter.clear()
        self.line.drop_replies(now_s, arrived_too=False)
        self.firmware.power_up()
        self._deaf_until_s = now_s + off_s + self._options.boot_s / self._options.time_scale

    def _arm(self, resets: list[Fault], when: str, now_s: float) -> None:
        """Let the resets of this moment happen: those without a delay at once, before the next frame."""
        for fault in resets:
            if fault.when == when and fault.delay_s > 0:
                heapq.heappush(self._resets_s, now_s + fault.delay_s)
            elif fault.when == when:
                self._reset(now_s)

    def _reset(self, now_s: float) -> None:
        """The power is away for a moment; a controller without power has nothing to lose."""
        if not self._is_deaf(now_s):
            self.firmware.advance(self._device_time(now_s))
            self._lose_power(now_s, 0.0)

    def _is_deaf(self, now_s: float) -> bool:
        return now_s < self._deaf_until_s

    def restore_power(self, now_s: float) -> None:
        """The power is back: it answers once it has booted."""
        self.cut_power(now_s, 0.0)

    def hang_up(self, now_s: float) -> None:
        """The USB adapter drops off the bus. The controller itself goes on with what it does."""
        self.advance(now_s)
        self.is_hung_up = True
        self._splitter.clear()
        self.line.drop_unsent()
        self.line.drop_replies(now_s, arrived_too=True)

    def come_back(self) -> None:
        """The adapter is on the bus again. Ports that were open stay dead: they must be opened anew."""
        self.is_hung_up = False
