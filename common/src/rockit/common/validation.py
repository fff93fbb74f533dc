"""Checking a configuration against a JSON Schema (draft 7), and the keywords that this library adds.

jsonschema is imported when something is checked, not before: programs that only call a daemon never are.
"""

from __future__ import annotations

from .errors import InvalidConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from jsonschema import ValidationError

    KeywordValidator = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]

_LONGEST_VALUE = 60

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}

# What a keyword of JSON Schema expects of a value, for a person; {} is what the schema says.
_EXPECTATIONS = {
    "const": "{}",
    "enum": "one of {}",
    "exclusiveMaximum": "less than {}",
    "exclusiveMinimum": "more than {}",
    "format": "the format {}",
    "maxItems": "at most {} entries",
    "maxLength": "at most {} characters",
    "maximum": "at most {}",
    "minItems": "at least {} entries",
    "minLength": "at least {} characters",
    "minimum": "at least {}",
    "multipleOf": "a multiple of {}",
    "pattern": "a text that fits the pattern {}",
}


def validate_config(
    json: Any, schema: Mapping[str, Any], custom_validators: Mapping[str, KeywordValidator] | None = None
) -> None:
    """Check the loaded configuration `json` against `schema`.

    `custom_validators` maps keywords that the schema uses beyond draft 7 to functions
    `(validator, value, instance, schema)` that yield `jsonschema.ValidationError`, such as
    `{"daemon_name": daemon_name_validator}`. NaN and infinities, which JSON does not have but Python reads,
    are never accepted.

    Raises `InvalidConfigError`, a ValueError, that lists every violation with its path, its value and what
    was expected; `jsonschema.SchemaError` if `schema` itself is wrong.
    """
    import jsonschema

    extend: Any = jsonschema.validators.extend
    draft = extend(jsonschema.Draft7Validator, dict(custom_validators or {}))
    draft.check_schema(schema)
    errors = sorted(draft(schema).iter_errors(json), key=lambda error: _path_text(error.absolute_path))
    violations = [*_non_finite(json, []), *(sentence for error in errors for sentence in _sentences(error))]
    if violations:
        # An object that lacks two keys is two errors, each of which names both.
        raise InvalidConfigError(tuple(dict.fromkeys(violations)))


def daemon_name_validator(
    validator: Any,  # noqa: ARG001 - jsonschema calls every keyword with these four
    value: Any,
    instance: Any,
    schema: Any,  # noqa: ARG001
) -> Iterator[ValidationError]:
    """Schema keyword: with the value true, a text must name a daemon of `rockit.common.daemons`."""
    from . import daemons

    yield from _known_name(value, instance, daemons, "a registered daemon")


def machine_name_validator(
    validator: Any,  # noqa: ARG001
    value: Any,
    instance: Any,
    schema: Any,  # noqa: ARG001
) -> Iterator[ValidationError]:
    """Schema keyword: with the value true, a text must name a machine of `rockit.common.IP`."""
    from .phone_book import IP

    yield from _known_name(value, instance, IP, "a registered machine")


def _known_name(value: Any, instance: Any, registry: object, kind: str) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    known = sorted(name for name in vars(registry) if not name.startswith("_"))
    # As keywords of JSON Schema do, leave what is no text to the keyword "type".
    if value and isinstance(instance, str) and instance not in known:
        yield ValidationError(f"{_shown(instance)} is not {kind} (expected one of {', '.join(known)})")


def _sentences(error: Any) -> Iterator[str]:
    """What is wrong, one sentence for each thing that a person has to change."""
    path = list(error.absolute_path)
    if error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield f"{_path_text([*path, key])}: is missing"
    elif error.validator == "additionalProperties" and error.validator_value is False:
        expected = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in expected:
                yield f"{_path_text([*path, key])}: is an unknown key{_suggestion(key, expected)}"
    else:
        yield f"{_path_text(path)}: {_misfit(error)}"


def _misfit(error: Any) -> str:
    expectation = _expectation(error.validator, error.validator_value)
    if expectation is None:
        return str(error.message)
    return f"{_shown(error.instance)} does not fit (expected {expectation})"


def _expectation(keyword: Any, limit: Any) -> str | None:
    if keyword == "type":
        types = [limit] if isinstance(limit, str) else limit
        return " or ".join(_TYPES.get(name, name) for name in types)
    if keyword == "uniqueItems":
        return "no entry twice"
    if keyword == "enum":
        return _EXPECTATIONS[keyword].format(", ".join(_shown(choice) for choice in limit))
    phrase = _EXPECTATIONS.get(keyword)
    return None if phrase is None else phrase.format(_shown(limit))


def _suggestion(key: str, expected: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key, expected, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (expected {', '.join(expected)})" if expected else ""


def _non_finite(value: Any, path: list[str | int]) -> Iterator[str]:
    """A sentence for each NaN or infinity: comparisons with a NaN fail, so no limit of a schema stops it."""
    if isinstance(value, float) and not abs(value) < float("inf"):
        yield f"{_path_text(path)}: {_shown(value)} does not fit (expected a finite number)"
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _non_finite(member, [*path, key])
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _non_finite(member, [*path, index])


def _path_text(path: Any) -> str:
    """`control_machines[0]`, `site.name`; the document itself has no name."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") or "the configuration"


def _shown(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
