"""What the device does: connecting, moving, halting, and what it does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

Rule = Callable[[Any], Iterator[str]]
NOT_IMPLEMENTED, INVALID_VALUE = 0x400, 0x401
LARGEST_UINT32 = 4294967295
STEPS_TO_SPARE = 2
CONNECTS_IN_A_ROW = 12


def connecting_by_property_reads_back(one: Any) -> Iterator[str]:
    for value in (True, False, False, True, True):
        reply = one.wire.put("connected", {"Connected": value, **one.ids()})
        read = one.wire.get("connected", one.ids())
        if reply.json["ErrorNumber"] or read.json["Value"] is not value:
            yield f"{value} was set: {reply}, {read}"


def connecting_by_method_ends_as_asked(one: Any) -> Iterator[str]:
    for method, value in (("connect", True), ("disconnect", False), ("disconnect", False), ("connect", True)):
        for _ in range(CONNECTS_IN_A_ROW):
            reply = one.wire.put(method, one.ids())
            if reply.status != 200 or reply.json["ErrorNumber"]:
                yield f"{method}: {reply}"
        one.wire.wait_for_connecting()
        if one.wire.get("connected", one.ids()).json["Value"] is not value:
            yield f"connected is not {value} after {method}"


def temperature_is_not_there(one: Any) -> Iterator[str]:
    for reply in (
        one.wire.get("temperature", one.ids()),
        one.wire.put("tempcomp", {"TempComp": True, **one.ids()}),
    ):
        if reply.status != 200 or reply.json["ErrorNumber"] != NOT_IMPLEMENTED:
            yield f"{reply}"


def actions_and_commands_are_not_there(one: Any) -> Iterator[str]:
    action = one.wire.put("action", {"Action": "Nothing", "Parameters": "", **one.ids()})
    if action.error not in (NOT_IMPLEMENTED, 0x40C):
        yield f"action: {action}"
    for member in ("commandblind", "commandbool", "commandstring"):
        reply = one.wire.put(member, {"Command": "x", "Raw": "False", **one.ids()})
        if reply.error != NOT_IMPLEMENTED:
            yield f"{member}: {reply}"


def moves_end_where_they_should(one: Any) -> Iterator[str]:
    largest = one.wire.get("maxstep").value
    step = min(largest // 10, one.wire.get("maxincrement").value)
    start = one.wire.get("position").value
    outward = start + step if start + step < largest else start - step
    # The last ones are those of the checker's test of limits.
    for target in (
        outward,
        start,
        start,
        0,
        -10,
        largest // 2,
        largest,
        largest + 10,
        -LARGEST_UINT32 // 2,
        start,
    ):
        reply = one.wire.put("move", {"Position": target, **one.ids()})
        if reply.status != 200 or reply.json["ErrorNumber"]:
            yield f"move to {target}: {reply}"
        one.wire.wait_for_rest()
        expected = min(max(target, 0), largest)
        if abs(one.wire.get("position").value - expected) > STEPS_TO_SPARE:
            yield f"moved to {target}, and stands at {one.wire.get('position').value}"


def halting_ends_a_move(one: Any) -> Iterator[str]:
    target = one.wire.get("maxstep").value
    one.wire.put("move", {"Position": target, **one.ids()})
    if one.wire.get("ismoving").value is not True:
        yield "it does not move after move"
    for reply in (one.wire.put("halt", one.ids()), one.wire.put("halt", one.ids())):
        if reply.status != 200 or reply.json["ErrorNumber"]:
            yield f"halt: {reply}"
    one.wire.wait_for_rest()
    if one.wire.get("position").value >= target:
        yield "it moved on"


def without_connection_hardware_says_so(one: Any) -> Iterator[str]:
    one.wire.put("connected", {"Connected": False, **one.ids()})
    for member in ("ismoving", "position", "devicestate"):
        reply = one.wire.get(member, one.ids())
        if reply.error != 0x407:
            yield f"{member}: {reply}"
    for member, form in (("move", {"Position": 1}), ("halt", {})):
        reply = one.wire.put(member, {**form, **one.ids()})
        if reply.error != 0x407:
            yield f"{member}: {reply}"
    for member in ("name", "description", "driverinfo", "driverversion", "interfaceversion", "connecting"):
        if one.wire.get(member, one.ids()).error:
            yield f"{member} cannot be read"
    one.wire.put("connected", {"Connected": True, **one.ids()})


RULES: list[Rule] = [
    connecting_by_property_reads_back,
    connecting_by_method_ends_as_asked,
    temperature_is_not_there,
    actions_and_commands_are_not_there,
    moves_end_where_they_should,
    halting_ends_a_move,
    without_connection_hardware_says_so,
]
SPOILT: list[tuple[Rule, bool, Callable[[str, Any], Any]]] = [
    (temperature_is_not_there, False, lambda path, reply: reply.changed(ErrorNumber=0x500)),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_conformance(rule: Rule, faults_found_by: Any) -> None:
    assert faults_found_by(rule) == []


@pytest.mark.parametrize(("rule", "is_strict", "spoil"), SPOILT)
def test_a_fault_would_be_found(rule: Rule, spoil: Callable[[str, Any], Any], assert_found: Any) -> None:
    assert_found(rule, spoil)
