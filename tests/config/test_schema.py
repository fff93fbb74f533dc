"""The schema says what the registers hold, and the documentation what the schema says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

from rockit.focuser.ok3z.driver import registers
from tests.support.markdown import blocks, page, rows

SITE = json.loads(page("ngts_m06.json"))
SCHEMA = json.loads(page("src/rockit/focuser/ok3z/config/schema.json"))

Write = Callable[..., Path]
Faults = Callable[[Path], list[str]]


def test_the_schema_states_what_the_registers_hold() -> None:
    limits = SCHEMA["properties"]
    speed, acceleration = limits["speed_mm_sec"], limits["acceleration_mm_sec_sec"]
    assert registers.speed_register(speed["minimum"]) == 1
    assert registers.speed_register(speed["maximum"]) == registers.MAX_SPEED_REGISTER
    assert registers.acceleration_register(acceleration["minimum"]) == 1
    assert registers.acceleration_register(acceleration["maximum"]) == registers.MAX_ACCELERATION_REGISTER
    assert limits["steps_per_mm"]["const"] == registers.STEPS_PER_MM
    assert limits["focus_range_mm"]["maximum"] == limits["travel_mm"]["maximum"] == registers.TRAVEL_MM


def test_the_table_of_the_documentation_is_that_of_the_schema(write: Write, faults: Faults) -> None:
    text = page("docs/configuration.md")
    table = {row["Key"].strip("`"): row for row in rows(text, "Key", "Unit", "Allowed")}
    rules_of = {}
    for key, rules in SCHEMA["properties"].items():
        rules_of[key] = rules
        rules_of.update({f"{key}.{inside}": inner for inside, inner in rules.get("properties", {}).items()})
    assert list(table) == list(rules_of)
    for place, row in table.items():
        rules = rules_of[place]
        assert rules["title"]
        assert rules["description"]
        assert row["Unit"] == rules.get("x-unit", "")
        key, _, key_inside = place.partition(".")
        (line,) = faults(write({key: json.dumps({key_inside: None}) if key_inside else "null"}))
        assert line.startswith(f"{place}: null was given; expected {row['Allowed']} (")
    for place, rules in rules_of.items():
        if "." not in place:
            continue
        default = f"{json.dumps(rules['default'])} if it is left out".replace('"', "`")
        assert default in table[place]["Meaning"]
    assert json.loads(blocks(text, "json")[0]) == SITE
