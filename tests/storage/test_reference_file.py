"""The temperature's reference on the disk: whole or not at all, and nothing that is no reference is taken for one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from rockit.focuser.ok3z.storage import reference_file
from rockit.focuser.ok3z.storage.reference_file import Reference, ReferenceFile, path_beside

REFERENCE = Reference(7.25, "2026-11-22T20:00:00Z", 0.1, 2.5, 0.12, 0.13, drift_mm=-0.02)


def test_it_outlives_the_process_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = path_beside(tmp_path / "new" / "focuser.json")
    assert path is not None
    assert ReferenceFile(path).read() is None
    ReferenceFile(path).write(REFERENCE)
    ReferenceFile(path).write(REFERENCE)
    assert ReferenceFile(path).read() == REFERENCE
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_crash_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ReferenceFile(tmp_path / "reference")
    file.write(REFERENCE)

    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(reference_file, "write_durably", refuse)
    with pytest.raises(OSError, match="no space"):
        file.write(Reference(0.0, "", 0.0, 0.0, 0.0, 0.0))
    assert file.read() == REFERENCE


def test_without_a_state_file_there_is_none() -> None:
    file = ReferenceFile(path_beside(None))
    file.write(REFERENCE)
    assert file.read() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        json.dumps({"format": 1, **asdict(REFERENCE), "celsius": "7"}),
        json.dumps({"format": 1, **asdict(REFERENCE), "set_mm": float("nan")}),
        json.dumps({"format": 1, **asdict(REFERENCE), "term_mm": None}),
        json.dumps({"format": 1, **asdict(REFERENCE), "focus_mm": 1e300}),
        json.dumps({"format": 1, **asdict(REFERENCE), "utc": 5}),
        json.dumps({"format": 1, **asdict(REFERENCE), "more": 1}),
        "[" * 4000,
        json.dumps({"format": 1, **asdict(REFERENCE)})[:-5],
    ],
)
def test_what_is_damaged_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "reference"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"it is damaged|it is not of format 1"):
        ReferenceFile(path).read()
