"""Stand-ins for the service, behind the servers: they note what they are asked, and end it as the test says."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from rockit.focuser.ok3z.driver.planning import Limits, requested_target, steps_from_mm
from rockit.focuser.ok3z.errors import BusyError, FocuserError, NotConnectedError, StoppedError
from rockit.focuser.ok3z.service.counters import Counters
from rockit.focuser.ok3z.service.focuser import BegunMove, Ending
from rockit.focuser.ok3z.service.history import NOBODY, Asker, Now
from rockit.focuser.ok3z.service.holds import NO_SHELF, Holds
from rockit.focuser.ok3z.service.motion_log import Record
from rockit.focuser.ok3z.service.moved import Good, Verdict, judge, last_good
from rockit.focuser.ok3z.service.status import Snapshot, State
from rockit.focuser.ok3z.service.terms import Sum, Term, Wanted, unwanted, wanted
from rockit.focuser.ok3z.storage.history_file import HistoryFile, Moment, Motion
from tests.support.waiting import BOUND_S

NIGHT_S = 1_790_000_000.0
LIMITS = Limits.from_mm(6.0, 6.0, 0.5)


class Gate:
    """Holds back the ends of commands while it is closed. It is open at first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[Callable[[], None]] = []
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def open(self) -> None:
        with self._lock:
            self.is_open = True
            held, self._held = self._held, []
        for run in held:
            run()

    def when_open(self, run: Callable[[], None]) -> None:
        """Run it now, or when the gate opens, on the thread that opens it."""
        with self._lock:
            if not self.is_open:
                self._held.append(run)
                return
        run()


class FakeHistory:
    """A history of nothing, asked of a file if there is one.

    Attributes:
        file: where it is asked; None: it cannot be asked.
        hangs: nothing is answered any more.
        told: the rows that were told.
    """

    def __init__(self) -> None:
        self.file: HistoryFile | None = None
        self.hangs = False
        self.told: list[Motion] = []
        self.now = Now()

    def moment(self) -> Moment:
        return Moment(NIGHT_S, 5000.0)

    def ask(self, question: Callable[[HistoryFile], Any]) -> Future[Any]:
        asked: Future[Any] = Future()
        if self.file is not None:
            asked.set_result(question(self.file))
        elif not self.hangs:
            asked.set_exception(OSError("there is no history."))
        return asked


def history_file(path: Path, begin: Moment) -> HistoryFile:
    """A history that any thread may ask."""
    file = HistoryFile(path, "3.0", begin, "this boot")
    file._connection.close()
    file._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    return file


class FakeFocuser:
    """A service that stands still at 2 mm, whatever it is told.

    Attributes:
        calls: what it was asked, as (command, *arguments).
        failure: how each command fails. What the service would say at once is raised at once.
        failures: the same of single commands.
        initialize_gate, move_gate, stop_gate: what the ends of these commands wait for.
        hangs: no command ends any more, and its patience is patience_s.
        stops_asked_by: everybody who has asked for a stop, those who share one included.
        judges_positions: whether a move outside the range fails, as in the service.
    """

    def __init__(self) -> None:
        self.snapshot = Snapshot(state=State.IDLE, current_steps=10176, target_steps=10176, read_at_s=1.0)
        self.motions: Record = ()
        self.counters = Counters(lambda: self.now_s)
        self.reading_s: float | None = 0.25
        self.now_s = 100.0
        self.calls: list[tuple[Any, ...]] = []
        self.stops_asked_by: list[str] = []
        self.failure: BaseException | None = None
        self.failures: dict[str, BaseException] = {}
        self.initialize_gate, self.move_gate, self.stop_gate = Gate(), Gate(), Gate()
        self.hangs = False
        self.patience_s = BOUND_S
        self.judges_positions = False
        self.askers: list[Asker] = []
        self.history = FakeHistory()
        self.holds = Holds(NO_SHELF, lambda: self.history.moment(), lambda: 1, self.history.told.append)
        self._stop = Ending(BOUND_S)
        self._stop.resolve(None)

    def named(self, command: str) -> list[tuple[Any, ...]]:
        """The calls of one command."""
        return [call for call in self.calls if call[0] == command]

    def close(self) -> None:
        """Let everything end."""
        for gate in (self.initialize_gate, self.move_gate, self.stop_gate):
            gate.open()

    # What the servers use

    def reading_age_s(self, snapshot: Snapshot) -> float | None:
        return self.reading_s if snapshot is self.snapshot else None

    def age_s(self, moment_s: float) -> float:
        return self.now_s - moment_s

    def begin_initialize(
        self,
        resume: bool | None = None,
        restore: bool | None = None,
        new_controller: bool = False,
        force: bool = False,
        asker: Asker = NOBODY,
    ) -> Ending:
        self.askers.append(asker)
        self._note("initialize", resume, restore, new_controller, *([force] if force else []))
        return self._ending("initialize", self.initialize_gate)

    def begin_audit(self, asker: Asker = NOBODY) -> Ending:
        self.askers.append(asker)
        self._note("audit")
        return self._ending("audit", Gate())

    def begin_shutdown(self, asker: Asker = NOBODY) -> Ending:
        self.askers.append(asker)
        self._note("shutdown")
        return self._ending("shutdown", Gate())

    def hold(self, name: Any, seconds: Any, token: Any = "", asker: Asker = NOBODY) -> str:
        self._note("hold")
        return self.holds.grant(name, seconds, token, asker, "")

    def release(self, token: Any) -> None:
        self._note("release")
        self.holds.release(token)

    def ask_moved(self, t0_s: float, t1_s: float, tell: Callable[[Verdict], Any]) -> Future[Any]:
        return self.history.ask(lambda file: tell(judge(file, self.history.now, t0_s, t1_s)))

    def ask_good(self) -> Future[Good | None]:
        return self.history.ask(lambda file: last_good(file, self.history.now, self.history.moment().utc_s))

    def ask_rows(
        self, since_s: float, until_s: float, most: int, tell: Callable[[list[Motion]], Any]
    ) -> Future[Any]:
        return self.history.ask(lambda file: tell(file.rows(since_s, until_s, most)))

    def begin_move(
        self,
        position: Any,
        offset: bool = False,
        exact: bool = False,
        asker: Asker = NOBODY,
        wait_s: float = 0.0,
    ) -> BegunMove:
        self.askers.append(asker)
        self._note("move", position, offset, exact, *([wait_s] if wait_s else []))
        is_short = self.move_gate.is_open
        ended = self._ending("move", self.move_gate, position, offset)
        if is_short or self.hangs:
            return BegunMove(ended, ended)
        under_way = Ending(self.patience_s)
        under_way.resolve(None)
        return BegunMove(under_way, ended)

    def begin_set_term(
        self, name: Any, mm: Any, owner: Any, ttl_s: Any = None, asker: Asker = NOBODY
    ) -> BegunMove:
        change = wanted(name, owner, mm, ttl_s)
        return self._change_term(change, asker)

    def begin_clear_term(self, name: Any, owner: Any, asker: Asker = NOBODY) -> BegunMove:
        return self._change_term(unwanted(name, owner), asker)

    def terms(self) -> tuple[Term, ...]:
        return self.snapshot.terms

    def _change_term(self, change: Wanted, asker: Asker) -> BegunMove:
        self.askers.append(asker)
        self._note("term", change)
        terms = Sum(None, self.snapshot.terms).changed(change, NIGHT_S).terms
        self.snapshot = replace(self.snapshot, terms=terms, base_mm=2.0)
        ended = self._ending("term", self.move_gate)
        return BegunMove(ended, ended)

    def begin_stop(self, by: str, door: str = "") -> Ending:
        self.askers.append(Asker(by, door))
        self.stops_asked_by.append(by)
        # As the service: who asks while one is under way is given the same one.
        if self._stop.done():
            self._note("stop", by)
            self._stop = self._ending("stop", self.stop_gate, by)
        return self._stop

    # How it ends

    def _note(self, command: str, *arguments: Any) -> None:
        self.calls.append((command, *arguments))
        failure = self._failure_of(command)
        if isinstance(failure, (BusyError, NotConnectedError)) or not isinstance(
            failure, (FocuserError, type(None))
        ):
            raise failure

    def _failure_of(self, command: str) -> BaseException | None:
        return self.failures.get(command, self.failure)

    def _ending(self, command: str, gate: Gate, *arguments: Any) -> Ending:
        ending = Ending(self.patience_s)

        def end() -> None:
            outcome: Any = None
            try:
                self._end(command, *arguments)
            except FocuserError as error:
                outcome = error
            ending.resolve(outcome)

        if not self.hangs:
            gate.when_open(end)
        return ending

    def _end(self, command: str, *arguments: Any) -> None:
        failure = self._failure_of(command)
        if failure is not None:
            raise failure
        if command == "move" and self.judges_positions:
            position, offset = arguments
            requested_target(position, 1.0 if offset else None, LIMITS)


class MovingFocuser(FakeFocuser):
    """A service whose snapshot follows what it is told. It stands at 0 mm."""

    def __init__(self) -> None:
        super().__init__()
        self._stopped_by = ""
        self.stand()

    def stand(self, steps: int = 0) -> None:
        self.snapshot = Snapshot(state=State.IDLE, current_steps=steps, target_steps=steps)

    def lose_link(self, reason: str = "the serial port failed (unplugged).") -> None:
        self.snapshot = Snapshot(state=State.RECONNECTING, reason=reason)

    def _note(self, command: str, *arguments: Any) -> None:
        super()._note(command, *arguments)
        if command == "initialize" and self._failure_of(command) is None:
            self.snapshot = Snapshot(state=State.HOMING)
        elif command == "move":
            self._stopped_by = ""
            target_steps = steps_from_mm(arguments[0])
            self.snapshot = replace(self.snapshot, state=State.MOVING, target_steps=target_steps)

    def _end(self, command: str, *arguments: Any) -> None:
        if command == "move":
            self.stand(steps_from_mm(arguments[0]))
            if self._stopped_by:
                raise StoppedError(f"stopped by {self._stopped_by}.")
        super()._end(command, *arguments)
        if command == "initialize":
            self.stand()
        elif command == "stop":
            if self.snapshot.state is State.DISCONNECTED:
                raise NotConnectedError("the focuser is not connected.")
            (self._stopped_by,) = arguments
            self.move_gate.open()
