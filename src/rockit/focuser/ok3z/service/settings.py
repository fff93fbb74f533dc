"""What the service is told at its start: its settings, and what it may call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Callable

from ..driver.clock import Clock
from ..driver.link import Checkpoint, Device, Link
from ..driver.planning import Drive, Limits
from .memory import Keeper


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


@dataclass(frozen=True)
class Surroundings:
    """What the commands need from the thread that runs them.

    Args:
        open_port: opens the link.
        device: what the port's path leads to now, as `link.device_at`.
        clock: the time.
        utc_now: the time of day.
        pause: waits so many seconds, or less where somebody wants the thread's attention.
        checkpoint: raises StoppedError where the running command shall end.
        yield_to_calls: the same for what runs unasked: raises StoppedError also where a command waits.
        give_up_halting_s: for a halt that began at a moment of the clock, the moment to give it up.
        announce: passes a message on to the observatory's log: a level of `logging` and a sentence. Must not wait.
        keeper: keeps what is known of the position over a restart.
        changed: called when what is published tells its readers something new. Must not wait.
    """

    open_port: Callable[[], Link]
    device: Callable[[], Device | None]
    clock: Clock
    utc_now: Callable[[], datetime]
    pause: Callable[[float], None]
    checkpoint: Checkpoint
    yield_to_calls: Checkpoint
    give_up_halting_s: Callable[[float], float]
    announce: Callable[[int, str], None]
    keeper: Keeper
    changed: Callable[[], None] = lambda: None
