"""What becomes of a lost link: the port is opened again for ever, and what was known of the position holds if the
controller proves to be as it was left (docs/decisions/0010-resuming.md).
"""

from __future__ import annotations

import logging
import math

from ..driver.axis import Axis
from ..driver.clock import Clock
from ..driver.link import Checkpoint, Device
from ..driver.reading import Reading
from ..driver.registers import is_at
from ..errors import DeviceError, FocuserError, LinkError, PositionLostError, StoppedError, whole
from .failures import consequence_of
from .memory import Memory
from .publisher import Publisher
from .reconnection import Reconnection
from .resume_proof import require_known_position, taken_up_at_an_end, taken_up_at_rest, taken_up_on_the_way
from .session import Session
from .settings import Port, Settings, Worker

_log = logging.getLogger(__name__)

# How long a controller may take to answer while its lost port is tried again and again.
REOPENING_PATIENCE_S = 2.0
# How often it is looked whether an adapter has come back.
LOOK_FOR_DEVICE_S = 0.1
POSITION_LOST = "position lost: home the focuser (focus init)."
HALTED = "a motion that was under way was halted, and the motor stands. Connect and home it (focus init)."
AS_LEFT = "connected without homing: the controller was found as it had been left."
ON_ITS_WAY = "connected without homing: a move was under way when the controller was left, and it was found on its way."


class Recovery:
    """Looks after the link of one focuser. Belongs to the thread that owns the port."""

    def __init__(
        self,
        settings: Settings,
        port: Port,
        worker: Worker,
        clock: Clock,
        session: Session,
        memory: Memory,
        publisher: Publisher,
    ) -> None:
        self._settings = settings
        self._port = port
        self._worker = worker
        self._announce = worker.announce
        self._clock = clock
        self._session = session
        self._memory = memory
        self._publisher = publisher
        self._reconnection = Reconnection()
        self._device: Device | None = None
        self.is_wanted = False
        """Whether there shall be a link: from the first answer to `initialize` until `shutdown`."""

    def begin(self) -> None:
        """There is a link, and it shall stay."""
        self.is_wanted = True
        self._reconnection.end()

    def end(self) -> None:
        """There shall be no link any more."""
        self.is_wanted = False
        self._reconnection.end()

    @property
    def is_under_way(self) -> bool:
        """Whether a lost link is being tried again."""
        return self._reconnection.is_under_way

    @property
    def due_in_s(self) -> float:
        """How long until `try_if_due` wants to be called, in seconds."""
        return min(LOOK_FOR_DEVICE_S, self._reconnection.due_in_s(self._clock.monotonic()))

    def lost(self, reason: str) -> None:
        """The link failed, or could not be made; `reason`: why, in one sentence."""
        if self._session.axis is not None:
            self._memory.link_lost(self._session.axis)
        self._session.close()
        if not self.is_wanted:
            self._publisher.let_go(reason)
            return
        if self._reconnection.lost(self._clock.monotonic()):
            port = self._settings.port_name
            self._announce(logging.ERROR, f"fault: {whole(reason)} {port} is opened again until it is back.")
        self._device = self._port.device()
        self._publisher.link_lost(reason)

    def try_if_due(self) -> None:
        """Try the link again, if it is time, or if an adapter has come. A call that comes meanwhile goes first."""
        now_s = self._clock.monotonic()
        if self._has_come():
            self._reconnection.hurry(now_s)
        if not self._reconnection.due_in_s(now_s):
            self._try(self._worker.yield_to_calls, halting=False)

    def try_now(self) -> None:
        """Try the link once, and halt the motor: somebody wants it to stand."""
        self._try(_never, halting=True)

    def halt_and_let_go(self) -> None:
        """Open the port of a focuser that nobody wants connected, only to halt a motor that may run.

        Raises:
            LinkError: the port cannot be opened, or no focuser answers.
            HaltFailedError: standstill was not seen. The link stays, for halting is never given up.
        """
        axis = self._session.open(self._patience_s, _never)
        axis.come_to_rest(halting=True)
        self.let_go()

    def let_go(self) -> None:
        """The motor of a focuser that nobody wants connected was seen standing: the port is for others again."""
        if self._session.axis is not None:
            self._memory.stands_somewhere(self._session.axis)
        self._session.close()
        self._publisher.let_go(HALTED, stands=True)

    def _has_come(self) -> bool:
        """Whether the port's path leads to a device that was not there before, or that nobody might open."""
        before, self._device = self._device, self._port.device()
        return self._device is not None and self._device != before

    @property
    def _patience_s(self) -> float:
        return min(self._settings.serial_timeout_s, REOPENING_PATIENCE_S)

    def _try(self, checkpoint: Checkpoint, halting: bool) -> None:
        try:
            axis = self._session.open(self._patience_s, checkpoint)
            self._take_up_again(axis, halting or self._publisher.motor_may_run)
        except (LinkError, DeviceError, StoppedError) as error:
            self._not_back(error, halting)

    def _not_back(self, error: FocuserError, halting: bool) -> None:
        after, now_s = consequence_of(error), self._clock.monotonic()
        self._session.close()
        _log.debug("not back yet: %s", error)
        if after.is_fault:
            # A controller that answers, and was not seen standing, is halted again at once, and for ever.
            self._publisher.not_back(error.reason, running=not after.loses_link)
        if not after.loses_link:
            self._reconnection.hurry(now_s)
        elif not halting and self._reconnection.failed(now_s):
            self._announce(logging.ERROR, f"the link is still lost: {error}")

    def _take_up_again(self, axis: Axis, halting: bool) -> None:
        was_known = self._memory.is_known
        why = ""
        try:
            if not self._memory.is_watched:
                axis.come_to_rest(halting)
                raise PositionLostError("it was not known when the link was lost.")
            self.prove_as_left(axis, halting)
        except PositionLostError as error:
            why = f"{POSITION_LOST} {error.reason[:1].upper()}{error.reason[1:]}"
        message = self._reconnection.returned(self._clock.monotonic())
        if why:
            if was_known:
                self._announce(logging.ERROR, f"fault: {why}")
                self._memory.lost(axis)
            self._publisher.stand(axis, why)
        elif message:
            self._announce(logging.INFO, f"{message} The focuser stands at {self._publisher.where}")

    def prove_as_left(self, axis: Axis, halting: bool) -> None:
        """Prove that the controller is as it was left, and carry on from there.

        Args:
            halting: send a halt in any case.

        Raises:
            PositionLostError: it is not, or that cannot be told; the motor stands.
        """
        entry, limits = self._memory.entry, self._settings.limits
        # A move of a process that has ended comes to its end: only there its register is a proof.
        way = () if self._memory.is_watched or entry.way is None else entry.way
        halting = halting or (entry.way is not None and not way)
        if halting:
            self._memory.told_to_halt(self._clock.monotonic())
        standing = axis.come_to_rest(halting, way)
        origin_register = require_known_position(entry, self._settings.port_name)
        try:
            taken_up_steps = self._judge(standing, halting)
        except PositionLostError:
            # There is no checksum: one surprising reading is no fact.
            standing = axis.come_to_rest(halting, way)
            taken_up_steps = self._judge(standing, halting)
        axis.resume(origin_register, taken_up_steps)
        on_its_way = entry.way is not None
        self._memory.resumed(ON_ITS_WAY if on_its_way else AS_LEFT)
        target_steps = None if on_its_way else entry.target_steps
        reached = target_steps is not None and is_at(axis.steps_out(standing), target_steps)
        shortfall_steps = limits.backlash_steps - taken_up_steps if reached else 0
        self._publisher.stand(axis, ON_ITS_WAY if on_its_way else "", shortfall_steps)

    def _judge(self, standing: Reading, halted: bool) -> int:
        entry, limits, sighting = self._memory.entry, self._settings.limits, self._memory.sighting
        if entry.way is None:
            return taken_up_at_rest(entry, standing.register, limits, halted)
        if not self._memory.is_watched:
            return taken_up_at_an_end(entry, standing.register, limits)
        if sighting is None:
            return taken_up_on_the_way(entry, standing.register, limits, (), math.inf)
        windows = sighting.windows(self._settings.drive, standing.at_s)
        unseen_s = standing.at_s - sighting.seen.earliest_s
        return taken_up_on_the_way(entry, standing.register, limits, windows, unseen_s)


def _never() -> None:
    """A checkpoint that nothing interrupts."""
