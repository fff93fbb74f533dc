"""A disk that hangs: nobody waits for it, but once and shortly."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest

from rockit.focuser.ok3z.storage import state_store
from tests.support.waiting import wait_until

# A wait of so long would outlast the test.
LONG_S = 60.0
WRITING = ("makedirs", "open", "write", "fsync", "replace")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("call", WRITING)
def test_a_disk_that_hangs_is_waited_for_once_and_not_again(
    call: str, bench: Any, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = bench.journal()
    held = disk.hang(call)
    kept.write(bench.entry_at(1), durable=True)
    disk.await_hanging()
    assert "does not answer in time" in kept.problem
    # A wait now would outlast the test.
    monkeypatch.setattr(state_store, "WRITE_PATIENCE_S", LONG_S)
    for number in range(2, 100):
        kept.write(bench.entry_at(number), durable=True)
    assert bench.announced.levels == [logging.WARNING]
    held.set()
    bench.announced.wait_for(2)

    assert kept.problem == ""
    assert bench.announced.levels == [logging.WARNING, logging.INFO]
    kept.write(bench.entry_at(100), durable=True)
    assert bench.left() == bench.entry_at(100)


@pytest.mark.usefixtures("impatient")
def test_a_write_that_nobody_waits_for_hangs_as_well(bench: Any, disk: Any) -> None:
    kept = bench.journal()
    held = disk.hang("fsync")
    kept.write(bench.entry_at(1), durable=False)
    disk.await_hanging()
    wait_until(lambda: "does not answer in time" in kept.problem)
    kept.write(bench.entry_at(2), durable=False)

    assert bench.announced.levels == [logging.WARNING]
    held.set()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("call", ["open", "read", "fsync"])
def test_a_disk_that_hangs_in_reading_gives_no_entry_and_no_late_one(
    call: str, bench: Any, disk: Any
) -> None:
    bench.put(bench.encoded())
    kept = bench.journal()
    held = disk.hang(call)

    assert kept.read() is None
    assert "does not answer in time" in kept.problem
    kept.write(bench.entry_at(1), durable=True)
    held.set()
    wait_until(lambda: kept.problem == "")
    assert bench.left() == bench.entry_at(1)


def test_closing_does_not_wait_for_a_disk_that_hangs(
    bench: Any, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_store, "CLOSE_PATIENCE_S", 0.01)
    kept = bench.journal()
    disk.hang("fsync")
    kept.write(bench.entry, durable=False)
    disk.await_hanging()
    kept.close()
    kept.write(bench.entry, durable=True)
    assert kept.read() is None

    assert kept._thread.daemon
    assert kept._thread.is_alive()


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(bench: Any) -> None:
    bench.path.parent.mkdir(parents=True)
    os.mkfifo(bench.path)
    os.mkfifo(bench.path.with_name(".night.json.new"))
    kept = bench.journal()

    assert kept.read() is None
    kept.write(bench.entry, durable=True)
    assert bench.left() == bench.entry
