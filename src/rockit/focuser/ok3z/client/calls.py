"""The calls of `focus` and of programs: one Pyro connection a call, and every way it can fail in one sentence."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

import Pyro4
import Pyro4.errors

from ..constants import CommandStatus
from ..errors import ConfigError, FocuserError
from . import (
    CONNECT_TIMEOUT_S,
    MOTION_TIMEOUT_S,
    REFERENCE_TIMEOUT_S,
    SHUTDOWN_TIMEOUT_S,
    STATUS_TIMEOUT_S,
    STOP_TIMEOUT_S,
)
from .report import printable
from .unpacking import plain_handshake

if TYPE_CHECKING:
    from ..config.site import RegisteredDaemon

Report = dict[str, Any]

# How often a question is asked again if too many are asked, and how long after, in seconds.
ASKED_AGAIN, ASK_AGAIN_S = 20, 0.3


class CallError(FocuserError):
    """A call gave no usable answer. `status` is its CommandStatus; the text says what was seen. The far side may have
    said any part of it, so it is made printable."""

    status = CommandStatus.Failed

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class DaemonUnreachableError(CallError):
    """No connection, so nothing was asked for. Start the daemon, or mend the network."""

    status = CommandStatus.CommunicationFailed


class DaemonSilentError(DaemonUnreachableError):
    """Nothing answered in time, so nothing was asked for. Restart a daemon that hangs, or mend the network."""


class NetworkError(DaemonUnreachableError):
    """There is no way to the daemon's machine, so nothing was asked for. Mend the network.

    Args:
        message: what was seen.
        errno: the system's reason.
    """

    def __init__(self, message: str = "", errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class WrongServiceError(DaemonUnreachableError):
    """Something else listens where the daemon is looked for. End it, or mend the configuration."""


class AnswerLostError(CallError):
    """The daemon was asked and its answer did not come: what was asked for may still be going on."""

    status = CommandStatus.CommunicationFailed


class TimedOutError(AnswerLostError):
    """The time that was given is over. What was asked for goes on: wait longer, or stop it."""


class DaemonFaultError(CallError):
    """The daemon answered with something that is no answer. Its log says why."""


class TooOldError(CallError):
    """The daemon is of an earlier version, which does not know what was asked for. Nothing has moved."""

    code = "daemon_too_old"


def configured_daemon(path: str | os.PathLike[str]) -> RegisteredDaemon:
    """The daemon that a configuration names. Raises ConfigError if the file or the name cannot be used."""
    from ..config.model import load_daemon_name
    from ..config.site import registered_daemon

    name = load_daemon_name(path)
    try:
        return registered_daemon(name)
    except ConfigError as error:
        raise ConfigError(f"{os.fspath(path)}: daemon: {error}") from error


class FocuserClient:
    """The focuser behind one registered daemon, `daemon`.

    Methods return a CommandStatus, or raise CallError. Timeouts are seconds, 0 for no limit.
    """

    def __init__(self, daemon: RegisteredDaemon) -> None:
        self.daemon = daemon

    def initialize(
        self,
        resume: bool | None = None,
        restore: bool | None = None,
        new_controller: bool = False,
        timeout_s: float = MOTION_TIMEOUT_S,
    ) -> int:
        """Connect and home the focuser. Returns when it stands. The arguments are those of `RemoteFocuser`."""
        flags = {"resume": resume, "restore": restore, "new_controller": new_controller or None}
        # Earlier daemons know no arguments, so none is sent that was not asked for.
        asked_for = {name: value for name, value in flags.items() if value is not None}
        return self._command("initialize", timeout_s=timeout_s, **asked_for)

    def audit(self, timeout_s: float = MOTION_TIMEOUT_S) -> int:
        """Home again, and return to where it stood. Returns when it stands there; the status has the steps lost."""
        return self._command("audit", timeout_s=timeout_s)

    def shutdown(self, timeout_s: float = SHUTDOWN_TIMEOUT_S) -> int:
        """Disconnect from the focuser."""
        return self._command("shutdown", timeout_s=timeout_s)

    def set_focus(
        self,
        position_mm: float,
        offset: bool = False,
        timeout_s: float = MOTION_TIMEOUT_S,
        wait_s: float = 0.0,
        why: str = "",
        exact: bool = False,
    ) -> int:
        """Move to a position, or with `offset` by a distance from the current target. Returns on arrival. `wait_s`: how
        long to wait while others hold it. `why`: for the history. `exact`: no
        neighbouring step will do."""
        given = (("wait_s", wait_s), ("why", why), ("exact", exact))
        # Earlier daemons know none of them.
        asked_for = {name: value for name, value in given if value}
        longest_s = timeout_s + wait_s if timeout_s > 0 else 0.0
        return self._command("set_focus", position_mm, offset, timeout_s=longest_s, **asked_for)

    def begin_move(
        self, position_mm: float, offset: bool = False, timeout_s: float = MOTION_TIMEOUT_S
    ) -> int:
        """As `set_focus`, but returns as soon as the status says moving."""
        return self._command("begin_move", position_mm, offset, timeout_s=timeout_s)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Stop any movement. Returns when the focuser stands still."""
        return self._command("stop", timeout_s=timeout_s)

    def hold(
        self, name: str, seconds: float, token: str = "", timeout_s: float = STATUS_TIMEOUT_S
    ) -> str | int:
        """Have nothing move for so many seconds. Returns a token, with which it can be made longer; or a
        CommandStatus."""
        answer = self._call("hold", name, seconds, token, timeout_s=timeout_s)
        return printable(answer) if isinstance(answer, str) else self._number("hold", answer)

    def set_reference(self, why: str = "", timeout_s: float = REFERENCE_TIMEOUT_S) -> int:
        """The focus is good now: corrections for the temperature count from here. Nothing moves. `why`: for the
        history."""
        return self._command("set_reference", timeout_s=timeout_s, **({"why": why} if why else {}))

    def release(self, token: str, timeout_s: float = STATUS_TIMEOUT_S) -> int:
        """End a hold."""
        return self._command("release", token, timeout_s=timeout_s)

    def set_term(
        self,
        name: str,
        mm: float,
        owner: str,
        ttl_s: float | None = None,
        timeout_s: float = MOTION_TIMEOUT_S,
    ) -> int:
        """Set a term: what one program corrects. Returns when the focuser stands at the sum of all. `ttl_s`: for how
        many seconds; None: until it is cleared."""
        asked_for = {} if ttl_s is None else {"ttl": ttl_s}
        return self._command("set_term", name, mm, owner, timeout_s=timeout_s, **asked_for)

    def clear_term(self, name: str, owner: str, timeout_s: float = MOTION_TIMEOUT_S) -> int:
        """Clear a term. Returns when the focuser stands at the sum of the others."""
        return self._command("clear_term", name, owner, timeout_s=timeout_s)

    def terms(self, timeout_s: float = STATUS_TIMEOUT_S) -> list[Report]:
        """The terms that the position has in it: `name`, `mm`, `owner`, `set_at`, `expires_at`."""
        answer = self._call("terms", timeout_s=timeout_s)
        if not isinstance(answer, list) or not all(isinstance(term, dict) for term in answer):
            raise DaemonFaultError("The daemon cannot tell its terms.")
        return answer

    def moved_between(self, t0: str | float, t1: str | float, timeout_s: float = STATUS_TIMEOUT_S) -> Report:
        """Whether the focuser moved between two moments: `moved` ("yes", "no", "unknown"), `reason`, `motions`."""
        answer = self._call("moved_between", t0, t1, timeout_s=timeout_s)
        for _ in range(ASKED_AGAIN):
            # Many ask at once, or this program many times.
            if answer != CommandStatus.Blocked:
                break
            time.sleep(ASK_AGAIN_S)
            answer = self._call("moved_between", t0, t1, timeout_s=timeout_s)
        if not isinstance(answer, dict):
            raise DaemonFaultError(f"The daemon answered moved_between with {answer!r}.")
        return answer

    def focus_header(self, timeout_s: float = STATUS_TIMEOUT_S) -> Report:
        """What belongs into the header of an exposure, by FITS keyword."""
        answer = self._call("focus_header", timeout_s=timeout_s)
        if not isinstance(answer, dict):
            raise DaemonFaultError(f"The daemon answered focus_header with {answer!r}.")
        return answer

    def moves(
        self, since: str | float, until: str | float, limit: int = 100, timeout_s: float = STATUS_TIMEOUT_S
    ) -> list[Report]:
        """What is in the history between two moments, the oldest first."""
        answer = self._call("moves", since, until, limit, timeout_s=timeout_s)
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise DaemonFaultError("The daemon cannot tell its history now. Its log says why.")
        return answer

    def record(self, timeout_s: float = STATUS_TIMEOUT_S) -> str | int:
        """Have the last frames on the wire recorded. Returns the name of the file, or a CommandStatus."""
        answer = self._call("record", timeout_s=timeout_s)
        return printable(answer) if isinstance(answer, str) else self._number("record", answer)

    def report_status(self, timeout_s: float = STATUS_TIMEOUT_S) -> Report:
        """What the daemon says of the focuser; any key of it may be missing."""
        with StatusFeed(self.daemon, timeout_s) as feed:
            return feed.read()

    def last_failure(self, timeout_s: float = STATUS_TIMEOUT_S) -> Report:
        """The last command of this machine that failed: `command`, `status`, `reason`, `date`. {} if there is none."""
        with StatusFeed(self.daemon, timeout_s) as feed:
            return feed.last_failure()

    def status_feed(self, timeout_s: float = STATUS_TIMEOUT_S) -> StatusFeed:
        """A connection for many status calls, for displays that ask several times a second."""
        return StatusFeed(self.daemon, timeout_s)

    def _command(self, method: str, *arguments: float | str, timeout_s: float, **asked_for: object) -> int:
        return self._number(method, self._call(method, *arguments, timeout_s=timeout_s, **asked_for))

    def _call(self, method: str, *arguments: float | str, timeout_s: float, **asked_for: object) -> object:
        with bound_proxy(self.daemon, timeout_s) as proxy:
            return _invoke(self.daemon, proxy, method, *arguments, timeout_s=timeout_s, **asked_for)

    def _number(self, method: str, answer: object) -> int:
        if isinstance(answer, bool) or not isinstance(answer, int):
            raise DaemonFaultError(f"The daemon answered {method} with {answer!r}, not with a number.")
        return int(answer)


class StatusFeed:
    """Status calls over one connection that is kept, and made anew by the first call after it broke."""

    def __init__(self, daemon: RegisteredDaemon, timeout_s: float) -> None:
        self._daemon = daemon
        self._timeout_s = timeout_s
        self._proxy: Any | None = None
        self._change: Any = None
        self.tells_changes = True
        """Whether `next` waits for a change: not for daemons of before, nor on a machine that may not control."""

    def __enter__(self) -> StatusFeed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> Report:
        """One status report. Raises CallError, after which the next call connects again."""
        return self._ask("report_status", timeout_s=self._timeout_s)

    def next(self, longest_s: float) -> Report:
        """The status as soon as it is another than the last one from here, or after `longest_s`; at once if the
        daemon does not tell changes. Raises CallError as `read` does."""
        if self.tells_changes:
            try:
                answer = self.wait_for_change(self._change, longest_s)
            except (TooOldError, DaemonFaultError):
                # An older daemon, or one that lets nobody wait: no control machine, or no room.
                self.tells_changes = False
            else:
                self._change = answer.get("change")
                # One that does not count would be asked again and again.
                self.tells_changes = isinstance(self._change, int)
                return answer
        return self.read()

    def wait_for_change(self, since: int | None, patience_s: float) -> Report:
        """The next report whose `change` is not `since`, or after `patience_s` (at most 20) the same one again.

        Raises CallError as `read` does; TooOldError if the daemon cannot tell.
        """
        # Without a limit if that was asked for.
        timeout_s = self._timeout_s + patience_s if self._timeout_s > 0 else 0.0
        return self._ask("wait_for_change", since, patience_s, timeout_s=timeout_s)

    def last_failure(self) -> Report:
        """As FocuserClient.last_failure."""
        return self._ask("last_failure", timeout_s=self._timeout_s)

    def _ask(self, method: str, *arguments: float | None, timeout_s: float) -> Report:
        try:
            if self._proxy is None:
                self._proxy = bound_proxy(self._daemon, self._timeout_s)
            _allow(self._proxy, timeout_s)
            answer = _invoke(self._daemon, self._proxy, method, *arguments, timeout_s=timeout_s)
        except TooOldError:
            # The connection is as good as it was.
            raise
        except CallError:
            self.close()
            raise
        if not isinstance(answer, dict):
            raise DaemonFaultError(f"The daemon answered {method} with {answer!r}, not with a status.")
        return answer

    def close(self) -> None:
        """Give the connection up. The next daemon may be another one."""
        self._change, self.tells_changes = None, True
        if self._proxy is not None:
            self._proxy._pyroRelease()
            self._proxy = None


def bound_proxy(daemon: RegisteredDaemon, timeout_s: float) -> Any:
    """A connected proxy whose calls may take `timeout_s`; a daemon that is away shows within seconds."""
    connect_timeout_s = min(timeout_s, CONNECT_TIMEOUT_S) if timeout_s > 0 else CONNECT_TIMEOUT_S
    proxy = daemon.connect(timeout=connect_timeout_s)
    try:
        with plain_handshake():
            proxy._pyroBind()
    except Exception as error:  # whatever comes of what somebody else's greeting holds
        proxy._pyroRelease()
        raise _unreachable(daemon, error, connect_timeout_s) from error
    _allow(proxy, timeout_s)
    return proxy


def _allow(proxy: Any, timeout_s: float) -> None:
    # Of a connected proxy 0 would mean "do not block", where None means "no limit".
    proxy._pyroTimeout = timeout_s if timeout_s > 0 else None


def _invoke(
    daemon: RegisteredDaemon,
    proxy: Any,
    method: str,
    *arguments: Any,
    timeout_s: float,
    **asked_for: object,
) -> Any:
    address = f"{daemon.host}:{daemon.port}"
    try:
        return getattr(proxy, method)(*arguments, **asked_for)
    except Pyro4.errors.TimeoutError as error:
        raise TimedOutError(f"{address} did not answer {method} within {timeout_s:g} s.") from error
    except Pyro4.errors.CommunicationError as error:
        raise AnswerLostError(f"The connection to {address} broke before {method} was answered.") from error
    except AttributeError as error:
        if "report_status" in proxy._pyroMethods:
            raise _too_old(address, f"`{method}`") from error
        raise DaemonFaultError(f"What answers at {address} has no {method}: it is no focuser.") from error
    except TypeError as error:
        if asked_for:
            options = " and ".join(f"`--{name.replace('_', '-')}`" for name in asked_for)
            raise _too_old(address, options) from error
        raise _fault(method, error) from error
    except Exception as error:  # whatever the far side raised arrives here under its own class
        raise _fault(method, error) from error


def _fault(method: str, error: Exception) -> DaemonFaultError:
    return DaemonFaultError(f"{method} failed in the daemon: {type(error).__name__}: {error}.")


def _too_old(address: str, unknown: str) -> TooOldError:
    return TooOldError(
        f"The daemon at {address} is of an earlier version, which does not know {unknown}. Nothing was moved. "
        "Update focusd, or do without."
    )


def _unreachable(
    daemon: RegisteredDaemon, error: Exception, connect_timeout_s: float
) -> DaemonUnreachableError:
    address = f"{daemon.host}:{daemon.port}"
    cause = error.__cause__
    if isinstance(cause, ConnectionRefusedError):
        return DaemonUnreachableError(f"Nothing listens at {address}.")
    if isinstance(cause, socket.timeout) or isinstance(error, Pyro4.errors.TimeoutError):
        return DaemonSilentError(f"{address} did not answer within {connect_timeout_s:g} s.")
    if isinstance(cause, OSError):
        return NetworkError(f"{address} cannot be reached: {cause.strerror or cause}.", cause.errno)
    return WrongServiceError(f"What listens at {address} is no {daemon.name}: {error}.")
