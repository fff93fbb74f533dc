"""What is taken for right without jsonschema: never what jsonschema finds wrong, and all that is usual."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.config.plain import surely_keeps
from rockit.focuser.ok3z.config.reader import UnusableNumber
from tests.support.markdown import page
from tests.support.processes import run

SCHEMA = json.loads(page("src/rockit/focuser/ok3z/config/schema.json"))
SITE = json.loads(page("ngts_m06.json"))
OURS = {**SITE, "alpaca": {"port": 11112, "discovery": True}, "metrics": {}, "hand": "home", "travel_mm": 7}
JUDGE = jsonschema.Draft7Validator(SCHEMA)
ODD = (
    None,
    True,
    False,
    0,
    -1,
    1e9,
    math.nan,
    38400.0,
    38400.5,
    "",
    " ",
    "a",
    "\n",
    "x" * 2000,
    [],
    ["a", "a"],
    {},
    {"a": 1},
)
VALUES = st.recursive(
    st.sampled_from(ODD) | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["host", "port", "name", "b"]), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("values", [SITE, OURS, json.loads(page("test.json"))])
def test_configurations_that_are_right_need_no_jsonschema(values: dict[str, Any]) -> None:
    assert surely_keeps(values, SCHEMA)


@given(
    st.dictionaries(st.sampled_from([*SCHEMA["properties"], "unknown"]), VALUES, max_size=3), st.booleans()
)
def test_what_jsonschema_finds_wrong_is_never_taken_for_right(changes: dict[str, Any], drop: bool) -> None:
    values = {**OURS, **changes}
    if drop:
        values.pop("daemon")
    assert not surely_keeps(values, SCHEMA) or JUDGE.is_valid(values)


@pytest.mark.parametrize("key", SCHEMA["properties"])
def test_each_key_is_judged_as_jsonschema_does(key: str) -> None:
    for odd in ODD:
        values = {**OURS, key: odd}
        if surely_keeps(values, SCHEMA):
            assert JUDGE.is_valid(values), (key, odd)


def test_what_is_not_known_here_is_left_to_jsonschema() -> None:
    assert surely_keeps("a", {"type": "string"})
    assert not surely_keeps("a", {"type": "string", "format": "ipv4"})
    assert not surely_keeps("a", {"type": "string", "not": {"minLength": 3}})
    assert not surely_keeps("a", {"enum": ["a"]})
    assert not surely_keeps(UnusableNumber("NaN"), {"type": "number"})


def test_a_daemon_that_is_right_never_loads_jsonschema() -> None:
    load = "import sys; from rockit.focuser.ok3z import Config; Config('ngts_m06.json')"
    code = f"{load}; print('jsonschema' in sys.modules)"
    assert run("python", "-c", code).stdout == "False\n"
