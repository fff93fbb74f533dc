"""What answers look like, and whether their values can be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Callable

import pytest

Rule = Callable[[Any], Iterator[str]]
LARGEST_UINT32 = 4294967295
KEYS = {"ClientTransactionID", "ServerTransactionID", "ErrorNumber", "ErrorMessage"}


def answers_have_their_form(one: Any) -> Iterator[str]:
    failing = one.wire.get("temperature", one.ids())
    read, written = list(one.reads()), list(one.writes())
    for member, reply in [*read, *written, ("temperature", failing)]:
        yield from (f"{member}: {fault} in {reply}" for fault in form_faults(reply))
    if one.is_strict and "Value" not in failing.json:
        yield f"a failed GET has no Value: {failing}"
    if failing.json["ErrorNumber"] == 0 or not failing.json["ErrorMessage"]:
        yield f"a failure does not say so: {failing}"
    for member, reply in [*read, *written]:
        if (reply.json["ErrorNumber"], reply.json["ErrorMessage"]) != (0, ""):
            yield f"{member}: no success: {reply}"
    for member, reply in read:
        if "Value" not in reply.json:
            yield f"{member}: a successful GET has no Value: {reply}"


def form_faults(reply: Any) -> Iterator[str]:
    if reply.status != 200:
        yield "the status is not 200"
        return
    if reply.content_type.partition(";")[0].strip() != "application/json":
        yield "the content type is not application/json"
    answer = json.loads(reply.body)
    if not isinstance(answer, dict) or not set(answer) >= KEYS:
        yield "keys are missing"
        return
    for key in ("ClientTransactionID", "ServerTransactionID", "ErrorNumber"):
        if type(answer[key]) is not int or not 0 <= answer[key] <= LARGEST_UINT32:
            yield f"{key} is no whole number"
    if not isinstance(answer["ErrorMessage"], str):
        yield "ErrorMessage is no text"


def server_transaction_ids_rise_from_1(one: Any) -> Iterator[str]:
    if not one.is_strict:
        return
    numbers = [reply.json["ServerTransactionID"] for _, reply in one.reads()]
    if min(numbers) < 1 or numbers != sorted(set(numbers)):
        yield f"{numbers}"


def values_have_their_type_and_range(one: Any) -> Iterator[str]:
    seen = {member: reply.json.get("Value") for member, reply in one.reads()}
    for member, is_right in one.readable.items():
        if not is_right(seen[member]):
            yield f"{member}: {seen[member]!r}"
    if not seen["maxincrement"] <= seen["maxstep"]:
        yield "maxincrement is above maxstep"
    if not seen["position"] <= seen["maxstep"]:
        yield "position is above maxstep"


def the_state_of_the_device_is_that_of_its_members(one: Any) -> Iterator[str]:
    before = datetime.now(timezone.utc)
    items = one.wire.get("devicestate", one.ids()).json["Value"]
    if not all(set(item) == {"Name", "Value"} for item in items):
        yield f"an item is no pair: {items}"
        return
    state = {item["Name"]: item["Value"] for item in items}
    if len(state) != len(items) or not set(state) <= {"IsMoving", "Position", "Temperature", "TimeStamp"}:
        yield f"names that are not known, or twice: {items}"
    for name, member in (("IsMoving", "ismoving"), ("Position", "position")):
        if name not in state or state[name] != one.wire.get(member, one.ids()).json["Value"]:
            yield f"{name} is not that of {member}: {items}"
    if "Temperature" in state:
        yield "there is no thermometer"
    try:
        stamp = datetime.fromisoformat(state["TimeStamp"].replace("Z", "+00:00"))
        # Without a zone it is UTC as well.
        stamp = stamp if stamp.tzinfo else stamp.replace(tzinfo=timezone.utc)
    except (KeyError, ValueError, AttributeError):
        yield f"TimeStamp is no time: {items}"
        return
    if abs((stamp - before).total_seconds()) > 60:
        yield f"TimeStamp is not now in UTC: {items}"


def the_server_describes_itself(one: Any) -> Iterator[str]:
    versions = one.wire.ask("GET", "/management/apiversions", one.ids())
    if versions.json["Value"] != [1]:
        yield f"apiversions: {versions}"
    server = one.wire.ask("GET", "/management/v1/description", one.ids())
    for key in ("ServerName", "Manufacturer", "ManufacturerVersion", "Location"):
        if not isinstance(server.json["Value"].get(key), str):
            yield f"description has no {key}"
    if not all(server.json["Value"][key].strip() for key in ("Manufacturer", "ManufacturerVersion")):
        yield f"blank: {server}"
    devices = one.wire.ask("GET", "/management/v1/configureddevices", one.ids())
    for device in devices.json["Value"] or [{}]:
        described = tuple(device.get(key) for key in ("DeviceType", "DeviceNumber"))
        if described != ("Focuser", 0) or not device.get("DeviceName"):
            yield f"configureddevices: {devices}"
        # 48 bits are twelve hexadecimal digits.
        if len(re.findall("[0-9a-fA-F]", str(device.get("UniqueID")))) < 12:
            yield f"UniqueID is no good: {devices}"
    for reply in (versions, server, devices):
        yield from form_faults(reply)
        if reply.json["ClientTransactionID"] != 101 and reply is versions:
            yield f"the transaction is not that of the request: {reply}"


def setup_pages_are_pages(one: Any) -> Iterator[str]:
    for path in ("/setup", "/setup/v1/focuser/0/setup"):
        reply = one.wire.ask("GET", path)
        if reply.status != 200 or reply.content_type.partition(";")[0] != "text/html":
            yield f"{path}: {reply.status} {reply.content_type}"


RULES: list[Rule] = [
    answers_have_their_form,
    server_transaction_ids_rise_from_1,
    values_have_their_type_and_range,
    the_state_of_the_device_is_that_of_its_members,
    the_server_describes_itself,
    setup_pages_are_pages,
]
SPOILT: list[tuple[Rule, bool, Callable[[str, Any], Any]]] = [
    (answers_have_their_form, False, lambda path, reply: reply._replace(content_type="text/json")),
    (answers_have_their_form, False, lambda path, reply: reply.without("ServerTransactionID")),
    (
        answers_have_their_form,
        False,
        lambda path, reply: reply.changed(ErrorNumber=str(reply.json["ErrorNumber"])),
    ),
    (answers_have_their_form, False, lambda path, reply: reply.changed(ErrorMessage=None)),
    (answers_have_their_form, False, lambda path, reply: reply.changed(ErrorMessage="OK")),
    (
        answers_have_their_form,
        True,
        lambda path, reply: reply.without("Value") if "temperature" in path else reply,
    ),
    (server_transaction_ids_rise_from_1, True, lambda path, reply: reply.changed(ServerTransactionID=7)),
    (
        values_have_their_type_and_range,
        False,
        lambda path, reply: reply.changed(Value=float(reply.json["Value"])) if "/maxstep" in path else reply,
    ),
    (
        the_server_describes_itself,
        False,
        lambda path, reply: reply.changed(Value=[1, 2]) if "api" in path else reply,
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_conformance(rule: Rule, faults_found_by: Any) -> None:
    assert faults_found_by(rule) == []


@pytest.mark.parametrize(("rule", "is_strict", "spoil"), SPOILT)
def test_a_fault_would_be_found(rule: Rule, spoil: Callable[[str, Any], Any], assert_found: Any) -> None:
    assert_found(rule, spoil)
