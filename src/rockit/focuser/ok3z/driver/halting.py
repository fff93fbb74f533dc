"""Telling a motor to stop, again and again, and asking meanwhile whether it stands."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Callable

from ..errors import HaltFailedError, LinkLostError, MalformedReplyError, ReplyTimeoutError
from .clock import Clock
from .controller import Controller
from .reading import Reading

# A halt may be lost on the wire, and repeating it does no harm.
HALT_REPEAT_S = 0.3
# Between two readings, in seconds: at least, and at most if the next one is aimed. A reading itself takes about 10 ms.
SHORTEST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05
# The next one is not to come a moment too early.
MARGIN_S = 0.0005
# So many readings tell, in the message, whether the register or the state says that it runs.
LAST_READINGS = 10


def _unsteady(last: Sequence[Reading]) -> str:
    """What to say of a motor whose state says that it stands, though its register does not keep its value."""
    registers = [reading.register for reading in last]
    if len(set(registers)) < 2 or not all(reading.stands_still for reading in last):
        return ""
    return f"Its state says so, but its register goes on changing between {min(registers)} and {max(registers)}. "


class Halting:
    """One halt: told at once and every HALT_REPEAT_S, while the motor says of itself what it does.

    Args:
        controller: the device; nothing interrupts it here.
        clock: the time.
        give_up_s: for a halt that began at a moment of the clock, the moment to give it up. Of a longer time between
            two looks than a silent controller has, no more counts: this process was held up.
    """

    def __init__(self, controller: Controller, clock: Clock, give_up_s: Callable[[float], float]) -> None:
        self._controller = controller.deaf()
        self._clock = clock
        self._give_up_s = give_up_s
        self.is_told = False
        """Whether a halt has left: a port that hung up takes none."""
        self.next_reading_s: Callable[[float], float] = lambda _: -math.inf
        """When the next reading is to be asked for, on the clock, if it takes so many seconds."""
        self.told_s = clock.monotonic()
        """When the first halt had surely left, on the clock: until then a busy machine may have kept it back."""

    def readings(self) -> Iterator[Reading]:
        """Halt the motor now, and give its readings until the caller has seen enough.

        Raises:
            HaltFailedError: the moment to give up has come.
            LinkLostError: the port hung up, or nothing valid was answered for SILENCE_S.
        """
        begun_s = looked_at_s = self._clock.monotonic()
        spent_s, halt_again_s = 0.0, HALT_REPEAT_S
        last: deque[Reading] = deque(maxlen=LAST_READINGS)
        silent_from_s = self._controller.awake_s
        # Whatever time is left: a port that was slow to open may have used up all that there was.
        self._tell(again=False)
        while spent_s < self._give_up_s(begun_s) - begun_s:
            if spent_s >= halt_again_s:
                self._tell(again=True)
                halt_again_s = spent_s + HALT_REPEAT_S
            asked_s = self._clock.monotonic()
            try:
                reading = self._controller.read_once()
            except (ReplyTimeoutError, MalformedReplyError) as error:
                silence_s = self._controller.silence_s
                if self._controller.awake_s - silent_from_s >= silence_s:
                    raise LinkLostError(
                        f"the motor was told to stop, but nothing valid was answered for {silence_s:.3g} s: "
                        "it may be running. Look at the focuser, its power and the cable."
                    ) from error
            else:
                silent_from_s = self._controller.awake_s
                last.append(reading)
                yield reading
                self._clock.sleep(self._pause_s(reading.at_s - asked_s))
            now_s = self._clock.monotonic()
            spent_s, looked_at_s = spent_s + min(now_s - looked_at_s, self._controller.silence_s), now_s
        raise HaltFailedError(
            f"the motor was told to stop and was not seen standing still within {spent_s:.1f} s. "
            f"{_unsteady(last)}It may be running: cut its power if it is in danger."
        )

    def _pause_s(self, reading_s: float) -> float:
        pause_s = self.next_reading_s(reading_s) + MARGIN_S - self._clock.monotonic()
        return min(max(pause_s, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)

    def _tell(self, again: bool) -> None:
        self._controller.halt(again)
        self.is_told = True
        if not again:
            self.told_s = self._clock.monotonic()
