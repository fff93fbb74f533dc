"""Configurations against schemas: every violation at once, said for a person."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from rockit.common.errors import InvalidConfigError
from rockit.common.validation import daemon_name_validator, machine_name_validator, validate_config

KEYWORDS = {"daemon_name": daemon_name_validator, "machine_name": machine_name_validator}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["daemon", "control_machines", "serial_baud"],
    "additionalProperties": False,
    "properties": {
        "daemon": {"type": "string", "daemon_name": True},
        "control_machines": {"type": "array", "items": {"type": "string", "machine_name": True}},
        "serial_baud": {"type": "integer", "enum": [38400]},
        "focus_range_mm": {"type": "number", "exclusiveMinimum": 0, "maximum": 9},
    },
}
GOOD: dict[str, Any] = {"daemon": "localhost_test", "control_machines": ["LocalHost"], "serial_baud": 38400}


def violations_of(config: object, schema: dict[str, Any] = SCHEMA) -> tuple[str, ...]:
    with pytest.raises(InvalidConfigError) as refusal:
        validate_config(config, schema, KEYWORDS)
    assert isinstance(refusal.value, ValueError)
    assert all(violation in str(refusal.value) for violation in refusal.value.violations)
    return refusal.value.violations


def test_a_good_configuration_is_accepted() -> None:
    validate_config(GOOD, SCHEMA, KEYWORDS)
    validate_config({**GOOD, "focus_range_mm": 9}, SCHEMA, KEYWORDS)


def test_the_arguments_have_the_names_of_the_contract() -> None:
    validate_config(json=GOOD, schema=SCHEMA, custom_validators=KEYWORDS)


def test_without_custom_validators_their_keywords_say_nothing() -> None:
    validate_config({**GOOD, "daemon": "nobody"}, SCHEMA, {})


def test_every_violation_is_said_at_once() -> None:
    config = {"daemon": "dome", "control_machines": ["LocalHost", "Moon", 7], "focus_range_mm": 0, "x": 1}
    found = violations_of(config)
    assert sorted(violation.split(": ")[0] for violation in found) == [
        "control_machines[1]",
        "control_machines[2]",
        "daemon",
        "focus_range_mm",
        "serial_baud",
        "x",
    ]


def test_a_daemon_must_be_registered() -> None:
    (violation,) = violations_of({**GOOD, "daemon": "dome"})
    assert violation == (
        'daemon: "dome" is not a registered daemon (expected one of localhost_test, localhost_test2, '
        "localhost_test3, localhost_test4, localhost_test5, ngts_m06_focuser)"
    )


def test_a_machine_must_be_registered() -> None:
    (violation,) = violations_of({**GOOD, "control_machines": ["LocalHost", "Moon"]})
    assert violation == (
        'control_machines[1]: "Moon" is not a registered machine (expected one of LocalHost, NGTSDASNUC)'
    )


def test_an_attribute_that_is_nothing_registered_is_no_name() -> None:
    for name in ("__doc__", "_phone_book", "__name__", "mro", "annotations", ""):
        assert len(violations_of({**GOOD, "daemon": name, "control_machines": [name]})) == 2, name


def test_names_are_not_checked_where_the_keyword_is_false() -> None:
    validate_config("nobody", {"daemon_name": False, "machine_name": False}, KEYWORDS)


def test_what_is_no_text_is_left_to_the_type() -> None:
    assert violations_of({**GOOD, "daemon": 7}) == ("daemon: 7 does not fit (expected a text)",)


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"minimum": 1}, 0, "0 does not fit (expected at least 1)"),
        ({"maximum": 1}, 2, "2 does not fit (expected at most 1)"),
        ({"exclusiveMinimum": 0}, 0, "0 does not fit (expected more than 0)"),
        ({"exclusiveMaximum": 0}, 0.5, "0.5 does not fit (expected less than 0)"),
        ({"type": ["integer", "null"]}, "a", '"a" does not fit (expected a whole number or null)'),
        ({"type": "integer"}, 0.5, "0.5 does not fit (expected a whole number)"),
        ({"type": "number"}, True, "true does not fit (expected a number)"),
        ({"enum": [1, "a"]}, 2, '2 does not fit (expected one of 1, "a")'),
        ({"const": 5088}, 1, "1 does not fit (expected 5088)"),
        ({"minLength": 1}, "", '"" does not fit (expected at least 1 characters)'),
        ({"minItems": 1}, [], "[] does not fit (expected at least 1 entries)"),
        ({"uniqueItems": True}, [1, 1], "[1, 1] does not fit (expected no entry twice)"),
        ({"pattern": "^a"}, "b", '"b" does not fit (expected a text that fits the pattern "^a")'),
        ({"multipleOf": 2}, 3, "3 does not fit (expected a multiple of 2)"),
    ],
)
def test_each_limit_is_said_for_a_person(schema: dict[str, Any], value: object, expected: str) -> None:
    assert violations_of({"a": [value]}, {"properties": {"a": {"items": schema}}}) == (f"a[0]: {expected}",)


def test_other_keywords_speak_for_themselves() -> None:
    (violation,) = violations_of(5, {"not": {"type": "integer"}})
    assert violation.startswith("the configuration: ")
    assert "5" in violation


def test_each_missing_key_is_said_once() -> None:
    assert violations_of({}) == tuple(f"{key}: is missing" for key in SCHEMA["required"])


def test_an_unknown_key_is_compared_with_the_known_ones() -> None:
    assert violations_of({**GOOD, "focus_range": 1, "zzz": 2}) == (
        "focus_range: is an unknown key (did you mean focus_range_mm?)",
        "zzz: is an unknown key (expected daemon, control_machines, serial_baud, focus_range_mm)",
    )


def test_the_path_leads_into_objects() -> None:
    site = {"required": ["name"], "properties": {"hosts": {"items": {"minimum": 1}}}}
    assert violations_of({"site": {"hosts": [1, 0]}}, {"properties": {"site": site}}) == (
        "site.name: is missing",
        "site.hosts[1]: 0 does not fit (expected at least 1)",
    )


def test_numbers_must_be_finite() -> None:
    for value in (float("nan"), float("inf"), float("-inf")):
        (found,) = violations_of({"a": [{"b": value}]}, {"type": "object"})
        assert found.startswith("a[0].b: ")
        assert found.endswith("does not fit (expected a finite number)")


def test_a_long_value_is_cut() -> None:
    (violation,) = violations_of({**GOOD, "daemon": ["x" * 500]})
    assert len(violation) < 110
    assert "..." in violation


def test_a_wrong_schema_is_a_fault_of_the_program() -> None:
    with pytest.raises(jsonschema.SchemaError):
        validate_config({}, {"type": "nonsense"}, {})
