"""Names, casing and values of what a request says."""

from __future__ import annotations

from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.servers.alpaca.parameters import (
    FORM_TYPE,
    MAX_PARAMETERS,
    BadRequestError,
    Parameters,
    from_form,
    from_query,
)


def form(text: str) -> object:
    return from_form(FORM_TYPE, text.encode())


@pytest.mark.parametrize("name", ["ClientID", "clientid", "CLIENTID", "cLiEnTiD"])
def test_a_query_is_read_in_any_case(name: str) -> None:
    assert from_query(f"{name}=5").uint32("ClientID") == 5


def test_a_form_is_read_in_exact_case_only() -> None:
    parameters = from_form(FORM_TYPE, b"clientid=5&ClientTransactionID=6")
    assert (parameters.uint32("ClientID"), parameters.uint32("ClientTransactionID")) == (0, 6)


@pytest.mark.parametrize("text", ["0", "1", "4294967295", "0007"])
def test_an_id_is_a_whole_number_of_32_bits(text: str) -> None:
    assert from_query(f"ClientID={text}").uint32("ClientID") == int(text)


@pytest.mark.parametrize(
    "text",
    ["", "%20", "-1", "4294967296", "abc", "1.0", "1e3", "0x10", "+1", "%201", "1%20", "%D9%A1", "1_0"],
)
def test_no_other_id_is_taken(text: str) -> None:
    with pytest.raises(BadRequestError, match="ClientID must be"):
        from_query(f"ClientID={text}").uint32("ClientID")


@pytest.mark.parametrize("text", ["0", "-10", "2147483647", "-2147483648"])
def test_a_position_is_an_int32(text: str) -> None:
    assert from_form("", f"Position={text}".encode()).int32("Position") == int(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%20",
        "1.0",
        "1,0",
        "1e3",
        "0x10",
        "NaN",
        "inf",
        "2147483648",
        "-2147483649",
        "--1",
        "%2B1",
        "1%20",
        "9" * 99,
    ],
)
def test_no_other_position_is_taken(text: str) -> None:
    with pytest.raises(BadRequestError, match="Position must be"):
        from_form("", f"Position={text}".encode()).int32("Position")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("True", True), ("true", True), ("TRUE", True), ("False", False), ("false", False), ("FALSE", False)],
)
def test_a_boolean_has_any_case(text: str, meant: bool) -> None:
    assert from_form("", f"Connected={text}".encode()).boolean("Connected") is meant


@pytest.mark.parametrize("text", ["", "0", "1", "-1", "yes", "%20True", "truee", "None"])
def test_nothing_else_is_a_boolean(text: str) -> None:
    with pytest.raises(BadRequestError, match="Connected must be"):
        from_form("", f"Connected={text}".encode()).boolean("Connected")


@pytest.mark.parametrize("read", ["text", "int32", "boolean"])
def test_what_must_be_there_is_missed_when_it_is_written_otherwise(read: str) -> None:
    with pytest.raises(BadRequestError, match="Position is missing"):
        getattr(from_form("", b"position=5"), read)("Position")


@pytest.mark.parametrize("kind", [FORM_TYPE, f"{FORM_TYPE}; charset=utf-8", FORM_TYPE.upper(), ""])
def test_a_form_is_one_by_its_type(kind: str) -> None:
    assert from_form(kind, b"Position=5").int32("Position") == 5


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_another_type_is_refused_unless_there_is_no_body(kind: str) -> None:
    with pytest.raises(BadRequestError, match="must be a form"):
        from_form(kind, b"Position=5")
    assert from_form(kind, b"").optional("Position") is None


@pytest.mark.parametrize("text", ["ClientID=1&clientid=2", "A=1&a=2"])
def test_two_values_for_one_name_are_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="twice"):
        from_query(text)
    # In a form they are two names.
    assert from_form("", text.encode()).optional("a") in (None, "2")


@pytest.mark.parametrize(
    "body", [b"Position=\xff", b"Position=%ff", b"&" * 99 + b"a=1" + b"&a=1" * MAX_PARAMETERS]
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError):
        from_form("", body)


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
