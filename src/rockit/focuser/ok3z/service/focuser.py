"""The service: one focuser, one thread that owns its port, and a face that any thread may call.

Callers hand a command to the worker thread and are given its end, which is a future: nothing here waits for the worker
but `close`. A stop is a request of its own kind: it is looked at before every exchange, so the halt is the next thing
on the wire (docs/decisions/0001-one-owner.md). What is known is published as a frozen snapshot.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Callable, TypeVar

from ..constants import FocuserStatus
from ..driver.clock import BootClock, SystemClock
from ..driver.homing import HOMING_TRIES
from ..driver.motor import PROVING_ANSWERS
from ..driver.recorder import Recorder
from ..errors import (
    BusyError,
    FocuserError,
    InternalError,
    LinkError,
    NotConnectedError,
    RequestError,
    StoppedError,
)
from ..storage.history_file import Motion
from .commands import Commands
from .counters import Counters
from .fault_recording import NO_ARCHIVE, Archive, FaultRecording
from .history import NO_LEDGER, NOBODY, TERM_COMMAND, TERM_END, Asker, History, Ledger
from .holds import NO_SHELF, Holds, Shelf
from .memory import Keeper
from .motion_log import Record, unanswered
from .moved import Good, Verdict, judge, last_good
from .settings import Port, Settings
from .status import Snapshot, State
from .tasks import BegunMove as BegunMove
from .tasks import Ending as Ending
from .tasks import Task, WaitingMove
from .temperature import Temperature, require_not_followed
from .terms import Term, Wanted, unwanted, wanted

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

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
        ledger: keeps the history.
        shelf: where holds outlive the daemon.
    """

    def __init__(
        self,
        settings: Settings,
        port: Port,
        announce: Callable[[int, str], None],
        keeper: Keeper,
        clock: BootClock | None = None,
        sign_of_life: Callable[[], None] = lambda: None,
        recorder: Recorder | None = None,
        archive: Archive = NO_ARCHIVE,
        ledger: Ledger = NO_LEDGER,
        shelf: Shelf = NO_SHELF,
    ) -> None:
        self._clock = clock or SystemClock()
        self._sign_of_life = sign_of_life
        self._on_change: Callable[[], None] = lambda: None
        self._tell = announce
        self._move_patience_s = settings.move_timeout_s + CALL_MARGIN_S
        homing_patience_s = (HOMING_TRIES + 1) * (settings.drive.homing_deadline_s + settings.move_timeout_s)
        self._homing_patience_s = settings.serial_timeout_s + homing_patience_s + self._move_patience_s
        self._recording = FaultRecording(recorder or Recorder(self._clock), archive, self._clock.utc_now)
        self.history = History(ledger, self._clock, lambda: self.holds.names())
        self.holds = Holds(shelf, self.history.moment, self.history.new_number, self.history.add)
        """Who holds it: to be read. They are granted and released by `hold` and `release`."""
        self.temperature: Temperature | None = None
        """What follows the temperature; None: nothing does. To be set once, before `start`."""
        self._commands = Commands(settings, port, keeper, self, self._clock, self._recording, self.history)
        # Shared between callers and the worker. Written under the lock; the worker's checkpoint only looks.
        self._attention = threading.Condition()
        self._task: Task | None = None
        self._waiting: WaitingMove | None = None
        self._stop: Ending | None = None
        self._stopped_by = NOBODY
        self._stop_asked_at = self.history.moment()
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
        self,
        resume: bool | None = None,
        restore: bool | None = None,
        new_controller: bool = False,
        force: bool = False,
        asker: Asker = NOBODY,
    ) -> Ending:
        """Open the port, identify, configure and home. It ends when the focuser stands at 0 mm, or where it was left
        or shall return to.

        A focuser that cannot be used is initialised whoever holds it: a program that holds it and has crashed must not
        keep an observatory from starting. One that is idle does not move.

        Args:
            resume: carry on without homing if the controller is proven to be as it was left; None: as configured.
            restore: return to the last target that was reached; None: as configured.
            new_controller: what was measured of the controller before is forgotten.
            force: also one whose position is known and whose motor is not seen standing, whoever holds it.
            asker: who asks.

        Raises:
            BusyError: another command runs.
            HeldError: somebody was promised that it does not move.
            NotConnectedError: the daemon is ending.

        Returns:
            What may end with AlreadyConnectedError: it is connected, and has just answered; or with StoppedError,
            LinkError, DeviceError: it was not homed.
        """
        return self._submit(
            "initialize",
            lambda: self._commands.initialize(resume, restore, new_controller),
            self._homing_patience_s,
            asker=asker,
            heeds_holds=not force and self.snapshot.status == FocuserStatus.Moving,
        ).ended

    def begin_audit(self, asker: Asker = NOBODY) -> Ending:
        """Home again, note the steps lost since the last homing, and return. It ends when the focuser is back.

        Raises:
            NotConnectedError, BusyError: nothing will move. (HeldError is a BusyError.)

        Returns:
            What may end with NotConnectedError, BusyError: nothing moved; or with StoppedError, LinkError, DeviceError:
            it did not come back.
        """
        return self._submit(
            "audit",
            self._commands.audit,
            self._homing_patience_s,
            needs_link=True,
            asker=asker,
            heeds_holds=True,
        ).ended

    def begin_shutdown(self, asker: Asker = NOBODY) -> Ending:
        """Close the port.

        Raises:
            BusyError: another command runs.
            NotConnectedError: the daemon is ending.

        Returns:
            What may end with NotConnectedError: there was nothing to close.
        """
        return self._submit("shutdown", self._commands.shutdown, self._move_patience_s, asker=asker).ended

    def begin_move(
        self,
        position: object,
        offset: bool = False,
        exact: bool = False,
        asker: Asker = NOBODY,
        wait_s: float = 0.0,
    ) -> BegunMove:
        """Move.

        Args:
            position: mm from fully in, 0 ... focus_range_mm; or mm relative to the target.
            offset: whether it is relative.
            exact: the position is that of a step, and no neighbour will do.
            asker: who asks.
            wait_s: how long to wait if somebody holds the focuser, in seconds. One move waits at a time, and nobody is
                promised anything anew meanwhile; a stop ends it.

        Raises:
            NotConnectedError, BusyError: nothing will move. (HeldError is a BusyError.)

        Returns:
            Two ends: that it is under way, and that the focuser stands at the target. Both may be NotConnectedError,
            BusyError, InvalidArgumentError, OutsideLimitsError: nothing moved; or StoppedError, DeviceError, LinkError:
            it did not arrive.
        """
        task = self._submit(
            "a move",
            lambda: self._commands.move(position, offset, exact),
            self._move_patience_s + wait_s,
            needs_link=True,
            asker=asker,
            heeds_holds=True,
            wait_s=wait_s,
        )
        return BegunMove(task.under_way, task.ended)

    def begin_set_term(
        self, name: object, mm: object, owner: object, ttl_s: object = None, asker: Asker = NOBODY
    ) -> BegunMove:
        """Set a term: move by as much as the sum of the base and of all terms changes. One that is set already is
        replaced. It is set when the focuser stands at the sum: it and the target go to the disk together, and until
        then nothing has changed.

        Args:
            name: of the term: 1 to 40 letters, digits, and `-`, `_` or `.`, such as filter.
            mm: what it adds to the position, in mm, positive outward; 9 at most.
            owner: whose it is, in its own word, as a name: no other may change or clear it.
            ttl_s: how long it lasts, in seconds, up to `terms.LONGEST_TTL_S`; None: until it is cleared. When it is
                over and nobody holds the focuser, that moves once. A stop ends that for good.
            asker: who asks.

        Raises:
            InvalidArgumentError, OutsideLimitsError: an argument is none.
            NotConnectedError, BusyError: nothing will move. (HeldError is a BusyError.)

        Returns:
            Two ends, as of `begin_move`; it may be InvalidArgumentError, too: the term is another owner's, or there are
            `term.MOST_TERMS`.
        """
        return self.change_term(wanted(name, owner, mm, ttl_s), asker)

    def begin_clear_term(self, name: object, owner: object, asker: Asker = NOBODY) -> BegunMove:
        """Clear a term: move back by as much. To clear one that is not there moves nothing, or what a term's move that
        was stopped has left. As `begin_set_term`."""
        return self.change_term(unwanted(name, owner), asker)

    def terms(self) -> tuple[Term, ...]:
        """The terms that the target has in it: no lock, no I/O. What they add to is `base_mm` of the snapshot."""
        return self._commands.snapshot.terms

    def change_term(
        self, change: Wanted, asker: Asker, require: Callable[[], None] = lambda: None
    ) -> BegunMove:
        """The same, of sound arguments. `require`: called right before anything moves; nothing does if it raises."""
        require_not_followed(self.temperature, change, asker)
        asker = replace(asker, why=change.words)
        task = self._submit(
            TERM_COMMAND,
            lambda: self._commands.terms.change(change, asker, require),
            self._move_patience_s,
            needs_link=True,
            asker=asker,
            heeds_holds=True,
        )
        return BegunMove(task.under_way, task.ended)

    def begin_stop(self, by: str, door: str = "") -> Ending:
        """Halt any motion, homing included. It ends when standstill is confirmed.

        Args:
            by: who asks, for the observatory's log.
            door: by which of the ways in.

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
                self._stopped_by = Asker(by, door)
                self._stop = Ending(STOP_PATIENCE_S)
                self._attention.notify_all()
                # Not before: the worker has seen it by now.
                self._stop_asked_at = self.history.moment()
            stop, waiting, self._waiting = self._stop, self._waiting, None
        if waiting is not None:
            waiting.task.end(_stopped(by))
        return stop

    def hold(self, name: object, seconds: object, token: object = "", asker: Asker = NOBODY) -> str:
        """Promise somebody that the focuser does not move, or promise it for longer. See `Holds.grant`.

        Raises:
            NotConnectedError: the daemon is ending.
        """
        with self._attention, self._counted():
            if self._closing:
                raise NotConnectedError("the daemon is ending.")
            return self.holds.grant(name, seconds, token, asker, self._what_moves())

    def release(self, token: object) -> None:
        """End a hold. Raises InvalidArgumentError if there is none of this token."""
        with self._attention:
            self.holds.release(token)
            self._attention.notify_all()

    # The history: answers come from its thread

    def ask_moved(self, t0_s: float, t1_s: float, tell: Callable[[Verdict], Answer]) -> Future[Answer]:
        """Whether it moved between two moments, in Unix seconds: what `tell` makes of it there, for that takes long. An
        OSError says why nobody can tell."""
        now = self.history.now
        return self.history.ask(lambda file: tell(judge(file, now, t0_s, t1_s)))

    def ask_rows(
        self, since_s: float, until_s: float, most: int, tell: Callable[[list[Motion]], Answer]
    ) -> Future[Answer]:
        """The rows that began between two moments, the oldest first. As above."""
        return self.history.ask(lambda file: tell(file.rows(since_s, until_s, most)))

    def ask_good(self) -> Future[Good | None]:
        """Where it last stood for a while before it came where it is. As above."""
        now, now_s = self.history.now, self.history.moment().utc_s
        return self.history.ask(lambda file: last_good(file, now, now_s))

    def _what_moves(self) -> str:
        if self._task is not None:
            return f"{self._task.name} is running"
        if self._stop is not None:
            return "a stop is running"
        if self._waiting is not None:
            return "a move waits for the end of the holds that there are"
        return "the motor may be running" if self._commands.snapshot.motor_may_run else ""

    def record(self) -> Future[str]:
        """Have the last frames on the wire kept now.

        Returns:
            The name of the file, once it is on the disk; or an `OSError` that says why there is none.
        """
        return self._recording.keep("somebody asked for it.")

    def _submit(
        self,
        name: str,
        run: Callable[[], None],
        patience_s: float,
        needs_link: bool = False,
        asker: Asker = NOBODY,
        heeds_holds: bool = False,
        wait_s: float = 0.0,
    ) -> Task:
        task = Task(name, run, Ending(patience_s), Ending(patience_s), replace(asker, command=name))
        with self._attention, self._counted():
            if self._closing:
                raise NotConnectedError("the daemon is ending.")
            if self._task is not None or self._stop is not None:
                running = self._task.name if self._task else "stop"
                raise BusyError(f"{running} is still running. Wait for its end, or stop it (focus stop).")
            if needs_link and self._commands.is_reconnecting:
                # On the worker it would only end the attempt that is under way, and who asks again and again would keep
                # the link from coming back.
                raise NotConnectedError(
                    "the focuser is not connected: its link is lost, and is tried again. Look at cable and power."
                )
            if heeds_holds and (held := self._why_held()):
                if wait_s <= 0 or self._waiting is not None:
                    raise held
                self._waiting = WaitingMove(task, self._clock.monotonic() + wait_s)
            else:
                self._task = task
            self._attention.notify_all()
            waits = self._waiting is not None and self._waiting.task is task
        if waits:
            _log.info("%s waits for the end of the holds, up to %g s", name, wait_s)
        return task

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count what the service refuses here. What was no argument is counted by whoever passed it on."""
        try:
            yield
        except (BusyError, NotConnectedError) as refusal:
            self.counters.refuse(refusal.code)
            raise

    def _why_held(self) -> BusyError | None:
        if self._waiting is not None and not self.holds.living():
            return BusyError("another move has waited for the end of the holds, and comes first.")
        return self.holds.why_held()

    # The worker: everything below runs on its thread

    def _work(self) -> None:
        self._attempt(self._commands.begin)
        while not self._closing:
            self._sign_of_life()
            self.history.beat()
            with self._attention:
                if not (self._task or self._stop or self._closing):
                    self._attention.wait(self._commands.rest_s(self._hold_ends_in_s(REST_PERIOD_S)))
            self._turn()
        self._attempt(self._commands.leave)
        self.history.ends()
        self._dismiss()

    def _turn(self) -> None:
        """Do what there is to do now, or look after the focuser at rest."""
        with self._attention:
            overdue = self._let_waiting_in()
            self._let_overdue_terms_go()
            task, stop = self._task, self._stop
        if overdue:
            refusal = self.holds.why_held() or BusyError("others held the focuser for too long.")
            self.counters.refuse(refusal.code)
            overdue.task.end(refusal)
        if task:
            self._perform(task)
        elif stop:
            self._answer_stop(stop)
        elif not self._closing:
            self._tend(self._commands.watch_rest)

    def _hold_ends_in_s(self, longest_s: float) -> float:
        """How long a move that waits has nothing to do, in seconds."""
        if self._waiting is None:
            return longest_s
        due_s = min(self.holds.ends_in_s or 0.0, self._waiting.until_s - self._clock.monotonic())
        return min(longest_s, max(0.0, due_s))

    def _let_waiting_in(self) -> WaitingMove | None:
        """A move that waits comes before all others once nobody holds the focuser. One that has waited for too long is
        given back."""
        waiting = self._waiting
        if waiting is None:
            return None
        if self.holds.ends_in_s is None:
            if not (self._task or self._stop or self._closing):
                self._task, self._waiting = waiting.task, None
            return None
        if self._clock.monotonic() < waiting.until_s:
            return None
        self._waiting = None
        return waiting

    def _let_overdue_terms_go(self) -> None:
        """What a term that is over has added is taken back once nobody holds the focuser and nobody else wants it."""
        busy = self._task or self._stop or self._waiting or self._closing
        if not busy and self._commands.terms.are_overdue() and not self.holds.living():
            patience_s = self._move_patience_s
            self._task = Task(
                TERM_END,
                self._commands.terms.expire,
                Ending(patience_s),
                Ending(patience_s),
                Asker(why=TERM_END, command=TERM_END),
            )

    def _perform(self, task: Task) -> None:
        _log.debug("%s begins", task.name)
        self.history.asked(task.asker)
        outcome = self._attempt(task.run)
        if isinstance(outcome, RequestError):
            self.counters.refuse(outcome.code)
        stop = self._stop if isinstance(outcome, StoppedError) else None
        unhalted = self._settle(outcome)
        self.history.asked(NOBODY)
        _log.debug("%s ends: %s", task.name, outcome or "succeeded")
        with self._attention:
            self._task = None
            if stop:
                self._stop = None
        if stop:
            self._announce_stop(unhalted)
            stop.resolve(unhalted)
        task.end(outcome)
        # A lost link is nobody's wish, and a refusal has moved nothing.
        if outcome and not isinstance(outcome, (LinkError, RequestError)):
            self._attempt(self._commands.terms.leave_be)

    def _answer_stop(self, stop: Ending) -> None:
        """Answer a stop that found no command running: halt all the same, and prove standstill."""
        outcome = self._attempt(self._commands.halt_at_rest)
        unhalted = self._settle(outcome)
        with self._attention:
            self._stop = None
        self._announce_stop(unhalted)
        stop.resolve(unhalted)
        self._attempt(self._commands.terms.leave_be)

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
        by, here_steps = self._stopped_by, self._commands.snapshot.current_steps
        self.history.stopped(by, self._stop_asked_at, here_steps, unhalted.reason if unhalted else "")
        if unhalted:
            self.announce(logging.ERROR, f"stopped by {by.address}, without proof: {unhalted}")
            return
        self.counters.stop_s.note(self.history.moment().boot_s - self._stop_asked_at.boot_s)
        self.announce(logging.INFO, f"stopped by {by.address} at {self._commands.where}")

    def _dismiss(self) -> None:
        """Nobody may wait for a worker that has left."""
        with self._attention:
            task, stop, waiting = self._task, self._stop, self._waiting
            self._task = self._stop = self._waiting = None
        ending = NotConnectedError("the daemon is ending.")
        if task:
            task.end(ending)
        if waiting:
            waiting.task.end(ending)
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
            raise _stopped(self._stopped_by.address)
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


def _stopped(by: str) -> StoppedError:
    return StoppedError(f"stopped by {by}.", public="stopped.")


def slow_closing_proof_s(answer_s: float) -> float:
    """How much longer the proof of a halt may take at the daemon's end if an answer takes so long; both in seconds."""
    return 0.0 if answer_s <= PROMPT_ANSWER_S else min(PROVING_ANSWERS * answer_s, LONGEST_SLOW_PROOF_S)
