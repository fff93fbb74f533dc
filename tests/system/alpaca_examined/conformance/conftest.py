"""What the official conformance checker reports as an issue, asked of a real daemon over plain HTTP.

Each rule is a function that yields what is wrong. Strict and tolerant are the checker's two modes. That each kind of
fault would be found is shown too: the same rules meet answers that were spoilt on their way.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, Callable

import pytest

READ: dict[str, Callable[[Any], bool]] = {
    "absolute": lambda value: value is True,
    "connected": lambda value: isinstance(value, bool),
    "connecting": lambda value: isinstance(value, bool),
    "description": lambda value: isinstance(value, str) and 0 < len(value) <= 64,
    "devicestate": lambda value: isinstance(value, list),
    "driverinfo": lambda value: isinstance(value, str) and bool(value),
    "driverversion": lambda value: isinstance(value, str) and re.fullmatch(r"\d+\.\d+", value) is not None,
    "interfaceversion": lambda value: is_whole(value) and value == 4,
    "ismoving": lambda value: value is False,
    "maxincrement": lambda value: is_whole(value) and value >= 1,
    "maxstep": lambda value: is_whole(value) and value >= 1,
    "name": lambda value: isinstance(value, str) and bool(value.strip()),
    "position": lambda value: is_whole(value) and value >= 0,
    "stepsize": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0,
    "supportedactions": lambda value: isinstance(value, list)
    and all(isinstance(x, str) and x.strip() for x in value),
    "tempcomp": lambda value: value is False,
    "tempcompavailable": lambda value: value is False,
}
# Harmless, whatever the state.
WRITTEN: dict[str, dict[str, object]] = {
    "connected": {"Connected": "True"},
    "connect": {},
    "halt": {},
    "move": {"Position": 2000},
    "tempcomp": {"TempComp": "False"},
}
REQUIRED = {member: form for member, form in WRITTEN.items() if form}


def is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclasses.dataclass
class Examiner:
    """What a rule needs: a connected client, and how strict it shall be."""

    wire: Any
    is_strict: bool
    transaction: int = 100
    readable = READ
    written = WRITTEN
    required = REQUIRED

    def ids(self) -> dict[str, object]:
        self.transaction += 1
        return {"ClientID": self.wire.client_id, "ClientTransactionID": self.transaction}

    def reads(self) -> Iterator[tuple[str, Any]]:
        for member in READ:
            yield member, self.wire.get(member, self.ids())

    def writes(self) -> Iterator[tuple[str, Any]]:
        for member, form in WRITTEN.items():
            yield member, self.wire.put(member, {**form, **self.ids()})
            self.wire.wait_for_rest()

    def is_refusal(self, reply: Any, *numbers: int) -> bool:
        """Whether it says no: by its status, or as processed with one of these errors."""
        return bool(reply.status == 400 or (reply.status == 200 and reply.json["ErrorNumber"] in numbers))


Rule = Callable[[Examiner], Iterator[str]]


@pytest.fixture(params=[False, True], ids=["tolerant", "strict"])
def is_strict(request: pytest.FixtureRequest) -> bool:
    """The checker's two modes."""
    return bool(request.param)


@pytest.fixture
def faults_found_by(connected: Any, is_strict: bool) -> Callable[[Rule], list[str]]:
    """Examines the device by a rule. Whatever it was asked, it is as it was."""

    def examine(rule: Rule) -> list[str]:
        faults = list(rule(Examiner(connected, is_strict)))
        assert connected.get("ismoving").value is False
        return faults

    return examine


@pytest.fixture
def assert_found(served: Any, make_wire: Any, is_strict: bool) -> Callable[..., None]:
    """Shows that a rule finds a fault in answers that were spoilt on their way, and none in those that were not."""

    def examine(rule: Rule, spoil: Callable[[str, Any], Any]) -> None:
        wire = make_wire(served)
        wire.connect()
        rest = wire.wait_for_rest
        spoilt = make_wire(served, hear=spoil)
        spoilt.client_id = wire.client_id
        spoilt.wait_for_rest = rest
        assert list(rule(Examiner(spoilt, is_strict)))
        assert list(rule(Examiner(wire, is_strict))) == []
        wire.put("connected", Connected=False)

    return examine
