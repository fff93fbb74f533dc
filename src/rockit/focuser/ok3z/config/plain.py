"""Whether values surely keep a schema, for the few rules that this project's schema has.

jsonschema takes 0.1 s of each start and 4 MB for as long as the daemon runs, and nearly every start is with a
configuration that is right. So it is asked only if this cannot tell at once: a rule that is not known here, a value of
another type than JSON's, a rule that is not kept. What is wrong, jsonschema alone says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "string": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "number": lambda value: type(value) in (int, float),
    "integer": lambda value: type(value) is int or (type(value) is float and value.is_integer()),
}
_RULES: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, name: name in _TYPES and _TYPES[name](value),
    "const": lambda value, wanted: bool(value == wanted),
    "enum": lambda value, words: value in words,
    "minimum": lambda value, bound: bool(value >= bound),
    "exclusiveMinimum": lambda value, bound: bool(value > bound),
    "maximum": lambda value, bound: bool(value <= bound),
    "minLength": lambda value, length: len(value) >= length,
    "maxLength": lambda value, length: len(value) <= length,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "not": lambda value, rules: list(rules) == ["pattern"] and re.search(rules["pattern"], value) is None,
    "minItems": lambda value, length: len(value) >= length,
    "maxItems": lambda value, length: len(value) <= length,
    "uniqueItems": lambda value, _: all(type(item) is str for item in value)
    and len(set(value)) == len(value),
    "items": lambda value, rules: all(surely_keeps(item, rules) for item in value),
    "required": lambda value, keys: all(key in value for key in keys),
    "additionalProperties": lambda _, allowed: allowed is False,
}
_SAY_NOTHING = frozenset(("$schema", "$comment", "title", "description", "default", "x-unit", "x-reason"))


def surely_keeps(value: object, rules: Mapping[str, Any]) -> bool:
    """Whether a value keeps the rules of a schema (draft 7). False: perhaps it does, perhaps not."""
    # First: the other rules are for values of that type.
    if "type" not in rules or not _RULES["type"](value, rules["type"]):
        return False
    if isinstance(value, dict):
        properties = rules.get("properties", {})
        if not all(key in properties and surely_keeps(value[key], properties[key]) for key in value):
            return False
    return all(
        rule in _SAY_NOTHING or rule == "properties" or (rule in _RULES and _RULES[rule](value, bound))
        for rule, bound in rules.items()
    )
