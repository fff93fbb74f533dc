"""The link to one controller and the motor behind it: there, or not there."""

from __future__ import annotations

import logging
from typing import Callable

from ..driver.axis import Axis
from ..driver.clock import Clock
from ..driver.controller import Answers, Controller
from ..driver.link import Checkpoint
from ..driver.motor import Motor
from ..driver.planning import Leg
from ..driver.reading import Progress, Reading
from ..driver.refresh import Refresh
from ..errors import FocuserError
from .counters import Counters
from .memory import Memory
from .settings import Port, Settings, Worker

_log = logging.getLogger(__name__)


class Session:
    """Makes and unmakes the parts that exist only while there is a link.

    Args:
        settings, port, worker, clock: as for the commands.
        memory: what is known of this controller.
        notice: is told every reading while the motor runs; must not wait.
        leg_begins: is told each leg of a move as it begins; must not wait.
        counters: count what comes over the wire.
    """

    def __init__(
        self,
        settings: Settings,
        port: Port,
        worker: Worker,
        clock: Clock,
        memory: Memory,
        notice: Callable[[Progress], None],
        leg_begins: Callable[[Leg], None],
        counters: Counters,
    ) -> None:
        self._settings = settings
        self._port = port
        self._worker = worker
        self._clock = clock
        self._memory = memory
        self._notice = notice
        self._leg_begins = leg_begins
        self._controller: Controller | None = None
        self.axis: Axis | None = None
        """What moves; None without a link."""
        self._refresh = Refresh()
        self._answers = Answers(settings.serial_timeout_s, counters.wire)
        self.has_had_link = False
        """Whether this process ever spoke to the controller."""

    def open(self, patience_s: float, checkpoint: Checkpoint) -> Axis:
        """Open the port, and see that a focuser answers.

        Args:
            patience_s: how long the controller may take to answer.
            checkpoint: interrupts that.

        Raises:
            LinkError: it cannot be opened, or no focuser answers; there is no link then.
        """
        self.close()
        measured_s = self._memory.entry.answer_s
        if measured_s is not None and not self._answers.usual_s:
            self._answers.note(measured_s)
        controller = Controller(self._port.open(), self._clock, self._worker.checkpoint, self._answers)
        try:
            text = controller.heeding(checkpoint).identify(patience_s)
        except FocuserError:
            controller.close()
            raise
        _log.info("%s answered, with the text %r", self._settings.port_name, text)
        self.has_had_link = True
        self._controller = controller
        self.axis = self._new_axis(controller)
        return self.axis

    def open_unasked(self) -> Axis:
        """Open the port of a controller that has answered before, without a word to it: there is no time.

        Raises:
            LinkError: it cannot be opened.
        """
        self.close()
        self._controller = Controller(self._port.open(), self._clock, self._worker.checkpoint, self._answers)
        self.axis = self._new_axis(self._controller)
        return self.axis

    def close(self) -> None:
        """Give the port back, if there is one."""
        if self._controller is not None:
            self._controller.close()
        self._controller = self.axis = None

    @property
    def answer_s(self) -> float:
        """How long an answer of the controller takes, as the last ones did, in seconds; 0 before there was one."""
        return self._answers.usual_s

    def read(self) -> Reading:
        """One look at a motor whose position does not matter; there must be a link."""
        assert self._controller is not None
        return self._controller.read()

    def _new_axis(self, controller: Controller) -> Axis:
        settings, clock = self._settings, self._clock
        motor = Motor(
            controller,
            settings.drive,
            clock,
            self._worker.pause,
            self._worker.give_up_halting_s,
            self._notice,
            lambda: self._memory.entry.power_up_registers,
            lambda: self._memory.entry.found_registers,
            self._refresh,
        )
        # What was known on an earlier link is to be proven anew.
        self._memory.position.forget()
        axis = Axis(
            motor,
            self._memory.position,
            settings.drive,
            settings.limits,
            settings.move_timeout_s,
            clock,
            self._leg_begins,
        )
        entry = self._memory.entry
        axis.is_near_switch = entry.near_switch
        if entry.ratios is not None:
            axis.ratios = entry.ratios
        if entry.refresh_s is not None:
            self._refresh.suppose(entry.refresh_s)
        return axis
