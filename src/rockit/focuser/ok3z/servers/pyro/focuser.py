"""The object itself: who may call what, and with which number each call is answered.

Control is granted by the caller's address, before any argument is looked at. Nothing foreseeable raises, and nothing
waits: a command is answered when it has ended (`AtEnd`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple

import Pyro4

from ...constants import UTC_FORMAT, CommandStatus
from ...errors import (
    AlreadyConnectedError,
    BusyError,
    FocuserError,
    InternalError,
    InvalidArgumentError,
    NotConnectedError,
    NotPermittedError,
    OutsideLimitsError,
    whole,
)
from ...service import history_reports, outcomes, terms
from ...service.focuser import BegunMove, Ending, Focuser
from ...service.history import Asker
from ...service.status import Snapshot
from ...service.temperature import REFERENCE_PATIENCE_S, UNANSWERED, begin_set_reference
from .callers import Callers, Failure
from .later import AtEnd, Later
from .message import prepared
from .permission import LOOK_UP_PATIENCE_S, STOP_LOOK_UP_PATIENCE_S, Permission
from .refusals import RefusalLog
from .reports import last_ended, measurement, report

_log = logging.getLogger(__name__)

# The longest that `wait_for_change` waits, in seconds.
LONGEST_WAIT_S = 20.0

# How long `record` waits for the disk, in seconds, and a question about the history.
RECORD_PATIENCE_S = 3.0
HISTORY_PATIENCE_S = 0.8
DOOR = "pyro"

# Of calls that do not come as far as the object.
_REASONS: Mapping[object, str] = {
    CommandStatus.Blocked: BusyError.code,
    CommandStatus.InvalidControlIP: NotPermittedError.code,
}

# Total: a class that is not named is answered as the nearest of its ancestors is.
COMMAND_STATUS_OF: Mapping[type[FocuserError], int] = {
    FocuserError: CommandStatus.Failed,
    BusyError: CommandStatus.Blocked,
    NotPermittedError: CommandStatus.InvalidControlIP,
    OutsideLimitsError: CommandStatus.PositionOutsideLimits,
    NotConnectedError: CommandStatus.NotConnected,
    AlreadyConnectedError: CommandStatus.NotDisconnected,
}


def command_status(error: FocuserError) -> int:
    """The published number for an error."""
    return next(COMMAND_STATUS_OF[cls] for cls in type(error).__mro__ if cls in COMMAND_STATUS_OF)


def _stop_status(error: FocuserError) -> int:
    """Whatever prevents a stop is a failure."""
    status = command_status(error)
    return status if status == CommandStatus.InvalidControlIP else CommandStatus.Failed


class _Asked(NamedTuple):
    """One call of a command."""

    command: str
    what: str
    """The command with what it was asked for, as the log says it."""
    address: str
    at_s: float
    is_stop: bool

    def asker(self, why: str = "") -> Asker:
        """Who asked, for the history."""
        return Asker(self.address, DOOR, why)


class PyroFocuser:
    """What is registered with Pyro. A command is answered with a CommandStatus: at once if it is refused, else when it
    has ended. Belongs to the port's thread; the end of a move that was only begun is noted on the service's.

    Args:
        focuser: the service.
        control_ips: the addresses that may control; everybody may ask for the status.
        machine_names: names of machines by their address, for the log.
        alpaca_problem: why Alpaca programs are not served though they should be, in a sentence; empty if they are.
        range_mm: focus_range_mm, which the status tells everybody; None: it does not.
    """

    def __init__(
        self,
        focuser: Focuser,
        control_ips: Sequence[str],
        machine_names: Mapping[str, str] | None = None,
        alpaca_problem: Callable[[], str] = lambda: "",
        range_mm: float | None = None,
    ) -> None:
        self._focuser = focuser
        self._range_mm = range_mm
        self._alpaca_problem = alpaca_problem
        self._permission = Permission(control_ips)
        self._callers = Callers(control_ips, machine_names or {})
        self._refusals = RefusalLog()

    # Commands

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def initialize(
        self, resume: Any = None, restore: Any = None, new_controller: Any = False, force: Any = False
    ) -> Any:
        """Connect and home; answered when homed. `resume`: without homing, if the controller is as it was left.
        `restore`: return to the last target that was reached. None: as configured. `new_controller`: forget what was
        measured of the one before. `force`: whoever holds it."""
        asked = self._asked("initialize")

        def begin() -> Ending:
            return self._focuser.begin_initialize(
                _yes_no_or_as_configured("resume", resume),
                _yes_no_or_as_configured("restore", restore),
                _yes_or_no("new_controller", new_controller),
                _yes_or_no("force", force),
                asked.asker(),
            )

        return self._carry_out(asked, begin, outcomes.initialized)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def audit(self) -> Any:
        """Home again, note the steps lost since the last homing, and return; answered when it is back."""
        asked = self._asked("audit")
        return self._carry_out(asked, lambda: self._focuser.begin_audit(asked.asker()), outcomes.audited)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def shutdown(self) -> Any:
        """Disconnect."""
        asked = self._asked("shutdown")
        return self._carry_out(
            asked, lambda: self._focuser.begin_shutdown(asked.asker()), outcomes.disconnected
        )

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def set_focus(
        self, pos: Any, offset: Any = False, wait_s: Any = 0, why: Any = "", exact: Any = False
    ) -> Any:
        """Move to `pos` mm, or by `pos` mm from the target; answered when the focuser stands there. `wait_s`: how long
        to wait while others hold it. `why`: for the history. `exact`: no neighbouring step will do."""
        asked = self._asked_to_move("set_focus", pos, offset)
        return self._carry_out(
            asked, lambda: self._begin_move(asked, pos, offset, wait_s, why, exact).ended, outcomes.arrived
        )

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def begin_move(
        self, pos: Any, offset: Any = False, wait_s: Any = 0, why: Any = "", exact: Any = False
    ) -> Any:
        """As `set_focus`, but answered as soon as the status says that the focuser moves."""
        asked = self._asked_to_move("begin_move", pos, offset)

        def begin() -> AtEnd:
            begun = self._begin_move(asked, pos, offset, wait_s, why, exact)
            return AtEnd(begun.under_way, begun.under_way.patience_s, lambda: self._under_way(asked, begun))

        return self._if_permitted(asked, begin)

    def _begin_move(
        self, asked: _Asked, pos: object, offset: object, wait_s: object, why: object, exact: object
    ) -> BegunMove:
        return self._focuser.begin_move(
            pos,
            _yes_or_no("offset", offset),
            _yes_or_no("exact", exact),
            asker=asked.asker(history_reports.why_of(why)),
            wait_s=history_reports.wait_of(wait_s),
        )

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def hold(self, name: Any, seconds: Any, token: Any = "") -> Any:
        """Promise that the focuser does not move for so many seconds; answered with a token, or a CommandStatus. With
        the token of a hold that lives: promise it for longer."""
        asked = self._asked("hold")

        def grant() -> str:
            granted = self._focuser.hold(name, seconds, token, asked.asker())
            self._callers.succeeded(asked.address)
            self._log_end(asked, f"{name} holds it for {seconds:g} s")
            return granted

        return self._if_permitted(asked, grant)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def release(self, token: Any) -> Any:
        """End a hold; answered with 0, or with 1 if there is none of this token any more."""
        asked = self._asked("release")

        def let_go() -> int:
            self._focuser.release(token)
            self._callers.succeeded(asked.address)
            self._log_end(asked, "released")
            return CommandStatus.Succeeded

        return self._if_permitted(asked, let_go)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def set_term(self, name: Any, mm: Any, owner: Any, ttl: Any = None) -> Any:
        """Set a term: what one program corrects (docs/terms.md); answered when the focuser stands at the sum. `ttl`:
        for how many seconds."""
        asked = self._asked("set_term")
        return self._carry_out(
            asked,
            lambda: self._focuser.begin_set_term(name, mm, owner, ttl, asked.asker()).ended,
            outcomes.arrived,
        )

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def clear_term(self, name: Any, owner: Any) -> Any:
        """Clear a term; answered when the focuser stands at the sum of the others."""
        asked = self._asked("clear_term")
        return self._carry_out(
            asked,
            lambda: self._focuser.begin_clear_term(name, owner, asked.asker()).ended,
            outcomes.arrived,
        )

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def set_reference(self, why: Any = "") -> Any:
        """The focus is good now: corrections for the temperature count from here; answered when that is kept. Nothing
        moves. `why`: for the history."""
        asked = self._asked("set_reference")

        def begin() -> AtEnd:
            kept = begin_set_reference(self._focuser.temperature, asked.asker(history_reports.why_of(why)))
            return AtEnd(kept, REFERENCE_PATIENCE_S, lambda: self._reference_set(asked, kept))

        return self._if_permitted(asked, begin)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def stop(self) -> Any:
        """Stop any movement; answered when standstill is confirmed. Whatever prevents that is a failure."""
        asked = self._asked("stop", is_stop=True)
        return self._carry_out(asked, lambda: self._focuser.begin_stop(asked.address, DOOR), outcomes.stands)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def record(self) -> Any:
        """Have the last frames on the wire written into the state folder; answered with the name of the file."""
        asked = self._asked("record")

        def begin() -> AtEnd:
            written = self._focuser.record()
            return AtEnd(written, RECORD_PATIENCE_S, lambda: self._recorded(asked, written))

        return self._if_permitted(asked, begin)

    # Questions

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def report_status(self) -> dict[str, Any]:
        """The state as a dict (docs/pyro.md); open to every caller."""
        return self._report(_caller())

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def last_measurement(self) -> dict[str, Any]:
        """What is measured as a dict whose keys are always there (docs/pyro.md); open to every caller."""
        snapshot = self._focuser.snapshot
        motions = self._focuser.motions
        last = last_ended(motions)
        settled_s = None if last is None or last.ended_s is None else self._focuser.age_s(last.ended_s)
        return measurement(snapshot, motions, settled_s, datetime.now(timezone.utc))

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def holds(self) -> list[dict[str, str]]:
        """Who holds the focuser, and from when to when; open to every caller."""
        return self._focuser.holds.published()

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def terms(self) -> list[dict[str, Any]]:
        """The terms that the position has in it (docs/terms.md); open to every caller."""
        return terms.published(self._focuser.terms())

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def focus_header(self) -> dict[str, Any]:
        """What belongs into the header of an exposure (docs/history.md); open to every caller."""
        history = self._focuser.history
        return history_reports.header(
            self._focuser.snapshot, history.now, history.moment(), self._focuser.holds.names()
        )

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def moved_between(self, t0: Any, t1: Any) -> Any:
        """Whether the focuser moved between two moments (docs/history.md); open to every caller."""
        may_control = self._callers.may_control(_caller())
        try:
            t0_s, t1_s = history_reports.moment_of("t0", t0), history_reports.moment_of("t1", t1)
        except InvalidArgumentError as error:
            return history_reports.unknown(str(error))
        asked = self._focuser.ask_moved(
            t0_s, t1_s, lambda verdict: prepared(history_reports.answer(verdict, may_control))
        )
        return _told(asked, history_reports.unknown)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def moves(self, since: Any, until: Any, limit: Any = 100) -> Any:
        """What is in the history between two moments, the oldest first (docs/history.md); a CommandStatus if it cannot
        be asked. Open to every caller."""
        may_control = self._callers.may_control(_caller())
        try:
            since_s, until_s = (
                history_reports.moment_of("since", since),
                history_reports.moment_of("until", until),
            )
            most = history_reports.limit_of(limit, may_control)
        except InvalidArgumentError:
            return CommandStatus.Failed
        asked = self._focuser.ask_rows(
            since_s,
            until_s,
            most,
            lambda rows: prepared([history_reports.row(one, may_control) for one in rows]),
        )
        return _told(asked, lambda _: CommandStatus.Failed)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def last_failure(self) -> dict[str, Any]:
        """Of the commands from the caller's address the last that failed; {} if none has. Open to every caller."""
        failure = self._callers.last_failure(_caller())
        return {} if failure is None else failure.published()

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def wait_for_change(self, since: Any, timeout: Any = LONGEST_WAIT_S) -> Any:
        """The status as soon as its `change` is another than `since`, or after `timeout` seconds; a CommandStatus if
        the caller may not wait or `timeout` is no number."""
        asked = self._asked("wait_for_change")
        return self._if_permitted(asked, lambda: self._changed(asked.address, since, _patience_s(timeout)))

    def _changed(self, address: str, since: object, patience_s: float) -> Later:
        seen = self._focuser.snapshot
        counted = type(since) is int and since == seen.change

        def is_due() -> bool:
            now = self._focuser.snapshot
            # A service that does not answer any more publishes nothing, so that nothing is counted.
            return not counted or now.change != since or now.state is not seen.state

        return Later(is_due, patience_s, lambda: self._report(address, with_change=True))

    def _report(self, address: str, with_change: bool = False) -> dict[str, Any]:
        snapshot = self._focuser.snapshot
        # Not by the site's helper: that may raise, and nobody may wait here. The most that depends on it is a sentence.
        may_control = self._callers.may_control(address)
        now = datetime.now(timezone.utc)
        age_s = self._focuser.reading_age_s(snapshot)
        temperature = self._focuser.temperature
        told = temperature.published(may_control) if temperature else None
        answer = report(snapshot, age_s, now, may_control, self._alpaca_problem(), self._range_mm, told)
        failure = self._callers.last_failure(address)
        if failure is not None and failure.explains(whole(snapshot.reason)):
            answer["reason"] = failure.reason
        return answer | {"change": snapshot.change} if with_change else answer

    # What becomes of a command

    def refused(self, address: str, method: str, answer: object, why: str) -> None:
        """A call from an address did not come as far as this object. Any thread may say so; does not wait."""
        if self._callers.may_control(address):
            self._refusals.say(
                f"{method or 'a message'}, asked by {self._callers.named(address)}: refused: {why}"
            )
        self._focuser.counters.refuse(_REASONS.get(answer, "malformed"))
        if method:
            status = answer if isinstance(answer, int) else CommandStatus.Failed
            self._callers.failed(address, self._failure(method, status, why, untold=True))

    def _asked(self, command: str, detail: str = "", is_stop: bool = False) -> _Asked:
        return _Asked(command, f"{command} {detail}".strip(), _caller(), time.monotonic(), is_stop)

    def _asked_to_move(self, command: str, pos: object, offset: object) -> _Asked:
        # Of a stranger's arguments nothing is looked at.
        may_control = self._callers.may_control(_caller())
        return self._asked(command, outcomes.move(pos, _is_yes(offset)) if may_control else "")

    def _carry_out(
        self, asked: _Asked, begin: Callable[[], Ending], how: Callable[[Snapshot], str]
    ) -> object:
        """Do what was asked for, if the caller may ask for it, and answer at its end. `how` it ended, in words."""

        def answered_at_its_end() -> AtEnd:
            ending = begin()
            return AtEnd(ending, ending.patience_s, lambda: self._ended(asked, ending, how))

        return self._if_permitted(asked, answered_at_its_end)

    def _if_permitted(self, asked: _Asked, answer: Callable[[], object]) -> object:
        """The answer to a caller that may ask for it, as soon as that is known."""
        permitted = self._permission.remembered(asked.address)
        if permitted is not None:
            return self._judged(asked, lambda: permitted, answer)
        said = self._permission.look_up(asked.address, asked.is_stop)
        return AtEnd(
            said,
            STOP_LOOK_UP_PATIENCE_S if asked.is_stop else LOOK_UP_PATIENCE_S,
            lambda: self._judged(
                asked, lambda: self._permission.judge(asked.address, said, asked.is_stop), answer
            ),
        )

    def _judged(
        self, asked: _Asked, is_permitted: Callable[[], bool], answer: Callable[[], object]
    ) -> object:
        try:
            if not is_permitted():
                raise NotPermittedError(f"{asked.address} is not among control_machines.")
            return answer()
        except FocuserError as error:
            if isinstance(error, (NotPermittedError, InvalidArgumentError)):
                # What the service refuses it counts itself.
                self._focuser.counters.refuse(error.code)
            return self._failed(asked, error)
        except Exception as error:
            _log.exception("a mistake in this program, in %s asked by %s", asked.command, asked.address)
            mistake = f"the daemon made a mistake ({type(error).__name__}); its log has the details."
            return self._failed(asked, InternalError(mistake))

    def _ended(self, asked: _Asked, ending: Ending, how: Callable[[Snapshot], str]) -> int:
        failure = ending.failure
        if failure is not None:
            return self._failed(asked, failure)
        self._succeeded(asked, how)
        return CommandStatus.Succeeded

    def _under_way(self, asked: _Asked, begun: BegunMove) -> int:
        if not begun.under_way.done():
            return self._ended(asked, begun.under_way, outcomes.arrived)
        if begun.ended.done():
            return self._ended(asked, begun.ended, outcomes.arrived)
        self._callers.succeeded(asked.address)
        self._log_end(asked, "under way")
        begun.ended.add_done_callback(lambda _: self._ended(asked, begun.ended, outcomes.arrived))
        return CommandStatus.Succeeded

    def _recorded(self, asked: _Asked, written: Future[str]) -> str | int:
        if not written.done():
            return self._failed(
                asked, FocuserError("the disk of the state folder does not answer. Look at it.")
            )
        if (failure := written.exception()) is not None:
            return self._failed(asked, FocuserError(str(failure)))
        self._callers.succeeded(asked.address)
        self._log_end(asked, f"recorded in {written.result()}")
        return written.result()

    def _reference_set(self, asked: _Asked, kept: Future[None]) -> int:
        # What was not answered in time shall not come true later, when another series may be under way.
        late = kept.cancel() or not kept.done()
        failure = FocuserError(UNANSWERED) if late else kept.exception()
        if isinstance(failure, FocuserError):
            return self._failed(asked, failure)
        self._callers.succeeded(asked.address)
        self._log_end(asked, "the focus is good at this temperature")
        return CommandStatus.Succeeded

    def _succeeded(self, asked: _Asked, how: Callable[[Snapshot], str]) -> None:
        self._callers.succeeded(asked.address)
        took_s = time.monotonic() - asked.at_s
        self._log_end(asked, outcomes.succeeded(how(self._focuser.snapshot), took_s))

    def _failed(self, asked: _Asked, error: FocuserError) -> int:
        status = _stop_status(error) if asked.is_stop else command_status(error)
        snapshot = self._focuser.snapshot
        # Of a wrong call, and of a mistake in here, the focuser's own status knows nothing.
        untold = isinstance(error, (InvalidArgumentError, InternalError)) or not snapshot.reason
        self._callers.failed(asked.address, self._failure(asked.command, status, str(error), untold))
        self._log_end(asked, outcomes.failed(error, snapshot, time.monotonic() - asked.at_s))
        return status

    def _failure(self, command: str, status: int, reason: str, untold: bool) -> Failure:
        date = datetime.now(timezone.utc).strftime(UTC_FORMAT)
        told = whole(self._focuser.snapshot.reason) if untold else None
        return Failure(command, status, reason, date, told)

    def _log_end(self, asked: _Asked, end: str) -> None:
        _log.info("%s, asked by %s: %s", asked.what, self._callers.named(asked.address), end)


def _told(asked: Future[Any], unable: Callable[[str], object]) -> AtEnd:
    """What the history says, when it has said it; or what is answered if it cannot be asked."""

    def say() -> object:
        if not asked.done():
            return unable("the disk of the history does not answer. Look at it.")
        error = asked.exception()
        return asked.result() if error is None else unable(str(error))

    return AtEnd(asked, HISTORY_PATIENCE_S, say)


def _patience_s(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise InvalidArgumentError(
            f"timeout is of type {type(timeout).__name__}; a number of seconds was expected."
        )
    if timeout != timeout:
        raise InvalidArgumentError("timeout is NaN; a number of seconds was expected.")
    return float(min(max(timeout, 0), LONGEST_WAIT_S))


def _yes_no_or_as_configured(name: str, value: object) -> bool | None:
    return None if value is None else _yes_or_no(name, value)


def _yes_or_no(name: str, value: object) -> bool:
    # Not the truth of anything: "False" is true.
    if value is None or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    seen = outcomes.number(value) if isinstance(value, (int, float)) else f"of type {type(value).__name__}"
    raise InvalidArgumentError(f"{name} is {seen}; True or False was expected.")


def _is_yes(value: object) -> bool:
    return type(value) in (bool, int) and value == 1


def _caller() -> str:
    address = Pyro4.current_context.client_sock_addr
    return str(address[0]) if address else "an unknown machine"
