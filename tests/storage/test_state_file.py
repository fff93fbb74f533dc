"""The state file: where it is, and what is taken for an entry."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z.driver.rates import Ratios
from rockit.focuser.ok3z.storage import state_file
from rockit.focuser.ok3z.storage.state_file import Entry, UnusableError
from rockit.focuser.ok3z.storage.term import Term

HOMED_AT = datetime(2026, 11, 22, 20, 0, 0, 250000, tzinfo=timezone.utc)
NOW = datetime(2026, 11, 22, 21, 30, tzinfo=timezone.utc)
RATIOS = Ratios(homing=2.0, legs=0.5, speed_register=41, acceleration_register=436)
ENTRY = Entry(
    "/dev/focuser",
    -4000,
    -14176,
    (-20000, -14176),
    2544,
    10176,
    HOMED_AT,
    17,
    RATIOS,
    (30000, -5),
    True,
    2.00005,
    (-2544, 70),
    0.0125,
    0.4,
    (Term("filter", 0.12, "camera", 1.79e9, 1.79e9 + 60.0), Term("tilt", -0.05, "me", 1.79e9)),
    1.93005,
)
# What earlier versions of this format did not write.
LATER = ("target_mm", "answer_s", "refresh_s", "terms", "base_mm")
A_TERM = {"name": "filter", "mm": 0.12, "owner": "camera", "set_at": 1.79e9, "expires_at": None}
UNKNOWN = Entry("sim://", None, None, None, 0, None, None)
DAEMON = "night"


def encoded(entry: Entry = ENTRY) -> bytes:
    return state_file.encode(entry, DAEMON, NOW)


def signed(**changes: Any) -> bytes:
    """A file with other values, and with the checksum that belongs to them."""
    return signed_whole({**json.loads(encoded()), **changes})


def signed_whole(values: dict[str, Any]) -> bytes:
    values.pop("sha256", None)
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return json.dumps({**values, "sha256": hashlib.sha256(text.encode()).hexdigest()}).encode()


def why_unusable(content: bytes, daemon: str = DAEMON) -> str:
    with pytest.raises(UnusableError) as caught:
        state_file.decode(content, daemon)
    return str(caught.value)


# Where it is


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/focusd", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/var/lib/focusd"),
        ({"STATE_DIRECTORY": "/var/lib/one:/var/lib/two", "HOME": "/h"}, "/var/lib/one"),
        ({"STATE_DIRECTORY": ":relative:/var/lib/two", "HOME": "/h"}, "/var/lib/two"),
        ({"STATE_DIRECTORY": "", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/focusd"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/focusd"),
        # The specification wants relative ones to be ignored.
        ({"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/focusd"),
        ({"HOME": "/h"}, "/h/.local/state/focusd"),
    ],
)
def test_the_folder_is_that_of_systemd_then_of_xdg_then_in_the_home(
    environ: dict[str, str], folder: str
) -> None:
    assert state_file.path_for(DAEMON, environ) == Path(folder, "night.json")


def test_without_a_variable_the_home_of_the_user_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert state_file.path_for(DAEMON, {}) == Path("/somewhere/.local/state/focusd/night.json")


def test_where_no_folder_can_be_told_there_is_no_file() -> None:
    assert state_file.path_for(DAEMON, {"HOME": "relative"}) is None


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("ngts_m06_focuser", "ngts_m06_focuser.json"),
        ("a/b", "a%2Fb.json"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.json"),
        ("..", "%2E..json"),
        ("a b\n\0", "a%20b%0A%00.json"),
        ("100%2F", "100%252F.json"),
        ("ä", "%C3%A4.json"),
    ],
)
def test_a_name_becomes_a_safe_file_name(name: str, file_name: str) -> None:
    assert state_file.path_for(name, {"HOME": "/h"}) == Path("/h/.local/state/focusd", file_name)


@given(st.lists(st.text(min_size=1, max_size=300), min_size=2, max_size=2, unique=True))
def test_different_names_have_different_files_in_one_folder(names: list[str]) -> None:
    paths = [state_file.path_for(name, {"STATE_DIRECTORY": "/s"}) for name in names]
    assert paths[0] != paths[1]
    for path in paths:
        assert path is not None
        assert path.parent == Path("/s")
        assert len(path.name.encode()) <= 160
        assert not path.name.startswith(".")


# What is taken for an entry

registers = st.integers(-(2**31), 2**31)
entries = st.builds(
    Entry,
    port=st.text(max_size=50),
    origin_register=st.none() | registers,
    register=st.none() | registers,
    way=st.none() | st.lists(registers, max_size=8).map(tuple),
    taken_up_steps=st.integers(0, 2**31),
    target_steps=st.none() | registers,
    homed_at=st.none() | st.datetimes(timezones=st.just(timezone.utc)),
    homings=st.integers(0, 2**31),
    ratios=st.none()
    | st.builds(
        Ratios,
        homing=st.floats(0.05, 200.0),
        legs=st.floats(0.05, 200.0),
        speed_register=st.integers(1, 1023),
        acceleration_register=st.integers(1, 4095),
    ),
    power_up_registers=st.lists(registers, max_size=4).map(tuple),
    found_registers=st.lists(registers, max_size=4).map(tuple),
)


@given(entries)
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    assert state_file.decode(encoded(entry), DAEMON) == (entry, NOW)


@given(entries, st.data())
def test_no_file_with_one_wrong_byte_is_taken(entry: Entry, data: st.DataObject) -> None:
    content = encoded(entry)
    where = data.draw(st.integers(0, len(content) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != content[where]))
    spoilt = content[:where] + bytes([byte]) + content[where + 1 :]
    with contextlib.suppress(UnusableError):
        # Another white space, or a digit of an escaped letter written large, is the same document, and that is all.
        assert state_file.decode(spoilt, DAEMON) == (entry, NOW)
        assert json.loads(spoilt) == json.loads(content)


@pytest.mark.parametrize("length", [0, 1, 40, len(encoded()) - 2])
def test_a_file_that_was_cut_is_not_taken(length: int) -> None:
    assert "cut, damaged, or was edited" in why_unusable(encoded()[:length])


@given(st.binary(max_size=300))
def test_no_bytes_are_taken_for_an_entry_or_end_in_another_error(content: bytes) -> None:
    why_unusable(content)


@pytest.mark.parametrize(
    "content",
    [b"null", b"[]", b"7", b"{}", b'{"format": true}', b"[" * 50000, b'{"format": ' + b"9" * 5000 + b"}"],
)
def test_json_of_another_kind_is_not_taken(content: bytes) -> None:
    why_unusable(content)


def test_a_larger_file_is_not_even_read_as_json() -> None:
    assert "larger than 64 KiB" in why_unusable(encoded() + b" " * 65536)


def test_an_edited_file_is_not_taken() -> None:
    assert "edited" in why_unusable(
        encoded().replace(b'"origin_register": -4000', b'"origin_register": -4001')
    )


def test_a_file_of_another_daemon_is_not_taken() -> None:
    assert why_unusable(encoded(), "day") == "it is of another daemon"


def test_the_format_of_the_release_before_is_read() -> None:
    values = json.loads(encoded())
    for later in ("homings", "ratios", "power_up_registers", "near_switch", "found_registers"):
        del values[later]
    content = signed_whole({**values, "format": 1, "firmware": "OK3Z 1.2"})

    expected = dataclasses.replace(
        ENTRY, homings=0, ratios=None, power_up_registers=(), near_switch=False, found_registers=()
    )
    assert state_file.decode(content, DAEMON) == (expected, NOW)


@pytest.mark.parametrize("number", [0, 3, 10**30])
def test_a_file_of_another_format_is_said_to_be_one_whatever_its_checksum(number: int) -> None:
    for content in (signed(format=number), json.dumps({"format": number, "crc": 7}).encode()):
        assert "another version of focusd wrote it" in why_unusable(content)


OF_ANOTHER_KIND = [
    *[
        (key, value)
        for key in ("origin_register", "register", "target_steps", "taken_up_steps")
        for value in (True, 1.0, "1", [], 2**31 + 1, -(2**31) - 1)
    ],
    ("taken_up_steps", None),
    ("taken_up_steps", -1),
    *[("way", value) for value in ([1] * 9, [1, None], [False, 1], [2**31 + 1], {"1": 2}, "12", 0)],
    *[("port", value) for value in (None, 7, "x" * 1001)],
    *[("homings", value) for value in (None, -1, 1.0, True)],
    *[
        (key, value)
        for key in ("power_up_registers", "found_registers")
        for value in (None, [1] * 5, [None], 7)
    ],
    *[
        ("ratios", value)
        for value in (
            7,
            {},
            {"homing": 1.0, "legs": 1.0},
            {"homing": 1.0, "legs": 1.0, "settings": [41]},
            {"homing": 1.0, "legs": 1.0, "settings": [0, 436]},
            {"homing": True, "legs": 1.0, "settings": [41, 436]},
            {"homing": 0.04, "legs": 1.0, "settings": [41, 436]},
            {"homing": 1.0, "legs": 201.0, "settings": [41, 436]},
        )
    ],
    *[
        (key, value)
        for key in ("homed_at", "written_at")
        for value in (
            7,
            "",
            "yesterday",
            "2026-11-22T20:00:00",
            "2026-11-22T20:00:00+01:00",
            "2026-13-01",
        )
    ],
    ("written_at", None),
    *[("target_mm", value) for value in ("2", True, -0.1, 1001, [2.0])],
    *[(key, value) for key in ("answer_s", "refresh_s") for value in ("1", True, -0.1, 61, [0.1])],
    *[("base_mm", value) for value in ("1", True, 1001, -1001, [0.1])],
    *[("terms", value) for value in (None, {}, "filter", 17 * [A_TERM], 2 * [A_TERM], ["filter"])],
    *[
        ("terms", [{**A_TERM, **changes}])
        for changes in (
            {"name": ""},
            {"name": "a b"},
            {"owner": None},
            {"mm": 9.1},
            {"mm": True},
            {"mm": math.nan},
            {"set_at": "today"},
            {"expires_at": -1.0},
            {"of_then": 1},
        )
    ],
]


def test_a_value_of_another_kind_is_not_taken_even_with_a_checksum() -> None:
    assert state_file.decode(signed(), DAEMON) == (ENTRY, NOW)
    for key, value in OF_ANOTHER_KIND:
        assert "not as this version writes it" in why_unusable(signed(**{key: value})), (key, value)


def test_a_missing_value_is_not_taken_even_with_a_checksum() -> None:
    values = json.loads(encoded())
    for key in set(values) - {"sha256", "format", "daemon", *LATER}:
        less = {name: value for name, value in values.items() if name != key}
        assert f"('{key}')" in why_unusable(signed_whole(less))


def test_an_earlier_version_wrote_less_of_the_target_and_nothing_that_was_measured() -> None:
    values = {key: value for key, value in json.loads(encoded()).items() if key not in LATER}
    entry, _ = state_file.decode(signed_whole(values), DAEMON)
    assert entry == dataclasses.replace(
        ENTRY, target_mm=None, answer_s=None, refresh_s=None, terms=(), base_mm=None
    )


@pytest.mark.parametrize(
    "changes",
    [{"way": (True,)}, {"register": True}, {"taken_up_steps": -1}, {"homed_at": datetime(2026, 1, 1)}],
)
def test_what_could_not_be_read_is_not_written(changes: dict[str, Any]) -> None:
    with pytest.raises(UnusableError):
        encoded(dataclasses.replace(ENTRY, **changes))


def test_a_moment_is_one_of_utc_however_it_is_written() -> None:
    shifted = signed(homed_at=(HOMED_AT + timedelta(0)).isoformat().replace("+00:00", "-00:00"))
    entry, _ = state_file.decode(shifted, DAEMON)

    assert entry.homed_at == HOMED_AT
    assert entry.homed_at is not None
    assert entry.homed_at.tzinfo is timezone.utc
