"""The focuser as a program in Python has it: `connect`, and a RemoteFocuser whose methods return or raise.

Described in docs/python.md. Every call has a connection of its own, so the daemon may be restarted in between, and
`stop` may be called from any thread while another one waits.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable

from ..config.model import find
from ..config.site import RegisteredDaemon, registered_daemon
from ..constants import CommandStatus
from ..errors import (
    AlreadyConnectedError,
    BusyError,
    FocuserError,
    InvalidArgumentError,
    NotConnectedError,
    NotPermittedError,
    OutsideLimitsError,
)
from . import MOTION_TIMEOUT_S, REFERENCE_TIMEOUT_S, SHUTDOWN_TIMEOUT_S, STATUS_TIMEOUT_S, STOP_TIMEOUT_S
from .calls import (
    AnswerLostError,
    CallError,
    DaemonFaultError,
    FocuserClient,
    Report,
    StatusFeed,
    TimedOutError,
    TooOldError,
    configured_daemon,
)
from .report import Status, text_in

POLL_INTERVAL_S = 0.1
# As long as a daemon holds `wait_for_change` at most.
LONGEST_WAIT_S = 20.0
# A motion that has not answered so long after a confirmed stop began after it: it is stopped again.
STOP_AGAIN_AFTER_S = 1.0
STOP_ATTEMPTS = 3

MOVES_ON = "The focuser may still be moving: ask status(), end it with stop()."

_log = logging.getLogger(__name__)


class CommandFailedError(CallError):
    """The daemon carried a command out in vain, or somebody stopped it. The text is the daemon's reason."""


_ERROR_OF: Mapping[int, type[FocuserError]] = {
    CommandStatus.Blocked: BusyError,
    CommandStatus.InvalidControlIP: NotPermittedError,
    CommandStatus.PositionOutsideLimits: OutsideLimitsError,
    CommandStatus.NotConnected: NotConnectedError,
    CommandStatus.NotDisconnected: AlreadyConnectedError,
}
# What to do, if the daemon does not say why it refused.
_ADVICE = {
    CommandStatus.Blocked: "Wait for its end with wait_until_idle(), or end it with stop().",
    CommandStatus.InvalidControlIP: "Run this on one of the control_machines of the daemon's configuration.",
    CommandStatus.PositionOutsideLimits: "Ask for a position between 0 mm and focus_range_mm.",
    CommandStatus.NotConnected: "Connect and home it with initialize().",
}


def connect(
    focuser: str | os.PathLike[str] | None = None, *, timeout_s: float = STATUS_TIMEOUT_S
) -> RemoteFocuser:
    """The focuser of a daemon, which is asked for its status once, and for nothing else.

    Args:
        focuser: the path of a configuration (a text that has a slash or ends in `.json` is one), or the name of a
            registered daemon. None: the configuration that `focus` finds, which is $FOCUSD_CONFIG_PATH or else the
            single /etc/focusd/*.json.
        timeout_s: how long to wait for the answer, in seconds; 0 for no limit.

    Raises:
        ConfigError: there is no such configuration or daemon.
        DaemonUnreachableError: nothing answers there, or something else does.
        CallError: any other way to get no status.
    """
    found = RemoteFocuser(FocuserClient(_daemon(focuser)))
    found.status(timeout_s=timeout_s)
    return found


def _daemon(focuser: str | os.PathLike[str] | None) -> RegisteredDaemon:
    if focuser is None:
        return configured_daemon(find(os.environ))
    if isinstance(focuser, str) and os.sep not in focuser and not focuser.endswith(".json"):
        return registered_daemon(focuser)
    return configured_daemon(Path(focuser))


class RemoteFocuser:
    """The focuser behind a daemon. Millimetres count outward from the inner limit switch; timeouts are seconds, 0
    for no limit.

    Each method that commands raises, with the daemon's own sentence:
        NotPermittedError: this machine may not control the focuser.
        BusyError: another command runs.
        NotConnectedError: the focuser is not connected and homed.
        CommandFailedError: it was tried in vain, or somebody stopped it.
        DaemonUnreachableError: the daemon is away, so nothing was asked for. What it had begun may go on.
        AnswerLostError, TimedOutError: it was asked and its answer did not come. What was asked for goes on.
        FocuserError: any of these, and whatever comes later.

    Leaving a `with` block, or the end of the program, stops nothing and disconnects nothing.
    """

    def __init__(self, client: FocuserClient) -> None:
        self._client = client

    def __enter__(self) -> RemoteFocuser:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def status(self, *, timeout_s: float = STATUS_TIMEOUT_S) -> Status:
        """What the daemon says now. It waits for nothing, and every machine may ask. Raises CallError."""
        return Status.of(self._client.report_status(timeout_s))

    def initialize(
        self,
        *,
        resume: bool | None = None,
        restore: bool | None = None,
        new_controller: bool = False,
        timeout_s: float = MOTION_TIMEOUT_S,
    ) -> None:
        """Connect and home the focuser, which takes up to 45 s as a rule; return when it stands. If it is connected and
        homed already, that is all.

        Args:
            resume: carry on without homing if the controller is as it was left; False homes. None: as the daemon is
                configured.
            restore: return to the last position that was reached; False does not. None: as the daemon is configured.
            new_controller: forget what was measured of the controller before.
            timeout_s: how long to wait for the end.
        """
        status = self._carried_out(
            lambda: self._client.initialize(resume, restore, new_controller, timeout_s)
        )
        if status != CommandStatus.NotDisconnected:
            self._demand("initialize", status)

    def audit(self, *, timeout_s: float = MOTION_TIMEOUT_S) -> None:
        """Home again and return to where it stood; `status().lost_steps` then says how many steps were lost."""
        self._demand("audit", self._carried_out(lambda: self._client.audit(timeout_s)))

    def move_to(self, position_mm: float, *, wait: bool = True, timeout_s: float = MOTION_TIMEOUT_S) -> None:
        """Move to a position.

        Args:
            position_mm: 0 to focus_range_mm; never clamped, OutsideLimitsError is raised instead.
            wait: return on arrival: at standstill, at the target. False: return as soon as it moves.
            timeout_s: how long to wait for that. The motion goes on when the time is over.

        Ctrl-C while it waits (KeyboardInterrupt, or whatever a signal handler raises) stops the focuser first.
        """
        self._move(position_mm, False, wait, timeout_s)

    def move_by(self, distance_mm: float, *, wait: bool = True, timeout_s: float = MOTION_TIMEOUT_S) -> None:
        """Move by a distance from the current target, positive outward. For the rest as `move_to`."""
        self._move(distance_mm, True, wait, timeout_s)

    def moved_between(
        self, t0: str | float, t1: str | float, *, timeout_s: float = STATUS_TIMEOUT_S
    ) -> Report:
        """Whether the focuser moved between two moments, which are ISO text in UTC or Unix seconds: a dict of `moved`
        ("no", "yes" or "unknown"), `reason` and `motions`. Every machine may ask. Raises CallError."""
        return self._client.moved_between(t0, t1, timeout_s)

    def moves(
        self,
        since: str | float,
        until: str | float,
        limit: int = 100,
        *,
        timeout_s: float = STATUS_TIMEOUT_S,
    ) -> list[Report]:
        """What is in the history between two moments, the oldest first, at most 1000 rows. Raises CallError."""
        return self._client.moves(since, until, limit, timeout_s)

    def set_reference(self, why: str = "", *, timeout_s: float = REFERENCE_TIMEOUT_S) -> None:
        """The focus is good now, after an autofocus: corrections for the temperature count from here. Nothing moves."""
        self._demand("set_reference", self._client.set_reference(why, timeout_s))

    def header(self, *, timeout_s: float = STATUS_TIMEOUT_S) -> Report:
        """What belongs into the header of an exposure, by FITS keyword. Raises CallError."""
        return self._client.focus_header(timeout_s)

    def set_term(
        self,
        name: str,
        mm: float,
        owner: str,
        ttl_s: float | None = None,
        *,
        timeout_s: float = MOTION_TIMEOUT_S,
    ) -> None:
        """Set a term, and return when the focuser stands at the sum of the base and of all terms (docs/terms.md).

        Args:
            name: what it corrects, such as filter.
            mm: what it adds, positive outward.
            owner: whose it is: no other may change or clear it.
            ttl_s: for how many seconds; None: until it is cleared.

        Raises:
            BusyError, OutsideLimitsError, NotConnectedError: nothing moved, and nothing changed.
            CommandFailedError: it is another owner's, or the focuser did not arrive; then it is not set.
        """
        self._demand("set_term", self._client.set_term(name, mm, owner, ttl_s, timeout_s))

    def clear_term(self, name: str, owner: str, *, timeout_s: float = MOTION_TIMEOUT_S) -> None:
        """Clear a term, and return when the focuser stands at the sum of the others. As `set_term`."""
        self._demand("clear_term", self._client.clear_term(name, owner, timeout_s))

    def terms(self, *, timeout_s: float = STATUS_TIMEOUT_S) -> list[Report]:
        """The terms that the position has in it. Raises CallError."""
        return self._client.terms(timeout_s)

    @contextmanager
    def held(
        self, name: str, seconds: float = 600.0, *, timeout_s: float = STATUS_TIMEOUT_S
    ) -> Iterator[str]:
        """Have nothing move in a `with` block, for `seconds` at most; gives the token.

        Args:
            name: who holds it, for those who are refused meanwhile.
            seconds: up to 600.

        Raises:
            BusyError: something moves, or there are too many holds.
        """
        token = self._client.hold(name, seconds, timeout_s=timeout_s)
        if isinstance(token, int):
            self._demand("hold", token)
            raise DaemonFaultError("The daemon granted a hold without a token.")
        try:
            yield token
        finally:
            # One that is over already, or a daemon that is away, keeps nobody.
            with suppress(CallError):
                self._client.release(token, timeout_s)

    def wait_until_idle(self, *, timeout_s: float = MOTION_TIMEOUT_S) -> Status:
        """Wait until nothing moves, whoever moved it, and return the status: `current_mm` says where it stands, and
        `reason` why a motion ended elsewhere. Ctrl-C stops the wait and nothing else.

        Raises:
            NotConnectedError: it came to rest with its position unknown, or was not connected to begin with.
            TimedOutError: it still moves, and goes on.
            CallError: no status could be had.
        """
        with self._client.status_feed() as feed:
            for report in _reports(feed, timeout_s):
                status = Status.of(report)
                if status.idle:
                    return status
                if not status.moving and status.state != "connecting":
                    raise NotConnectedError(status.reason or _sentence(CommandStatus.NotConnected))
        raise TimedOutError(f"The focuser did not come to rest within {timeout_s:g} s. {MOVES_ON}")

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop any motion, homing included; return when standstill is proven. Whatever it raises, the focuser may
        still be moving: call it again, and if that fails too, cut the motor's power."""
        with _adding(MOVES_ON, CallError):
            self._demand("stop", self._client.stop(timeout_s))

    def disconnect(self, *, timeout_s: float = SHUTDOWN_TIMEOUT_S) -> None:
        """Have the daemon close its serial port: afterwards nobody can move the focuser before `initialize`. If it
        is closed already, that is all."""
        status = self._client.shutdown(timeout_s)
        if status != CommandStatus.NotConnected:
            self._demand("shutdown", status)

    def _move(self, number_mm: float, offset: bool, wait_for_arrival: bool, timeout_s: float) -> None:
        finite_mm = _finite(number_mm)
        if wait_for_arrival:
            status = self._carried_out(lambda: self._client.set_focus(finite_mm, offset, timeout_s))
        else:
            with _adding(MOVES_ON, AnswerLostError):
                status = self._begun(finite_mm, offset, timeout_s)
        self._demand("set_focus" if wait_for_arrival else "begin_move", status)

    def _carried_out(self, motion: Callable[[], int]) -> int:
        """The status that a motion ends with. An interruption stops it, and goes on."""
        answer = _on_a_thread(motion)
        try:
            wait([answer])
        except BaseException:
            self._stop_interrupted(answer)
            raise
        with _adding(MOVES_ON, AnswerLostError):
            return answer.result()

    def _stop_interrupted(self, answer: Future[int]) -> None:
        """Stop until the motion itself has answered: a stop ends no motion that the daemon begins after it."""
        why = "It does not end."
        for _ in range(STOP_ATTEMPTS):
            try:
                self._demand("stop", self._client.stop())
            except FocuserError as error:
                why = str(error)
            else:
                if wait([answer], STOP_AGAIN_AFTER_S).done:
                    return
        # Whoever interrupted wants to be gone: no exception may take the place of theirs.
        _log.error("THE STOP FAILED, AND THE FOCUSER MAY STILL BE MOVING. %s", why)

    def _begun(self, number_mm: float, offset: bool, timeout_s: float) -> int:
        try:
            return self._client.begin_move(number_mm, offset, timeout_s)
        except TooOldError:
            return self._begun_by_looking(number_mm, offset, timeout_s)

    def _begun_by_looking(self, number_mm: float, offset: bool, timeout_s: float) -> int:
        """As `begin_move`, of a daemon that has none: another thread waits for the arrival."""
        answer = _on_a_thread(lambda: self._client.set_focus(number_mm, offset, MOTION_TIMEOUT_S))
        ends_s = _deadline_s(timeout_s)
        while time.monotonic() < ends_s:
            # A refusal comes at once, and before the motion of another is taken for this one.
            if wait([answer], POLL_INTERVAL_S).done:
                return answer.result()
            if self.status().moving:
                return CommandStatus.Succeeded
        raise TimedOutError(f"The focuser did not begin to move within {timeout_s:g} s.")

    def _demand(self, method: str, status: int) -> None:
        """Raise what the status of a command stands for."""
        if status != CommandStatus.Succeeded:
            raise _ERROR_OF.get(status, CommandFailedError)(self._reason(method, status) or _sentence(status))

    def _reason(self, method: str, status: int) -> str:
        """The daemon's own sentence for a command that it has just answered with `status`; empty if it has none."""
        try:
            failure = self._client.last_failure()
        except TooOldError:
            # The status says what went wrong last, and of a refusal it says nothing.
            return self._reason_in_status() if status == CommandStatus.Failed else ""
        except CallError:
            return ""
        # Another program of this machine may have failed since.
        is_of_this = failure.get("command") == method and failure.get("status") == status
        return text_in(failure, "reason") if is_of_this else ""

    def _reason_in_status(self) -> str:
        try:
            return self.status().reason
        except CallError:
            return ""


def _reports(feed: StatusFeed, timeout_s: float) -> Iterator[Report]:
    """One report at once, and then each that says something new, until the time is over."""
    ends_s = _deadline_s(timeout_s)
    yield feed.next(0.0)
    while (left_s := ends_s - time.monotonic()) > 0:
        if not feed.tells_changes:
            time.sleep(min(left_s, POLL_INTERVAL_S))
        yield feed.next(min(left_s, LONGEST_WAIT_S))


def _deadline_s(timeout_s: float) -> float:
    return time.monotonic() + timeout_s if timeout_s > 0 else math.inf


def _finite(number_mm: object) -> float:
    """The number as a plain float, numpy's too. Earlier daemons take NaN for a position: it never leaves."""
    try:
        if isinstance(number_mm, (bool, str, bytes)):
            raise TypeError
        finite_mm = float(number_mm)  # type: ignore[arg-type]  # whatever has __float__ is welcome
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"{number_mm!r} is no number; give a number of millimetres, such as 2.5."
        ) from None
    except OverflowError:
        finite_mm = math.inf
    if not math.isfinite(finite_mm):
        raise OutsideLimitsError(f"{finite_mm} is no position; give a finite number of millimetres.")
    return finite_mm


def _on_a_thread(call: Callable[[], int]) -> Future[int]:
    """What `call` will answer. It waits on a thread of its own, so that Ctrl-C does not cut its answer off."""
    answer: Future[int] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="focuser call", daemon=True).start()
    return answer


@contextmanager
def _adding(sentence: str, errors: type[CallError]) -> Iterator[None]:
    """Whoever reads one of these errors also reads the sentence."""
    try:
        yield
    except errors as error:
        raise type(error)(f"{error} {sentence}") from error


def _sentence(status: int) -> str:
    message = CommandStatus.message(status).removeprefix("error: ")
    return f"{message[:1].upper()}{message[1:]}. {_ADVICE.get(status, '')}".rstrip()
