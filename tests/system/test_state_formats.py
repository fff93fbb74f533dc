"""State files of other releases: an upgrade goes on from the format before, a downgrade homes."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.storage import state_file
from rockit.focuser.ok3z.storage.state_file import FORMAT

VECTOR = Path(__file__).parents[1] / "vectors/state-format-1.json"
DAEMON = "system_test"


def content() -> bytes:
    return VECTOR.read_bytes()


def of_a_newer_release(values: dict[str, Any]) -> bytes:
    """With what this one cannot know: other keys, and another checksum."""
    return json.dumps({**values, "format": FORMAT + 1, "of_then": [1.5], "sha256": "another"}).encode()


def test_the_format_before_is_read() -> None:
    entry, written_at = state_file.decode(content(), DAEMON)
    known = {
        "origin_register": 14497,
        "register": 4321,
        "way": None,
        "taken_up_steps": 1018,
        "target_steps": 10176,
        "homed_at": datetime(2026, 11, 30, 11, 59, 52, 8243, tzinfo=timezone.utc),
    }
    assert {key: getattr(entry, key) for key in known} == known
    assert written_at == datetime(2026, 11, 30, 11, 59, 52, 386315, tzinfo=timezone.utc)


@pytest.fixture(name="daemon")
def fixture_daemon(make_daemon: Any) -> Any:
    """A daemon on the port of the vector, whose virtual controller stands as it was left there."""
    made = make_daemon(serial_port=json.loads(content())["port"])
    (made.folder / "state").mkdir()
    return made


def test_an_upgrade_goes_on_where_the_release_before_ended(daemon: Any) -> None:
    file = daemon.folder / "state" / f"{DAEMON}.json"
    file.write_bytes(content())
    daemon.start()
    assert daemon.call("initialize", resume=True) == 0
    report = daemon.status()
    assert (report["position_trust"], report["current_mm"]) == ("resumed", 2.0)
    assert daemon.call("set_focus", 1.0) == 0
    daemon.end()
    assert json.loads(file.read_text())["format"] == FORMAT
    assert sorted(path.name for path in file.parent.iterdir()) == ["system_test.history.sqlite", file.name]


def test_a_downgrade_homes_and_keeps_the_newer_file_aside(daemon: Any) -> None:
    file = daemon.folder / "state" / f"{DAEMON}.json"
    newer = of_a_newer_release(json.loads(content()))
    file.write_bytes(newer)
    daemon.start()
    assert daemon.call("initialize", resume=True) == 0
    report = daemon.status()
    assert (report["position_trust"], report["current_mm"]) == ("homed", 0.0)
    assert "another version of focusd wrote it" in daemon.log
    daemon.end()
    assert json.loads(file.read_text())["format"] == FORMAT
    assert file.with_name(f"{file.name}.unusable").read_bytes() == newer
