"""The focuser as the observatory's programs call it: a Pyro object that answers with numbers.

Control is granted by the caller's address, before any argument is looked at. Nothing foreseeable raises.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Callable

import Pyro4
from rockit.common import helpers

from ..constants import CommandStatus, FocuserStatus
from ..errors import (
    AlreadyConnectedError,
    BusyError,
    FocuserError,
    InvalidArgumentError,
    NotConnectedError,
    NotPermittedError,
    OutsideLimitsError,
    whole,
)
from ..focuser import Focuser
from ..mechanics import mm_from_steps
from ..snapshot import Snapshot, State
from ..version import VERSION

_log = logging.getLogger(__name__)

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


class PyroFocuser:
    """What is registered with Pyro. Every method but `report_status` returns a CommandStatus.

    Args:
        focuser: the service.
        control_ips: the addresses that may control; everybody may ask for the status.
    """

    def __init__(self, focuser: Focuser, control_ips: Sequence[str]) -> None:
        self._focuser = focuser
        self._control_ips = list(control_ips)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def initialize(self, resume: Any = None, restore: Any = None) -> int:
        """Connect and home; blocks until homed. `resume`: without homing, if the controller is as it was left.
        `restore`: return to the last target that was reached. None: as configured."""
        return self._command(
            "initialize",
            lambda: self._focuser.initialize(
                _yes_no_or_as_configured("resume", resume), _yes_no_or_as_configured("restore", restore)
            ),
        )

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def audit(self) -> int:
        """Home again, note the steps lost since the last homing, and return; blocks until it is back."""
        return self._command("audit", self._focuser.audit)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def shutdown(self) -> int:
        """Disconnect."""
        return self._command("shutdown", self._focuser.shutdown)

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def set_focus(self, pos: Any, offset: Any = False) -> int:
        """Move to `pos` mm, or by `pos` mm from the target; blocks until the focuser stands there."""
        return self._command("set_focus", lambda: self._focuser.set_focus(pos, _yes_or_no("offset", offset)))

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def stop(self) -> int:
        """Stop any movement; returns when standstill is confirmed. Whatever prevents that is a failure."""
        status = self._command("stop", lambda: self._focuser.stop(_caller()))
        if status in (CommandStatus.Succeeded, CommandStatus.InvalidControlIP):
            return status
        return CommandStatus.Failed

    @Pyro4.expose  # type: ignore[untyped-decorator]
    def report_status(self) -> dict[str, Any]:
        """The state as a dict (docs/pyro.md); open to every caller."""
        snapshot = self._focuser.snapshot
        # Not by the site's helper: that may raise, and nobody may wait here. The most that hangs on it is a sentence.
        may_control = _caller() in self._control_ips
        now = datetime.now(timezone.utc)
        return report(snapshot, self._focuser.reading_age_s(snapshot), now, may_control)

    def _command(self, name: str, run: Callable[[], None]) -> int:
        try:
            if not helpers.pyro_client_matches(self._control_ips):
                raise NotPermittedError(f"{_caller()} is not among control_machines.")
            run()
        except FocuserError as error:
            _log.info("%s, asked by %s: %s", name, _caller(), error)
            return command_status(error)
        except Exception:
            _log.exception("a mistake in this program, in %s asked by %s", name, _caller())
            return CommandStatus.Failed
        _log.info("%s, asked by %s: succeeded", name, _caller())
        return CommandStatus.Succeeded


def _yes_no_or_as_configured(name: str, value: object) -> bool | None:
    return None if value is None else _yes_or_no(name, value)


def _yes_or_no(name: str, value: object) -> bool:
    # Not the truth of anything: "False" is true.
    if value is None or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise InvalidArgumentError(f"{name} is of type {type(value).__name__}; True or False was expected.")


def _caller() -> str:
    address = Pyro4.current_context.client_sock_addr
    return str(address[0]) if address else "an unknown machine"


def report(
    snapshot: Snapshot, reading_age_s: float | None, now: datetime, may_control: bool = False
) -> dict[str, Any]:
    """The published dict of a snapshot. Keys of the contract first; the others are additions.

    Args:
        snapshot: what is known.
        reading_age_s: how old it is; None without a link.
        now: the time of the report, UTC.
        may_control: whether it is for somebody who may read whole sentences.
    """
    # In either case a plain str: serpent knows no others.
    told: Callable[[str], str] = whole if may_control else str
    answer: dict[str, Any] = {
        "date": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": snapshot.status,
        "status_label": FocuserStatus.label(snapshot.status),
        "state": snapshot.state.value,
        "moving": snapshot.motor_may_run,
    }
    if snapshot.reason:
        answer["reason"] = told(snapshot.reason)
    if reading_age_s is not None:
        answer["reading_age_s"] = round(reading_age_s, 3)
    if snapshot.motor_may_run and not snapshot.motion_unproven:
        answer |= _motion_keys(snapshot)
    if snapshot.status != FocuserStatus.Disabled:
        answer |= _position_keys(snapshot)
    return answer | _trust_keys(snapshot, told) | {"version": VERSION}


def _trust_keys(snapshot: Snapshot, told: Callable[[str], str]) -> dict[str, Any]:
    confidence = snapshot.confidence
    keys: dict[str, Any] = {"position_trust": confidence.trust.value}
    if confidence.homed_at:
        keys["homed_at"] = confidence.homed_at
    if confidence.reason:
        keys["trust_reason"] = told(confidence.reason)
    if snapshot.audit is not None:
        lost_steps = snapshot.audit.lost_steps
        keys["audit"] = {
            "date": snapshot.audit.at,
            "since": snapshot.audit.since or None,
            "lost_steps": lost_steps,
            "lost_mm": None if lost_steps is None else _published_mm(lost_steps),
        }
    if snapshot.journal_problem:
        keys["state_file_problem"] = snapshot.journal_problem
    return keys


def _position_keys(snapshot: Snapshot) -> dict[str, Any]:
    current_steps = snapshot.current_steps or 0
    keys: dict[str, Any] = {
        "current_mm": _published_mm(current_steps),
        "target_mm": _published_target_mm(snapshot, current_steps),
        "current_steps": current_steps,
    }
    if snapshot.shortfall_steps:
        keys["backlash_shortfall_mm"] = _published_mm(snapshot.shortfall_steps)
    return keys


def _motion_keys(snapshot: Snapshot) -> dict[str, Any]:
    keys: dict[str, Any] = {"speed_mm_sec": round(snapshot.speed_mm_sec, 3)}
    if snapshot.time_left_s is not None:
        keys["time_left_s"] = round(snapshot.time_left_s, 1)
    if snapshot.leg is not None:
        keys["leg"] = "overshoot" if snapshot.leg.overshoot else "approach"
    if snapshot.state is State.HOMING and snapshot.homing_travelled_mm is not None:
        keys["homing_travelled_mm"] = round(snapshot.homing_travelled_mm, 3)
    return keys


def _published_target_mm(snapshot: Snapshot, current_steps: int) -> float:
    """What was asked for, to the last digit: sweeps compare it as text."""
    if snapshot.target_mm is not None:
        return snapshot.target_mm
    return _published_mm(current_steps if snapshot.target_steps is None else snapshot.target_steps)


def _published_mm(steps: int) -> float:
    # Not -0.0: it would be printed so.
    return round(mm_from_steps(steps), 3) + 0.0
