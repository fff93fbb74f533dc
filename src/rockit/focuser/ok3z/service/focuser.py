"""The service: one focuser, one thread that owns its port, and a face that any thread may call.

Callers hand a command to the worker thread and are given its end, which is a future: nothing here waits for the worker
but `close`. A stop is a request of its own kind: it is looked at before every exchange, so the halt is the next thing
on the wire (docs/decisions/0001-one-owner.md). What is known is published as a frozen snapshot.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Callable, NamedTuple, cast

from ..driver.clock import SystemClock, WallClock
from ..driver.homing import HOMING_TRIES
from ..driver.motor import PROVING_ANSWERS
from ..driver.recorder import Recorder
from ..errors import (
    BusyError,
    FocuserError,
    HaltFailedError,
    InternalError,
    NotConnectedError,
    RequestError,
    StoppedError,
)
from .commands import Commands
from .counters import Counters
from .fault_recording import NO_ARCHIVE, Archive, FaultRecording
from .memory import Keeper
from .motion_log import Record, unanswered
from .settings import Port, Settings
from .status import Snapshot, State

_log = logging.getLogger(__name__)

# How often the controller is asked at rest whether it is still there, in seconds.
REST_PERIOD_S = 1.0
# A reading older than this while a link is open means that the worker hangs: nothing is known then.
STALE_S = 12.0
# How long to wait for the confirmation of a stop, and in `close` for the worker.
STOP_PATIENCE_S = 20.0
CLOSE_PATIENCE_S = 1.7
HALT_PATIENCE_S = 5.0
# At the daemon's end. The last exchange on a dead line may take 0.75 s more, and closing a socket 0.3 s.
CLOSING_HALT_PATIENCE_S = 0.45
# If answers take longer than this, in seconds, a halt is waited for longer, but no more than so much: systemd waits for
# 10 s (packaging/focusd@.service). The halt at rest that follows may take half as long.
PROMPT_ANSWER_S = 0.05
LONGEST_SLOW_PROOF_S = 5.0
SLOW_CLOSE_RATIO = 1.5
# What halting and repeated questions may add to the deadlines of a command before its caller gives up.
CALL_MARGIN_S = 60.0


class Ending(Future[None]):
    """The end of a command: with None, or with a FocuserError. None of those who are given it can cancel it.

    Args:
        patience_s: how long to wait for it, in seconds. A worker that takes longer gives no answer any more.
    """

    def __init__(self, patience_s: float) -> None:
        super().__init__()
        self.patience_s = patience_s

    def cancel(self) -> bool:
        """What others wait for too is not taken away."""
        return False

    def resolve(self, outcome: FocuserError | None) -> None:
        """It has come. On the worker thread, and with it what others have asked to be called then."""
        if outcome is None:
            self.set_result(None)
        else:
            self.set_exception(outcome)

    @property
    def failure(self) -> FocuserError | None:
        """Why the command did not do what it was told; None: it did. To be asked when it has ended or the patience is
        over: what has not ended then has no answer."""
        if self.done():
            return cast("FocuserError | None", self.exception())
        return no_answer(self.patience_s)


class BegunMove(NamedTuple):
    """A move that was handed to the worker."""

    under_way: Ending
    """It moves and the snapshot says so, or it has ended: then it ends in the same way, right after it."""
    ended: Ending


@dataclass(frozen=True)
class _Task:
    """One command for the worker."""

    name: str
    run: Callable[[], None]
    ended: Ending
    under_way: Ending

    def moves(self) -> None:
        if not self.under_way.done():
            self.under_way.resolve(None)

    def end(self, outcome: FocuserError | None) -> None:
        self.ended.resolve(outcome)
        if not self.under_way.done():
            self.under_way.resolve(outcome)


class Focuser:
    """An OK3Z focuser that many threads may command. Use as a context manager, or call `start` and `close`.

    Args:
        settings: limits, drive and patience.
        port: where the controller is; used on the worker thread.
        announce: passes a message on to the observatory's log: a level of `logging` and a sentence. Must not wait.
        keeper: keeps what is known of the position over a restart.
        clock: the time.
        sign_of_life: called on the worker thread wherever it may be interrupted: every second at rest, and at least
            every 15 s whatever the controller and the disk do. Must not wait.
        recorder: records what goes over the wire.
        archive: keeps recordings.
    """

    def __init__(
        self,
        settings: Settings,
        port: Port,
        announce: Callable[[int, str], None],
        keeper: Keeper,
        clock: WallClock | None = None,
        sign_of_life: Callable[[], None] = lambda: None,
        recorder: Recorder | None = None,
        archive: Archive = NO_ARCHIVE,
    ) -> None:
        self._clock = clock or SystemClock()
        self._sign_of_life = sign_of_life
        self._on_change: Callable[[], None] = lambda: None
        self._tell = announce
        self._move_patience_s = settings.move_timeout_s + CALL_MARGIN_S
        homing_patience_s = (HOMING_TRIES + 1) * (settings.drive.homing_deadline_s + settings.move_timeout_s)
        self._homing_patience_s = settings.serial_timeout_s + homing_patience_s + self._move_patience_s
        self._recording = FaultRecording(recorder or Recorder(self._clock), archive, self._clock.utc_now)
        self._commands = Commands(settings, port, keeper, self, self._clock, self._recording)
        # Shared between callers and the worker. Written under the lock; the worker's checkpoint only looks.
        self._attention = threading.Condition()
        self._task: _Task | None = None
        self._stop: Ending | None = None
        self._stopped_by = ""
        self._stop_asked_s = 0.0
        self._closing = False
        self._close_by_s = 0.0
        self._worker = threading.Thread(target=self._work, name="focuser", daemon=True)

    # The face: any thread

    def __enter__(self) -> Focuser:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the worker thread. The focuser is disconnected until `initialize`."""
        self._worker.start()

    def close(self) -> bool:
        """Halt the motor, close the port and end the worker, within CLOSE_PATIENCE_S; later if answers take long.

        False: the motor was not seen standing, and may be running.
        """
        slow_proof_s = slow_closing_proof_s(self._commands.answer_s)
        with self._attention:
            self._close_by_s = self._clock.monotonic() + CLOSING_HALT_PATIENCE_S + slow_proof_s
            self._closing = True
            self._attention.notify_all()
        self._worker.join(CLOSE_PATIENCE_S + SLOW_CLOSE_RATIO * slow_proof_s)
        # Whether the worker has ended or not: one that still waits for its first link has moved nothing.
        return not self._commands.may_leave_running

    @property
    def snapshot(self) -> Snapshot:
        """What is known now: no lock, no I/O. A fault where the worker has not been heard of for STALE_S."""
        snapshot = self._commands.snapshot
        age_s = self.reading_age_s(snapshot)
        if age_s is None or age_s <= STALE_S:
            return snapshot
        reason = f"the last reading is {age_s:.0f} s old: nothing is known now. Restart the daemon."
        return snapshot.doubted(reason)

    @property
    def motions(self) -> Record:
        """The last motions, the newest last: no lock, no I/O. Read after a snapshot they are not older than that."""
        motions = self._commands.motions
        return unanswered(motions) if self.snapshot.state is State.FAULT else motions

    @property
    def counters(self) -> Counters:
        """What was counted since this process began: no lock, no I/O."""
        return self._commands.counters

    def on_change(self, call: Callable[[], None]) -> None:
        """Have something called whenever the snapshot's `change` has grown: on the worker thread, so it must not wait.
        To be said once, before `start`."""
        self._on_change = call

    def reading_age_s(self, snapshot: Snapshot) -> float | None:
        """How old a snapshot's reading is, in seconds; None without a link."""
        return None if snapshot.read_at_s is None else self.age_s(snapshot.read_at_s)

    def age_s(self, moment_s: float) -> float:
        """How long ago a moment of the service's clock was, in seconds."""
        return max(0.0, self._clock.monotonic() - moment_s)

    # The commands. Each raises at once what speaks against it before the worker has seen it; the rest is in its end.

    def begin_initialize(
        self, resume: bool | None = None, restore: bool | None = None, new_controller: bool = False
    ) -> Ending:
        """Open the port, identify, configure and home. It ends when the focuser stands at 0 mm, or where it was left
        or shall return to.

        Args:
            resume: carry on without homing if the controller is proven to be as it was left; None: as configured.
            restore: return to the last target that was reached; None: as configured.
            new_controller: what was measured of the controller before is forgotten.

        Raises:
            BusyError: another command runs.
            NotConnectedError: the daemon is ending.

        Returns:
            What may end with AlreadyConnectedError: it is connected, and has just answered; or with StoppedError,
            LinkError, DeviceError: it was not homed.
        """
        return self._submit(
            "initialize",
            lambda: self._commands.initialize(resume, restore, new_controller),
            self._homing_patience_s,
        ).ended

    def begin_audit(self) -> Ending:
        """Home again, note the steps lost since the last homing, and return. It ends when the focuser is back.

        Raises:
            NotConnectedError, BusyError: nothing will move.

        Returns:
            What may end with NotConnectedError, BusyError: nothing moved; or with StoppedError, LinkError, DeviceError:
            it did not come back.
        """
        return self._submit("audit", self._commands.audit, self._homing_patience_s, needs_link=True).ended

    def begin_shutdown(self) -> Ending:
        """Close the port.

        Raises:
            BusyError: another command runs.
            NotConnectedError: the daemon is ending.

        Returns:
            What may end with NotConnectedError: there was nothing to close.
        """
        return self._submit("shutdown", self._commands.shutdown, self._move_patience_s).ended

    def begin_move(self, position: object, offset: bool = False, exact: bool = False) -> BegunMove:
        """Move.

        Args:
            position: mm from fully in, 0 ... focus_range_mm; or mm relative to the target.
            offset: whether it is relative.
            exact: the position is that of a step, and no neighbour will do.

        Raises:
            NotConnectedError, BusyError: nothing will move.

        Returns:
            Two ends: that it is under way, and that the focuser stands at the target. Both may be NotConnectedError,
            BusyError, InvalidArgumentError, OutsideLimitsError: nothing moved; or StoppedError, DeviceError, LinkError:
            it did not arrive.
        """
        task = self._submit(
            "a move",
            lambda: self._commands.move(position, offset, exact),
            self._move_patience_s,
            needs_link=True,
        )
        return BegunMove(task.under_way, task.ended)

    def begin_stop(self, by: str) -> Ending:
        """Halt any motion, homing included. It ends when standstill is confirmed.

        Args:
            by: who asks, for the observatory's log.

        Raises:
            NotConnectedError: the daemon is ending.

        Returns:
            What may end with HaltFailedError, LinkError: standstill could not be confirmed. All who ask while a stop is
            under way are given the same one.
        """
        with self._attention:
            if self._closing:
                raise NotConnectedError("the daemon is ending.")
            if self._stop is None:
                self._stop = Ending(STOP_PATIENCE_S)
                self._stopped_by = by
                self._stop_asked_s = self._clock.monotonic()
                self._attention.notify_all()
            return self._stop

    def record(self) -> Future[str]:
        """Have the last frames on the wire kept now.

        Returns:
            The name of the file, once it is on the disk; or an `OSError` that says why there is none.
        """
        return self._recording.keep("somebody asked for it.")

    def _submit(
        self, name: str, run: Callable[[], None], patience_s: float, needs_link: bool = False
    ) -> _Task:
        task = _Task(name, run, Ending(patience_s), Ending(patience_s))
        with self._attention:
            if self._closing:
                raise NotConnectedError("the daemon is ending.")
            if self._task is not None or self._stop is not None:
                running = self._task.name if self._task else "stop"
                busy = BusyError(f"{running} is still running. Wait for its end, or stop it (focus stop).")
                self.counters.refuse(busy.code)
                raise busy
            if needs_link and self._commands.is_reconnecting:
                # On the worker it would only end the attempt that is under way, and who asks again and again would keep
                # the link from coming back.
                self.counters.refuse(NotConnectedError.code)
                raise NotConnectedError(
                    "the focuser is not connected: its link is lost, and is tried again. Look at cable and power."
                )
            self._task = task
            self._attention.notify_all()
        return task

    # The worker: everything below runs on its thread

    def _work(self) -> None:
        self._attempt(self._commands.begin)
        while not self._closing:
            self._sign_of_life()
            with self._attention:
                if not (self._task or self._stop or self._closing):
                    self._attention.wait(self._commands.rest_s(REST_PERIOD_S))
                task, stop = self._task, self._stop
            if task:
                self._perform(task)
            elif stop:
                self._answer_stop(stop)
            elif not self._closing:
                self._tend(self._commands.watch_rest)
        self._attempt(self._commands.leave)
        self._dismiss()

    def _perform(self, task: _Task) -> None:
        _log.debug("%s begins", task.name)
        outcome = self._attempt(task.run)
        if isinstance(outcome, RequestError):
            self.counters.refuse(outcome.code)
        stop = self._stop if isinstance(outcome, StoppedError) else None
        unhalted = self._settle(outcome)
        _log.debug("%s ends: %s", task.name, outcome or "succeeded")
        with self._attention:
            self._task = None
            if stop:
                self._stop = None
        if stop:
            self._announce_stop(unhalted)
            stop.resolve(unhalted)
        task.end(outcome)

    def _answer_stop(self, stop: Ending) -> None:
        """Answer a stop that found no command running: halt all the same, and prove standstill."""
        outcome = self._attempt(self._commands.halt_at_rest)
        unhalted = self._settle(outcome)
        with self._attention:
            self._stop = None
        self._announce_stop(unhalted)
        stop.resolve(unhalted)

    def _tend(self, run: Callable[[], None]) -> None:
        self._settle(self._attempt(run))

    def _attempt(self, run: Callable[[], None]) -> FocuserError | None:
        try:
            run()
        except FocuserError as error:
            return error
        except Exception as error:
            _log.exception("a mistake in this program")
            return InternalError(
                f"the daemon made a mistake ({type(error).__name__}); its log has the details."
            )
        return None

    def _settle(self, outcome: FocuserError | None) -> FocuserError | None:
        """After a failure: why the motor was not proven to stand, if so."""
        if outcome is None:
            return None
        try:
            return self._commands.settle(outcome)
        except Exception as error:
            _log.exception("a mistake in this program, while settling")
            mistake = InternalError(
                f"the daemon made a mistake ({type(error).__name__}); its log has the details."
            )
            # What goes on being published must not be what was before: the motor may be running.
            self._attempt(lambda: self._commands.settle_mistake(mistake.reason))
            return mistake

    def _announce_stop(self, unhalted: FocuserError | None) -> None:
        if unhalted:
            self.announce(logging.ERROR, f"stopped by {self._stopped_by}, without proof: {unhalted}")
            return
        self.counters.stop_s.note(self._clock.monotonic() - self._stop_asked_s)
        self.announce(logging.INFO, f"stopped by {self._stopped_by} at {self._commands.where}")

    def _dismiss(self) -> None:
        """Nobody may wait for a worker that has left."""
        with self._attention:
            task, stop = self._task, self._stop
            self._task = self._stop = None
        ending = NotConnectedError("the daemon is ending.")
        if task:
            task.end(ending)
        if stop:
            stop.resolve(ending)

    # What the commands ask of their thread: the `Worker` that they see

    def announce(self, level: int, message: str) -> None:
        self._tell(level, message)

    def moves(self) -> None:
        if self._task is not None:
            self._task.moves()

    def changed(self) -> None:
        self._on_change()

    def checkpoint(self) -> None:
        self._sign_of_life()
        if self._stop is not None:
            raise StoppedError(f"stopped by {self._stopped_by}.", public="stopped.")
        if self._closing:
            raise StoppedError("stopped because the daemon is ending.")

    def yield_to_calls(self) -> None:
        self.checkpoint()
        if self._task is not None:
            raise StoppedError(f"interrupted, because {self._task.name} was called.")

    def pause(self, seconds: float) -> None:
        with self._attention:
            if not (self._stop or self._closing):
                self._attention.wait(seconds)

    def give_up_halting_s(self, begun_s: float) -> float:
        patient_s = begun_s + HALT_PATIENCE_S
        return min(patient_s, self._close_by_s) if self._closing else patient_s


def slow_closing_proof_s(answer_s: float) -> float:
    """How much longer the proof of a halt may take at the daemon's end if an answer takes so long; both in seconds."""
    return 0.0 if answer_s <= PROMPT_ANSWER_S else min(PROVING_ANSWERS * answer_s, LONGEST_SLOW_PROOF_S)


def no_answer(patience_s: float) -> HaltFailedError:
    """What to say of a worker that has not answered for so long, in seconds."""
    return HaltFailedError(
        f"the focuser's thread gave no answer for {patience_s:.0f} s. Look at the daemon's log; restart it."
    )
