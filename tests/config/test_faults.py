"""The one sentence for each thing that is not accepted, and all of them together."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z import Config
from rockit.focuser.ok3z.errors import ConfigError

PROJECT = Path(__file__).parents[2]
SCHEMA = json.loads((PROJECT / "src/rockit/focuser/ok3z/config/schema.json").read_text())

Write = Callable[..., Path]
Faults = Callable[[Path], list[str]]


def test_what_is_neither_true_nor_false_is_refused(write: Write, faults: Faults) -> None:
    for key, meaning in (
        ("restore_on_init", "whether to return to the last position that was reached, after homing"),
        ("resume_on_init", "whether to carry on without homing if the controller is as it was left"),
    ):
        for text in ("1", "0", '"true"', "null", "[]"):
            said = f"{key}: {text} was given; expected true or false ({meaning})"
            assert faults(write({key: text})) == [said]


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
        ("resume_max_age_h", (0.1, 24, 8760), (0, -1, 8761, True, "24"), {}),
        ("hand", ("keep", "home"), ("", "Keep", "keep ", True, 0), {}),
        ("control_machines", (), ([], ["LocalHost", "LocalHost"], ["LocalHost"] * 101), {}),
        ("log_name", ("x", "é", "x" * 100), ("", " ", "x" * 101, "a\nb", "a\n", "\x7f", "a\u2028b"), {}),
        ("serial_port", ("socket://host:9", "x" * 1000), ("", "\t", "x" * 1001, "/dev/a\0", "/dev/a\n"), {}),
        ("serial_baud", (38400,), (9600, 38401, 38400.5, 0, -38400), {}),
        ("steps_per_mm", (5088,), (5087, 5088.5, 0, -5088), {}),
    ],
)
def test_limits(
    write: Write,
    faults: Faults,
    key: str,
    inside: tuple[Any, ...],
    outside: tuple[Any, ...],
    others: dict[str, Any],
) -> None:
    for value in inside:
        Config(write(**{**others, key: value}))
    for value in outside:
        (line,) = faults(write(**{**others, key: value}))
        assert line.startswith(f"{key}: ")
        assert " was given; expected " in line


def test_serial_ports_that_may_be_opened(write: Write) -> None:
    for url in (
        *("/dev/focuser", "/dev/serial/by-id/usb://odd", "COM3", "sim://", "SIM://?start_mm=1"),
        *("socket://bridge:4001", "socket://:4001", "Socket://[::1]:4001?logging=debug"),
        *("rfc2217://10.2.5.9:2217", "spy:///dev/focuser", "loop://"),
    ):
        assert Config(write(serial_port=url)).serial_port == url


def test_serial_ports_that_nothing_can_open(write: Write, faults: Faults) -> None:
    where = "socket://HOST:PORT, the port from 1 to 65535"
    schemes = (
        "a device, or a URL that begins with one of alt, cp2110, hwgrep, loop, rfc2217, sim, socket, spy"
    )
    for url, expected in (
        ("socket://bridge", where),
        ("rfc2217://", where.replace("socket", "rfc2217")),
        ("socket://bridge:0", where),
        ("socket://bridge:65536", where),
        ("socket://bridge:x", where),
        ("socket://[::1:4001", where),
        ("sokcet://bridge:4001", f"{schemes}; did you mean socket://?"),
        ("http://bridge:4001", schemes),
    ):
        assert faults(write(serial_port=url)) == [f'serial_port: "{url}" was given; expected {expected}']


def test_every_key_refuses_what_is_no_value_at_all(write: Write, faults: Faults) -> None:
    texts = ("true", "null", "{}", "NaN", "-Infinity", "1e400", "1" + "0" * 400)
    for key, wrong in product(SCHEMA["properties"], texts):
        if (wrong, SCHEMA["properties"][key]["type"]) in (("true", "boolean"), ("{}", "object")):
            continue
        lines = faults(write({key: wrong}))
        assert len(lines) == 1, wrong
        assert lines[0].startswith(f"{key}: {'an object' if wrong == '{}' else wrong[:50]}"), lines
        assert len(lines[0]) < 230, wrong


def test_a_number_is_no_boolean_and_no_object(write: Write, faults: Faults) -> None:
    for key, one in SCHEMA["properties"].items():
        if one["type"] in ("boolean", "object"):
            (line,) = faults(write({key: "1"}))
            assert line.startswith(f"{key}: 1")
            assert len(line) < 230


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
def test_the_sentence_of_a_fault(write: Write, faults: Faults, values: dict[str, Any], line: str) -> None:
    assert faults(write(**values)) == [line]


def test_a_missing_key_is_named_with_what_is_expected(write: Write, faults: Faults) -> None:
    for key in SCHEMA["required"]:
        (line,) = faults(write({key: ""}))
        assert line.startswith(f"{key}: is missing; expected ")


def test_a_number_that_is_infinite_says_so(write: Write, faults: Faults) -> None:
    (line,) = faults(write({"move_timeout": "1e400"}))
    assert line.startswith(
        "move_timeout: 1e400 was given, which is no finite number; expected a number from 3 to"
    )


def test_a_typing_error_of_ten_keys_is_ten_lines_in_the_order_of_the_keys(
    write: Write, faults: Faults
) -> None:
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


def test_repeated_keys_are_all_named_beside_other_faults(write: Write, faults: Faults) -> None:
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


def test_what_rockit_common_refuses_is_one_more_fault(
    write: Write, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Importing what stands as None in sys.modules raises ImportError, as importing from nowhere does.
    monkeypatch.setitem(sys.modules, "rockit.common", None)
    daemon, baud = faults(write(serial_baud=1))
    assert daemon.startswith(
        "daemon: cannot be looked up, nor can control_machines: rockit.common cannot be used: "
    )
    assert baud.startswith("serial_baud: 1 was given; ")
