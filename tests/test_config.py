"""The configuration: what is accepted, and the one sentence for each thing that is not."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z import Config, registers
from rockit.focuser.ok3z.config_check import longest_move_s
from rockit.focuser.ok3z.errors import ConfigError

PROJECT = Path(__file__).parents[1]
SITE = json.loads((PROJECT / "ngts_m06.json").read_text())
SCHEMA = json.loads((PROJECT / "src/rockit/focuser/ok3z/config_schema.json").read_text())

Write = Callable[..., Path]


@pytest.fixture(name="write")
def fixture_write(tmp_path: Path) -> Write:
    """Writes the site's configuration with other values; an empty JSON text in `raw` leaves the key out."""

    def write(raw: dict[str, str] | None = None, **values: Any) -> Path:
        texts = {key: json.dumps(value) for key, value in {**SITE, **values}.items()}
        texts.update(raw or {})
        path = tmp_path / "site.json"
        members = ",\n".join(f"{json.dumps(key)}: {text}" for key, text in texts.items() if text)
        path.write_text(f"{{{members}}}")
        return path

    return write


def faults(path: Path) -> list[str]:
    """The lines of the error, without the first, which is checked here."""
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    head, *lines = str(caught.value).splitlines()
    assert head == f"{path} has {len(lines)} fault{'s' if len(lines) > 1 else ''}:"
    assert all(line.startswith("  ") for line in lines)
    return [line[2:] for line in lines]


def test_the_site_in_the_types_that_the_daemon_computes_with() -> None:
    config = Config.load(PROJECT / "ngts_m06.json")
    assert dataclasses.asdict(config) == {
        "path": PROJECT / "ngts_m06.json",
        "daemon_name": "ngts_m06_focuser",
        "log_name": "focusd@ngts_m06",
        "control_machines": ("NGTSDASNUC",),
        "serial_port": "/dev/focuser",
        "serial_baud": 38400,
        "serial_timeout_s": 5.0,
        "move_timeout_s": 180.0,
        "steps_per_mm": 5088,
        "anti_backlash_mm": 0.5,
        "focus_range_mm": 6.0,
        "travel_mm": 6.0,
        "speed_mm_sec": 0.5,
        "acceleration_mm_sec_sec": 5.0,
    }
    assert isinstance(config.serial_timeout_s, float)
    assert isinstance(config.acceleration_mm_sec_sec, float)


def test_a_config_is_made_from_a_path_and_equals_another_of_the_same_file() -> None:
    assert Config(str(PROJECT / "test.json")) == Config.load(PROJECT / "test.json")


def test_a_config_never_changes() -> None:
    config = Config(PROJECT / "test.json")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.serial_port = "/dev/other"  # type: ignore[misc]


def test_the_daemon_and_the_machines_are_those_of_the_phone_book() -> None:
    config = Config(PROJECT / "ngts_m06.json")
    daemon = config.daemon
    assert (daemon.name, daemon.host, daemon.port) == ("ngts_m06_focuser_daemon", "10.2.5.115", 9002)
    assert config.control_ips == ("10.2.5.115",)


def test_the_names_that_other_rockit_programs_use(write: Write) -> None:
    config = Config(write(serial_timeout=0.5, move_timeout=99.5))
    assert (config.serial_timeout, config.move_timeout) == (0.5, 99.5)
    assert (config.serial_timeout_s, config.move_timeout_s) == (0.5, 99.5)


@pytest.mark.parametrize("number", ["38400.0", "384e2"])
def test_a_whole_number_may_be_written_with_a_point(write: Write, number: str) -> None:
    baud = Config(write({"serial_baud": number, "steps_per_mm": "5088.0"})).serial_baud
    assert baud == 38400
    assert isinstance(baud, int)


def test_travel_may_exceed_the_range(write: Write) -> None:
    assert Config(write(travel_mm=6.5)).travel_mm == 6.5


# The site's other values must fit the one at its limit: hence the last column.
@pytest.mark.parametrize(
    ("key", "inside", "outside", "others"),
    [
        ("serial_timeout", (0.05, 60), (0.049, 60.1, 0, -1), {}),
        (
            "move_timeout",
            (3, 3600),
            (2.99, 3600.1, 0, -5),
            {"focus_range_mm": 1, "speed_mm_sec": 10, "acceleration_mm_sec_sec": 40},
        ),
        ("anti_backlash_mm", (0, 2), (-0.001, 2.01), {}),
        ("focus_range_mm", (0.1, 9), (0, 9.001, -1), {"anti_backlash_mm": 0}),
        ("travel_mm", (0.1, 9), (0, 9.001, -1), {"anti_backlash_mm": 0, "focus_range_mm": 0.1}),
        ("speed_mm_sec", (0.012, 12.28), (0.0119, 12.29, 0, -0.5), {"move_timeout": 3600}),
        ("acceleration_mm_sec_sec", (0.0115, 46.85), (0.0114, 46.86, 0, -5), {}),
        ("control_machines", (), ([], ["LocalHost", "LocalHost"], ["LocalHost"] * 101), {}),
        ("log_name", ("x", "é", "x" * 100), ("", " ", "x" * 101, "a\nb", "a\n", "\x7f", "a\u2028b"), {}),
        ("serial_port", ("socket://host:9", "x" * 1000), ("", "\t", "x" * 1001, "/dev/a\0", "/dev/a\n"), {}),
        ("serial_baud", (38400,), (9600, 38401, 38400.5, 0, -38400), {}),
        ("steps_per_mm", (5088,), (5087, 5088.5, 0, -5088), {}),
    ],
)
def test_limits(
    write: Write, key: str, inside: tuple[Any, ...], outside: tuple[Any, ...], others: dict[str, Any]
) -> None:
    for value in inside:
        Config(write(**{**others, key: value}))
    for value in outside:
        (line,) = faults(write(**{**others, key: value}))
        assert line.startswith(f"{key}: ")
        assert " was given; expected " in line


@pytest.mark.parametrize("key", sorted(SCHEMA["properties"]))
@pytest.mark.parametrize("wrong", ["true", "null", "{}", "NaN", "-Infinity", "1e400", "1" + "0" * 400])
def test_every_key_refuses_what_is_no_value_at_all(write: Write, key: str, wrong: str) -> None:
    lines = faults(write({key: wrong}))
    assert len(lines) == 1
    assert lines[0].startswith(f"{key}: {'an object' if wrong == '{}' else wrong[:50]}")
    assert len(lines[0]) < 230


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {"speed_mm_sec": 40},
            "speed_mm_sec: 40 was given; expected a number from 0.012 to 12.28 "
            "(mm/s; what the controller's speed register holds)",
        ),
        (
            {"serial_baud": 9600},
            "serial_baud: 9600 was given; expected 38400 (baud; the one speed of the controller)",
        ),
        (
            {"serial_baud": True},
            "serial_baud: true was given; expected 38400 (baud; the one speed of the controller)",
        ),
        (
            {"focus_range_mm": "6"},
            'focus_range_mm: "6" was given; expected a number above 0, at most 9 (mm; within the mechanical travel)',
        ),
        (
            {"log_name": "x" * 60_000},
            f'log_name: "{"x" * 56}... was given; expected text of 1 to 100 characters (printable, not blank)',
        ),
        (
            {"control_machines": ["NGTSDASNUC", "NGTSDASNUK"]},
            'control_machines[1]: "NGTSDASNUK" was given; '
            "expected a machine registered in rockit.common.IP (did you mean NGTSDASNUC?)",
        ),
        (
            {"control_machines": ["NGTSDASNUC", 5]},
            "control_machines[1]: 5 was given; "
            "expected text of 1 to 100 characters (a machine registered in rockit.common.IP)",
        ),
        (
            {"control_machines": [""]},
            'control_machines[0]: "" was given; '
            "expected text of 1 to 100 characters (a machine registered in rockit.common.IP)",
        ),
        (
            {"daemon": "ngts_m6_focuser"},
            'daemon: "ngts_m6_focuser" was given; '
            "expected a daemon registered in rockit.common.daemons (did you mean ngts_m06_focuser?)",
        ),
        ({"speed_mm_sek": 1}, "speed_mm_sek: is no known key; did you mean speed_mm_sec?"),
        ({"quite_other": 1}, "quite_other: is no known key"),
        ({"a\n\ud800": 1}, r'"a\n\ud800": is no known key'),
        ({"travel_mm": 5}, "travel_mm: 5 was given; expected at least focus_range_mm, which is 6.0 (mm)"),
        (
            {"focus_range_mm": 0.5},
            "anti_backlash_mm: 0.5 was given; expected less than focus_range_mm, which is 0.5 (mm)",
        ),
        (
            {"move_timeout": 13.4},
            "move_timeout: 13.4 was given; "
            "expected at least 15.5 (s; the longest move, its overshoot and its way back included, "
            "and 2 s for replies and commands that must be repeated)",
        ),
    ],
)
def test_the_sentence_of_a_fault(write: Write, values: dict[str, Any], line: str) -> None:
    assert faults(write(**values)) == [line]


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_a_missing_key_is_named_with_what_is_expected(write: Write, key: str) -> None:
    (line,) = faults(write({key: ""}))
    assert line.startswith(f"{key}: is missing; expected ")


def test_a_number_that_is_infinite_says_so(write: Write) -> None:
    (line,) = faults(write({"move_timeout": "1e400"}))
    assert line.startswith(
        "move_timeout: 1e400 was given, which is no finite number; expected a number from 3 to"
    )


def test_a_typing_error_of_ten_keys_is_ten_lines_in_the_order_of_the_keys(write: Write) -> None:
    path = write(
        {"move_timeout": "", "anti_backlash_mm": "NaN"},
        daemon="nobody",
        log_name="a\tb",
        control_machines=["LocalHost", "lost"],
        serial_port="",
        serial_baud=True,
        serial_timeout="5",
        steps_per_mm=5088.5,
        focus_range_mm=7,
        travel_mm=6,
        speed_mm_sek=1,
    )
    assert [line.split(": ")[0] for line in faults(path)] == [
        "anti_backlash_mm",
        "control_machines[1]",
        "daemon",
        "log_name",
        "move_timeout",
        "serial_baud",
        "serial_port",
        "serial_timeout",
        "speed_mm_sek",
        "steps_per_mm",
        "travel_mm",
    ]


def test_repeated_keys_are_all_named_beside_other_faults(write: Write) -> None:
    path = write()
    path.write_text(path.read_text()[:-1] + ', "daemon": "a", "serial_baud": 38400, "daemon": "nobody"}')
    first, *others = faults(path)
    assert first.startswith('daemon: "nobody" was given; expected a daemon registered')
    assert others == [
        "daemon: is there more than once; expected once",
        "serial_baud: is there more than once; expected once",
    ]


def test_a_flood_of_faults_is_counted_not_shown(write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(write(**{f"x{n:04}": n for n in range(500)}))
    lines = str(caught.value).splitlines()
    assert lines[0].endswith(" has 500 faults:")
    assert lines[-1] == "  and 400 more"
    assert len(lines) == 102


def test_of_a_list_with_thousands_of_objects_few_are_looked_at(write: Write) -> None:
    # Whether 4800 objects differ takes jsonschema 15 s; the number of messages shows how many it was given.
    with pytest.raises(ConfigError, match="has 102 faults"):
        Config(write(control_machines=[{str(n): 1} for n in range(4800)]))


def test_what_rockit_common_refuses_is_one_more_fault(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    # Importing what stands as None in sys.modules raises ImportError, as importing from nowhere does.
    monkeypatch.setitem(sys.modules, "rockit.common", None)
    daemon, baud = faults(write(serial_baud=1))
    assert daemon.startswith(
        "daemon: cannot be looked up, nor can control_machines: rockit.common cannot be used: "
    )
    assert baud.startswith("serial_baud: 1 was given; ")


def test_the_longest_move_runs_out_past_the_target_and_back(write: Write) -> None:
    real_speed, real_acceleration = 41 / 83.361792, 437 / 87.411174
    out, back = 6.5 / real_speed, 0.5 / real_speed
    config = Config(write(travel_mm=7))
    assert config.longest_move_s == pytest.approx(out + back + 2 * real_speed / real_acceleration, rel=1e-6)


@given(
    st.floats(0.1, 9),
    st.floats(0, 9),
    st.floats(0, 2),
    st.floats(0.012, 12),
    st.floats(0.012, 46),
    st.floats(0, 1),
)
def test_no_target_takes_longer_than_the_longest_move(
    range_mm: float, extra_mm: float, backlash_mm: float, speed: float, acceleration: float, part: float
) -> None:
    travel_mm = min(range_mm + extra_mm, 9)
    values = {
        "focus_range_mm": range_mm,
        "travel_mm": travel_mm,
        "anti_backlash_mm": min(backlash_mm, travel_mm),
        "speed_mm_sec": speed,
        "acceleration_mm_sec_sec": acceleration,
    }
    real_speed = registers.register_speed_mm_sec(registers.speed_register(speed))
    real_acceleration = registers.register_acceleration_mm_sec_sec(
        registers.acceleration_register(acceleration)
    )
    target_mm = part * range_mm
    turn_mm = min(target_mm + values["anti_backlash_mm"], travel_mm)
    ways = (turn_mm, turn_mm - target_mm)
    duration = sum(registers.move_duration_s(way, real_speed, real_acceleration) for way in ways)
    assert duration <= longest_move_s(values) * (1 + 1e-9)


def test_the_schema_states_what_the_registers_hold() -> None:
    limits = SCHEMA["properties"]
    speed, acceleration = limits["speed_mm_sec"], limits["acceleration_mm_sec_sec"]
    assert registers.speed_register(speed["minimum"]) == 1
    assert registers.speed_register(speed["maximum"]) == registers.MAX_SPEED_REGISTER
    assert registers.acceleration_register(acceleration["minimum"]) == 1
    assert registers.acceleration_register(acceleration["maximum"]) == registers.MAX_ACCELERATION_REGISTER
    assert limits["steps_per_mm"]["const"] == registers.STEPS_PER_MM
    assert limits["focus_range_mm"]["maximum"] == limits["travel_mm"]["maximum"] == registers.TRAVEL_MM


def test_the_table_of_the_documentation_is_that_of_the_schema(write: Write) -> None:
    page = (PROJECT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in page.splitlines()
        if line.startswith("| `")
    ]
    table = {key.strip("`"): (unit, allowed) for key, unit, allowed, _ in rows}
    assert set(table) == set(SCHEMA["properties"])
    for key, (unit, allowed) in table.items():
        rules = SCHEMA["properties"][key]
        assert rules["title"]
        assert rules["description"]
        assert unit == rules.get("x-unit", "")
        (line,) = faults(write({key: "null"}))
        assert line.startswith(f"{key}: null was given; expected {allowed} (")
    assert json.loads(page.split("```json")[1].split("```")[0]) == SITE
