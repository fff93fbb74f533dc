"""What the service is told at its start: its settings, its port, and the thread that it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..driver.link import Device, Link
from ..driver.planning import Drive, Limits


@dataclass(frozen=True)
class Settings:
    """What the service needs to know, in its own terms.

    Args:
        port_name: what the port is called in messages.
        serial_timeout_s: how long a controller may take to answer the first question.
        move_timeout_s: the longest that a whole move may take. Homing has its own deadline.
        limits, drive: where the focuser may go, and how it runs.
        restore_on_init: whether the focuser returns to its last target after homing, where a call does not say.
        resume_on_init: whether the focuser is resumed without homing if it can be, where a call does not say.
        resume_max_age_s: how long ago the last homing may be for that.
        keeps_hand: whether a position is kept that somebody at the controller has driven the focuser to, if that was
            seen all the way.
    """

    port_name: str
    serial_timeout_s: float
    move_timeout_s: float
    limits: Limits
    drive: Drive
    restore_on_init: bool = False
    resume_on_init: bool = False
    resume_max_age_s: float = 24 * 3600.0
    keeps_hand: bool = True


class Port(Protocol):
    """Where the controller is, or may be."""

    def open(self) -> Link:
        """Open it. Raises LinkError."""

    def device(self) -> Device | None:
        """What its path leads to now; None if there is nothing, or if it is no path."""


class Worker(Protocol):
    """The thread that runs the commands, as they see it: what may interrupt them, and whom they tell. Nothing of it but
    `pause` waits."""

    def checkpoint(self) -> None:
        """Raises StoppedError if the running command shall end."""

    def yield_to_calls(self) -> None:
        """The same for what runs unasked: raises StoppedError also if a command waits."""

    def pause(self, seconds: float) -> None:
        """Wait so long, or less if somebody wants the thread's attention."""

    def give_up_halting_s(self, begun_s: float) -> float:
        """For a halt that began at a moment of the clock, the moment to give it up."""

    def announce(self, level: int, message: str) -> None:
        """Pass a sentence on to the observatory's log, at a level of `logging`."""

    def moves(self) -> None:
        """The move of the running command has begun, and the status says so."""

    def changed(self) -> None:
        """What is published tells its readers something new."""
