"""Finds every violation in the values of a configuration, and says each in one sentence.

The limits are in schema.json, and the sentences are made of them. What a schema cannot say is checked
here: names that must be registered in rockit.common, and values that must fit each other.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Callable, NamedTuple, Union
from urllib.parse import urlsplit

from ..driver import registers
from ..errors import ConfigError
from . import site
from .plain import surely_keeps
from .reader import Document, UnusableNumber, shown

Location = tuple[Union[str, int], ...]
Values = dict[str, Any]

_MAX_LISTED = 100
# The URLs that `pyserial` opens, and the simulated controller's; behind those of the network there is an address.
_SCHEMES = ["alt", "cp2110", "hwgrep", "loop", "replay", "rfc2217", "sim", "socket", "spy"]
_NETWORK_SCHEMES = ["rfc2217", "socket"]
_MAX_PORT = 65535
# What a good move may take beyond its motion: a go-to that was lost on the wire, readings that are confirmed.
MOVE_MARGIN_S = 2.0
_MOVE_KEYS = (
    "move_timeout",
    "focus_range_mm",
    "travel_mm",
    "anti_backlash_mm",
    "speed_mm_sec",
    "acceleration_mm_sec_sec",
)


class Violation(NamedTuple):
    """Where (the key, and the key in an object or the index in a list), and a sentence: what was given, what was
    expected."""

    location: Location
    sentence: str

    def __str__(self) -> str:
        key, *inner = self.location
        steps = (f"[{part}]" if isinstance(part, int) else f".{_shown_key(part)}" for part in inner)
        return f"{_shown_key(key)}{''.join(steps)}: {self.sentence}"


def _shown_key(key: object) -> str:
    return str(key) if re.fullmatch(r"[A-Za-z0-9_]{1,60}", str(key)) else shown(key)


def violations(document: Document) -> list[Violation]:
    """All violations of a document that holds an object, in the order of their keys.

    Raises RecursionError if the document is nested deeper than Python can follow.
    """
    values: Values = document.values
    schema = _schema()
    found = [*_of_keys(values, schema), *_of_inner_keys(values, schema), *_of_values(values, schema)]
    faulty = {violation.location for violation in found}
    found += [*_of_host(values, faulty), *_of_names(values, faulty), *_of_serial_port(values, faulty)]
    # A relation between two values says nothing new if one of them is wrong by itself.
    faulty = {violation.location for violation in found}
    found += [
        *_of_relations(values, {str(key) for key, *_ in faulty}),
        *_of_ports(values, faulty),
        *_of_metrics(values, faulty),
    ]
    found += [Violation(place, "is there more than once; expected once") for place in document.repeated_keys]
    return sorted(found)


def with_defaults(given: Values, key: str | None = None) -> Values:
    """A configuration, or the object of a key in it, with the defaults of what is left out."""
    rules = _schema() if key is None else _schema()["properties"][key]
    defaults = {inner: rule["default"] for inner, rule in rules["properties"].items() if "default" in rule}
    return {**defaults, **given}


@cache
def _schema() -> Values:
    schema: Values = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
    return schema


def message(path: Path, found: list[Violation]) -> str:
    """The sentences of all violations, one a line; beyond 100 their number only."""
    lines = [f"{path} has {len(found)} fault{'s' if len(found) > 1 else ''}:"]
    lines += [f"  {violation}" for violation in found[:_MAX_LISTED]]
    if len(found) > _MAX_LISTED:
        lines.append(f"  and {len(found) - _MAX_LISTED} more")
    return "\n".join(lines)


def longest_move_s(values: Mapping[str, Any]) -> float:
    """How many seconds the longest possible move takes at the real speed: out, past its target, and back."""
    speed = registers.register_speed_mm_sec(registers.speed_register(values["speed_mm_sec"]))
    acceleration = registers.register_acceleration_mm_sec_sec(
        registers.acceleration_register(values["acceleration_mm_sec_sec"])
    )
    range_mm = values["focus_range_mm"]
    travel_mm = values.get("travel_mm", range_mm)
    overshoot_mm = values["anti_backlash_mm"]
    # The outermost target that leaves room for the whole overshoot; beyond it the way back shrinks
    # faster than the way out grows.
    turn_mm = min(range_mm + overshoot_mm, travel_mm)
    return sum(registers.move_duration_s(way, speed, acceleration) for way in (turn_mm, overshoot_mm))


def _of_keys(values: Values, schema: Values, place: Location = ()) -> Iterator[Violation]:
    known = list(schema["properties"])
    for key in schema.get("required", ()):
        if key not in values:
            yield Violation((*place, key), f"is missing; expected {_expected(schema['properties'][key])}")
    for position, key in enumerate(sorted(set(values) - set(known))):
        near = site.suggestion(key, known) if position < _MAX_LISTED else ""
        yield Violation((*place, key), f"is no known key{f'; did you mean {near}?' if near else ''}")


def _of_inner_keys(values: Values, schema: Values) -> Iterator[Violation]:
    for key, rules in schema["properties"].items():
        if rules["type"] == "object" and isinstance(values.get(key), dict):
            yield from _of_keys(values[key], rules, (key,))


def _of_values(values: Values, schema: Values) -> Iterator[Violation]:
    if surely_keeps(values, schema):
        return
    # Slow to import, and large.
    import jsonschema

    # Whether the items of a list differ is a question of quadratic cost. One too many is as wrong as thousands.
    bounded = {
        key: value[: _MAX_LISTED + 1] if isinstance(value, list) else value for key, value in values.items()
    }
    errors = jsonschema.Draft7Validator(schema).iter_errors(bounded)
    # A value may break several rules of the schema; one sentence names them all. Missing and unknown keys are no
    # faults of the object that they are in.
    of_keys = ("required", "additionalProperties")
    for location in {tuple(error.absolute_path) for error in errors if error.validator not in of_keys}:
        value, rules = _at(location, values, schema)
        finite = ", which is no finite number" if isinstance(value, UnusableNumber) else ""
        yield Violation(location, f"{shown(value)} was given{finite}; expected {_expected(rules)}")


def _at(location: Location, values: Values, schema: Values) -> tuple[Any, Values]:
    """A value, and the rules for it."""
    value, rules = values, schema
    for part in location:
        value = value[part]  # type: ignore[index]
        rules = rules["items"] if isinstance(part, int) else rules["properties"][part]
    return value, rules


def _expected(rules: Values) -> str:
    notes = "; ".join(rules[key] for key in ("x-unit", "x-reason") if key in rules)
    return f"{_wanted(rules)} ({notes})"


def _wanted(rules: Values) -> str:
    if "const" in rules:
        return f"{rules['const']}"
    if "enum" in rules:
        return " or ".join(f'"{value}"' for value in rules["enum"])
    if rules["type"] == "string":
        return f"text of {rules['minLength']} to {rules['maxLength']} characters"
    if rules["type"] == "boolean":
        return "true or false"
    if rules["type"] == "array":
        return f"a list of {rules['minItems']} to {rules['maxItems']} different names"
    if rules["type"] == "object":
        return f"an object with any of the keys {', '.join(rules['properties'])}"
    if rules["type"] == "integer":
        return f"a whole number from {rules['minimum']} to {rules['maximum']}"
    if "exclusiveMinimum" in rules:
        return f"a number above {rules['exclusiveMinimum']}, at most {rules['maximum']}"
    return f"a number from {rules['minimum']} to {rules['maximum']}"


def _of_names(values: Values, faulty: set[Location]) -> Iterator[Violation]:
    try:
        site.require_rockit_common()
    except ConfigError as error:
        yield Violation(("daemon",), f"cannot be looked up, nor can control_machines: {error}")
        return
    yield from _of_name(("daemon",), values.get("daemon"), site.registered_daemon, faulty)
    machines = values.get("control_machines")
    if isinstance(machines, list):
        for index, machine in enumerate(machines[:_MAX_LISTED]):
            yield from _of_name(("control_machines", index), machine, site.machine_ip, faulty)


def _of_name(
    location: Location, name: object, look_up: Callable[[str], object], faulty: set[Location]
) -> Iterator[Violation]:
    if location in faulty or not isinstance(name, str):
        return
    try:
        look_up(name)
    except ConfigError as error:
        yield Violation(location, str(error))


def _of_serial_port(values: Values, faulty: set[Location]) -> Iterator[Violation]:
    url: Any = values.get("serial_port")
    if not isinstance(url, str) or ("serial_port",) in faulty:
        return
    scheme, separator, rest = url.partition("://")
    if not separator or "/" in scheme:
        # A device. Whether it is there is asked when it is opened: an adapter may be plugged in later.
        return
    if scheme.lower() not in _SCHEMES:
        near = site.suggestion(scheme.lower(), _SCHEMES)
        meant = f"; did you mean {near}://?" if near else ""
        expected = f"a device, or a URL that begins with one of {', '.join(_SCHEMES)}{meant}"
        yield Violation(("serial_port",), f"{shown(url)} was given; expected {expected}")
    elif scheme.lower() in _NETWORK_SCHEMES and not _has_port(rest):
        expected = f"{scheme}://HOST:PORT, the port from 1 to {_MAX_PORT}"
        yield Violation(("serial_port",), f"{shown(url)} was given; expected {expected}")


def _has_port(rest: str) -> bool:
    # Without a host it is this machine.
    try:
        return bool(urlsplit(f"//{rest}").port)
    except ValueError:
        return False


def _of_host(values: Values, faulty: set[Location]) -> Iterator[Violation]:
    place = ("alpaca", "host")
    if not isinstance(values.get("alpaca"), dict) or faulty.intersection((place, place[:1])):
        return
    host = with_defaults(values["alpaca"], "alpaca")["host"]
    if not _can_be_listened_on(host):
        reason = _schema()["properties"]["alpaca"]["properties"]["host"]["x-reason"]
        yield Violation(place, f"{shown(host)} was given; expected {reason}")


def _can_be_listened_on(host: str) -> bool:
    address = address_of(host)
    # The system would let a server listen at the first two, where nobody could reach it. A zone (fe80::1%eth0) has
    # no place in the addresses that clients are given.
    return address is not None and not (address.is_multicast or host == "255.255.255.255" or "%" in host)


def _of_ports(values: Values, faulty: set[Location]) -> Iterator[Violation]:
    needed: set[Location] = {("alpaca",), ("alpaca", "host"), ("alpaca", "port"), ("daemon",)}
    if "alpaca" not in values or faulty & needed:
        return
    alpaca = with_defaults(values["alpaca"], "alpaca")
    daemon = site.registered_daemon(values["daemon"])
    if alpaca["port"] == daemon.port and _overlap(alpaca["host"], daemon.host):
        expected = f"another than that of {values['daemon']}, which is called at {daemon.host}:{daemon.port}"
        yield Violation(("alpaca", "port"), f"{daemon.port} was given; expected {expected}")


def _of_metrics(values: Values, faulty: set[Location]) -> Iterator[Violation]:
    if any(key == "metrics" for key, *_ in faulty):
        return
    if "metrics" in values and "alpaca" not in values:
        yield Violation(
            ("metrics",), "is served at the port of alpaca, which is left out; expected alpaca too"
        )


def _overlap(host: str, other: str) -> bool:
    """Whether what listens on the one address keeps others from the same port of the other."""
    one, another = address_of(host), address_of(other)
    # A host that is a name may be any of this machine's addresses.
    return one is None or another is None or one == another or one.is_unspecified or another.is_unspecified


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text is, a mapped IPv4 address as that one; None if it is none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _of_relations(values: Values, faulty_keys: set[str]) -> Iterator[Violation]:
    def sound(*keys: str) -> bool:
        return not faulty_keys.intersection(keys)

    range_mm: Any = values.get("focus_range_mm")
    backlash_mm: Any = values.get("anti_backlash_mm")
    travel_key = "travel_mm" if "travel_mm" in values else "focus_range_mm"
    travel_mm: Any = values.get(travel_key)
    if sound("focus_range_mm", "travel_mm") and travel_mm < range_mm:
        expected = f"at least focus_range_mm, which is {range_mm} (mm)"
        yield Violation(("travel_mm",), f"{travel_mm} was given; expected {expected}")
    if sound(travel_key, "anti_backlash_mm") and backlash_mm >= travel_mm:
        expected = f"less than {travel_key}, which is {travel_mm} (mm)"
        yield Violation(("anti_backlash_mm",), f"{backlash_mm} was given; expected {expected}")
    if sound(*_MOVE_KEYS) and values["move_timeout"] < longest_move_s(values) + MOVE_MARGIN_S:
        # Rounded up: the number that is named must pass.
        needed_s = math.ceil((longest_move_s(values) + MOVE_MARGIN_S) * 10) / 10
        expected = (
            f"at least {needed_s} (s; the longest move, its overshoot and its way back included, "
            f"and {MOVE_MARGIN_S:g} s for replies and commands that must be repeated)"
        )
        yield Violation(("move_timeout",), f"{values['move_timeout']} was given; expected {expected}")
