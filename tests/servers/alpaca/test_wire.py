"""Addresses, verbs, names, ids and types, as plain bytes."""

from __future__ import annotations

import json
import logging
import random
import re
import socket
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from rockit.focuser.ok3z.servers.alpaca.management import machine_id, unique_id

MACHINE = "0123456789abcdef0123456789abcde0"
MEMBERS = "/api/v1/focuser/0/"
READS = [
    *("absolute", "connected", "connecting", "description", "devicestate", "driverinfo", "driverversion"),
    *("interfaceversion", "ismoving", "maxincrement", "maxstep", "name", "position", "stepsize"),
    *("supportedactions", "tempcomp", "tempcompavailable", "temperature"),
]
COMMANDS = {
    "action": "Action=a&Parameters=",
    "commandblind": "Command=a&Raw=true",
    "commandbool": "Command=a&Raw=true",
    "commandstring": "Command=a&Raw=true",
    "connect": "",
    "connected": "Connected=True",
    "disconnect": "",
    "halt": "",
    "move": "Position=5",
    "tempcomp": "TempComp=False",
}
NO_NUMBERS = ["", "%20", "-1", "abc", "4294967296", "1.5"]


# Addresses and verbs


def test_what_is_not_there_is_not_found(wire: Any) -> None:
    for path in (
        "/api/v1/focuser/1/position",
        "/api/v1/focuser/-1/position",
        "/api/v1/focuser/99999/position",
        "/api/v1/focuser/A/position",
        "/api/v1/focuser/00/position",
        "/api/v1/focuser//position",
        "/api/v1/Focuser/0/position",
        "/api/v1/FOCUSER/0/position",
        "/api/v1/camera/0/position",
        "/api/v2/focuser/0/position",
        "/api/V1/focuser/0/position",
        "/API/v1/focuser/0/position",
        "/apx/v1/focuser/0/position",
        "/api/v1/focuser/0/Position",
        "/api/v1/focuser/0/POSITION",
        "/api/v1/focuser/0/nothing",
        "/api/v1/focuser/0/%2Fposition",
        "/api/v1/focuser/0/",
        "/api/v1/focuser/0/%00",
        "/api/v1/focuser/0/__class__",
        "/api/",
        "/management/v2/description",
        "/management/",
        "/nothing",
        "//nothing//",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%ff",
    ):
        for verb in ("GET", "PUT"):
            answer = wire.ask(verb, path)
            said = (answer.status, answer.headers["content-type"])
            assert said == (404, "text/plain; charset=utf-8"), f"{verb} {path}"


def test_a_slash_too_many_is_overlooked(wire: Any) -> None:
    for path in (
        "//api/v1/focuser/0/name",
        "/api//v1/focuser///0/name",
        "/api/v1/focuser/0/name/",
        "/management/apiversions/",
        "//management//v1/description?ClientID=1",
        "//",
        "/setup/",
        "//setup?a=/",
        "/setup/v1/focuser/0/setup/",
        "/panel/panel.js/",
    ):
        assert wire.ask("GET", path).status == 200, path


@pytest.mark.parametrize("path", ["//api/v1/focuser/0/halt", "/api/v1/focuser/0/halt/"])
def test_a_command_may_have_a_slash_too_many(wire: Any, focuser: Any, path: str) -> None:
    assert wire.ask("PUT", path).status == 200
    assert len(focuser.named("stop")) == 1


@pytest.mark.parametrize("verb", ["POST", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_a_wrong_verb_is_405(server: Any, dial: Any, verb: str) -> None:
    for member in READS:
        wire = dial(server)
        wire.send(
            f"{verb} {MEMBERS}{member} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        head = b""
        while chunk := wire.socket.recv(65536):
            head += chunk
        assert head.startswith(b"HTTP/1.1 405 "), member
        assert b"\r\nAllow: GET" in head, member


def test_what_is_only_read_cannot_be_put(wire: Any) -> None:
    for member in set(READS) - set(COMMANDS):
        assert wire.put(member).status == 405, member


def test_what_is_only_commanded_cannot_be_read(wire: Any) -> None:
    for member in set(COMMANDS) - set(READS):
        assert wire.get(member).status == 405, member


# Answers


def test_every_read_has_the_four_keys_and_a_value_of_its_type(program: Any) -> None:
    types = {
        "description": str,
        "devicestate": list,
        "driverinfo": str,
        "driverversion": str,
        "interfaceversion": int,
        "maxincrement": int,
        "maxstep": int,
        "name": str,
        "position": int,
        "stepsize": float,
        "supportedactions": list,
        "temperature": float,
    }
    ids = ("ClientTransactionID", "ServerTransactionID", "ErrorNumber")
    for member in READS:
        body = program.get(member).json
        assert {type(body[key]) for key in ids} == {int}, member
        assert type(body["Value"]) is types.get(member, bool), member
        assert bool(body["ErrorMessage"]) is bool(body["ErrorNumber"]) is (member == "temperature"), member


def test_every_read_has_a_value_of_its_type_beside_an_error_too(wire: Any, program: Any) -> None:
    wire.client_id = 8
    for member in READS:
        unconnected, connected = wire.get(member).json["Value"], program.get(member).json["Value"]
        assert type(unconnected) is type(connected), member


@pytest.mark.parametrize("member", COMMANDS)
def test_no_command_has_a_value(program: Any, member: str) -> None:
    body = program.ask("PUT", MEMBERS + member, f"{COMMANDS[member]}&ClientID=7".lstrip("&")).json
    assert list(body) == ["ClientTransactionID", "ServerTransactionID", "ErrorNumber", "ErrorMessage"]


def test_answers_are_numbered_from_1_over_all_connections(server: Any, dial: Any) -> None:
    first, second = dial(server), dial(server)
    numbers = [wire.get("name").json["ServerTransactionID"] for wire in (first, second, first, second)]
    numbers.append(first.ask("GET", "/management/apiversions").json["ServerTransactionID"])
    assert numbers == [1, 2, 3, 4, 5]


# Ids


@pytest.mark.parametrize("name", ["ClientTransactionID", "clienttransactionid", "CLIENTTRANSACTIONID"])
def test_a_transaction_id_comes_back_from_a_query_in_any_case(wire: Any, name: str) -> None:
    for path in (f"{MEMBERS}name", "/management/v1/description"):
        for number in (0, 1, 4294967295):
            assert wire.ask("GET", f"{path}?{name}={number}").json["ClientTransactionID"] == number, path


@pytest.mark.parametrize(("name", "back"), [("ClientTransactionID", 77), ("clienttransactionid", 0)])
def test_a_transaction_id_of_a_form_comes_back_in_exact_case_only(wire: Any, name: str, back: int) -> None:
    assert wire.ask("PUT", f"{MEMBERS}connect", f"{name}=77").json["ClientTransactionID"] == back


def test_a_transaction_id_comes_back_beside_an_error(wire: Any) -> None:
    answer = wire.ask("GET", f"{MEMBERS}position?ClientTransactionID=5&ClientID=9")
    assert (answer.error, answer.json["ClientTransactionID"]) == (0x407, 5)


@pytest.mark.parametrize("name", ["ClientID", "ClientTransactionID"])
def test_an_id_that_is_none_is_a_bad_request(wire: Any, name: str) -> None:
    for text in NO_NUMBERS:
        for answer in (
            wire.ask("GET", f"{MEMBERS}name?{name}={text}"),
            wire.ask("GET", f"{MEMBERS}name?{name.lower()}={text}"),
            wire.ask("GET", f"/management/apiversions?{name}={text}"),
            wire.ask("PUT", f"{MEMBERS}disconnect", f"{name}={text}"),
        ):
            assert (answer.status, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8"), text
        # Of a form that name is another one.
        assert wire.ask("PUT", f"{MEMBERS}disconnect", f"{name.lower()}={text}").error == 0, text


def test_neither_ids_nor_a_body_are_needed(wire: Any) -> None:
    assert wire.ask("PUT", f"{MEMBERS}connect").json["ClientTransactionID"] == 0
    assert wire.ask("PUT", f"{MEMBERS}connect", Content_Length="0").error == 0


# Parameters


@pytest.mark.parametrize("member", sorted(name for name in COMMANDS if COMMANDS[name]))
def test_what_a_command_needs_is_needed_in_exact_case(program: Any, focuser: Any, member: str) -> None:
    for pair in COMMANDS[member].split("&"):
        rest = [other for other in COMMANDS[member].split("&") if other != pair]
        name, _, value = pair.partition("=")
        for sent in ([], [f"{name.lower()}={value}"], [f"{name.upper()}={value}"]):
            assert program.ask("PUT", MEMBERS + member, "&".join([*rest, *sent, "ClientID=7"])).status == 400
    assert focuser.calls == []


@pytest.mark.parametrize("member", COMMANDS)
def test_nothing_of_a_command_is_read_from_its_query(program: Any, member: str) -> None:
    answer = program.ask("PUT", f"{MEMBERS}{member}?{COMMANDS[member]}&ClientTransactionID=5&ClientID=x")
    if COMMANDS[member]:
        assert answer.status == 400
    else:
        assert answer.json["ClientTransactionID"] == 0


@pytest.mark.parametrize(
    ("member", "name"), [("connected", "Connected"), ("tempcomp", "TempComp"), ("commandblind", "Raw")]
)
def test_a_boolean_that_is_none_is_a_bad_request(program: Any, member: str, name: str) -> None:
    for text in ("", "%20", "0", "1", "-1", "5", "yes", "asdf"):
        answer = program.ask("PUT", MEMBERS + member, f"Command=a&{name}={text}&ClientID=7")
        assert answer.status == 400, text


def test_a_position_that_is_none_is_a_bad_request(program: Any, focuser: Any) -> None:
    for text in ("", "%20", "1.0", "1e3", "0x10", "NaN", "2147483648", "-2147483649", "five"):
        assert program.ask("PUT", f"{MEMBERS}move", f"Position={text}&ClientID=7").status == 400, text
        assert focuser.calls == [], text


def test_parameters_that_nobody_knows_are_ignored(program: Any) -> None:
    assert program.ask("GET", f"{MEMBERS}name?ClientID=7&Colour=red&=&x").error == 0
    assert program.ask("PUT", f"{MEMBERS}move", "Colour=red&Position=5&ClientID=7&=").error == 0


@pytest.mark.parametrize(
    "order", ["Position=5&ClientID=7&ClientTransactionID=3", "ClientTransactionID=3&ClientID=7&Position=5"]
)
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded; charset=utf-8", "application/x-www-form-urlencoded"]
)
def test_a_form_may_have_any_order_and_name_its_charset(program: Any, order: str, kind: str) -> None:
    assert program.ask("PUT", f"{MEMBERS}move", order, Content_Type=kind).json["ClientTransactionID"] == 3


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=a", "text/xml"])
def test_a_body_that_is_no_form_is_a_bad_request(program: Any, focuser: Any, kind: str) -> None:
    assert program.ask("PUT", f"{MEMBERS}move", "Position=5", Content_Type=kind).status == 400
    assert focuser.calls == []


@pytest.mark.parametrize("junk", ["<script>", "a" * 3000, "ü", "\r\nX: y", "${x}", "' OR 1=1"])
def test_nothing_that_was_sent_is_repeated(wire: Any, junk: str) -> None:
    for answer in (
        wire.ask("GET", f"{MEMBERS}name?ClientID={quote(junk)}"),
        wire.ask("GET", f"{MEMBERS}{quote(junk)}"),
        wire.ask("PUT", f"{MEMBERS}move", f"Position={quote(junk)}"),
    ):
        assert 400 <= answer.status < 500
        assert junk.encode() not in answer.body


# Management


def test_the_versions_are_exactly_1(wire: Any) -> None:
    assert wire.ask("GET", "/management/apiversions").value == [1]


def test_the_server_describes_itself(wire: Any) -> None:
    value = wire.ask("GET", "/management/v1/description").value
    assert list(value) == ["ServerName", "Manufacturer", "ManufacturerVersion", "Location"]
    assert all(isinstance(text, str) and text.strip() for text in value.values())


def test_there_is_one_focuser_whose_id_never_changes(wire: Any) -> None:
    (device,) = wire.ask("GET", "/management/v1/configureddevices").value
    # Programs have kept this: that it is what it was is the point.
    assert device["UniqueID"] == unique_id("dome_focuser", MACHINE) == "de0546c9-ac00-5ce0-bc50-f926ae654a47"
    assert uuid.UUID(device["UniqueID"]).version == 5
    assert device["DeviceName"] == "Dome"
    assert (device["DeviceType"], device["DeviceNumber"]) == ("Focuser", 0)
    assert device["DeviceName"] == wire.get("name").value


def test_the_id_of_a_focuser_is_that_of_its_daemon_on_its_machine() -> None:
    others = [
        (name, machine) for name in ("dome_focuser", "other") for machine in ("", MACHINE, MACHINE[::-1])
    ]
    ids = {unique_id(name, machine) for name, machine in others}
    assert len(ids) == len(others)
    # Without a machine-id.
    assert unique_id("dome_focuser", "") == "1eecf772-f25f-52b1-9a80-e61e3b206504"
    # Which nobody learns.
    assert not any(MACHINE[:8] in one for one in ids)


@pytest.mark.parametrize(
    ("content", "read"),
    [(f"{MACHINE}\n", MACHINE), ("uninitialized\n", ""), ("", ""), (f"{MACHINE}0\n", ""), ("\xff" * 32, "")],
)
def test_the_id_of_a_machine_is_read(tmp_path: Path, content: str, read: str) -> None:
    path = tmp_path / "machine-id"
    assert machine_id(path) == ""
    path.write_bytes(content.encode("latin-1"))
    assert machine_id(path) == read


@pytest.mark.parametrize("path", ["apiversions", "v1/description", "v1/configureddevices"])
def test_management_is_only_read(wire: Any, path: str) -> None:
    assert wire.ask("PUT", f"/management/{path}").status == 405


@pytest.mark.parametrize("path", ["/", "/setup", "/setup/v1/focuser/0/setup"])
def test_the_setup_pages_are_pages(wire: Any, path: str) -> None:
    answer = wire.ask("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_no_other_device_has_a_setup_page(wire: Any) -> None:
    assert wire.ask("GET", "/setup/v1/focuser/1/setup").status == 404


# What is told of this machine


def test_no_answer_names_a_library_or_a_version_of_it(server: Any, dial: Any) -> None:
    for request in (
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA: \1\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET //a:b/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/v1/focuser/0/name HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ):
        wire = dial(server)
        wire.send(request)
        answer = wire.answer()
        said = json.dumps(dict(answer.headers)) + answer.body.decode()
        assert answer.status < 500
        assert answer.headers["server"] == "focusd"
        assert not re.search(r"(?i)python|aiohttp|traceback|\.py", said)


def test_no_bytes_get_a_500_or_a_traceback(server: Any, dial: Any, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(5)
    good = b"PUT /api/v1/focuser/0/move?a=%20#b HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 5\r\n\r\na=b&c"
    statuses = set()
    for _ in range(600):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.choice(b"%/[]@:?#\\ \0\n\xff.;=0A")
        wire = dial(server)
        wire.send(bytes(data))
        wire.socket.shutdown(socket.SHUT_WR)
        said = b""
        while chunk := wire.socket.recv(65536):
            said += chunk
        wire.socket.close()
        statuses.add(said[9:12])
    assert statuses <= {b"", b"200", b"400", b"403", b"404", b"405", b"411", b"413", b"415", b"417", b"431"}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
