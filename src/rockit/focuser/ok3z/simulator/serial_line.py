"""The serial line between host and controller: bytes on their way, each with the time it arrives.

All times are seconds of the host's clock. The line knows nothing of frames but that a $ or a
newline ends something worth waking up for.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import deque
from typing import NamedTuple

BUFFER_BYTES = 4096
"""What an operating system keeps for a port, in each direction."""

PACKET_BYTES = 62
"""What an FTDI adapter passes on at once, however short the time: a USB packet without its two status bytes."""

_RUN = re.compile(rb"[^$\n]*(?:\$\r?\n?|\n)|[^$\n]+")
"""Bytes up to what ends a frame: a $, and the line end behind it if there is one."""


class _Byte(NamedTuple):
    """A byte that has left the line at `line_s`, and that the host can read from `read_s`."""

    read_s: float
    line_s: float
    byte: int


class Run(NamedTuple):
    """Bytes from the host that reach the controller at `time_s`; `joined`: in one write with those before them."""

    time_s: float
    data: bytes
    joined: bool


class SerialLine:
    """Two directions of bytes, one after the other, at `byte_s` seconds a byte.

    The host's adapter holds short packets back for `latency_s` after the last byte of one, or after the first
    (`from_first`): then all that is ready by then goes out together.
    """

    def __init__(self, byte_s: float, latency_s: float = 0.0, from_first: bool = False) -> None:
        self.byte_s = byte_s
        self._latency_s = latency_s
        self._from_first = from_first
        self._held = 0
        self._to_device: deque[Run] = deque()
        self._to_device_bytes = 0
        self._device_free_s = 0.0
        self._to_host: deque[_Byte] = deque()
        self._host_free_s = 0.0
        self._overtaken: list[tuple[float, int, bytes]] = []
        self._order = 0

    # Host to controller

    @property
    def out_waiting(self) -> int:
        """Bytes that the host wrote and that have not yet arrived."""
        return self._to_device_bytes

    def write(self, data: bytes, now_s: float) -> int:
        """Put bytes on the line towards the controller; how many found room."""
        data = data[: max(0, BUFFER_BYTES - self._to_device_bytes)]
        self._to_device_bytes += len(data)
        self._device_free_s = max(self._device_free_s, now_s)
        for number, run in enumerate(_RUN.findall(data)):
            self._device_free_s += len(run) * self.byte_s
            self._to_device.append(Run(self._device_free_s, run, number > 0))
        return len(data)

    def arrive(self) -> Run:
        """Take the next run of bytes for the controller off the line: it is due at `next_arrival_s`."""
        run = self._to_device.popleft()
        self._to_device_bytes -= len(run.data)
        return run

    @property
    def more_follows(self) -> bool:
        """Whether what arrived last came in one write with what arrives next."""
        return bool(self._to_device) and self._to_device[0].joined

    def drop_unsent(self) -> None:
        """Forget what the host wrote and the controller has not yet got."""
        self._to_device.clear()
        self._to_device_bytes = 0
        self._device_free_s = 0.0

    # Controller to host

    def reply(self, data: bytes, now_s: float, delay_s: float = 0.0, overtaken: bool = False) -> None:
        """Put bytes on the line towards the host; `overtaken` lets later ones pass while these are late."""
        if overtaken:
            self._order += 1
            heapq.heappush(self._overtaken, (now_s + delay_s, self._order, data))
            return
        self._host_free_s = max(self._host_free_s, now_s + delay_s)
        for byte in data:
            self._host_free_s += self.byte_s
            # What the host does not read in time is lost.
            if len(self._to_host) < BUFFER_BYTES:
                self._receive(byte, self._host_free_s)

    def _receive(self, byte: int, line_s: float) -> None:
        """The adapter gets a byte: it may complete a packet, and holds back longer what it has not passed on."""
        if not self._to_host or self._to_host[-1].read_s <= line_s:
            self._held = 0
        self._held += 1
        begun_s = (
            self._to_host[-1].read_s if self._from_first and self._held > 1 else line_s + self._latency_s
        )
        read_s = line_s if self._held == PACKET_BYTES else begun_s
        self._to_host.append(_Byte(read_s, line_s, byte))
        for place in range(len(self._to_host) - self._held, len(self._to_host)):
            self._to_host[place] = self._to_host[place]._replace(read_s=read_s)

    def release_overtaken(self, now_s: float) -> None:
        """Let the late replies go whose time has come."""
        while self._overtaken and self._overtaken[0][0] <= now_s:
            time_s, _, data = heapq.heappop(self._overtaken)
            self.reply(data, time_s)

    def in_waiting(self, now_s: float) -> int:
        """Bytes that the host can read now."""
        count = 0
        for held in self._to_host:
            if held.read_s > now_s:
                break
            count += 1
        return count

    def read(self, size: int, now_s: float) -> bytes:
        """Up to `size` bytes that have reached the host."""
        taken = bytearray()
        while len(taken) < size and self._to_host and self._to_host[0].read_s <= now_s:
            taken.append(self._to_host.popleft().byte)
        return bytes(taken)

    def drop_replies(self, now_s: float, arrived_too: bool) -> None:
        """Forget what is on its way to the host, and with `arrived_too` also what it has not yet read."""
        while self._to_host and (arrived_too or self._to_host[-1].line_s > now_s):
            self._to_host.pop()
            self._held = max(0, self._held - 1)
        self._overtaken.clear()
        self._host_free_s = 0.0

    def drop_unread(self, now_s: float) -> None:
        """Forget what has reached the host and was not read; what is on its way still comes."""
        while self._to_host and self._to_host[0].read_s <= now_s:
            self._to_host.popleft()

    # Time

    @property
    def next_due_s(self) -> float:
        """When the next thing happens that is not the host's doing: an arrival or a release; infinite for never."""
        due_s = self._to_device[0].time_s if self._to_device else math.inf
        return min(due_s, self._overtaken[0][0]) if self._overtaken else due_s

    @property
    def next_arrival_s(self) -> float | None:
        """When the next run of bytes reaches the controller."""
        return self._to_device[0].time_s if self._to_device else None

    @property
    def next_release_s(self) -> float | None:
        """When the next overtaken reply gets on the line."""
        return self._overtaken[0][0] if self._overtaken else None

    @property
    def next_byte_s(self) -> float | None:
        """When the next byte can be read; may be in the past."""
        return self._to_host[0].read_s if self._to_host else None
