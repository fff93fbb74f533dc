"""The object itself: who may call what, and with which number each call is answered.

Control is granted by the caller's address, before any argument is looked at. Nothing foreseeable raises.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple

import Pyro4
from rockit.common import helpers

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
from ...service import outcomes
from ...service.focuser import Focuser
from ...service.status import Snapshot
from .callers import Callers, Failure
from .later import Later
from .refusals import RefusalLog
from .reports import last_ended, measurement, report

_log = logging.getLogger(__name__)

# The longest that `wait_for_change` waits, in seconds.
LONGEST_WAIT_S = 20.0

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


class PyroFocuser:
    """What is registered with Pyro. A command returns a CommandStatus.

    Args:
        focuser: the service.
        control_ips: the addresses that may control; everybody may ask for the status.
        machine_names: names of machines by their address, for the log.
        alpaca_problem: why Alpaca programs are not served though they should be, in a sentence; empty where they are.
    """

    def __init__(
        self,
        focuser: Focuser,
        control_ips: Sequence[str],
        machine_names: Mapping[str, str] | None = None,
        alpaca_problem: Callable[[], str] = lambda: "",
    ) -> None:
        self._focuser = focuser
        self._alpaca_problem = alpaca_problem
        self._control_ips = list(control_ips)
        self._callers = Callers(control_ips, machine_names or {})
        self._refusals = RefusalLog()

    # Commands

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def initialize(self, resume: Any = None, restore: Any = None, new_controller: Any = False) -> int:
        """Connect and home; blocks until homed. `resume`: without homing, if the controller is as it was left.
        `restore`: return to the last target that was reached. None: as configured. `new_controller`: forget what was
        measured of the one before."""

        def run() -> None:
            self._focuser.initialize(
                _yes_no_or_as_configured("resume", resume),
                _yes_no_or_as_configured("restore", restore),
                _yes_or_no("new_controller", new_controller),
            )

        return self._carry_out(self._asked("initialize"), run, outcomes.initialized)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def audit(self) -> int:
        """Home again, note the steps lost since the last homing, and return; blocks until it is back."""
        return self._carry_out(self._asked("audit"), self._focuser.audit, outcomes.audited)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def shutdown(self) -> int:
        """Disconnect."""
        return self._carry_out(self._asked("shutdown"), self._focuser.shutdown, outcomes.disconnected)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def set_focus(self, pos: Any, offset: Any = False) -> int:
        """Move to `pos` mm, or by `pos` mm from the target; blocks until the focuser stands there."""

        def run() -> None:
            self._focuser.set_focus(pos, _yes_or_no("offset", offset))

        return self._carry_out(self._asked_to_move("set_focus", pos, offset), run, outcomes.arrived)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def begin_move(self, pos: Any, offset: Any = False) -> int:
        """As `set_focus`, but returns as soon as the status says that the focuser moves."""
        asked = self._asked_to_move("begin_move", pos, offset)

        def run() -> None:
            began = self._focuser.begin_move(pos, _yes_or_no("offset", offset))
            if not began.done():
                self._callers.succeeded(asked.address)
                self._log_end(asked, "under way")
            began.add_done_callback(lambda ended: self._begun_move_ended(asked, ended))

        return self._carry_out(asked, run)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def stop(self) -> int:
        """Stop any movement; returns when standstill is confirmed. Whatever prevents that is a failure."""

        def run() -> None:
            self._focuser.stop(_caller())

        return self._carry_out(self._asked("stop"), run, outcomes.stands, _stop_status)

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
    def last_failure(self) -> dict[str, Any]:
        """Of the commands from the caller's address the last that failed; {} where none has. Open to every caller."""
        failure = self._callers.last_failure(_caller())
        return {} if failure is None else failure.published()

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def wait_for_change(self, since: Any, timeout: Any = LONGEST_WAIT_S) -> Any:
        """The status as soon as its `change` is another than `since`, or after `timeout` seconds; a CommandStatus where
        the caller may not wait or `timeout` is no number."""
        address = _caller()
        made: list[Later] = []
        status = self._carry_out(
            self._asked("wait_for_change"),
            lambda: made.append(self._changed(address, since, _patience_s(timeout))),
        )
        return made[0] if made else status

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
        # Not by the site's helper: that may raise, and nobody may wait here. The most that hangs on it is a sentence.
        may_control = self._callers.may_control(address)
        now = datetime.now(timezone.utc)
        age_s = self._focuser.reading_age_s(snapshot)
        answer = report(snapshot, age_s, now, may_control, self._alpaca_problem())
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
        if method:
            status = answer if isinstance(answer, int) else CommandStatus.Failed
            self._callers.failed(address, self._failure(method, status, why, untold=True))

    def _asked(self, command: str, detail: str = "") -> _Asked:
        return _Asked(command, f"{command} {detail}".strip(), _caller(), time.monotonic())

    def _asked_to_move(self, command: str, pos: object, offset: object) -> _Asked:
        # Of a stranger's arguments nothing is looked at.
        may_control = self._callers.may_control(_caller())
        return self._asked(command, outcomes.move(pos, _is_yes(offset)) if may_control else "")

    def _carry_out(
        self,
        asked: _Asked,
        run: Callable[[], None],
        how: Callable[[Snapshot], str] | None = None,
        status_of: Callable[[FocuserError], int] = command_status,
    ) -> int:
        """Do what was asked for, if the caller may ask for it. `how`: it ended, in words; None: that is no news."""
        try:
            if not helpers.pyro_client_matches(self._control_ips):
                raise NotPermittedError(f"{asked.address} is not among control_machines.")
            run()
        except FocuserError as error:
            return self._failed(asked, error, status_of(error))
        except Exception as error:
            _log.exception("a mistake in this program, in %s asked by %s", asked.command, asked.address)
            mistake = InternalError(
                f"the daemon made a mistake ({type(error).__name__}); its log has the details."
            )
            return self._failed(asked, mistake, CommandStatus.Failed)
        if how is not None:
            self._succeeded(asked, how)
        return CommandStatus.Succeeded

    def _begun_move_ended(self, asked: _Asked, ended: Future[None]) -> None:
        error = ended.exception()
        if error is None:
            self._succeeded(asked, outcomes.arrived)
        elif isinstance(error, FocuserError):
            self._failed(asked, error, command_status(error))

    def _succeeded(self, asked: _Asked, how: Callable[[Snapshot], str]) -> None:
        self._callers.succeeded(asked.address)
        took_s = time.monotonic() - asked.at_s
        self._log_end(asked, outcomes.succeeded(how(self._focuser.snapshot), took_s))

    def _failed(self, asked: _Asked, error: FocuserError, status: int) -> int:
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
