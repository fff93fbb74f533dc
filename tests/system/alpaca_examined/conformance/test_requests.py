"""Which requests are refused, and what is read of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

Rule = Callable[[Any], Iterator[str]]
REFUSALS = {*range(400, 408), 409, 410}
NOT_IMPLEMENTED, INVALID_VALUE = 0x400, 0x401
LARGEST_UINT32 = 4294967295
NO_VALUES = {
    "connected": ["", " ", "1", "0", "123", "asdqwe", "Yes", "Truee", "None"],
    "tempcomp": ["", " ", "1", "asdqwe", "Falsch"],
    "move": [
        "",
        " ",
        "x",
        "1.5",
        "2000.0",
        "1e3",
        "0x10",
        "NaN",
        "Infinity",
        "2147483648",
        "-2147483649",
        "1 2",
        "True",
    ],
}
BAD_IDS = ["", " ", "-12345", "asdqwe", "1.5", "4294967296"]


# Addresses


def unknown_addresses_are_refused(one: Any) -> Iterator[str]:
    prefixes = ["FOCUSER/0", "Focuser/0", "camera/0", "nothing/0"]
    prefixes += [f"focuser/{number}" for number in ("1", "-1", "99999", "A", "", " ", "0x0", "00000000001")]
    paths = [f"/api/v1/{prefix.replace(' ', '%20')}/name" for prefix in prefixes]
    paths += [f"/api/v1/focuser/0/{member}" for member in ("descrip", "focuser", "", "name/name")]
    for path in paths:
        for verb in ("GET", "PUT"):
            status = one.wire.ask(verb, path, one.ids()).status
            if status not in REFUSALS:
                yield f"{verb} {path} gave {status}"


def other_bases_versions_and_capitals_are_refused(one: Any) -> Iterator[str]:
    for path in (
        "/API/v1/focuser/0/name",
        "/api/V1/focuser/0/name",
        "/api/v2/focuser/0/name",
        "/api/v0/focuser/0/name",
        "/api/1/focuser/0/name",
        "/apiary/v1/focuser/0/name",
        "/api/v1/focuser/0/Name",
        "/api/v1/focuser/0/NAME",
    ):
        if not 400 <= one.wire.ask("GET", path, one.ids()).status < 500:
            yield f"GET {path} is not refused"


def wrong_verbs_are_refused(one: Any) -> Iterator[str]:
    for verb, member in (
        *(("PUT", member) for member in one.readable if member not in one.written),
        *(("GET", member) for member in ("move", "halt", "connect", "disconnect", "action")),
        *((verb, "name") for verb in ("POST", "DELETE", "PATCH", "OPTIONS")),
    ):
        status = one.wire.ask(verb, f"/api/v1/focuser/0/{member}", one.ids()).status
        if 200 <= status < 300 or status >= 500:
            yield f"{verb} {member} gave {status}"


# Parameters


def unknown_parameters_are_ignored(one: Any) -> Iterator[str]:
    for member in one.readable:
        reply = one.wire.get(member, {**one.ids(), "UnknownParameter": "x", "Position": "y"})
        if reply.status != 200 or reply.json["ErrorNumber"]:
            yield f"GET {member}: {reply}"
    for member, form in one.written.items():
        reply = one.wire.put(member, {"UnknownParameter": "x", **form, **one.ids()})
        one.wire.wait_for_rest()
        if reply.status != 200 or reply.json["ErrorNumber"]:
            yield f"PUT {member}: {reply}"


def required_parameters_are_exact_in_case(one: Any) -> Iterator[str]:
    for member, form in one.required.items():
        ((name, value),) = form.items()
        for other in (name.lower(), name.upper(), name.swapcase()):
            reply = one.wire.put(member, {other: value, **one.ids()})
            if not one.is_refusal(reply, *(() if one.is_strict else (NOT_IMPLEMENTED,))):
                yield f"PUT {member} with {other}: {reply}"


def required_parameters_are_missed(one: Any) -> Iterator[str]:
    for member, form in one.required.items():
        in_query = f"/api/v1/focuser/0/{member}?" + "&".join(
            f"{name}={value}" for name, value in form.items()
        )
        for reply in (one.wire.put(member, one.ids()), one.wire.ask("PUT", in_query, one.ids())):
            if not one.is_refusal(reply):
                yield f"PUT {member} without its parameter: {reply}"


def values_that_cannot_be_read_are_refused(one: Any) -> Iterator[str]:
    for member, values in NO_VALUES.items():
        (name,) = one.required[member]
        for value in values:
            reply = one.wire.put(member, {name: value, **one.ids()})
            if not one.is_refusal(reply, INVALID_VALUE):
                yield f"PUT {member} with {name}={value!r}: {reply}"


def truth_is_read_in_any_case(one: Any) -> Iterator[str]:
    for value in ("True", "true", "TRUE", "tRuE"):
        if one.wire.put("connected", {"Connected": value, **one.ids()}).json["ErrorNumber"]:
            yield f"Connected={value} is refused"
    for value in ("False", "false", "FALSE", "fAlSe"):
        if one.wire.put("tempcomp", {"TempComp": value, **one.ids()}).json["ErrorNumber"]:
            yield f"TempComp={value} is refused"


# Identifiers


def transaction_ids_come_back(one: Any) -> Iterator[str]:
    def wrong(where: str, reply: Any, expected: int) -> Iterator[str]:
        if reply.status != 200 or reply.json["ClientTransactionID"] != expected:
            yield f"{where}: {expected} was expected, in {reply}"

    own = {"ClientID": one.wire.client_id}
    for number in (0, 1, 67890, LARGEST_UINT32):
        yield from wrong("GET", one.wire.get("name", {**own, "ClientTransactionID": number}), number)
        yield from wrong("PUT", one.wire.put("halt", {**own, "ClientTransactionID": number}), number)
    for name in ("clienttransactionid", "CLIENTTRANSACTIONID", "clientTransactionId"):
        yield from wrong(
            f"GET with {name}", one.wire.get("name", {"clientid": one.wire.client_id, name: 77}), 77
        )
    yield from wrong("PUT without", one.wire.put("connected", {**own, "Connected": True}), 0)
    yield from wrong("GET without", one.wire.get("name", own), 0)
    yield from wrong("GET without anything", one.wire.get("name", {}), 0)


def miscased_ids_of_a_put_count_as_absent(one: Any) -> Iterator[str]:
    for name in ("clienttransactionid", "CLIENTTRANSACTIONID", "ClientTransactionId"):
        reply = one.wire.put("tempcomp", {"TempComp": False, "ClientID": one.wire.client_id, name: 77})
        echoes = {0} if one.is_strict else {0, 77}
        if (
            reply.status != 200
            or reply.json["ErrorNumber"]
            or reply.json["ClientTransactionID"] not in echoes
        ):
            yield f"PUT with {name}: {reply}"
    for name in ("clientid", "CLIENTID"):
        reply = one.wire.put(
            "tempcomp", {"TempComp": False, name: one.wire.client_id, "ClientTransactionID": 77}
        )
        if reply.status != 200 or reply.json["ClientTransactionID"] != 77:
            yield f"PUT with {name}: {reply}"


def ids_that_are_none(one: Any) -> Iterator[str]:
    def ask(verb: str, pairs: dict[str, object]) -> Any:
        path = "name" if verb == "GET" else "tempcomp"
        form = {} if verb == "GET" else {"TempComp": False}
        return one.wire.ask(verb, f"/api/v1/focuser/0/{path}", {**form, **pairs})

    for verb in ("GET", "PUT"):
        for bad in BAD_IDS:
            pairs: dict[str, object] = {"ClientID": one.wire.client_id, "ClientTransactionID": bad}
            reply = ask(verb, pairs)
            if not one.is_refusal(reply, INVALID_VALUE) and (
                one.is_strict or reply.status != 200 or reply.json["ClientTransactionID"] != 0
            ):
                yield f"{verb} with ClientTransactionID={bad!r}: {reply}"
            reply = ask(verb, {"ClientID": bad, "ClientTransactionID": 77})
            if not one.is_refusal(reply, INVALID_VALUE) and (
                one.is_strict or reply.status != 200 or reply.json["ClientTransactionID"] != 77
            ):
                yield f"{verb} with ClientID={bad!r}: {reply}"


RULES: list[Rule] = [
    unknown_addresses_are_refused,
    other_bases_versions_and_capitals_are_refused,
    wrong_verbs_are_refused,
    unknown_parameters_are_ignored,
    required_parameters_are_exact_in_case,
    required_parameters_are_missed,
    values_that_cannot_be_read_are_refused,
    truth_is_read_in_any_case,
    transaction_ids_come_back,
    miscased_ids_of_a_put_count_as_absent,
    ids_that_are_none,
]
SPOILT: list[tuple[Rule, bool, Callable[[str, Any], Any]]] = [
    (unknown_addresses_are_refused, False, lambda path, reply: reply._replace(status=500)),
    (wrong_verbs_are_refused, False, lambda path, reply: reply._replace(status=200)),
    (required_parameters_are_missed, False, lambda path, reply: reply._replace(status=422)),
    (values_that_cannot_be_read_are_refused, False, lambda path, reply: reply._replace(status=422)),
    (transaction_ids_come_back, False, lambda path, reply: reply.changed(ClientTransactionID=0)),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_conformance(rule: Rule, faults_found_by: Any) -> None:
    assert faults_found_by(rule) == []


@pytest.mark.parametrize(("rule", "is_strict", "spoil"), SPOILT)
def test_a_fault_would_be_found(rule: Rule, spoil: Callable[[str, Any], Any], assert_found: Any) -> None:
    assert_found(rule, spoil)
