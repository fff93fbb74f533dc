"""Mistakes of the program itself: they are said, and end no thread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.storage import state_file


def test_an_entry_that_cannot_be_written_down_is_a_mistake_that_is_said(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    kept = bench.journal()
    kept.write(bench.entry_at(1), durable=True)
    for wrong in (replace(bench.entry, way=(True,)), replace(bench.entry, homed_at="now")):
        kept.write(wrong, durable=True)
        assert kept.problem.startswith("the daemon made a mistake")
        assert bench.beside() == {}
        assert "Traceback" in caplog.text
    kept.write(bench.entry_at(2), durable=True)

    assert kept.problem == ""
    assert bench.left() == bench.entry_at(2)


def test_a_mistake_in_reading_ends_no_thread(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> bytes:
        raise ZeroDivisionError

    kept = bench.journal()
    with monkeypatch.context() as patch:
        patch.setattr(state_file, "content_of", fail)
        assert kept.read() is None
    assert kept.problem.startswith("the daemon made a mistake")
    kept.write(bench.entry, durable=True)
    assert kept.read() == bench.entry
