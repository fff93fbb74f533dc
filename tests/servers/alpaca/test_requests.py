"""Which requests there are: addresses, names, ids and values. The verbs are in test_members."""

from __future__ import annotations

from typing import Any, Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.servers.alpaca.parameters import (
    MAX_PARAMETERS,
    BadRequestError,
    Parameters,
    from_form,
    from_query,
)
from tests.support.http import FORM, MEMBERS

# What no member takes, beside what is no text.
NO_NUMBERS = (
    "",
    "%20",
    "-1",
    "abc",
    "4294967296",
    "1.5",
    "1e3",
    "0x10",
    "%2B1",
    "%201",
    "1%20",
    "%D9%A1",
    "1_0",
)
NO_POSITIONS = (
    *("", "%20", "1.0", "1,0", "1e3", "0x10", "NaN", "inf", "True", "--1", "%2B1", "1%20", "1%202"),
    *("2147483648", "-2147483649", "9" * 99),
)
NO_BOOLEANS = ("", "%20", "0", "1", "-1", "yes", "%20True", "truee", "None")
# What each command needs.
FORMS = {
    "action": "Action=a&Parameters=",
    "commandblind": "Command=a&Raw=true",
    "commandbool": "Command=a&Raw=true",
    "commandstring": "Command=a&Raw=true",
    "connected": "Connected=True",
    "move": "Position=5",
    "tempcomp": "TempComp=False",
}


@pytest.fixture
def refused(program: Any, focuser: Any) -> Any:
    """Asserts that a command is refused as a bad request, and reaches nobody."""

    def check(member: str, form: object, **headers: str) -> None:
        answer = program.ask("PUT", MEMBERS + member, form, **headers)
        said = (answer.status, answer.headers["content-type"])
        assert said == (400, "text/plain; charset=utf-8"), f"{member} {form!r}"
        assert focuser.calls == [], f"{member} {form!r}"

    return check


# Addresses


def test_what_is_not_there_is_not_found(wire: Any) -> None:
    for path in (
        *(f"/api/v1/focuser/{number}/name" for number in ("1", "-1", "99999", "A", "00", "0x0", "%20", "")),
        *(f"/api/v1/focuser/0/{member}" for member in ("Name", "NAME", "nothing", "%2Fname", "", "%00")),
        *(f"/api/v1/{device}/0/name" for device in ("Focuser", "FOCUSER", "camera")),
        *(f"/{base}/focuser/0/name" for base in ("api/v2", "api/V1", "API/v1", "apx/v1", "api/1")),
        "/api/v1/focuser/0/__class__",
        "/api/v1/focuser/0/name/name",
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


def test_a_slash_too_many_is_overlooked(wire: Any, focuser: Any) -> None:
    for path in ("/api//v1/focuser///0/name", "//management//v1/description?ClientID=1", "//", "/setup/"):
        assert wire.ask("GET", path).status == 200, path
    for path in (f"/{MEMBERS}halt", f"{MEMBERS}halt/"):
        assert wire.ask("PUT", path).status == 200, path
    assert len(focuser.named("stop")) == 2


# Ids


def test_a_transaction_id_comes_back_from_a_query_in_any_case(wire: Any) -> None:
    for path in (f"{MEMBERS}name", "/management/v1/description", f"{MEMBERS}temperature"):
        for name in ("ClientTransactionID", "clienttransactionid", "CLIENTTRANSACTIONID"):
            for number in (0, 1, 4294967295):
                answer = wire.ask("GET", f"{path}?{name}={number}")
                assert answer.json["ClientTransactionID"] == number, f"{path} {name}"


def test_ids_of_a_form_are_read_in_exact_case_and_are_not_needed(program: Any) -> None:
    for form, back in (
        ("ClientTransactionID=0077", 77),
        ("clienttransactionid=77", 0),
        ("CLIENTTRANSACTIONID=x", 0),
        ("", 0),
    ):
        answer = program.ask("PUT", f"{MEMBERS}connect", form)
        assert (answer.error, answer.json["ClientTransactionID"]) == (0, back), form
    # It is not the connected program, if its own ID is written otherwise.
    assert program.ask("PUT", f"{MEMBERS}disconnect", "clientid=7").error == 0
    assert program.get("connected").value is True


def test_an_id_that_is_none_is_a_bad_request(wire: Any, refused: Any) -> None:
    for name in ("ClientID", "ClientTransactionID"):
        for text in NO_NUMBERS:
            for path in (
                f"{MEMBERS}name?{name}",
                f"{MEMBERS}name?{name.lower()}",
                f"/management/apiversions?{name}",
            ):
                assert wire.ask("GET", f"{path}={text}").status == 400, f"{path} {text}"
            refused("disconnect", f"{name}={text}")


# Parameters


def test_what_a_command_needs_is_needed_in_exact_case_in_its_form(refused: Any) -> None:
    for member, form in FORMS.items():
        refused(f"{member}?{form}", "ClientID=7")
        for pair in form.split("&"):
            rest = [other for other in form.split("&") if other != pair]
            name, _, value = pair.partition("=")
            for sent in ([], [f"{name.lower()}={value}"], [f"{name.upper()}={value}"]):
                refused(member, "&".join([*rest, *sent, "ClientID=7"]))


def test_values_that_cannot_be_read_are_bad_requests(refused: Any) -> None:
    for member, name in (("connected", "Connected"), ("tempcomp", "TempComp"), ("commandblind", "Raw")):
        for text in NO_BOOLEANS:
            refused(member, f"Command=a&{name}={text}&ClientID=7")
    for text in NO_POSITIONS:
        refused("move", f"Position={text}&ClientID=7")
    for body in (b"Position=\xff", b"Position=%ff", b"&" * 99 + b"a=1" + b"&a=1" * MAX_PARAMETERS):
        refused("disconnect", body)
    refused("disconnect", "a=5&a=6")


def test_a_boolean_has_any_case(program: Any) -> None:
    for text, meant in (("true", True), ("False", False), ("TRUE", True), ("fAlSe", False), ("tRuE", True)):
        assert program.put("connected", Connected=text).error == 0, text
        assert program.get("connected").value is meant, text


def test_parameters_that_nobody_knows_are_ignored(program: Any, focuser: Any) -> None:
    assert program.ask("GET", f"{MEMBERS}name?ClientID=7&Colour=red&=&x").error == 0
    for form in ("Colour=red&Position=5&ClientID=7&=", "ClientID=7&position=6&Position=5"):
        assert program.ask("PUT", f"{MEMBERS}move", form).error == 0
    # In a form these are two names, in a query they are one.
    assert program.ask("GET", f"{MEMBERS}name?ClientID=7&clientid=8").status == 400
    assert len(focuser.named("move")) == 2


def test_a_form_is_one_by_its_type(program: Any, refused: Any) -> None:
    for kind in ("application/json", "multipart/form-data; boundary=a", "text/xml", "text/plain"):
        refused("move", "Position=5", Content_Type=kind)
        assert program.ask("PUT", f"{MEMBERS}connect", Content_Type=kind, Content_Length="0").error == 0
    for kind in (FORM, f"{FORM}; charset=utf-8", FORM.upper(), ""):
        assert program.ask("PUT", f"{MEMBERS}move", "Position=5&ClientID=7", Content_Type=kind).error == 0, (
            kind
        )


def test_nothing_that_was_sent_is_repeated(wire: Any) -> None:
    for junk in ("<script>", "a" * 3000, "ü", "\r\nX: y", "${x}", "' OR 1=1"):
        for verb, path, form in (
            ("GET", f"{MEMBERS}name?ClientID={quote(junk)}", ""),
            ("GET", f"{MEMBERS}{quote(junk)}", ""),
            ("PUT", f"{MEMBERS}move", f"Position={quote(junk)}"),
        ):
            answer = wire.ask(verb, path, form)
            assert 400 <= answer.status < 500, junk
            assert junk.encode() not in answer.body


@given(st.text(max_size=60), st.binary(max_size=60), st.sampled_from(["uint32", "int32", "boolean", "text"]))
def test_anything_gives_a_value_or_a_bad_request(query: str, body: bytes, read: str) -> None:
    makers: list[Callable[[], Parameters]] = [
        lambda: from_query(query),
        lambda: from_form("", body),
        lambda: from_form("", b"A=" + body),
    ]
    for make in makers:
        why = ""
        try:
            getattr(make(), read)("A")
        except BadRequestError as error:
            why = str(error)
        assert why.isascii()
