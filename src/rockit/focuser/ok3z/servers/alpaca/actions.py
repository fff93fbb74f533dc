"""What the standard has no member for, as actions: JSON in, JSON out. The names are those of the Pyro methods."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from concurrent.futures import Future
from typing import Any, Callable

from ...errors import FocuserError, InvalidArgumentError
from ...service import history_reports, outcomes, terms
from ...service.focuser import BegunMove, Focuser
from ...service.history import Asker
from ...service.history_reports import Motion
from ...service.temperature import REFERENCE_PATIENCE_S, UNANSWERED, begin_set_reference
from ..http.awaiting import Calls, Told
from .responses import UnknownActionError

DOOR = "alpaca"
MOST_LETTERS = 2000
# Of the changes of terms one does the work and the others are refused at once, so this is more than enough.
MOST_CALLS = 4
# How long a question waits for the disk of the history, in seconds.
PATIENCE_S = 0.8

Action = Callable[[dict[str, Any], str], Awaitable[str]]


class Actions:
    """The actions of one focuser. Who calls may control it.

    Args:
        focuser: the service.
    """

    def __init__(self, focuser: Focuser) -> None:
        self._focuser = focuser
        self._calls = Calls(focuser, MOST_CALLS)
        self._actions: Mapping[str, tuple[Action, Mapping[str, bool]]] = {
            # With the names of its parameters, and whether each must be there.
            "moved_between": (self._moved_between, {"t0": True, "t1": True}),
            "moves": (self._moves, {"since": True, "until": True, "limit": False}),
            "focus_header": (self._header, {}),
            "hold": (self._hold, {"name": True, "seconds": True, "token": False}),
            "release": (self._release, {"token": True}),
            "holds": (self._holds, {}),
            "set_term": (self._set_term, {"name": True, "mm": True, "owner": True, "ttl": False}),
            "clear_term": (self._clear_term, {"name": True, "owner": True}),
            "terms": (self._terms, {}),
            "set_reference": (self._set_reference, {"why": False}),
        }

    @property
    def names(self) -> list[str]:
        """What can be asked for."""
        return list(self._actions)

    async def run(self, name: str, parameters: str, address: str) -> str:
        """Do what is asked for, and give the answer as JSON. Raises a FocuserError.

        Args:
            name: of the action, in any case.
            parameters: a JSON object, or nothing.
            address: of who asks.
        """
        action, wanted = self._actions.get(name.lower(), (None, {}))
        if action is None:
            raise UnknownActionError(f"there is no action {name[:40]!r}; there are: {', '.join(self.names)}.")
        values = _read(parameters)
        missing = [one for one, is_needed in wanted.items() if is_needed and one not in values]
        if missing or set(values) - set(wanted):
            raise InvalidArgumentError(
                f"Parameters must be a JSON object of {', '.join(wanted) or 'nothing'}."
            )
        return await action(values, address)

    async def _moved_between(self, values: dict[str, Any], _: str) -> str:
        t0_s, t1_s = (history_reports.moment_of(name, values[name]) for name in ("t0", "t1"))
        asked = self._focuser.ask_moved(
            t0_s, t1_s, lambda verdict: json.dumps(history_reports.answer(verdict, may_control=True))
        )
        try:
            return await _answer(asked)
        except FocuserError as error:
            return json.dumps(history_reports.unknown(str(error)))

    async def _moves(self, values: dict[str, Any], _: str) -> str:
        since_s, until_s = (history_reports.moment_of(name, values[name]) for name in ("since", "until"))
        most = history_reports.limit_of(values.get("limit", 100), may_control=True)

        def tell(rows: list[Motion]) -> str:
            return json.dumps([history_reports.row(one, may_control=True) for one in rows])

        return await _answer(self._focuser.ask_rows(since_s, until_s, most, tell))

    async def _header(self, _: dict[str, Any], __: str) -> str:
        focuser = self._focuser
        now, moment = focuser.history.now, focuser.history.moment()
        return json.dumps(history_reports.header(focuser.snapshot, now, moment, focuser.holds.names()))

    async def _hold(self, values: dict[str, Any], address: str) -> str:
        asker = Asker(address, DOOR)
        return json.dumps(
            self._focuser.hold(values["name"], values["seconds"], values.get("token", ""), asker)
        )

    async def _release(self, values: dict[str, Any], _: str) -> str:
        self._focuser.release(values["token"])
        return json.dumps(0)

    async def _set_reference(self, values: dict[str, Any], address: str) -> str:
        why = history_reports.why_of(values.get("why", ""))
        done = begin_set_reference(self._focuser.temperature, Asker(address, DOOR, why))
        try:
            await asyncio.wait_for(asyncio.wrap_future(done), REFERENCE_PATIENCE_S)
        except asyncio.TimeoutError:
            raise FocuserError(UNANSWERED) from None
        return json.dumps(0)

    async def _holds(self, _: dict[str, Any], __: str) -> str:
        return json.dumps(self._focuser.holds.published())

    async def _set_term(self, values: dict[str, Any], address: str) -> str:
        return await self._change_term(
            "set_term",
            address,
            lambda asker: self._focuser.begin_set_term(
                values["name"], values["mm"], values["owner"], values.get("ttl"), asker
            ),
        )

    async def _clear_term(self, values: dict[str, Any], address: str) -> str:
        return await self._change_term(
            "clear_term",
            address,
            lambda asker: self._focuser.begin_clear_term(values["name"], values["owner"], asker),
        )

    async def _change_term(self, name: str, address: str, begin: Callable[[Asker], BegunMove]) -> str:
        """Answered when the focuser stands at the sum. Who goes away meanwhile stops nothing."""
        told = Told(f"Alpaca {name}, asked by {address}", outcomes.arrived)
        outcome = await self._calls.begin(lambda: begin(Asker(address, DOOR)).ended, told)
        if outcome is not None:
            raise outcome
        return json.dumps(0)

    async def _terms(self, _: dict[str, Any], __: str) -> str:
        return json.dumps(terms.published(self._focuser.terms()))


async def _answer(asked: Future[str]) -> str:
    """What the history says. Raises FocuserError if it cannot be asked."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(asked), PATIENCE_S)
    except asyncio.TimeoutError:
        raise FocuserError("the disk of the history does not answer. Look at it.") from None
    except OSError as error:
        raise FocuserError(str(error)) from None


def _read(parameters: str) -> dict[str, Any]:
    try:
        values = json.loads(parameters) if parameters.strip() and len(parameters) <= MOST_LETTERS else {}
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or len(parameters) > MOST_LETTERS:
        raise InvalidArgumentError("Parameters must be a JSON object.")
    return values
