"""Holds: somebody was promised that the focuser does not move until then.

They are measured since the machine's boot, which a clock that is set does not change. Guarded by the lock of `Focuser`,
under which a command is let in too: so a hold is granted and a motion begun one after the other, and never at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Callable, Protocol

from ..constants import UTC_FORMAT
from ..errors import BusyError, HeldError, InvalidArgumentError
from ..storage.history_file import Moment, Motion
from ..storage.holds_file import Hold
from .history import Asker

MOST_HOLDS = 16
LONGEST_HOLD_S = 600.0
MOST_NAME_LETTERS = 40


class Shelf(Protocol):
    """Where holds outlive the daemon. Nothing of it waits or raises. See `holds_file.HoldsFile`."""

    def read(self) -> list[Hold]:
        """Those of before."""

    def write(self, holds: list[Hold]) -> None:
        """Replace them."""


class _NoShelf:
    def read(self) -> list[Hold]:
        return []

    def write(self, holds: list[Hold]) -> None:
        pass


NO_SHELF = _NoShelf()


class Holds:
    """Who holds one focuser.

    Args:
        shelf: where holds outlive the daemon.
        moment: the moment, by both clocks.
        new_number: a number for a row of the history.
        tell: has a row written into the history.
    """

    def __init__(
        self,
        shelf: Shelf,
        moment: Callable[[], Moment],
        new_number: Callable[[], int],
        tell: Callable[[Motion], None],
    ) -> None:
        self._shelf = shelf
        self._moment = moment
        self._new_number = new_number
        self._tell = tell
        self._holds: Mapping[str, Hold] = {one.token: one for one in shelf.read()}
        for one in self._holds.values():
            # The row of the run before stays as it is; this run has one of its own.
            self._holds = {**self._holds, one.token: replace(one, number=new_number())}

    def living(self) -> list[Hold]:
        """Those that are not over, the one that ends last at the end. Any thread may ask."""
        now_s = self._moment().boot_s
        living = [one for one in self._holds.values() if one.until_boot_s > now_s]
        return sorted(living, key=lambda one: one.until_boot_s)

    def names(self) -> str:
        """Their names, for the history. Any thread may ask."""
        return ", ".join(sorted({one.name for one in self.living()}))

    def published(self) -> list[dict[str, str]]:
        """Their names, and from when to when. Any thread may ask."""
        now = self._moment()
        return [
            {"name": one.name, "since": _utc(one.since_utc_s), "until": _utc(_until_utc_s(one, now))}
            for one in self.living()
        ]

    @property
    def ends_in_s(self) -> float | None:
        """How long until the last is over, in seconds; None if there is none."""
        living = self.living()
        return living[-1].until_boot_s - self._moment().boot_s if living else None

    def why_held(self) -> HeldError | None:
        """Why nothing may move; None if it may."""
        living = self.living()
        if not living:
            return None
        last, now = living[-1], self._moment()
        others = "" if len(living) == 1 else f", and {len(living) - 1} more until then or earlier"
        left_s = last.until_boot_s - now.boot_s
        return HeldError(
            f"{last.name} holds the focuser until {_utc(_until_utc_s(last, now))} ({left_s:.0f} s more){others}. Wait "
            "for the end of that, or have it released (focus release)."
        )

    def grant(self, name: object, seconds: object, token: object, asker: Asker, moving: str) -> str:
        """Promise somebody that nothing moves, or promise it for longer.

        Args:
            name: who, in its own word.
            seconds: for how long from now, up to LONGEST_HOLD_S.
            token: of the hold that is to last longer; empty for a new one.
            asker: who asks.
            moving: what moves now, or is about to; empty if nothing does.

        Returns:
            The token.

        Raises:
            InvalidArgumentError: there is no such hold, or this is none.
            BusyError: something moves, or there are MOST_HOLDS.
        """
        name = _name(name)
        seconds = _seconds(seconds)
        now, living = self._moment(), {one.token: one for one in self.living()}
        if token is not None and token != "":
            hold = living.get(token) if isinstance(token, str) else None
            if hold is None or hold.name != name:
                raise InvalidArgumentError("there is no hold of this name and token any more.")
        elif moving:
            raise BusyError(f"{moving}, so nobody can be promised that nothing moves. Wait for its end.")
        elif len(living) >= MOST_HOLDS:
            raise BusyError(f"there are {MOST_HOLDS} holds already. Wait for the end of one.")
        else:
            hold = Hold(
                name,
                secrets.token_hex(8),
                now.utc_s,
                now.boot_s,
                0.0,
                self._new_number(),
                asker.address,
                asker.door,
            )
        hold = replace(hold, until_boot_s=now.boot_s + seconds)
        self._keep({**living, hold.token: hold})
        self._tell_of(hold, hold.until_boot_s)
        return hold.token

    def release(self, token: object) -> None:
        """End a hold. Raises InvalidArgumentError if there is none of this token."""
        living = {one.token: one for one in self.living()}
        hold = living.pop(token, None) if isinstance(token, str) else None
        if hold is None:
            raise InvalidArgumentError("there is no hold of this token any more.")
        self._keep(living)
        self._tell_of(hold, self._moment().boot_s)

    def _keep(self, holds: Mapping[str, Hold]) -> None:
        self._shelf.write(list(holds.values()))
        # By one assignment: who only looks takes no lock.
        self._holds = holds

    def _tell_of(self, hold: Hold, until_boot_s: float) -> None:
        now = self._moment()
        since = now.earlier(now.boot_s - hold.since_boot_s)
        until = now.earlier(now.boot_s - until_boot_s)
        self._tell(
            Motion(
                hold.number,
                "hold",
                since,
                until,
                address=hold.address,
                door=hold.door,
                why=hold.name,
            )
        )


def _until_utc_s(hold: Hold, now: Moment) -> float:
    return now.utc_s + hold.until_boot_s - now.boot_s


def _utc(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, timezone.utc).strftime(UTC_FORMAT)


def _name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= MOST_NAME_LETTERS or not name.isprintable():
        raise InvalidArgumentError(f"name must be a text of 1 to {MOST_NAME_LETTERS} letters, such as cam1.")
    return name


def _seconds(seconds: object) -> float:
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= LONGEST_HOLD_S:  # type: ignore[operator]
        raise InvalidArgumentError(f"seconds must be more than 0 and at most {LONGEST_HOLD_S:g}.")
    return float(seconds)  # type: ignore[arg-type]
